package main

import (
	"context"
	"errors"
	"testing"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/backendtest"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/plugintest"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
	"github.com/interledger-go/connector/store/storetest"
)

func Example() {
	main()
	// Output:
	// alice gets 8000 by link 1
	// bob pays 100: <nil>
	// alice gets 16000 by link 2
	// bob pays 200: <nil>
	// bob pays 3: R01 Insufficient Source Amount: the least is 10 (test.extend)
}

var stores = storetest.Options{New: func(t testing.TB) store.Store { return mirrored(t, memstore.New(), memstore.New()) }}

func mirrored(t testing.TB, first, mirror store.Store) store.Store {
	m, err := NewMirrored(context.Background(), first, mirror)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStore(t *testing.T)      { storetest.Run(t, stores) }
func BenchmarkStore(b *testing.B) { storetest.Bench(b, stores) }

func TestPlugin(t *testing.T) {
	plugintest.Run(t, plugintest.Options{
		New: func(testing.TB) (first, second plugin.Plugin, stop func()) {
			one, oneEnd := inproc.Pipe()
			two, twoEnd := inproc.Pipe()
			return &Redundant{one, two}, &Redundant{oneEnd, twoEnd}, nil
		},
		Symmetric: true,
		Bubble:    true,
	})
}

func TestBackend(t *testing.T) {
	prices := Prices{"USD": backend.MustParseRatio("1"), "EUR": backend.MustParseRatio("1.25")}
	party := func(code string, scale uint8) backend.Party {
		return backend.Party{Asset: ilp.Asset{Code: code, Scale: scale}}
	}
	backendtest.Run(t, backendtest.Options{
		New: func(testing.TB) backend.Backend { return prices },
		Pairs: []backendtest.Pair{
			{Source: party("USD", 2), Destination: party("EUR", 4), Want: backend.MustParseRatio("80")},
			{Source: party("EUR", 9), Destination: party("USD", 2), Want: backend.MustParseRatio("1.25e-7")},
		},
		Missing: []backendtest.Pair{{Source: party("USD", 2), Destination: party("XRP", 6)}},
	})
}

func TestMiddleware(t *testing.T) {
	middlewaretest.Run(t, middlewaretest.Options{New: func() middleware.Middleware { return MinPacketAmount(10) }})
}

// The suites know nothing of what these are for. That is tested as anything is.

func TestMirrorIsBehind(t *testing.T) {
	ctx, down := context.Background(), memstore.New()
	first := memstore.New()
	m := mirrored(t, first, down)
	if err := down.Close(); err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	b.Put("key", []byte("value"))
	if err := m.Write(ctx, &b); err == nil || errors.Is(err, store.ErrNotWritten) {
		t.Errorf("Write gives %v, want an outcome that is unknown", err)
	}
	up := memstore.New()
	b.Reset()
	b.Put("old", nil)
	if err := up.Write(ctx, &b); err != nil {
		t.Fatal(err)
	}
	mirrored(t, first, up)
	value, err := up.Get(ctx, "key")
	if _, old := up.Get(ctx, "old"); string(value) != "value" || err != nil || !errors.Is(old, store.ErrNotFound) {
		t.Errorf("the mirror has %q, %v, and of what the first does not have %v", value, err, old)
	}
}

// With either link down packets take the other, and with both down none.
func TestRedundant(t *testing.T) {
	ctx := context.Background()
	one, oneEnd := inproc.Pipe()
	two, twoEnd := inproc.Pipe()
	near, far := &Redundant{one, two}, &Redundant{oneEnd, twoEnd}
	var states plugintest.Recorder
	answers := plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply { return &ilp.Fulfill{} })
	if err := errors.Join(near.Open(ctx, &states), far.Open(ctx, answers)); err != nil {
		t.Fatal(err)
	}
	for _, broken := range []plugin.Plugin{nil, one, two} {
		if broken != nil {
			broken.Close()
		}
		got := make(chan error, 1)
		near.SendPrepare(ctx, &ilp.Prepare{}, plugin.NewResponder(plugin.ReplyFunc(func(_ context.Context, _ ilp.Reply, err error) { got <- err }), 0))
		if err := <-got; (err == nil) != (broken != two) || near.Connected() != (broken != two) {
			t.Errorf("with %v closed last: %v, connected %v", broken, err, near.Connected())
		}
	}
	if err := errors.Join(near.Close(), far.Close()); err != nil {
		t.Error(err)
	}
}
