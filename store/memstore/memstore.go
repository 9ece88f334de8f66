// Package memstore is a store in memory. What is written to it is gone when
// the process ends: it is for tests, and for hosts that can afford to forget
// what they are owed.
package memstore

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/interledger-go/connector/store"
)

// Store is a [store.Store] in memory. Its zero value is an empty store.
//
// Get and Write take one lock for as long as it takes to copy the values.
// Writing keys that are there already, with values of about their old size,
// allocates nothing. Scan looks at every key of the store, whatever the
// prefix, but not under the lock: while scans are under way, what is written
// goes to a second map, and the last of them to end joins the two.
type Store struct {
	mu     sync.RWMutex
	closed bool
	// scans is the number of scans that read base without holding mu. As long
	// as there are any, base and its entries are not written to.
	scans int
	base  map[string]*entry
	// over is what has been written since base was last written to. It is
	// empty while there is no scan.
	over map[string]*entry
}

var _ store.Volatile = (*Store)(nil)

// Volatile says that nothing outlives the process. It implements
// [store.Volatile].
func (*Store) Volatile() {}

// entry is what a map holds for a key. Only in over may it be deleted.
type entry struct {
	value   []byte
	deleted bool
}

// New returns an empty store.
func New() *Store { return new(Store) }

// open makes the maps on first use, and refuses a closed store. The caller
// holds mu for writing.
func (s *Store) open() error {
	if s.closed {
		return store.ErrClosed
	}
	if s.base == nil {
		s.base, s.over = make(map[string]*entry), make(map[string]*entry)
	}
	return nil
}

// Get returns a copy of the value of key.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memstore: get: %w", err)
	}
	if err := store.CheckKey(key); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	e := s.over[key]
	if e == nil {
		e = s.base[key]
	}
	if e == nil || e.deleted {
		return nil, store.ErrNotFound
	}
	return bytes.Clone(e.value), nil
}

// Scan visits the keys that begin with prefix, as they were at the call. visit
// may call the store, unlike that of other stores.
func (s *Store) Scan(ctx context.Context, prefix string, visit func(key string, value []byte) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memstore: scan: %w", err)
	}
	if err := store.CheckPrefix(prefix); err != nil {
		return err
	}
	base, over, err := s.beginScan()
	if err != nil {
		return err
	}
	defer s.endScan()
	var keys []string
	for key := range base {
		if strings.HasPrefix(key, prefix) && over[key] == nil {
			keys = append(keys, key)
		}
	}
	for key, e := range over {
		if strings.HasPrefix(key, prefix) && !e.deleted {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("memstore: scan: %w", err)
		}
		e := over[key]
		if e == nil {
			e = base[key]
		}
		if err := visit(key, bytes.Clone(e.value)); err != nil {
			return err
		}
	}
	return nil
}

// beginScan returns the two maps as they are now. They stay so until endScan.
func (s *Store) beginScan() (base, over map[string]*entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return nil, nil, err
	}
	// What an earlier scan has made writers put there goes on changing.
	over = make(map[string]*entry, len(s.over))
	for key, e := range s.over {
		over[key] = &entry{value: bytes.Clone(e.value), deleted: e.deleted}
	}
	s.scans++
	return s.base, over, nil
}

func (s *Store) endScan() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scans--; s.scans > 0 || s.closed {
		return
	}
	for key, e := range s.over {
		if e.deleted {
			delete(s.base, key)
		} else {
			s.base[key] = e
		}
	}
	clear(s.over)
}

// Write makes the changes of b. The store keeps copies.
func (s *Store) Write(ctx context.Context, b *store.Batch) error {
	if err := b.Err(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memstore: write: %w: %w", store.ErrNotWritten, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	for op := range b.Ops() {
		switch {
		case s.scans > 0:
			put(s.over, op)
		case op.Delete:
			delete(s.base, string(op.Key))
		default:
			put(s.base, op)
		}
	}
	return nil
}

// put makes op the entry of its key, in the memory of the entry that is there.
func put(m map[string]*entry, op store.Op) {
	e := m[string(op.Key)]
	if e == nil {
		e = new(entry)
		m[string(op.Key)] = e
	}
	e.deleted = op.Delete
	const spare = 64
	if c := cap(e.value); c < len(op.Value) || c > 2*len(op.Value)+spare {
		e.value = make([]byte, 0, len(op.Value))
	}
	e.value = append(e.value[:0], op.Value...)
}

// Close makes every later call fail with store.ErrClosed and lets go of the
// contents. A scan that is under way goes on to its end.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.base, s.over = nil, nil
	return nil
}
