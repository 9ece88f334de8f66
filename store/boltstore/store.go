package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/interledger-go/connector/store"
)

// Store is a [store.Store] in a file. Its methods may be called concurrently.
//
// Readers see the state of their beginning and hold up no writer, nor the
// other way round. Pages that a Scan still sees are not used again before it
// ends, so a long one makes the file grow.
type Store struct {
	path     string   // absolute
	file     *os.File // what db writes to; db closes it
	pageSize int

	// life is held for reading by every call, and for writing by whoever needs
	// the store for itself: Close, and settling after a failed commit. It comes
	// before the lock of the queue and the locks of db.
	life   sync.RWMutex
	closed bool // guarded by life
	db     *bbolt.DB

	// failure is why the store has closed itself. It is set once.
	failure atomic.Pointer[error]
	// panicked says that db may hold its locks for ever.
	panicked atomic.Bool

	queue queue

	// What follows belongs to the writer that leads.

	// unsettled is nil, or the meta pages that must be on the disk before
	// anything else is written; see settle.go.
	unsettled []byte
	// records is the memory of the values of one commit.
	records []byte
}

var _ store.Store = (*Store)(nil)

// Path returns the absolute path of the file.
func (s *Store) Path() string { return s.path }

// usable returns why the store takes no calls, or nil. The caller holds life.
func (s *Store) usable() error {
	if s.closed {
		return store.ErrClosed
	}
	if failure := s.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// fail closes the store to all later calls, because of err. It returns what
// they get.
func (s *Store) fail(err error) error {
	err = fmt.Errorf("boltstore: %s: %w: %w", s.path, store.ErrClosed, err)
	s.failure.CompareAndSwap(nil, &err)
	return *s.failure.Load()
}

// Get returns the value of key.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("boltstore: get: %w", err)
	}
	if err := store.CheckKey(key); err != nil {
		return nil, err
	}
	s.life.RLock()
	defer s.life.RUnlock()
	if err := s.usable(); err != nil {
		return nil, err
	}
	var value []byte
	found := false
	err := s.guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			k := []byte(key)
			record := tx.Bucket(bucketName).Get(k)
			if found = record != nil; !found {
				return nil
			}
			var err error
			value, err = valueOf(k, record)
			return err
		})
	})
	if err != nil {
		return nil, s.fail(err)
	}
	if !found {
		return nil, store.ErrNotFound
	}
	return value, nil
}

// Scan visits the keys that begin with prefix, as they were at the call. Its
// visitor may take its time, but calls no method of the store.
func (s *Store) Scan(ctx context.Context, prefix string, visit func(key string, value []byte) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("boltstore: scan: %w", err)
	}
	if err := store.CheckPrefix(prefix); err != nil {
		return err
	}
	s.life.RLock()
	defer s.life.RUnlock()
	if err := s.usable(); err != nil {
		return err
	}
	c, err := s.newCursor(prefix)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		key, value, err := c.next()
		if err != nil || value == nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("boltstore: scan: %w", err)
		}
		if err := visit(key, value); err != nil {
			return err
		}
	}
}

// cursor steps through the keys that begin with a prefix. What calls bbolt is
// guarded, step by step, so that a panic of the visitor is none of ours.
type cursor struct {
	store  *Store
	tx     *bbolt.Tx
	keys   *bbolt.Cursor // nil before the first step
	prefix []byte
}

func (s *Store) newCursor(prefix string) (*cursor, error) {
	c := &cursor{store: s, prefix: []byte(prefix)}
	err := s.guard(func() (err error) {
		c.tx, err = s.db.Begin(false)
		return err
	})
	if err != nil {
		return nil, s.fail(err)
	}
	return c, nil
}

// next returns the next key and its value, which is not nil, or no value when
// there are no more.
func (c *cursor) next() (key string, value []byte, err error) {
	err = c.store.guard(func() error {
		var k, record []byte
		if c.keys == nil {
			c.keys = c.tx.Bucket(bucketName).Cursor()
			k, record = c.keys.Seek(c.prefix)
		} else {
			k, record = c.keys.Next()
		}
		if k == nil || !bytes.HasPrefix(k, c.prefix) {
			return nil
		}
		key = string(k)
		value, err = valueOf(k, record)
		return err
	})
	if err != nil {
		return "", nil, c.store.fail(err)
	}
	return key, value, nil
}

func (c *cursor) close() {
	if err := c.store.guard(c.tx.Rollback); err != nil {
		_ = c.store.fail(err)
	}
}

// Write makes the changes of b durable. An error that does not wrap
// [store.ErrNotWritten] leaves the outcome unknown; a full disk is not among
// them. A ctx that is done ends the wait for other writers, and nothing else.
func (s *Store) Write(ctx context.Context, b *store.Batch) error {
	if err := b.Err(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return notWritten(err)
	}
	if b.Len() == 0 {
		s.life.RLock()
		defer s.life.RUnlock()
		return s.usable()
	}
	w := &waiter{batch: b}
	if !s.queue.join(w) {
		if t := s.queue.wait(ctx, w); !t.lead {
			return t.err
		}
	}
	group := s.queue.take(w)
	err := s.commit(group)
	s.queue.done(group, err)
	return err
}

// notWritten says of a Write that it has failed with err, and that nothing of
// its batch has gone anywhere.
func notWritten(err error) error {
	if errors.Is(err, store.ErrNotWritten) {
		return err
	}
	return fmt.Errorf("boltstore: write: %w: %w", store.ErrNotWritten, err)
}

// Close waits for the calls that are under way and lets go of the file.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	removeNote(s.path) // while the lock is still ours
	if err := s.letGo(); err != nil {
		return fmt.Errorf("boltstore: close %s: %w", s.path, err)
	}
	return nil
}

// letGo closes the file, or what has been opened of it, and ends the lock.
func (s *Store) letGo() error {
	if s.db != nil && !s.panicked.Load() {
		return s.db.Close()
	}
	if s.file == nil {
		return nil
	}
	// bbolt can no longer be asked, since it may hold its locks for ever. The
	// mapping of the file stays in the address space.
	return errors.Join(unlock(s.file), s.file.Close())
}
