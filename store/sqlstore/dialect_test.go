package sqlstore_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/interledger-go/connector/internal/teststore"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/sqlstore"
	"github.com/interledger-go/connector/store/storetest"
)

// A host brings a dialect of its own, without statements for transactions. The
// store says nothing to the server but what the dialect has.
func TestDialectOfAHost(t *testing.T) {
	servers := make(map[store.Store]*fakeServer)
	open := func(t testing.TB, server *fakeServer) store.Store {
		s := server.open(t)
		servers[s] = server
		return s
	}
	storetest.Run(t, storetest.Options{
		New:    func(t testing.TB) store.Store { return open(t, newFakeServer(t)) },
		Reopen: func(t testing.TB, closed store.Store) store.Store { return open(t, servers[closed]) },
	})
}

// Statements have as many rows as fit, by number and by size. The server
// checks each.
func TestStatementsAreSplit(t *testing.T) {
	largest := 0
	for _, size := range []int{0, 1000, 300_000, store.MaxValueSize} {
		for _, rows := range []int{1, 2, 3, 15, 16, 17, 33} {
			server := newFakeServer(t)
			s := server.open(t)
			var b store.Batch
			value := make([]byte, size)
			for i := range rows {
				b.Put(fmt.Sprintf("key %d", i), value)
				b.Delete(fmt.Sprintf("other %d", i))
			}
			if err := s.Write(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			n := 0
			err := s.Scan(t.Context(), "", func(_ string, value []byte) error {
				if n++; len(value) != size {
					t.Errorf("a value has %d bytes, want %d", len(value), size)
				}
				return nil
			})
			largest = max(largest, server.largest)
			if err != nil || n != rows {
				t.Errorf("%d rows of %d bytes: %d are there, %v", rows, size, n, err)
			}
		}
	}
	if largest != 16 {
		t.Errorf("the largest statement has %d rows, want 16", largest)
	}
}

// Whatever fails in a transaction, the error says as much as is known of its
// outcome, nothing but what it says comes to pass, and the next Write succeeds.
func TestFaults(t *testing.T) {
	const (
		written = "written"
		refused = "not written"
		unknown = "unknown"
	)
	tests := []struct {
		faults []fault
		want   string // what Write says
		there  bool   // the batch is in effect
	}{
		{[]fault{{"advance", fails}}, refused, false},
		{[]fault{{"prepare delete", fails}}, refused, false},
		{[]fault{{"put", fails}}, refused, false},
		{[]fault{{"delete", fails}}, refused, false},
		{[]fault{{"put", fails}, {"rollback", fails}}, written, true},
		{[]fault{{"put", fails}, {"rollback", breaksBefore}}, written, true},

		{[]fault{{"begin", fails}}, written, true},

		// A connection that has been used before may have died since.
		{[]fault{{"begin", breaksBefore}}, written, true},
		{[]fault{{"begin", breaksAfter}}, written, true},
		{[]fault{{"advance", breaksAfter}}, written, true},
		{[]fault{{"put", breaksAfter}}, written, true},
		{[]fault{{"delete", breaksBefore}}, written, true},
		{[]fault{{"begin", breaksBefore}, {"connect", fails}}, refused, false},
		{[]fault{{"begin", breaksBefore}, {"session", fails}}, refused, false},
		{[]fault{{"begin", breaksBefore}, {"check", fails}}, refused, false},
		{[]fault{{"begin", breaksBefore}, {"prepare advance", fails}}, refused, false},
		{[]fault{{"begin", breaksBefore}, {"begin", breaksBefore}}, refused, false},
		{[]fault{{"put", breaksAfter}, {"put", breaksAfter}}, refused, false},

		// The commit alone can leave the outcome open.
		{[]fault{{"commit", breaksBefore}}, unknown, false},
		{[]fault{{"commit", breaksAfter}}, unknown, true},
		{[]fault{{"commit", fails}}, refused, false}, // Dialect.RolledBack knows it.
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.faults), func(t *testing.T) {
			server := newFakeServer(t)
			s := server.open(t)
			teststore.MustWrite(t, s, "k", "old")
			teststore.MustWrite(t, s, "other", "old")
			server.fail(test.faults...)
			var b store.Batch
			b.Put("k", []byte("new"))
			b.Delete("other")
			err := s.Write(t.Context(), &b)
			got := unknown
			switch {
			case err == nil:
				got = written
			case errors.Is(err, store.ErrClosed):
				got = "closed"
			case errors.Is(err, store.ErrNotWritten):
				got = refused
			}
			if got != test.want {
				t.Errorf("Write: %s (%v), want %s", got, err, test.want)
			}
			if left := server.pending(); len(left) != 0 {
				t.Errorf("these have not come: %v", left)
			}
			if test.there {
				teststore.WantValue(t, s, "k", "new")
			} else {
				teststore.WantValue(t, s, "k", "old")
				teststore.WantValue(t, s, "other", "old")
			}
			teststore.MustWrite(t, s, "k", "next")
			teststore.WantValue(t, s, "k", "next")
		})
	}
}

