package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
)

func Example() {
	dir, err := os.MkdirTemp("", "boltstore")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, path := context.Background(), filepath.Join(dir, "connector.db")

	s, err := boltstore.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	var b store.Batch
	b.Put("account/alice", []byte("-500"))
	b.Put("account/bob", []byte("500"))
	if err := s.Write(ctx, &b); err != nil { // nil: on the disk
		fmt.Println(err)
		return
	}

	_, err = boltstore.OpenWith(path, boltstore.Options{LockTimeout: 1})
	fmt.Println("in use:", errors.Is(err, boltstore.ErrInUse))
	if err := s.Close(); err != nil {
		fmt.Println(err)
		return
	}

	s, err = boltstore.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	value, err := s.Get(ctx, "account/bob")
	fmt.Printf("bob: %s %v\n", value, err)
	if err := s.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// in use: true
	// bob: 500 <nil>
}
