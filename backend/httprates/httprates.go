// Package httprates is a rate source on an address of the host's own, which
// answers all rates in one JSON document:
//
//	{
//	  "base": "USD",
//	  "rates": {"EUR": "0.92", "JPY": 149.25},
//	  "time": "2026-11-25T15:00:00Z"
//	}
//
// A rate is how much of a currency one unit of the base buys, in whole units,
// as a JSON number or as a string; it is read from its text, exactly, and never
// through a floating-point number. The base itself may be among the rates, as
// 1. The time is when the rates were made, in RFC 3339 or seconds since 1970; it may
// be left out, and then rates are as old as the request for them. Other members
// are passed over. A document that names a currency twice, or has a rate that
// is no number above 0, is refused as a whole.
//
// In configurations its name is http. Between two currencies
//
//	rate = (rate of the destination / rate of the source)
//	       × 10^(destination scale - source scale) × (1 - spread)
//
// The document is fetched in the background, when Run begins and then every
// Options.Refresh. Rates older than Options.MaxAge are not used: pairs of two
// currencies then have none. A currency whose rate moves by more than
// Options.Band at once has none until further documents, an operator
// ([Backend.Confirm]), or the age of the last rate settles it. A currency has
// always a rate to itself.
package httprates

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/internal/ratefeed"
)

// Options say how a Backend is made. URL is required.
type Options struct {
	// URL answers the document. HTTPS is right for anything that leaves the
	// machine: whoever can change rates on their way takes the money.
	URL string
	// Header is sent along, for a key for example. Redirects to other hosts
	// are not followed, so it goes nowhere else.
	Header map[string]string
	// Base is the base that the documents must have. Empty means that of the
	// first one; it may not change after that.
	Base string
	// Spread is the share of every converted amount that the connector keeps,
	// such as "0.002": at least 0 and less than 1. Empty is none.
	Spread string
	// Refresh is the time between two fetches. 0 means one minute.
	Refresh time.Duration
	// MaxAge is how long rates are used; at least twice Refresh. 0 means ten
	// minutes.
	MaxAge time.Duration
	// Band is how far a rate may move at once before it is doubted: "0.1"
	// allows from 10/11 to 11/10 of the last one. Empty means 0.1.
	Band string
	// Confirmations is how many further documents must agree with a rate
	// outside the band. 0 means 2. Documents with the same time count once.
	Confirmations int
	// Client makes the requests. nil means http.DefaultClient. A request has
	// 30 seconds, an answer at most 1 MiB, whatever the client says.
	Client *http.Client
	// Logger takes what an operator should know; nil discards it.
	Logger *slog.Logger
	// Now is the clock that ages are measured with; nil means time.Now.
	Now func() time.Time
}

const (
	defaultRefresh = time.Minute
	defaultMaxAge  = 10 * time.Minute
)

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
	if opts.URL == "" {
		return nil, errors.New("httprates: no URL: want one that answers rates, such as https://rates.example/latest.json")
	}
	request, err := ratefeed.NewRequest(opts.Client, opts.URL, opts.Header)
	if err != nil {
		return nil, fmt.Errorf("httprates: %w", err)
	}
	feed := ratefeed.Feed{
		Name: "http", Base: opts.Base,
		Fetch:   func(ctx context.Context) (ratefeed.Quotes, error) { return request.Get(ctx, parse) },
		Refresh: opts.Refresh, MaxAge: opts.MaxAge,
		Band: opts.Band, Confirmations: opts.Confirmations,
	}
	rates, err := ratefeed.New(ratefeed.Options{
		Name:   "httprates",
		Feeds:  []ratefeed.Feed{feed.Or(defaultRefresh, defaultMaxAge)},
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

// Feeds returns the state of the one source, "http".
func (b *Backend) Feeds() []backend.FeedStatus { return b.rates.Feeds() }

// Confirm takes the rate of a currency that has jumped out of the band and
// waits: an operator has looked at it.
func (b *Backend) Confirm(currency string) error { return b.rates.Confirm(currency) }

var one = backend.MustParseRatio("1")

// parse reads the document that the package comment describes.
func parse(r io.Reader) (ratefeed.Quotes, error) {
	document, err := ratefeed.ParseJSON(r)
	if err != nil {
		return ratefeed.Quotes{}, err
	}
	members, ok := document.(map[string]any)
	if !ok {
		return ratefeed.Quotes{}, errors.New("the document is no object: want {\"base\": …, \"rates\": {…}}")
	}
	base, ok := members["base"].(string)
	if !ok {
		return ratefeed.Quotes{}, errors.New("no base: want a currency code")
	}
	if err := ratefeed.CheckCode(base); err != nil {
		return ratefeed.Quotes{}, fmt.Errorf("base: %w", err)
	}
	rates, ok := members["rates"].(map[string]any)
	if !ok {
		return ratefeed.Quotes{}, errors.New("no rates: want an object of currency codes and rates")
	}
	quotes := ratefeed.Quotes{Base: base}
	if quotes.Prices, err = prices(base, rates); err != nil {
		return ratefeed.Quotes{}, err
	}
	if at := members["time"]; at != nil {
		if quotes.Time, err = ratefeed.JSONTime(at); err != nil {
			return ratefeed.Quotes{}, err
		}
	}
	return quotes, nil
}

// prices turns rates, units for one of the base, into prices.
func prices(base string, rates map[string]any) (map[string]backend.Ratio, error) {
	prices := make(map[string]backend.Ratio, len(rates))
	for code, value := range rates {
		if err := ratefeed.CheckCode(code); err != nil {
			return nil, err
		}
		rate, err := ratefeed.JSONPrice(value)
		if err != nil {
			return nil, fmt.Errorf("currency %s: %w", code, err)
		}
		if code != base {
			prices[code] = rate.Inv()
		} else if rate != one {
			return nil, fmt.Errorf("the base %s has the rate %v: want 1", base, rate)
		}
	}
	return prices, nil
}
