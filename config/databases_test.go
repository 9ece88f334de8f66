package config_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
	"github.com/interledger-go/connector/internal/testserver"
)

// databases are the stores that are servers, each with its options for one
// that listens at an address.
var databases = map[string]struct {
	start   func(t testing.TB) *testserver.Server
	options func(addr, user, database string) string
	user    string
}{
	"postgres": {
		start: func(t testing.TB) *testserver.Server { return testserver.PostgreSQL(t) },
		options: func(addr, user, database string) string {
			return fmt.Sprintf(`{"dsn": "postgres://%s@%s/%s?sslmode=disable", "prefix": "p_"}`, user, addr, database)
		},
		user: testserver.PostgreSQLUser,
	},
	"mysql": {
		start: func(t testing.TB) *testserver.Server { return testserver.MariaDB(t) },
		options: func(addr, user, database string) string {
			return fmt.Sprintf(`{"dsn": "%s@tcp(%s)/%s", "prefix": "p_"}`, user, addr, database)
		},
		user: testserver.MariaDBUser,
	},
	"redis": {
		start: func(t testing.TB) *testserver.Server { return testserver.Redis(t) },
		options: func(addr, _, database string) string {
			return fmt.Sprintf(`{"url": "redis://%s/%s", "prefix": "p"}`, addr, database)
		},
	},
}

// goodDatabase is the name of what is there.
func goodDatabase(store string) string {
	switch store {
	case "postgres":
		return testserver.PostgreSQLDatabase
	case "mysql":
		return testserver.MariaDBDatabase
	}
	return "0"
}

// stored gives the configuration with a store.
func stored(t *testing.T, store, options string) *config.Plan {
	t.Helper()
	return mustLoad(t, "CONNECTOR_STORE="+store, "CONNECTOR_STORE_CONFIG="+options)
}

// session builds a connector from its configuration, runs it for f, and stops
// it.
func session(t *testing.T, plan *config.Plan, f func(a *config.Assembly)) {
	t.Helper()
	a, err := plan.Build(t.Context(), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	f(a)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// The books are in the database that the configuration names, and a connector
// that is built from the same one again goes on from them.
func TestBooksInDatabases(t *testing.T) {
	for name, d := range databases {
		t.Run(name, func(t *testing.T) {
			s := d.start(t)
			plan := stored(t, name, d.options(s.Addr(), d.user, goodDatabase(name)))
			for round := range 3 {
				session(t, plan, func(a *config.Assembly) {
					if got := a.Connector.Accounts()[0].Book.Balance; got != int64(round)*7 {
						t.Errorf("round %d begins with a balance of %d, want %d", round, got, round*7)
					}
					if err := a.Connector.AdjustBalance(t.Context(), "bob", 7); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

// A database that is not there, or not of that name, keeps the connector from
// being built, with an error that says which.
func TestDatabasesThatAreNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	l.Close()
	for name, d := range databases {
		t.Run(name, func(t *testing.T) {
			if _, err := stored(t, name, d.options(gone, "u", "1")).Build(t.Context(), config.Options{}); err == nil || !strings.Contains(err.Error(), gone) {
				t.Errorf("nobody listens: %v, want an error with %s", err, gone)
			}
			s := d.start(t)
			if _, err := stored(t, name, d.options(s.Addr(), d.user, "99")).Build(t.Context(), config.Options{}); err == nil || !strings.Contains(err.Error(), "99") && name != "redis" {
				t.Errorf("no such database: %v", err)
			}
		})
	}
}
