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

func openSized(t testing.TB, path string, pages int) *boltstore.Store {
	t.Helper()
	s, err := boltstore.OpenSized(path, pages)
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

// smallJournal is a journal, in pages, that is full after a few batches, and
// that larger ones do not go into.
const smallJournal = 33

// The contract holds for a store that is at a checkpoint all the time.
func TestConformanceOfSmallJournal(t *testing.T) {
	storetest.Run(t, storetest.Options{
		New: func(t testing.TB) store.Store {
			return openSized(t, filepath.Join(t.TempDir(), "connector.db"), 9)
		},
		Reopen: func(t testing.TB, closed store.Store) store.Store {
			return openSized(t, closed.(*boltstore.Store).Path(), 9)
		},
	})
}
