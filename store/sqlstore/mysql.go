package sqlstore

// MySQL returns the dialect of MySQL 8 and MariaDB 10.4 and later, for the
// driver github.com/go-sql-driver/mysql. The tables are of the engine InnoDB.
//
// The user needs the right to create tables, unless they are there already. A
// connection for writing that is silent for thirty seconds is ended by the
// server, so that a lost one does not lock out the next; the store makes
// another when it writes again.
func MySQL() Dialect {
	return Dialect{
		Name: "MySQL",
		Create: []string{
			`CREATE TABLE IF NOT EXISTS {prefix}entries (k VARBINARY(512) NOT NULL PRIMARY KEY, v MEDIUMBLOB NOT NULL)
				ENGINE = InnoDB`,
			`CREATE TABLE IF NOT EXISTS {prefix}meta (id INT NOT NULL PRIMARY KEY, version BIGINT NOT NULL,
				owner VARCHAR(32) NOT NULL, batch BIGINT NOT NULL) ENGINE = InnoDB`,
		},
		Insert: `INSERT INTO {prefix}meta (id, version, owner, batch) VALUES (1, ?, '', 0) ON DUPLICATE KEY UPDATE id = 1`,
		Meta:   `SELECT version, owner, batch FROM {prefix}meta WHERE id = 1`,
		Own:    `UPDATE {prefix}meta SET owner = ? WHERE id = 1`,
		// The new batch is never the old one: rows that do not change are not
		// counted as affected.
		Advance: `UPDATE {prefix}meta SET batch = ? WHERE id = 1 AND owner = ? AND batch >= ? AND batch < ?`,
		Get:     `SELECT v FROM {prefix}entries WHERE k = ?`,
		Scan:    `SELECT k, v FROM {prefix}entries WHERE k >= ? AND k < ? ORDER BY k`,
		Put: func(rows int) string {
			return "INSERT INTO {prefix}entries (k, v) VALUES " +
				placeholders(rows, func(int) string { return "(?, ?)" }) +
				" ON DUPLICATE KEY UPDATE v = VALUES(v)"
		},
		Delete: func(rows int) string {
			return "DELETE FROM {prefix}entries WHERE k IN (" + placeholders(rows, func(int) string { return "?" }) + ")"
		},
		Begin:    `START TRANSACTION READ WRITE`,
		Commit:   `COMMIT`,
		Rollback: `ROLLBACK`,
		Session:  []string{`SET SESSION wait_timeout = 30`},
		Checks: []Check{
			{
				// The binary log decides after a crash which transactions
				// are in effect, so it has to be synced as well.
				Query: `SHOW VARIABLES WHERE
					Variable_name = 'innodb_flush_log_at_trx_commit' AND Value <> '1'
					OR Variable_name = 'sync_binlog' AND Value <> '1' AND @@log_bin = 1`,
				Want: "innodb_flush_log_at_trx_commit 1, and sync_binlog 1 where there is a binary log",
				Loss: true,
			},
			{
				Query: `SHOW VARIABLES WHERE
					Variable_name IN ('transaction_isolation', 'tx_isolation') AND Value = 'READ-UNCOMMITTED'
					OR Variable_name = 'autocommit' AND Value <> 'ON'
					OR Variable_name = 'max_allowed_packet' AND Value + 0 < 4194304`,
				Want: "an isolation of READ-COMMITTED or above, autocommit ON, max_allowed_packet of 4194304 or more",
			},
			{
				Query: `SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES
					WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('{prefix}entries', '{prefix}meta') AND ENGINE <> 'InnoDB'`,
				Want: "tables of the engine InnoDB, which has transactions",
			},
		},
	}
}
