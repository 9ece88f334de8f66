package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/interledger-go/connector/internal/groupcommit"
	"github.com/interledger-go/connector/store"
)

// maxStatementBytes is how many bytes of keys and values a statement has, save
// for that with a single row which is larger by itself.
const maxStatementBytes = 1 << 20

// writer is the connection that the store keeps for writing, and what is
// prepared on it. It is used by one goroutine at a time.
type writer struct {
	conn    *sql.Conn
	dialect *Dialect
	maxRows int
	advance *sql.Stmt
	// put and del hold the statement with 1<<i rows at index i, from its first
	// use on.
	put, del []*sql.Stmt
	// broken says that the connection is of no use any longer, or that a
	// transaction of unknown outcome is on it.
	broken bool
}

// newWriter takes a connection out of the pool and checks the settings of the
// database, of which allowLoss excuses some. The connection never goes back:
// its session is changed.
func newWriter(ctx context.Context, db *sql.DB, d *Dialect, allowLoss bool) (*writer, error) {
	// After a restart of the server, all that were idle are dead.
	for idle := db.Stats().Idle; ; idle-- {
		w, err := tryWriter(ctx, db, d, allowLoss)
		if idle <= 0 || !errors.Is(err, driver.ErrBadConn) {
			return w, err
		}
	}
}

func tryWriter(ctx context.Context, db *sql.DB, d *Dialect, allowLoss bool) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connection for writing: %w", err)
	}
	w := &writer{conn: conn, dialect: d, maxRows: d.MaxRows}
	if w.maxRows == 0 {
		w.maxRows = maxRows
	}
	sizes := bits.Len(uint(w.maxRows))
	w.put, w.del = make([]*sql.Stmt, sizes), make([]*sql.Stmt, sizes)
	if err := w.prepare(ctx, allowLoss); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *writer) prepare(ctx context.Context, allowLoss bool) error {
	for _, statement := range w.dialect.Session {
		if _, err := w.conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	for _, c := range w.dialect.Checks {
		if c.Loss && allowLoss {
			continue
		}
		if err := w.check(ctx, c); err != nil {
			return err
		}
	}
	var err error
	if w.advance, err = w.conn.PrepareContext(ctx, w.dialect.Advance); err != nil {
		return fmt.Errorf("%s: %w", w.dialect.Advance, err)
	}
	return nil
}

// check returns an error that names the settings that c finds.
func (w *writer) check(ctx context.Context, c Check) (err error) {
	rows, err := w.conn.QueryContext(ctx, c.Query)
	if err != nil {
		return fmt.Errorf("check of settings: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var wrong []string
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return fmt.Errorf("check of settings: %w", err)
		}
		wrong = append(wrong, name+" is "+value)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("check of settings: %w", err)
	}
	switch {
	case len(wrong) == 0:
		return nil
	case c.Loss:
		return fmt.Errorf("it would lose commits that it has acknowledged: %s: want %s, or Options.AllowLoss",
			strings.Join(wrong, ", "), c.Want)
	default:
		return fmt.Errorf("%s: want %s", strings.Join(wrong, ", "), c.Want)
	}
}

// close closes the connection, whatever state it is in.
func (w *writer) close() {
	// The pool throws away a connection that is said to be bad.
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = w.conn.Close()
}

// commitError is an error of a commit. Unlike any other, it does not mean that
// the transaction has come to nothing.
type commitError struct{ err error }

func (e *commitError) Error() string { return "commit: " + e.err.Error() }
func (e *commitError) Unwrap() error { return e.err }

// transact calls do in a transaction and commits it. When ctx is done, nothing
// is committed, and the reply to a commit that has been sent is waited for no
// longer than grace. An error that is no commitError is one of a transaction
// that is not in effect and never will be: it was not asked to commit.
func (w *writer) transact(ctx context.Context, grace time.Duration, do func() error) error {
	graced, cancel := groupcommit.Grace(ctx, grace)
	defer cancel()
	tx, err := w.begin(ctx)
	if err == nil {
		err = do()
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if w.rollback(graced, tx) != nil {
			w.broken = true
		}
		return err
	}
	if err := w.commit(graced, tx); err != nil {
		if w.dialect.RolledBack != nil && w.dialect.RolledBack(err) {
			return fmt.Errorf("commit: %w", err)
		}
		w.broken = true
		return &commitError{err}
	}
	return nil
}

// begin returns the driver's own transaction, where the dialect has no
// statements for that.
func (w *writer) begin(ctx context.Context) (tx *sql.Tx, err error) {
	if w.dialect.Begin != "" {
		_, err = w.conn.ExecContext(ctx, w.dialect.Begin)
	} else {
		// When the context of a sql.Tx is done, it is rolled back behind the
		// back of whoever uses it.
		tx, err = w.conn.BeginTx(context.WithoutCancel(ctx), nil)
	}
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	return tx, nil
}

func (w *writer) commit(ctx context.Context, tx *sql.Tx) error {
	if tx != nil {
		return tx.Commit()
	}
	_, err := w.conn.ExecContext(ctx, w.dialect.Commit)
	return err
}

// rollback returns an error if the connection is of no use any longer.
func (w *writer) rollback(ctx context.Context, tx *sql.Tx) error {
	switch {
	case tx != nil:
		return tx.Rollback()
	case w.dialect.Rollback != "":
		_, err := w.conn.ExecContext(ctx, w.dialect.Rollback)
		return err
	default:
		return errors.New("there is no transaction: it could not begin")
	}
}

// apply makes the changes. What is executed on the connection while there is a
// transaction is part of it.
func (w *writer) apply(ctx context.Context, puts, deletes []store.Op) error {
	if err := w.inStatements(ctx, puts, w.put, w.dialect.Put); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if err := w.inStatements(ctx, deletes, w.del, w.dialect.Delete); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// inStatements executes statements with as many rows as fit, until all ops
// have been made. Their numbers of rows are powers of two, so that few
// statements are prepared for batches of every size.
func (w *writer) inStatements(ctx context.Context, ops []store.Op, prepared []*sql.Stmt, text func(rows int) string) error {
	for len(ops) > 0 {
		i := bits.Len(uint(min(fitting(ops), w.maxRows))) - 1
		rows := 1 << i
		if prepared[i] == nil {
			stmt, err := w.conn.PrepareContext(ctx, text(rows))
			if err != nil {
				return err
			}
			prepared[i] = stmt
		}
		if _, err := prepared[i].ExecContext(ctx, parameters(ops[:rows])...); err != nil {
			return err
		}
		ops = ops[rows:]
	}
	return nil
}

// fitting returns how many ops go into one statement by their size: one at
// least.
func fitting(ops []store.Op) int {
	bytes := 0
	for i, op := range ops {
		bytes += len(op.Key) + len(op.Value)
		if bytes > maxStatementBytes && i > 0 {
			return i
		}
	}
	return len(ops)
}

// parameters returns keys and values of ops that put, the keys of others.
func parameters(ops []store.Op) []any {
	args := make([]any, 0, 2*len(ops))
	for _, op := range ops {
		args = append(args, op.Key)
		switch {
		case op.Delete:
		case op.Value == nil:
			args = append(args, []byte{}) // nil would be NULL.
		default:
			args = append(args, op.Value)
		}
	}
	return args
}
