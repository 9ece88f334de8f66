package boltstore_test

import (
	"context"

	"github.com/interledger-go/connector/store"
)

// noStore is what a host has when a store could not be opened.
type noStore struct{ err error }

func (s noStore) Get(context.Context, string) ([]byte, error)                    { return nil, s.err }
func (s noStore) Scan(context.Context, string, func(string, []byte) error) error { return s.err }
func (s noStore) Write(context.Context, *store.Batch) error                      { return s.err }
func (s noStore) Close() error                                                   { return nil }
