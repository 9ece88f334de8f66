package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/interledger-go/connector/internal/testserver"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/sqlstore"
	"github.com/interledger-go/connector/store/storetest"
)

// database is a database server that the tests run against.
type database struct {
	server  *testserver.Server
	dialect func() sqlstore.Dialect
	// connect returns a pool of connections to an address. params are added to
	// the name of the data source.
	connect func(addr, params string) (*sql.DB, error)
	// commit is in the request that commits, and in no other.
	commit string
	// impatient is the session of a server that soon ends a transaction whose
	// client is silent.
	impatient []string
	// opened counts the stores, each of which has tables of its own.
	opened atomic.Int64
}

func startPostgreSQL(t testing.TB, settings ...string) *database {
	return &database{
		server:  testserver.PostgreSQL(t, settings...),
		dialect: sqlstore.PostgreSQL,
		connect: func(addr, params string) (*sql.DB, error) {
			host, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return sql.Open("pgx", fmt.Sprintf("host=%s port=%s user=%s database=%s sslmode=disable %s",
				host, port, testserver.PostgreSQLUser, testserver.PostgreSQLDatabase, params))
		},
		commit:    "COMMIT\x00",
		impatient: []string{"SET idle_in_transaction_session_timeout = '500ms'"},
	}
}

func startMariaDB(t testing.TB, args ...string) *database {
	return &database{
		server:  testserver.MariaDB(t, args...),
		dialect: sqlstore.MySQL,
		connect: func(addr, params string) (*sql.DB, error) {
			config, err := mysql.ParseDSN(fmt.Sprintf("%s@tcp(%s)/%s?%s", testserver.MariaDBUser, addr, testserver.MariaDBDatabase, params))
			if err != nil {
				return nil, err
			}
			config.Logger = new(mysql.NopLogger)
			connector, err := mysql.NewConnector(config)
			if err != nil {
				return nil, err
			}
			return sql.OpenDB(connector), nil
		},
		commit:    "COMMIT",
		impatient: []string{"SET SESSION wait_timeout = 1"},
	}
}

// pool returns a pool of connections to the server, or to a proxy in front of
// it.
func (d *database) pool(t testing.TB, addr, params string) *sql.DB {
	t.Helper()
	db, err := d.connect(addr, params)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// newPrefix returns a prefix that no other store has.
func (d *database) newPrefix() string { return fmt.Sprintf("s%d_", d.opened.Add(1)) }

// open opens a store, with tables of its own unless opts name them.
func (d *database) open(t testing.TB, db *sql.DB, opts sqlstore.Options) *sqlstore.Store {
	t.Helper()
	if opts.Prefix == "" {
		opts.Prefix = d.newPrefix()
	}
	return openDialect(t, db, d.dialect(), opts)
}

func openDialect(t testing.TB, db *sql.DB, dialect sqlstore.Dialect, opts sqlstore.Options) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(context.Background(), db, dialect, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (d *database) options(db *sql.DB) storetest.Options {
	return storetest.Options{
		New: func(t testing.TB) store.Store { return d.open(t, db, sqlstore.Options{}) },
		Reopen: func(t testing.TB, closed store.Store) store.Store {
			return d.open(t, db, sqlstore.Options{Prefix: closed.(*sqlstore.Store).Prefix()})
		},
		Crash: func(t testing.TB, round int, load func(store.Store)) store.Store {
			return d.crash(t, round, load)
		},
	}
}

// crash kills the server during a commit, and starts it again.
func (d *database) crash(t testing.TB, round int, load func(store.Store)) store.Store {
	const rounds = 5
	if round == rounds {
		return nil
	}
	proxy := testserver.NewProxy(t, d.server.Addr())
	s := d.open(t, d.pool(t, proxy.Addr(), ""), sqlstore.Options{})
	d.server.CrashDuring(proxy, d.commit, round, func() { load(s) })
	return d.open(t, d.pool(t, d.server.Addr(), ""), sqlstore.Options{Prefix: s.Prefix()})
}

func TestPostgreSQL(t *testing.T) { testDatabase(t, startPostgreSQL(t)) }

func TestMariaDB(t *testing.T) { testDatabase(t, startMariaDB(t)) }

// testDatabase holds what is the same for all databases.
func testDatabase(t *testing.T, d *database) {
	for name, test := range map[string]func(*testing.T, *database){
		"Conformance": func(t *testing.T, d *database) {
			storetest.Run(t, d.options(d.pool(t, d.server.Addr(), "")))
		},
		"FirstStartOfMany":          testFirstStartOfMany,
		"TakeOver":                  testTakeOver,
		"NewerTables":               testNewerTables,
		"LostCommits":               testLostCommits,
		"ReplyWithinGrace":          testReplyWithinGrace,
		"LostReply":                 testLostReply,
		"LateCommit":                testLateCommit,
		"ConnectionDiesWhileIdle":   testConnectionDiesWhileIdle,
		"ServerStops":               testServerStops,
		"ServerHangs":               testServerHangs,
		"ScanKeepsNoConnection":     testScanKeepsNoConnection,
		"ScanOfManyPages":           testScanOfManyPages,
		"SettingsChangeMeanwhile":   testSettingsChangeMeanwhile,
		"TablesThatAreThereAlready": testTablesThatAreThereAlready,
	} {
		t.Run(name, func(t *testing.T) { test(t, d) })
	}
}

func BenchmarkPostgreSQL(b *testing.B) { benchDatabase(b, startPostgreSQL(b)) }

func BenchmarkMariaDB(b *testing.B) { benchDatabase(b, startMariaDB(b)) }

func benchDatabase(b *testing.B, d *database) {
	db := d.pool(b, d.server.Addr(), "")
	storetest.Bench(b, d.options(db))
}
