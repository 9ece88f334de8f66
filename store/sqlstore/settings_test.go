package sqlstore_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/interledger-go/connector/internal/teststore"
	"github.com/interledger-go/connector/store/sqlstore"
)

// A database is refused whose settings would lose what has been acknowledged,
// in words that say what to change. The host may overrule that, though not
// where the store would not work.

// setting is a way in which a database is not as it has to be.
type setting struct {
	name   string
	params string                                            // of the data source
	set    func(t *testing.T, db *sql.DB, s *sqlstore.Store) // what is changed at the server, for the tables of s
	unset  string                                            // the statement that undoes it
	says   string
	loss   bool
}

func execEach(statement string) func(*testing.T, *sql.DB, *sqlstore.Store) {
	return func(t *testing.T, db *sql.DB, s *sqlstore.Store) {
		mustExec(t, db, strings.ReplaceAll(statement, "{prefix}", s.Prefix()))
	}
}

func testSettings(t *testing.T, d *database, settings []setting) {
	for _, test := range settings {
		t.Run(test.name, func(t *testing.T) {
			db := d.pool(t, d.server.Addr(), "")
			s := d.open(t, db, sqlstore.Options{AllowLoss: test.loss})
			teststore.MustWrite(t, s, "k", "v")
			if test.set != nil {
				test.set(t, db, s)
			}
			if test.unset != "" {
				defer mustExec(t, db, test.unset)
			}
			unfit := d.pool(t, d.server.Addr(), test.params)
			opts := sqlstore.Options{Prefix: s.Prefix()}
			refused, err := sqlstore.Open(t.Context(), unfit, d.dialect(), opts)
			if err == nil {
				_ = refused.Close()
				t.Fatal("Open succeeds")
			}
			const loss = "it would lose commits that it has acknowledged"
			if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), loss) != test.loss {
				t.Errorf("Open: %v, want it to say %q", err, test.says)
			}
			teststore.MustWrite(t, s, "k", "what was refused has taken nothing over")

			opts.AllowLoss = true
			allowed, err := sqlstore.Open(t.Context(), unfit, d.dialect(), opts)
			if (err == nil) != test.loss {
				t.Errorf("Open with AllowLoss: %v", err)
			}
			if err == nil {
				teststore.MustWrite(t, allowed, "k", "v")
				_ = allowed.Close()
			}
		})
	}
}

func TestPostgreSQLSettings(t *testing.T) {
	testSettings(t, startPostgreSQL(t, "fsync=off"), []setting{
		{name: "fsync", says: "fsync is off: want fsync on, synchronous_commit not off, or Options.AllowLoss", loss: true},
		{name: "both", params: "synchronous_commit=off", says: "fsync is off, synchronous_commit is off: want", loss: true},
	})
}

func TestPostgreSQLSessionSettings(t *testing.T) {
	testSettings(t, startPostgreSQL(t), []setting{
		{name: "synchronous_commit", params: "synchronous_commit=off", says: "synchronous_commit is off: want", loss: true},
		{
			name: "unlogged", set: execEach("ALTER TABLE {prefix}entries SET UNLOGGED"),
			says: "entries is unlogged: want tables that outlive a crash", loss: true,
		},
	})
}

func TestMariaDBSettings(t *testing.T) {
	testSettings(t, startMariaDB(t), []setting{
		{
			name: "innodb_flush_log_at_trx_commit", set: execEach("SET GLOBAL innodb_flush_log_at_trx_commit = 2"),
			unset: "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
			says:  "innodb_flush_log_at_trx_commit is 2: want innodb_flush_log_at_trx_commit 1, and", loss: true,
		},
		{
			name: "isolation", params: "tx_isolation=%27READ-UNCOMMITTED%27",
			says: "tx_isolation is READ-UNCOMMITTED: want an isolation of READ-COMMITTED or above",
		},
		{name: "autocommit", params: "autocommit=0", says: "autocommit is OFF: want"},
		{
			name: "max_allowed_packet", set: execEach("SET GLOBAL max_allowed_packet = 2097152"),
			unset: "SET GLOBAL max_allowed_packet = 16777216",
			says:  "max_allowed_packet is 2097152: want",
		},
		{
			name: "engine", set: execEach("ALTER TABLE {prefix}entries ENGINE = Aria"),
			says: "entries is Aria: want tables of the engine InnoDB",
		},
	})
}

func TestMariaDBBinaryLog(t *testing.T) {
	testSettings(t, startMariaDB(t, "--log-bin=binlog", "--sync-binlog=0"), []setting{
		{name: "sync_binlog", says: "sync_binlog is 0: want", loss: true},
	})
}
