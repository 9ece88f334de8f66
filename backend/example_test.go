package backend_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
)

// Desk is a backend of one's own: it knows what one unit of each currency is
// worth, and swaps the whole table at once when there is a new one.
type Desk struct {
	spread backend.Ratio // what a rate is multiplied by
	prices chan map[string]backend.Ratio
	rates  atomic.Pointer[map[[2]ilp.Asset]backend.Ratio]
}

// Rate reads one map. Everything that costs time was done in Run.
func (d *Desk) Rate(source, destination backend.Party) (backend.Ratio, error) {
	rates := d.rates.Load()
	if rates == nil {
		return backend.Ratio{}, backend.ErrNotReady
	}
	rate, ok := (*rates)[[2]ilp.Asset{source.Asset, destination.Asset}]
	if !ok {
		return backend.Ratio{}, fmt.Errorf("%w: %v to %v", backend.ErrNoRate, source.Asset, destination.Asset)
	}
	return rate, nil
}

// Run takes prices as they come, until ctx is done.
func (d *Desk) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case prices := <-d.prices:
			d.publish(prices)
		}
	}
}

// publish works out the rate of every pair, so that Rate need not.
func (d *Desk) publish(prices map[string]backend.Ratio) {
	assets := []ilp.Asset{{Code: "USD", Scale: 9}, {Code: "EUR", Scale: 2}}
	rates := make(map[[2]ilp.Asset]backend.Ratio)
	for _, from := range assets {
		for _, to := range assets {
			rate := prices[from.Code].Mul(prices[to.Code].Inv()).Scale(from.Scale, to.Scale)
			rates[[2]ilp.Asset{from, to}] = rate.Mul(d.spread)
		}
	}
	d.rates.Store(&rates)
}

func ExampleBackend() {
	spread, err := backend.AfterSpread("0.01")
	if err != nil {
		fmt.Println(err)
		return
	}
	desk := &Desk{spread: spread, prices: make(chan map[string]backend.Ratio)}
	usd := backend.Party{Account: "alice", Asset: ilp.Asset{Code: "USD", Scale: 9}}
	eur := backend.Party{Account: "bob", Asset: ilp.Asset{Code: "EUR", Scale: 2}}

	_, err = desk.Rate(usd, eur)
	fmt.Println(err)

	desk.publish(map[string]backend.Ratio{
		"USD": backend.MustParseRatio("1"),
		"EUR": backend.MustParseRatio("1.08"),
	})
	rate, err := desk.Rate(eur, usd)
	if err != nil {
		fmt.Println(err)
		return
	}
	amount, ok := rate.Apply(100) // one euro
	fmt.Println(rate, amount, ok)
	// Output:
	// backend: no rate available at the moment
	// 10692000 1069200000 true
}

func ExampleRatio_Apply() {
	rate := backend.MustParseRatio("499/500")
	fmt.Println(rate.Apply(1999)) // 1995.002, rounded down

	rate = backend.MustParseRatio("1e9")
	fmt.Println(rate.Apply(18_446_744_074)) // past 2^64-1
	fmt.Println(rate.Max())
	// Output:
	// 1995 true
	// 0 false
	// 18446744073
}
