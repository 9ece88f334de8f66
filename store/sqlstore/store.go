package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/interledger-go/connector/internal/groupcommit"
	"github.com/interledger-go/connector/store"
)

// DefaultPrefix is what the names of the tables begin with unless
// [Options.Prefix] says otherwise.
const DefaultPrefix = "connector_"

// DefaultGrace is the grace of a commit unless [Options.Grace] says otherwise.
const DefaultGrace = 5 * time.Second

// Options are the choices that a host has. The zero value is a good one.
type Options struct {
	// Prefix is what the names of the tables begin with: a letter, then
	// letters, digits and underscores, all of them lower case, 32 at most.
	// Stores with different prefixes share nothing. Empty stands for
	// DefaultPrefix.
	Prefix string

	// AllowLoss opens the store even if the settings of the database are such
	// that it loses commits which it has acknowledged. What a connector has
	// told its peers may then not be true after a power failure.
	AllowLoss bool

	// Grace is how long a Write waits for the reply to its commit when its
	// context is done already. It leaves the outcome unknown if none comes. 0
	// stands for DefaultGrace.
	Grace time.Duration
}

// Store is a [store.Store] in an SQL database. Its methods may be called
// concurrently. Their errors say what the driver says.
type Store struct {
	db      *sql.DB
	dialect Dialect // with the prefix in its statements
	opts    Options
	// owner is in the row of meta as long as nobody else has opened the store.
	owner string

	calls groupcommit.Calls
	queue *groupcommit.Queue

	// The following belong to whoever has the turn of the queue.

	// writer is nil when there is no connection for writing.
	writer *writer
	// Each transaction has a number of its own, greater than all before it.
	// last is the greatest that has been used, acknowledged the greatest whose
	// commit has been acknowledged.
	last, acknowledged int64
}

var _ store.Store = (*Store)(nil)

// Open opens the store in db, and makes its tables if there are none. It takes
// the store over: another process that has it open finds out when it next
// writes, and closes its own.
//
// db belongs to the host, which closes it after the store. Of its connections
// the store keeps one for writing; Get and Scan use others. Open refuses a
// database whose settings would lose acknowledged commits, and tables that a
// later version of this package has made. ctx is for opening alone.
func Open(ctx context.Context, db *sql.DB, dialect Dialect, opts Options) (*Store, error) {
	if err := dialect.validate(); err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	if opts.Prefix == "" {
		opts.Prefix = DefaultPrefix
	}
	if !regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`).MatchString(opts.Prefix) {
		return nil, fmt.Errorf("sqlstore: prefix %.100q: want a letter, then letters, digits and underscores, lower case, 32 at most", opts.Prefix)
	}
	if opts.Grace == 0 {
		opts.Grace = DefaultGrace
	}
	if opts.Grace < 0 {
		return nil, fmt.Errorf("sqlstore: grace of %v: want more than 0, or 0 for %v", opts.Grace, DefaultGrace)
	}
	if db.Stats().MaxOpenConnections == 1 {
		return nil, errors.New("sqlstore: the pool has one connection at most: want two or more, since one is kept for writing")
	}
	s := &Store{db: db, dialect: dialect.named(opts.Prefix), opts: opts, owner: rand.Text()}
	s.queue = groupcommit.NewQueue(s.commit)
	if err := s.makeTables(ctx); err != nil {
		return nil, s.failed("open", err)
	}
	if err := s.takeOver(ctx); err != nil {
		_ = s.Close()
		return nil, s.failed("open", err)
	}
	return s, nil
}

// failed says in what call of the store which error came.
func (s *Store) failed(call string, err error) error {
	return fmt.Errorf("sqlstore: %s: %s: %w", call, s.dialect.Name, err)
}

// readFailed is failed for a call that ends early when its context does,
// whatever the driver makes of that.
func (s *Store) readFailed(ctx context.Context, call string, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return s.failed(call, err)
}

// Get returns the value of key.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.calls.Begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	if err := store.CheckKey(key); err != nil {
		return nil, err
	}
	var value []byte
	err := s.db.QueryRowContext(ctx, s.dialect.Get, []byte(key)).Scan(&value)
	switch {
	case err == nil:
		return value, nil
	case errors.Is(err, sql.ErrNoRows):
		return nil, store.ErrNotFound
	default:
		return nil, s.readFailed(ctx, "get", err)
	}
}

// Write commits b. Batches that are written while a commit is under way share
// the next one.
func (s *Store) Write(ctx context.Context, b *store.Batch) error {
	if err := s.calls.Begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	if err := b.Err(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return s.failed("write", fmt.Errorf("%w: %w", store.ErrNotWritten, err))
	}
	if b.Len() == 0 {
		return nil
	}
	return s.queue.Write(ctx, b)
}

// Close waits for the calls that are under way, and closes the connection that
// was kept for writing. The rest of the pool, and what is in the tables, it
// leaves alone.
func (s *Store) Close() error {
	s.calls.Close(func() {
		if s.writer != nil {
			s.writer.close()
		}
	})
	return nil
}
