package sqlstore

import (
	"context"

	"github.com/interledger-go/connector/store"
)

// Prefix returns what the names of the store's tables begin with.
func (s *Store) Prefix() string { return s.opts.Prefix }

// Commit commits a batch as if it were the only one in the queue.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	return s.commit(ctx, []*store.Batch{b})
}