// A context that is done before the commit is sent keeps it from being sent.
func TestContextDoneBeforeTheCommit(t *testing.T) {
	for _, step := range []string{"begin", "advance", "put"} {
		t.Run(step, func(t *testing.T) {
			server := newFakeServer(t)
			s := server.open(t)
			teststore.MustWrite(t, s, "k", "old")
			ctx, cancel := context.WithCancel(t.Context())
			server.before = map[string]func(){step: cancel}
			var b store.Batch
			b.Put("k", []byte("new"))
			if err := s.Commit(ctx, &b); !errors.Is(err, store.ErrNotWritten) || !errors.Is(err, context.Canceled) {
				t.Errorf("commit: %v, want ErrNotWritten and the error of the context", err)
			}
			teststore.WantValue(t, s, "k", "old")
			teststore.MustWrite(t, s, "k", "next")
		})
	}
}

// A store that cannot be opened says why, and leaves no connection behind.
func TestOpenFaults(t *testing.T) {
	for _, step := range []string{"connect", "create", "insert", "session", "check", "prepare advance", "begin", "own", "commit"} {
		t.Run(step, func(t *testing.T) {
			server := newFakeServer(t)
			for range 20 {
				server.fail(fault{step, fails})
			}
			db := server.pool(t)
			_, err := sqlstore.Open(t.Context(), db, fakeDialect(), sqlstore.Options{})
			if !errors.Is(err, errFails) || !strings.HasPrefix(err.Error(), "sqlstore: open: Fake: ") {
				t.Errorf("Open: %v, want the error of the server", err)
			}
			if inUse := db.Stats().InUse; inUse != 0 {
				t.Errorf("%d connections are in use", inUse)
			}
			server.mu.Lock()
			server.faults = nil
			server.mu.Unlock()
			teststore.MustWrite(t, server.open(t), "k", "v")
		})
	}
}

// What fails since another process makes the tables at the same moment is
// tried again.
func TestOpenTriesAgain(t *testing.T) {
	server := newFakeServer(t)
	server.fail(fault{"create", fails}, fault{"create", fails}, fault{"insert", fails})
	teststore.MustWrite(t, server.open(t), "k", "v")
}

func TestChecks(t *testing.T) {
	server := newFakeServer(t)
	server.unfit = [][]driver.Value{{"this", "bad"}, {"that", "worse"}}
	for _, opts := range []sqlstore.Options{{}, {AllowLoss: true}} {
		_, err := sqlstore.Open(t.Context(), server.pool(t), fakeDialect(), opts)
		if err == nil || !strings.Contains(err.Error(), "this is bad, that is worse: want what is fit") {
			t.Errorf("Open with %+v: %v", opts, err)
		}
	}
}

