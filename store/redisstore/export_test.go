package redisstore

import (
	"context"
	"strconv"

	"github.com/interledger-go/connector/store"
)

// Prefix returns what the names of the store's keys begin with.
func (s *Store) Prefix() string { return s.opts.Prefix }

// Batch returns the number of the last batch that has been acknowledged.
func (s *Store) Batch() int64 { return s.acknowledged.Load() }

// Send sends a batch with any number, as something between the store and the
// server could that sends a command again. It returns the status.
func (s *Store) Send(ctx context.Context, number int64, b *store.Batch) (status string, err error) {
	args := chunks([]string{strconv.FormatInt(s.Batch(), 10), strconv.FormatInt(number, 10)}, []*store.Batch{b})
	r, err := s.exec(ctx, s.scripts.write, args...)
	return r.status, err
}
