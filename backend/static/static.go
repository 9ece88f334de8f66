// Package static is a rate source on a table that the host gives.
//
//	rate = (what a unit of the source's currency buys of the destination's)
//	       × 10^(destination scale - source scale) × (1 - spread)
//
// A rate is given for one direction; the way back is its inverse, and rates
// follow from one another: dollars to euros and euros to yen give dollars to
// yen. Everything is exact, so what is given twice must agree exactly. A table
// that contradicts itself is refused, because whoever holds accounts in its
// currencies would walk round it and be paid each time.
//
// The host can replace the table while the connector runs, with [Backend.Set].
package static

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/interledger-go/connector/backend"
)

// Rates says how many whole units of the currency of the inner key one whole
// unit of the currency of the outer key buys, as backend.ParseRatio reads it:
//
//	static.Rates{"USD": {"EUR": "0.92"}, "EUR": {"JPY": "163.25", "XRP": "200/103"}}
type Rates map[string]map[string]string

// Options say how a Backend is made. The zero value converts nothing but
// scales.
type Options struct {
	// Rates is the table. There must be a way from each currency in it to
	// each other one.
	Rates Rates
	// Spread is the share of every converted amount that the connector keeps,
	// such as "0.002": at least 0 and less than 1. Empty is none.
	Spread string
}

// Backend is a [backend.Backend]. Make one with [New]: the zero value has no
// rates. It is safe for concurrent use.
type Backend struct {
	keep  backend.Ratio
	table atomic.Pointer[backend.Table]
}

var _ backend.Backend = (*Backend)(nil)

// New returns a Backend with the given options.
func New(opts Options) (*Backend, error) {
	keep, err := backend.AfterSpread(opts.Spread)
	if err != nil {
		return nil, fmt.Errorf("static: %w", err)
	}
	b := &Backend{keep: keep}
	if err := b.Set(opts.Rates); err != nil {
		return nil, err
	}
	return b, nil
}

// Set replaces the whole table, for all packets from now on. After an error
// the old table stays. The map remains the caller's.
func (b *Backend) Set(rates Rates) error {
	if b.keep.IsZero() {
		return errNotMade
	}
	prices, err := solve(rates)
	if err != nil {
		return fmt.Errorf("static: %w", err)
	}
	table, err := backend.NewTable(prices, b.keep)
	if err != nil {
		return fmt.Errorf("static: %w", err)
	}
	b.table.Store(table)
	return nil
}

// Rate returns the rate between two currencies, or an error that wraps
// backend.ErrNoRate and says which of them has none. It allocates nothing
// when it succeeds.
func (b *Backend) Rate(source, destination backend.Party) (backend.Ratio, error) {
	table := b.table.Load()
	if table == nil {
		return backend.Ratio{}, errNotMade
	}
	rate, err := table.Rate(source.Asset, destination.Asset)
	if err != nil {
		return backend.Ratio{}, fmt.Errorf("static: %w", err)
	}
	return rate, nil
}

var errNotMade = fmt.Errorf("static: %w: make the Backend with New", backend.ErrNoRate)

// given is one rate of the table.
type given struct {
	from, to string
	rate     backend.Ratio // units of to for one of from
	text     string        // as the host wrote it
}

// solve returns what each currency is worth, measured in the first.
func solve(rates Rates) (map[string]backend.Ratio, error) {
	all, err := read(rates)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	near := make(map[string][]given) // by the currency at either end
	for _, g := range all {
		near[g.from] = append(near[g.from], g)
		near[g.to] = append(near[g.to], given{from: g.to, to: g.from, rate: g.rate.Inv()})
	}
	codes := slices.Sorted(maps.Keys(near))
	prices := map[string]backend.Ratio{codes[0]: backend.MustParseRatio("1")}
	for queue := codes[:1:1]; len(queue) > 0; queue = queue[1:] {
		for _, g := range near[queue[0]] {
			if _, ok := prices[g.to]; !ok {
				prices[g.to] = prices[g.from].Mul(g.rate.Inv())
				queue = append(queue, g.to)
			}
		}
	}
	for _, code := range codes {
		if _, ok := prices[code]; !ok {
			return nil, fmt.Errorf("no way from %s to %s: want a rate that joins them", codes[0], code)
		}
	}
	return prices, check(all, prices)
}

// check says which rate contradicts the others.
func check(all []given, prices map[string]backend.Ratio) error {
	for _, g := range all {
		if follows := prices[g.from].Mul(prices[g.to].Inv()); follows.Cmp(g.rate) != 0 {
			return fmt.Errorf("rate of %.40s from %s to %s: the other rates make it %v: want them to agree, or this one left out",
				g.text, g.from, g.to, follows)
		}
	}
	return nil
}

// read returns the rates, sorted by currency.
func read(rates Rates) ([]given, error) {
	var all []given
	for _, from := range slices.Sorted(maps.Keys(rates)) {
		for _, to := range slices.Sorted(maps.Keys(rates[from])) {
			if from == "" || to == "" {
				return nil, errors.New("rate of a currency without a code: want one such as USD")
			}
			rate, err := backend.ParseRatio(rates[from][to])
			if err != nil {
				return nil, fmt.Errorf("rate from %s to %s: %w", from, to, err)
			}
			if rate.IsZero() {
				return nil, fmt.Errorf("rate of 0 from %s to %s: want more, or none", from, to)
			}
			all = append(all, given{from, to, rate, rates[from][to]})
		}
	}
	return all, nil
}
