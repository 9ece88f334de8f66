package sqlstore

import (
	"errors"
	"strconv"
	"strings"
)

// PostgreSQL returns the dialect of PostgreSQL 12 and later, for any driver
// that takes $1 for a parameter and []byte for bytea: pgx, through its package
// stdlib, and lib/pq.
//
// The user needs the right to create tables, unless they are there already;
// the one that Open finds in the database's pg_settings counts for
// durability. A transaction whose client is silent for ten seconds is ended.
func PostgreSQL() Dialect {
	return Dialect{
		Name: "PostgreSQL",
		Create: []string{
			// Rows that change again and again find room in their page, and
			// the index is left alone.
			`CREATE TABLE IF NOT EXISTS {prefix}entries (k bytea PRIMARY KEY, v bytea NOT NULL) WITH (fillfactor = 70)`,
			`CREATE TABLE IF NOT EXISTS {prefix}meta (id int PRIMARY KEY CHECK (id = 1), version bigint NOT NULL,
				owner varchar(32) NOT NULL, batch bigint NOT NULL) WITH (fillfactor = 10)`,
		},
		Insert: `INSERT INTO {prefix}meta (id, version, owner, batch) VALUES (1, $1, '', 0) ON CONFLICT (id) DO NOTHING`,
		Meta:   `SELECT version, owner, batch FROM {prefix}meta WHERE id = 1`,
		Own:    `UPDATE {prefix}meta SET owner = $1 WHERE id = 1`,
		Advance: `UPDATE {prefix}meta SET batch = $1
			WHERE id = 1 AND owner = $2 AND batch >= $3 AND batch < $4`,
		Get:  `SELECT v FROM {prefix}entries WHERE k = $1`,
		Scan: `SELECT k, v FROM {prefix}entries WHERE k >= $1 AND k < $2 ORDER BY k`,
		Put: func(rows int) string {
			return "INSERT INTO {prefix}entries (k, v) VALUES " +
				placeholders(rows, func(i int) string { return "($" + strconv.Itoa(2*i+1) + ", $" + strconv.Itoa(2*i+2) + ")" }) +
				" ON CONFLICT (k) DO UPDATE SET v = EXCLUDED.v"
		},
		Delete: func(rows int) string {
			return "DELETE FROM {prefix}entries WHERE k IN (" +
				placeholders(rows, func(i int) string { return "$" + strconv.Itoa(i+1) }) + ")"
		},
		// At a higher level of isolation, an Advance that has waited for
		// another fails.
		Begin:    `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE`,
		Commit:   `COMMIT`,
		Rollback: `ROLLBACK`,
		Session:  []string{`SET idle_in_transaction_session_timeout = '10s'`},
		Checks: []Check{
			{
				Query: `SELECT name, setting FROM pg_settings
					WHERE name = 'fsync' AND setting <> 'on' OR name = 'synchronous_commit' AND setting = 'off'`,
				Want: "fsync on, synchronous_commit not off",
				Loss: true,
			},
			{
				Query: `SELECT relname, CASE relpersistence WHEN 'u' THEN 'unlogged' ELSE 'temporary' END FROM pg_class
					WHERE oid IN ('{prefix}entries'::regclass, '{prefix}meta'::regclass) AND relpersistence <> 'p'`,
				Want: "tables that outlive a crash",
				Loss: true,
			},
		},
		RolledBack: func(err error) bool {
			var withState interface{ SQLState() string }
			if !errors.As(err, &withState) {
				return false
			}
			// A shutdown (class 57) may come when the commit has been made,
			// and waits for a replica.
			switch state := withState.SQLState(); {
			case state == "40003": // statement completion unknown
				return false
			default:
				return strings.HasPrefix(state, "40") || strings.HasPrefix(state, "23")
			}
		},
	}
}

// placeholders returns the placeholders of rows, with commas between them.
func placeholders(rows int, row func(i int) string) string {
	var b strings.Builder
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(row(i))
	}
	return b.String()
}
