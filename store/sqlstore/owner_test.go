package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/interledger-go/connector/internal/teststore"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/sqlstore"
)

func mustExec(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Whoever opens a store takes it over. The process that had it open may not
// write any longer, and finds that out when it tries.
func testTakeOver(t *testing.T, d *database) {
	db := d.pool(t, d.server.Addr(), "")
	old := d.open(t, db, sqlstore.Options{})
	teststore.MustWrite(t, old, "k", "old")
	young := d.open(t, d.pool(t, d.server.Addr(), ""), sqlstore.Options{Prefix: old.Prefix()})
	teststore.WantValue(t, young, "k", "old")
	err := teststore.Write(t.Context(), old, "k", "too late")
	if !errors.Is(err, store.ErrClosed) || !errors.Is(err, store.ErrNotWritten) {
		t.Errorf("Write of the old one: %v, want ErrClosed", err)
	}
	teststore.WantEnded(t, old, "another process has opened it")
	teststore.WantValue(t, young, "k", "old")
	teststore.MustWrite(t, young, "k", "young")
	teststore.WantValue(t, young, "k", "young")
}

// Processes that start together make the tables together. One of them is the
// last to open the store, and keeps it.
func testFirstStartOfMany(t *testing.T, d *database) {
	const processes = 6
	prefix := d.newPrefix()
	stores := make([]*sqlstore.Store, processes)
	var done sync.WaitGroup
	for i := range stores {
		db := d.pool(t, d.server.Addr(), "")
		done.Go(func() {
			s, err := sqlstore.Open(context.Background(), db, d.dialect(), sqlstore.Options{Prefix: prefix})
			if err != nil {
				t.Errorf("Open by process %d: %v", i, err)
				return
			}
			stores[i] = s
		})
	}
	done.Wait()
	kept := 0
	for i, s := range stores {
		if s == nil {
			continue
		}
		err := teststore.Write(t.Context(), s, "k", "v")
		switch {
		case err == nil:
			kept++
			teststore.WantValue(t, s, "k", "v")
		case !errors.Is(err, store.ErrClosed):
			t.Errorf("Write by process %d: %v", i, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if kept != 1 {
		t.Errorf("%d processes have the store, want one", kept)
	}
}

// A program does not touch tables that a later version has made.
func testNewerTables(t *testing.T, d *database) {
	db := d.pool(t, d.server.Addr(), "")
	s := d.open(t, db, sqlstore.Options{})
	teststore.MustWrite(t, s, "k", "v")
	mustExec(t, db, "UPDATE "+s.Prefix()+"meta SET version = 2")
	_, err := sqlstore.Open(t.Context(), db, d.dialect(), sqlstore.Options{Prefix: s.Prefix()})
	if err == nil || !strings.Contains(err.Error(), "are of version 2, which a later version of this program has made") {
		t.Errorf("Open: %v, want it to refuse version 2", err)
	}
	mustExec(t, db, "UPDATE "+s.Prefix()+"meta SET version = 1")
	teststore.MustWrite(t, s, "k", "it has not been taken over")
}

// A database that no longer has what it has acknowledged, such as a replica
// that has taken the place of the primary, is not written to.
func testLostCommits(t *testing.T, d *database) {
	db := d.pool(t, d.server.Addr(), "")
	for name, test := range map[string]struct{ statement, reason string }{
		"lost":      {"UPDATE %meta SET batch = batch - 1", "lost commits"},
		"gained":    {"UPDATE %meta SET batch = batch + 1", "lost commits"},
		"all gone":  {"DELETE FROM %meta", "has gone"},
		"other one": {"UPDATE %meta SET owner = ''", "another process"},
	} {
		t.Run(name, func(t *testing.T) {
			s := d.open(t, db, sqlstore.Options{})
			teststore.MustWrite(t, s, "k", "old")
			teststore.MustWrite(t, s, "k", "new")
			mustExec(t, db, strings.ReplaceAll(test.statement, "%", s.Prefix()))
			if err := teststore.Write(t.Context(), s, "k", "too late"); !errors.Is(err, store.ErrClosed) {
				t.Errorf("Write: %v, want ErrClosed", err)
			}
			teststore.WantEnded(t, s, test.reason)
			var value []byte
			if err := db.QueryRow("SELECT v FROM " + s.Prefix() + "entries").Scan(&value); err != nil || string(value) != "new" {
				t.Errorf("the table has %q, %v; want what was there before", value, err)
			}
		})
	}
}

// A user without the right to create tables opens those that are there.
func testTablesThatAreThereAlready(t *testing.T, d *database) {
	db := d.pool(t, d.server.Addr(), "")
	s := d.open(t, db, sqlstore.Options{})
	teststore.MustWrite(t, s, "k", "v")
	dialect := d.dialect()
	dialect.Create = []string{"no statement"}
	teststore.WantValue(t, openDialect(t, db, dialect, sqlstore.Options{Prefix: s.Prefix()}), "k", "v")

	_, err := sqlstore.Open(t.Context(), db, dialect, sqlstore.Options{Prefix: d.newPrefix()})
	if err == nil || !strings.Contains(err.Error(), "no statement") {
		t.Errorf("Open: %v, want the statement that failed", err)
	}
}