// The store keeps one connection, which goes when it is closed; the pool is
// the host's.
func TestCloseLeavesThePool(t *testing.T) {
	server := newFakeServer(t)
	db := server.pool(t)
	s := openDialect(t, db, fakeDialect(), sqlstore.Options{})
	teststore.MustWrite(t, s, "k", "v")
	if inUse := db.Stats().InUse; inUse != 1 {
		t.Errorf("%d connections are in use, want 1", inUse)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if inUse := db.Stats().InUse; inUse != 0 {
		t.Errorf("%d connections are in use after Close", inUse)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("Ping after Close: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	type args struct {
		dialect sqlstore.Dialect
		opts    sqlstore.Options
		pool    int
	}
	for name, test := range map[string]struct {
		change func(a *args)
		says   string
	}{
		"a pool of one":            {func(a *args) { a.pool = 1 }, "want two or more"},
		"a negative grace":         {func(a *args) { a.opts.Grace = -1 }, "grace"},
		"a prefix with a blank":    {func(a *args) { a.opts.Prefix = "a b" }, "prefix"},
		"a prefix with a quote":    {func(a *args) { a.opts.Prefix = `a"; DROP TABLE users; --` }, "prefix"},
		"a prefix in upper case":   {func(a *args) { a.opts.Prefix = "Connector_" }, "prefix"},
		"a prefix with a digit":    {func(a *args) { a.opts.Prefix = "1_" }, "prefix"},
		"a long prefix":            {func(a *args) { a.opts.Prefix = strings.Repeat("p", 33) }, "prefix"},
		"no name":                  {func(a *args) { a.dialect.Name = "" }, "no Name"},
		"no Insert":                {func(a *args) { a.dialect.Insert = "" }, "no Insert"},
		"no Meta":                  {func(a *args) { a.dialect.Meta = "" }, "no Meta"},
		"no Own":                   {func(a *args) { a.dialect.Own = "" }, "no Own"},
		"no Advance":               {func(a *args) { a.dialect.Advance = "" }, "no Advance"},
		"no Get":                   {func(a *args) { a.dialect.Get = "" }, "no Get"},
		"no Scan":                  {func(a *args) { a.dialect.Scan = "" }, "no Scan"},
		"no Put":                   {func(a *args) { a.dialect.Put = nil }, "no Put"},
		"no Delete":                {func(a *args) { a.dialect.Delete = nil }, "no Delete"},
		"a Begin alone":            {func(a *args) { a.dialect.Begin = "begin" }, "all or none"},
		"a Commit alone":           {func(a *args) { a.dialect.Commit = "commit" }, "all or none"},
		"a Rollback alone":         {func(a *args) { a.dialect.Rollback = "rollback" }, "all or none"},
		"too many rows":            {func(a *args) { a.dialect.MaxRows = 257 }, "MaxRows 257: want 1 to 256"},
		"a negative number of row": {func(a *args) { a.dialect.MaxRows = -1 }, "MaxRows -1"},
	} {
		t.Run(name, func(t *testing.T) {
			a := args{dialect: fakeDialect()}
			test.change(&a)
			db := newFakeServer(t).pool(t)
			db.SetMaxOpenConns(a.pool)
			s, err := sqlstore.Open(context.Background(), db, a.dialect, a.opts)
			if err == nil || s != nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Open: %v, want it to say %q", err, test.says)
			}
		})
	}
}

// The statements of the dialects that come with the package have the tables of
// the prefix, and no other words that differ from store to store.
func TestPrefixIsInEveryStatement(t *testing.T) {
	for _, d := range []sqlstore.Dialect{sqlstore.PostgreSQL(), sqlstore.MySQL()} {
		statements := append([]string{d.Insert, d.Meta, d.Own, d.Advance, d.Get, d.Scan, d.Put(1), d.Put(256), d.Delete(1), d.Delete(256)}, d.Create...)
		if i := slices.IndexFunc(statements, func(s string) bool { return !strings.Contains(s, "{prefix}") }); i >= 0 {
			t.Errorf("%s: no {prefix} in %s", d.Name, statements[i])
		}
	}
}
