package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/interledger-go/connector/store"
)

// Mirrored keeps the same in two stores, such as a file and a database in
// another building. The second is what is left when the first is lost.
type Mirrored struct {
	store.Store // the first: Get and Scan are its own
	mirror      store.Store
	mu          sync.Mutex // so that both take batches in the same order
}

// NewMirrored makes the mirror the same as the first store, since a crash may
// have come between the two writes. Both are the Mirrored's to close.
func NewMirrored(ctx context.Context, first, mirror store.Store) (*Mirrored, error) {
	var b store.Batch
	err := errors.Join(
		mirror.Scan(ctx, "", func(key string, _ []byte) error { b.Delete(key); return nil }),
		first.Scan(ctx, "", func(key string, value []byte) error { b.Put(key, value); return nil }),
	)
	if err == nil { // a batch of half of it would be worse than none
		err = mirror.Write(ctx, &b)
	}
	return &Mirrored{Store: first, mirror: mirror}, err
}

// Write returns when b is durable in both stores. An error of the first says
// what is known. After one of the mirror b is in effect all the same, so it
// must not be taken for a store.ErrNotWritten: %v cuts it off, and the caller
// writes b again.
func (m *Mirrored) Write(ctx context.Context, b *store.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.Store.Write(ctx, b); err != nil {
		return err
	}
	if err := m.mirror.Write(ctx, b); err != nil {
		return fmt.Errorf("the mirror is behind: %v", err)
	}
	return nil
}

// Close waits for a Write, which ends in both stores or in none.
func (m *Mirrored) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return errors.Join(m.Store.Close(), m.mirror.Close())
}
