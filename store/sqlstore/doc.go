// Package sqlstore is a store in an SQL database: PostgreSQL, MySQL, MariaDB,
// or another that a host describes with a [Dialect]. The host opens a pool of
// connections with the driver that it likes, and this package links none.
//
//	db, err := sql.Open("pgx", dsn)
//	s, err := sqlstore.Open(ctx, db, sqlstore.PostgreSQL(), sqlstore.Options{})
//
// # What is in the database
//
// [Open] makes two tables if they are not there: one with the keys and values,
// both of them bytes without a collation, and one with a single row, which
// says what version the tables are of, who owns them, and the number of the
// last batch. Any number of processes may start on an empty database at once.
//
// A batch is one transaction with as few statements as its rows fit into.
// Batches that are written while a commit is under way share the next
// transaction, so that sixty-four writers cost a sync of the disk now and
// then, not one each.
//
// # One writer, in order
//
// All writes of a store go over one connection, which it keeps. Each
// transaction begins by moving the number of the last batch, in the row that
// says who owns the tables. That settles three things at once.
//
//   - A commit whose reply was lost is over before the next transaction
//     begins, since that waits for the row: it is in force by then, or never
//     will be. The server ends a transaction whose client has gone, within
//     seconds; until then a Write fails with its context, and is not written.
//   - Whoever opens the store becomes its owner. A process that had it open
//     before can commit nothing any longer. It finds out at its next Write,
//     and closes itself with an error that wraps store.ErrClosed. Two
//     processes that write the same store by mistake do not mix their books.
//   - A database that has lost a batch which it had acknowledged, such as a
//     replica that has become the primary, is found out in the same way. A
//     replica that is kept by synchronous replication loses none.
//
// # Durable means durable
//
// Open looks at the settings of the database, and so does each new connection
// for writing. Those that lose acknowledged commits when the power fails are
// refused with a sentence that names them (fsync and synchronous_commit of
// PostgreSQL, innodb_flush_log_at_trx_commit and sync_binlog of MySQL,
// unlogged tables), unless [Options.AllowLoss] says that this is accepted.
//
// # What to know about the pool
//
// Get and Scan use connections of the pool, so it needs two at least. They
// read what has been committed, and therefore must lead to the primary. A Scan
// is one statement, whose result is a snapshot; the visits of a small one need
// no connection.
//
// The connection for writing needs a session of its own: PgBouncer has to pool
// by session, not by transaction. When the server is restarted, calls fail
// with errors after which trying again makes sense, and the store makes new
// connections by itself. Reads do not try again: the first ones after a
// restart may meet connections that the pool does not yet know to be dead.
//
// The driver for MySQL waits for a server that hangs only as long as the
// context of a call says; contexts without a deadline leave it to the
// operating system to find out, as do those for PostgreSQL.
package sqlstore
