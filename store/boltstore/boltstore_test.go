package boltstore_test

import (
	"path/filepath"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
	"github.com/interledger-go/connector/store/storetest"
)

func open(t testing.TB, path string) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func options() storetest.Options {
	return storetest.Options{
		New: func(t testing.TB) store.Store { return open(t, filepath.Join(t.TempDir(), "connector.db")) },
		Reopen: func(t testing.TB, closed store.Store) store.Store {
			return open(t, closed.(*boltstore.Store).Path())
		},
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, options()) }
