package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/ledger/ledgertest"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// conformance are options for ledgers over stores that open makes.
func conformance(bubble bool, open func() store.Store) ledgertest.Options {
	stores := make(map[ledger.Ledger]store.Store)
	adopt := func(t testing.TB, s store.Store) ledger.Ledger {
		l, err := ledger.NewLocal(ledger.LocalOptions{Store: s})
		if err != nil {
			t.Fatal(err)
		}
		stores[l] = s
		return l
	}
	return ledgertest.Options{
		New:    func(t testing.TB) ledger.Ledger { return adopt(t, open()) },
		Reopen: func(t testing.TB, stopped ledger.Ledger) ledger.Ledger { return adopt(t, stores[stopped]) },
		Bubble: bubble,
	}
}

func volatileStore() store.Store { return memstore.New() }

func durableStore() store.Store { return newDisk(nil) }

// unreliableStore takes its time, and every third attempt ends some other way.
func unreliableStore() store.Store {
	d := newDisk(nil)
	d.delay = time.Millisecond
	d.script = func(attempt int) fault {
		if attempt%3 != 0 {
			return succeeds
		}
		return []fault{notWritten, lost, replyLost}[attempt/3%3]
	}
	return patient{d}
}

// patient hides failures that are over soon, as a store does that makes its
// connection anew: so nothing is unavailable.
type patient struct{ *disk }

func (p patient) Write(ctx context.Context, b *store.Batch) error {
	for {
		if err := p.disk.Write(ctx, b); !errors.Is(err, errDisk) {
			return err
		}
	}
}

func TestConformance(t *testing.T) {
	t.Run("volatile", func(t *testing.T) { ledgertest.Run(t, conformance(true, volatileStore)) })
	t.Run("durable", func(t *testing.T) { ledgertest.Run(t, conformance(true, durableStore)) })
	t.Run("unreliable", func(t *testing.T) { ledgertest.Run(t, conformance(true, unreliableStore)) })
}

// The suite does not need a fake clock.
func TestConformanceInRealTime(t *testing.T) {
	t.Parallel() // it waits a second or two for a settlement to be tried again
	ledgertest.Run(t, conformance(false, durableStore))
}
