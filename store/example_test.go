package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

func ExampleStore() {
	ctx := context.Background()
	var s store.Store = memstore.New()
	defer func() { _ = s.Close() }()

	var b store.Batch
	b.Put("account/alice", []byte("-500"))
	b.Put("account/bob", []byte("500"))
	b.Delete("account/carol")
	if err := s.Write(ctx, &b); err != nil {
		fmt.Println(err)
		return
	}

	err := s.Scan(ctx, "account/", func(key string, value []byte) error {
		fmt.Printf("%s owes %s\n", key, value)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = s.Get(ctx, "account/carol")
	fmt.Println(err)
	// Output:
	// account/alice owes -500
	// account/bob owes 500
	// store: not found
}

// A Write that fails leaves one of three situations, and errors.Is tells them
// apart.
func ExampleStore_write() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := memstore.New()
	var b store.Batch
	b.Put("account/alice", []byte("-500"))

	switch err := s.Write(ctx, &b); {
	case err == nil:
		fmt.Println("durable")
	case errors.Is(err, store.ErrNotWritten):
		fmt.Println("not written, nor will it be:", err)
	default:
		fmt.Println("unknown: write it again until it succeeds:", err)
	}
	// Output: not written, nor will it be: memstore: write: store: not written: context canceled
}

func ExampleNewView() {
	ctx := context.Background()
	s := memstore.New()
	v, err := store.NewView(s, "mini-accounts")
	if err != nil {
		fmt.Println(err)
		return
	}
	var b store.Batch
	b.Put("alice:hashed-token", []byte("..."))
	if err := v.Write(ctx, &b); err != nil {
		fmt.Println(err)
		return
	}
	err = s.Scan(ctx, "", func(key string, _ []byte) error {
		fmt.Println(key)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = store.NewView(s, "mini/accounts")
	fmt.Println(err)
	// Output:
	// mini-accounts/alice:hashed-token
	// store: invalid: name of a view "mini/accounts": want 1 to 128 characters of A-Z, a-z, 0-9 and . _ - ~
}
