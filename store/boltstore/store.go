package boltstore

import (
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

	journalPath string
	// overlay is what the journal holds and db does not.
	overlay overlay

	// life is held for reading by every call, and for writing by whoever needs
	// the store for itself: Close, and settling after a failed commit. It comes
	// before the locks of the queue, of the overlay and of db, in this order.
	life   sync.RWMutex
	closed bool // guarded by life
	db     *bbolt.DB

	// failure is why the store has closed itself. It is set once.
	failure atomic.Pointer[error]
	// panicked says that db may hold its locks for ever.
	panicked atomic.Bool

	queue queue

	// What follows belongs to the writer that leads.

	// journal is nil where no file can be made beside the database.
	journal *journal
	// unsettled is nil, or the meta pages that must be on the disk before
	// anything else is written; see settle.go.
	unsettled []byte
	// records is the memory of the values of one transaction.
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
	// What is not there now is in db, or has not been acknowledged.
	if value, there, known := s.overlay.get(key); known {
		if !there {
			return nil, store.ErrNotFound
		}
		return value, nil
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
	return s.lead(s.queue.take(w))
}

// lead commits a group, and tells its writers how it went.
func (s *Store) lead(group []*waiter) error {
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

// Close waits for the calls that are under way, moves what the journal holds
// into the file, and lets go of both. An error says that the journal stays: it
// is part of the store, and the next Open goes on with it.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	err := s.retireJournal()
	s.closed = true
	removeNote(s.path) // while the lock is still ours
	if err := errors.Join(err, s.letGo()); err != nil {
		return fmt.Errorf("boltstore: close %s: %w", s.path, err)
	}
	return nil
}

// letGo closes the files, or what has been opened of them, and ends the lock.
func (s *Store) letGo() error {
	var err error
	if s.journal != nil {
		err = s.journal.file.Close()
	}
	if s.db != nil && !s.panicked.Load() {
		return errors.Join(err, s.db.Close())
	}
	if s.file == nil {
		return err
	}
	// bbolt can no longer be asked, since it may hold its locks for ever. The
	// mapping of the file stays in the address space.
	return errors.Join(err, unlock(s.file), s.file.Close())
}
