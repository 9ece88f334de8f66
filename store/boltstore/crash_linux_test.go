package boltstore_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
	"github.com/interledger-go/connector/store/storetest"
)

// The power fails before each call that the store makes, from the first one
// that creates the file on, and what has not been synced is lost, kept, or
// lost in part.
func TestPowerFailure(t *testing.T) {
	if !inChild(t, "Crash") {
		return
	}
	d := newDisk()
	intercept(t, d.judge)
	instant, done := 0, false
	opts := options()
	opts.Crash = func(t testing.TB, round int, load func(store.Store)) store.Store {
		if done && round%ways == 0 {
			t.Logf("%d instants", instant)
			return nil
		}
		instant = round / ways
		rng := rand.New(rand.NewPCG(uint64(round), 0))
		dir := t.TempDir()
		before, after := filepath.Join(dir, "before.db"), filepath.Join(dir, "after.db")
		d.reset(dir, func(n int, _ *intercepted) verdict {
			if n >= instant {
				return dark
			}
			return pass
		})
		s, err := boltstore.OpenSized(before, smallJournal)
		if err == nil {
			load(s)
			_ = s.Close()
		} else {
			load(noStore{err})
		}
		if d.seen() < instant {
			done = true // All calls were made: this was the last instant.
		}
		d.afterPowerFailure(t, before, after, round%ways, rng)
		d.reset("", nil)
		if s, err = boltstore.OpenSized(after, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	storetest.Run(t, opts)
}

// noStore is what a host has when a store could not be opened.
type noStore struct{ err error }

func (s noStore) Get(context.Context, string) ([]byte, error)                    { return nil, s.err }
func (s noStore) Scan(context.Context, string, func(string, []byte) error) error { return s.err }
func (s noStore) Write(context.Context, *store.Batch) error                      { return s.err }
func (s noStore) Close() error                                                   { return nil }
