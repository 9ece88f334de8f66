package ledger_test

import (
	"context"
	"errors"
	"testing"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// instant is a durable store that takes no time and keeps nothing.
type instant struct{ store.Store }

func (instant) Write(_ context.Context, b *store.Batch) error { return b.Err() }

// signal is a Waiter that is used again and again.
type signal chan struct{}

func (s signal) Done(context.Context, error) { s <- struct{}{} }

// packet reserves and posts on both sides, and waits until that is durable.
func packet(t testing.TB, destination, source ledger.Book, w signal) {
	ctx := context.Background()
	if source.Reserve(ctx, ledger.Incoming, 5, nil) != nil || destination.Reserve(ctx, ledger.Outgoing, 5, nil) != nil {
		t.Fatal("not reserved")
	}
	first := destination.Post(ctx, ledger.Outgoing, 5, nil)
	second := source.Post(ctx, ledger.Incoming, 5, w)
	if first != nil && !errors.Is(first, ledger.ErrPending) || second != nil && !errors.Is(second, ledger.ErrPending) {
		t.Fatal(first, second)
	}
	if second != nil {
		<-w
	}
}

func TestPacketsAllocateNothing(t *testing.T) {
	for _, test := range []struct {
		name  string
		store store.Store
	}{{"volatile", memstore.New()}, {"durable", instant{memstore.New()}}} {
		t.Run(test.name, func(t *testing.T) {
			h := start(t, test.store)
			destination, source := h.book("destination", limits(-1<<40, 1<<40)), h.book("source", limits(-1<<40, 1<<40))
			w := make(signal, 1)
			for range 100 { // lists grow to their size
				packet(t, destination, source, w)
			}
			if n := testing.AllocsPerRun(500, func() { packet(t, destination, source, w) }); n != 0 {
				t.Errorf("a packet that is fulfilled allocates %v times", n)
			}
			if n := testing.AllocsPerRun(500, func() {
				if destination.Reserve(context.Background(), ledger.Outgoing, 5, w) != nil {
					t.Fatal("not reserved")
				}
				destination.Release(ledger.Outgoing, 5)
			}); n != 0 {
				t.Errorf("a packet that is rejected allocates %v times", n)
			}
		})
	}
}

func TestRefusalsAllocateNothing(t *testing.T) {
	b := newHost(t, memstore.New()).book("a", limits(0, 0))
	if n := testing.AllocsPerRun(500, func() {
		if b.Reserve(context.Background(), ledger.Incoming, 5, nil) == nil {
			t.Fatal("reserved")
		}
	}); n != 0 {
		t.Errorf("a refusal allocates %v times", n)
	}
}
