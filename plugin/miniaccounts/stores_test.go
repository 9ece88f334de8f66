package miniaccounts_test

import (
	"context"
	"sync/atomic"

	"github.com/interledger-go/connector/store"
)

// slowStore writes nothing before the channel release is closed.
type slowStore struct {
	store.Store
	release chan struct{}
}

func newSlowStore(s store.Store) *slowStore { return &slowStore{s, make(chan struct{})} }

func (s *slowStore) Write(ctx context.Context, b *store.Batch) error {
	select {
	case <-s.release:
		return s.Store.Write(ctx, b)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failingStore fails to write while it is told to.
type failingStore struct {
	store.Store
	fails atomic.Bool
}

func (s *failingStore) Write(ctx context.Context, b *store.Batch) error {
	if s.fails.Load() {
		return store.ErrNotWritten
	}
	return s.Store.Write(ctx, b)
}
