package backend_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
)

// Maker is a backend around another. It knows from what is exchanged how much
// of each currency the connector has come to hold, and trades that away.
type Maker struct {
	backend.Backend
	exchanges chan backend.Exchange
	missed    atomic.Uint64
	hedge     func(x backend.Exchange)
}

// Observe is called on the path of the packet, so it only queues. When the
// desk is behind by a whole queue, exchanges are counted and not hedged: a
// position that is looked at later costs less than packets that wait.
func (m *Maker) Observe(x backend.Exchange) {
	if !x.Fulfilled || x.Source.Asset == x.Destination.Asset {
		return
	}
	select {
	case m.exchanges <- x:
	default:
		m.missed.Add(1)
	}
}

// Run does the trading, and whatever the inner backend has to do.
func (m *Maker) Run(ctx context.Context) error {
	inner := make(chan error, 1)
	go func() {
		var err error
		if runner, ok := m.Backend.(backend.Runner); ok {
			err = runner.Run(ctx)
		}
		inner <- err
	}()
	for {
		select {
		case <-ctx.Done():
			return <-inner
		case x := <-m.exchanges:
			m.hedge(x)
		}
	}
}

// A market maker that hedges. The spreads go around it: WithSpreads hands on
// what the connector observes.
func ExampleObserver() {
	hedged := make(chan string)
	maker := &Maker{
		Backend:   plain{backend.MustParseRatio("0.92")},
		exchanges: make(chan backend.Exchange, 1000),
		hedge: func(x backend.Exchange) {
			hedged <- fmt.Sprintf("sell %d %v, buy %d %v", x.SourceAmount, x.Source.Asset, x.DestinationAmount, x.Destination.Asset)
		},
	}
	rates, err := backend.WithSpreads(maker, backend.Spreads{Default: "0.01"})
	if err != nil {
		fmt.Println(err)
		return
	}

	// From here on it is the connector that calls.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error)
	go func() { done <- rates.(backend.Runner).Run(ctx) }()
	source := backend.Party{Account: "alice", Asset: ilp.Asset{Code: "USD", Scale: 2}}
	destination := backend.Party{Account: "bob", Asset: ilp.Asset{Code: "EUR", Scale: 2}}
	rate, err := rates.Rate(source, destination)
	if err != nil {
		fmt.Println(err)
		return
	}
	amount, _ := rate.Apply(1000)
	rates.(backend.Observer).Observe(backend.Exchange{
		Source: source, SourceAmount: 1000,
		Destination: destination, DestinationAmount: amount,
		Fulfilled: true,
	})
	fmt.Println(<-hedged)
	cancel()
	fmt.Println(<-done)
	// Output:
	// sell 1000 USD/2, buy 910 EUR/2
	// <nil>
}
