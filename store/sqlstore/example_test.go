package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"strings"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/sqlstore"
)

func Example() {
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://connector@localhost/connector")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	s, err := sqlstore.Open(ctx, db, sqlstore.PostgreSQL(), sqlstore.Options{})
	if err != nil {
		log.Fatal(err) // It says which setting loses commits, for example.
	}
	defer func() { _ = s.Close() }()

	var b store.Batch
	b.Put("account/alice", []byte("-500"))
	if err := s.Write(ctx, &b); err != nil {
		log.Fatal(err)
	}
}

// A host that keeps its books in SQLite writes the dialect for it. The pool has
// to set a busy_timeout on all of its connections.
func ExampleDialect() {
	list := func(rows int, row string) string {
		return strings.TrimSuffix(strings.Repeat(row+", ", rows), ", ")
	}
	sqlite := sqlstore.Dialect{
		Name: "SQLite",
		Create: []string{
			`CREATE TABLE IF NOT EXISTS {prefix}entries (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID`,
			`CREATE TABLE IF NOT EXISTS {prefix}meta (id INTEGER PRIMARY KEY, version INTEGER, owner TEXT, batch INTEGER)`,
		},
		Insert:  `INSERT INTO {prefix}meta VALUES (1, ?, '', 0) ON CONFLICT DO NOTHING`,
		Meta:    `SELECT version, owner, batch FROM {prefix}meta WHERE id = 1`,
		Own:     `UPDATE {prefix}meta SET owner = ? WHERE id = 1`,
		Advance: `UPDATE {prefix}meta SET batch = ? WHERE id = 1 AND owner = ? AND batch >= ? AND batch < ?`,
		Get:     `SELECT v FROM {prefix}entries WHERE k = ?`,
		Scan:    `SELECT k, v FROM {prefix}entries WHERE k >= ? AND k < ? ORDER BY k`,
		Put: func(rows int) string {
			return `INSERT INTO {prefix}entries VALUES ` + list(rows, `(?, ?)`) + ` ON CONFLICT (k) DO UPDATE SET v = excluded.v`
		},
		Delete: func(rows int) string {
			return `DELETE FROM {prefix}entries WHERE k IN (` + list(rows, `?`) + `)`
		},
		// There are no rows to lock: whoever begins has the whole database.
		Begin:    `BEGIN IMMEDIATE`,
		Commit:   `COMMIT`,
		Rollback: `ROLLBACK`,
		Checks: []sqlstore.Check{{
			Query: `SELECT 'synchronous', synchronous FROM pragma_synchronous WHERE synchronous < 2`,
			Want:  "2 (FULL) or 3 (EXTRA)",
			Loss:  true,
		}},
	}
	fmt.Println(sqlite.Put(2))
	// Output: INSERT INTO {prefix}entries VALUES (?, ?), (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v
}
