package sqlstore

import (
	"errors"
	"fmt"
	"strings"
)

// Dialect is how a database is spoken to: the statements of the store, and
// what is to be known about their outcome. [PostgreSQL] and [MySQL] return
// those that come with this package; a host writes its own for other
// databases, and proves it with package storetest. It is a value without
// state, which is read alone.
//
// The store uses two tables. In the statements, {prefix} stands for what the
// names of both begin with.
//
//   - {prefix}entries has a row for each key: the key, up to 512 bytes of any
//     value, and its value, up to 1 MiB. The key is its primary key, compared
//     byte by byte: no collation, no padding.
//   - {prefix}meta has one row: version, the version of the tables, an
//     integer; owner, text of up to 32 characters; and batch, an integer of 64
//     bits.
//
// Parameters are given in the order in which they are named here. Keys and
// values are []byte, never nil; version and batch are int64, owner is a
// string.
type Dialect struct {
	// Name is the name of the database in messages.
	Name string

	// Create are statements without parameters that make the two tables. Each
	// does nothing if what it makes is there, and may fail if another process
	// makes it at the same moment: then all are executed again.
	Create []string

	// Insert inserts the row of meta with the given version, an empty owner
	// and batch 0, if there is none. Like Create, it may fail if another
	// process does so at the same moment.
	Insert string

	// Meta selects version, owner and batch of the row of meta.
	Meta string

	// Own changes the owner of the row of meta. Until the transaction ends, it
	// keeps others from changing that row, and waits for them.
	Own string

	// Advance changes batch of the row of meta to the first parameter, where
	// owner is the second and batch is at least the third and less than the
	// fourth. The number of rows that it affects tells whether it has. It
	// locks and waits like Own: whatever the isolation, it decides on what the
	// transaction that it waited for has left.
	Advance string

	// Get selects the value of a key.
	Get string

	// Scan selects key and value of the keys that are at least the first
	// parameter and less than the second, which may be one byte longer than
	// any key, in ascending order. What it returns is one instant, however
	// slowly it is read.
	Scan string

	// Put returns a statement that makes each of rows values that of its key,
	// whether the key is there or not. Its parameters are the first key, its
	// value, the second key, and so on. No key is named twice. rows is a power
	// of two, at most MaxRows, which is 256 at most.
	Put func(rows int) string

	// Delete returns a statement that deletes keys, some of which may be
	// absent. rows is as in Put.
	Delete func(rows int) string

	// MaxRows is the largest number of rows that the store asks Put and Delete
	// for; 0 stands for 256. Put has two parameters for each.
	MaxRows int

	// Begin, Commit and Rollback control a transaction in which Own and
	// Advance do what is said there. They are executed like any other
	// statement, so that a commit is waited for no longer than the store
	// likes, whatever the driver makes of sql.Tx.Commit, which heeds no
	// context. Where they are empty, for a driver that wants a sql.Tx, the
	// store uses that, at the isolation level that is the database's default.
	Begin, Commit, Rollback string

	// Session are statements that prepare the connection which the store keeps
	// for writing. They should make the server end a transaction whose client
	// has been silent for some seconds, since it locks out the next.
	Session []string

	// Checks look for settings with which the store cannot keep its contract.
	// They are made on each new connection for writing.
	Checks []Check

	// RolledBack reports whether err, from Commit, says for certain that the
	// transaction is not in effect and never will be. Where it is nil, no
	// error does.
	RolledBack func(err error) bool
}

// Check looks for settings of a database that are not as they have to be.
type Check struct {
	// Query returns a row for each of them: its name and its value, as text.
	Query string
	// Want says, for people, what they have to be.
	Want string
	// Loss tells those that lose acknowledged commits, which a host may
	// accept, from those with which the store does not work.
	Loss bool
}

// maxRows is the largest number of rows of a statement. The number of
// statements that a connection has prepared is twice its logarithm.
const maxRows = 256

// validate says what is missing.
func (d Dialect) validate() error {
	for name, there := range map[string]bool{
		"Name": d.Name != "", "Insert": d.Insert != "", "Meta": d.Meta != "", "Own": d.Own != "", "Advance": d.Advance != "",
		"Get": d.Get != "", "Scan": d.Scan != "", "Put": d.Put != nil, "Delete": d.Delete != nil,
	} {
		if !there {
			return fmt.Errorf("the dialect has no %s: want what its comment says", name)
		}
	}
	if d.MaxRows < 0 || d.MaxRows > maxRows {
		return fmt.Errorf("the dialect has MaxRows %d: want 1 to %d, or 0 for %[2]d", d.MaxRows, maxRows)
	}
	if (d.Begin == "") != (d.Commit == "") || (d.Begin == "") != (d.Rollback == "") {
		return errors.New("the dialect has some of Begin, Commit and Rollback: want all or none")
	}
	return nil
}

// named returns the dialect with the prefix in all its statements.
func (d Dialect) named(prefix string) Dialect {
	name := func(statement string) string { return strings.ReplaceAll(statement, "{prefix}", prefix) }
	all := func(statements []string) []string {
		var named []string
		for _, statement := range statements {
			named = append(named, name(statement))
		}
		return named
	}
	put, del := d.Put, d.Delete
	d.Put = func(rows int) string { return name(put(rows)) }
	d.Delete = func(rows int) string { return name(del(rows)) }
	d.Create, d.Session = all(d.Create), all(d.Session)
	for _, statement := range []*string{&d.Insert, &d.Meta, &d.Own, &d.Advance, &d.Get, &d.Scan} {
		*statement = name(*statement)
	}
	var checks []Check
	for _, c := range d.Checks {
		c.Query = name(c.Query)
		checks = append(checks, c)
	}
	d.Checks = checks
	return d
}
