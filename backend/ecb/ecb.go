// Package ecb is a rate source on the European Central Bank's reference rates:
// some thirty currencies against the euro, published once on every working
// day at about 16:00 CET.
//
//	rate = (units of the destination's currency for a euro / units of the source's)
//	       × 10^(destination scale - source scale) × (1 - spread)
//
// That is exact, in both directions and across the euro. They are reference
// rates of one moment of the day, and the ECB does not mean them for trading:
// a spread should cover what the market may do until the next ones.
//
// The file is fetched in the background, when Run begins and then every hour,
// so the rates of a day are there within an hour. What has been published no
// longer than Options.MaxAge ago is used, over nights, weekends and holidays;
// past that, and before the first fetch has succeeded, pairs of two currencies
// have no rate. A currency has always a rate to itself.
//
// A currency whose rate moves by more than Options.Band from one day to the
// next has no rate either until that is confirmed: by further publications
// (so it takes days), by [Backend.Confirm], or by the age of the last good
// one.
package ecb

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/internal/ratefeed"
)

// Options say how a Backend is made. The zero value is the ECB's own file,
// without a spread.
type Options struct {
	// URL is where the file is. Empty means the ECB's,
	// https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml.
	URL string
	// Spread is the share of every converted amount that the connector keeps,
	// such as "0.002": at least 0 and less than 1. Empty is none.
	Spread string
	// Refresh is the time between two fetches. 0 means one hour.
	Refresh time.Duration
	// MaxAge is how long after their publication rates are used. It is counted
	// from 14:00 UTC of their day. 0 means 132 hours: the ECB's longest
	// silences, over Easter and over a Christmas that is a Thursday, last five
	// days, and half a day is for a late one. It is at least twice Refresh.
	MaxAge time.Duration
	// Band is how far a rate may move at once before it is doubted: "0.1"
	// allows from 10/11 to 11/10 of the last one. Empty means 0.1.
	Band string
	// Confirmations is how many further publications must agree with a rate
	// outside the band. 0 means 2.
	Confirmations int
	// Client makes the requests. nil means http.DefaultClient. A request has
	// 30 seconds, an answer at most 1 MiB, whatever the client says.
	Client *http.Client
	// Logger takes what an operator should know; nil discards it.
	Logger *slog.Logger
	// Now is the clock that ages are measured with; nil means time.Now.
	Now func() time.Time
}

// Backend is a [backend.Backend] that fetches. Make one with [New]: the zero
// value has no rates. It is safe for concurrent use.
type Backend struct{ rates *ratefeed.Backend }

var (
	_ backend.Backend = (*Backend)(nil)
	_ backend.Runner  = (*Backend)(nil)
	_ backend.Feeder  = (*Backend)(nil)
)

// New returns a Backend with the given options. It does not wait for rates,
// and does not need the network.
func New(opts Options) (*Backend, error) {
	fetch, err := ratefeed.NewECB(opts.Client, opts.URL)
	if err != nil {
		return nil, fmt.Errorf("ecb: %w", err)
	}
	feed := ratefeed.Feed{
		Name: "ecb", Base: ratefeed.ECBBase, Fetch: fetch,
		Refresh: opts.Refresh, MaxAge: opts.MaxAge,
		Band: opts.Band, Confirmations: opts.Confirmations,
	}
	rates, err := ratefeed.New(ratefeed.Options{
		Name:   "ecb",
		Feeds:  []ratefeed.Feed{feed.Or(ratefeed.ECBRefresh, ratefeed.ECBMaxAge)},
		Spread: opts.Spread,
		Logger: opts.Logger,
		Now:    opts.Now,
	})
	if err != nil {
		return nil, err
	}
	return &Backend{rates}, nil
}

// Rate returns the rate between two currencies, or an error that wraps
// backend.ErrNoRate and says which of them has none. It allocates nothing
// when it succeeds.
func (b *Backend) Rate(source, destination backend.Party) (backend.Ratio, error) {
	return b.rates.Rate(source.Asset, destination.Asset)
}

// Run fetches rates until ctx is done. The connector calls it, once.
func (b *Backend) Run(ctx context.Context) error { return b.rates.Run(ctx) }

// Feeds returns the state of the one source, "ecb".
func (b *Backend) Feeds() []backend.FeedStatus { return b.rates.Feeds() }

// Confirm takes the rate of a currency that has jumped out of the band and
// waits: an operator has looked at it.
func (b *Backend) Confirm(currency string) error { return b.rates.Confirm(currency) }
