package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/interledger-go/connector/internal/groupcommit"
	"github.com/interledger-go/connector/store"
)

// takeOver makes this store the owner of the tables. It waits for a
// transaction of the owner before it, if one is under way; a later one finds
// out.
func (s *Store) takeOver(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	return s.writer.transact(ctx, s.opts.Grace, func() error {
		if _, err := s.writer.conn.ExecContext(ctx, s.dialect.Own, s.owner); err != nil {
			return fmt.Errorf("%s: %w", s.dialect.Own, err)
		}
		m, err := s.readMeta(ctx, s.writer.conn)
		if err != nil {
			return fmt.Errorf("%s: %w", s.dialect.Meta, err)
		}
		s.last, s.acknowledged = m.batch, m.batch
		return nil
	})
}

// connect makes the connection for writing, if there is none.
func (s *Store) connect(ctx context.Context) error {
	if s.writer != nil {
		return nil
	}
	w, err := newWriter(ctx, s.db, &s.dialect, s.opts.AllowLoss)
	if err != nil {
		return err
	}
	s.writer = w
	return nil
}

// commit writes a group of batches in one transaction. It has the turn of the
// queue.
func (s *Store) commit(ctx context.Context, group []*store.Batch) error {
	puts, deletes := groupcommit.Changes(group)
	used := s.writer != nil
	err := s.transact(ctx, puts, deletes)
	if used && s.writer == nil && errors.Is(err, store.ErrNotWritten) && !errors.Is(err, store.ErrClosed) && ctx.Err() == nil {
		// The connection has died since it was used last: servers and what
		// lies between do that to one that is idle.
		err = s.transact(ctx, puts, deletes)
	}
	if err == nil {
		return nil
	}
	return s.failed("write", err)
}

// transact makes the changes in one transaction. It drops a connection that is
// of no use any longer.
func (s *Store) transact(ctx context.Context, puts, deletes []store.Op) error {
	if err := s.connect(ctx); err != nil {
		return fmt.Errorf("%w: %w", store.ErrNotWritten, err)
	}
	s.last++
	number := s.last
	err := s.writer.transact(ctx, s.opts.Grace, func() error { return s.fill(ctx, number, puts, deletes) })
	if s.writer.broken {
		s.writer.close()
		s.writer = nil
	}
	if err == nil {
		s.acknowledged = number
		return nil
	}
	if _, sent := errors.AsType[*commitError](err); sent {
		return fmt.Errorf("the outcome is unknown: %w", err)
	}
	return fmt.Errorf("%w: %w", store.ErrNotWritten, err)
}

// fill does all that is done in a transaction. Its first statement locks the
// row of meta, which has two uses. The transaction of an earlier commit whose
// reply was lost either has released the row, and with it has come to its end,
// or is waited for. And nothing is written to a store that is not as this one
// has left it.
func (s *Store) fill(ctx context.Context, number int64, puts, deletes []store.Op) error {
	result, err := s.writer.advance.ExecContext(ctx, number, s.owner, s.acknowledged, number)
	if err != nil {
		return fmt.Errorf("advance: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("advance: %w", err)
	}
	if n == 1 {
		return s.writer.apply(ctx, puts, deletes)
	}
	m, err := s.readMeta(ctx, s.writer.conn)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return s.end("the row of %smeta has gone", s.opts.Prefix)
	case err != nil:
		return fmt.Errorf("advance affects %d rows: %w", n, err)
	case m.owner != s.owner:
		return s.end("another process has opened it")
	default:
		return s.end("the database is at batch %d, and has acknowledged batch %d: it has lost commits", m.batch, s.acknowledged)
	}
}

// end makes the store end itself for a reason.
func (s *Store) end(format string, args ...any) error {
	return s.calls.Fail(fmt.Errorf("%w: sqlstore: %s: %s", store.ErrClosed, s.dialect.Name, fmt.Sprintf(format, args...)))
}
