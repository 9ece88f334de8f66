// Package ecbcoinmarketcap is a rate source on the European Central Bank's
// reference rates and CoinMarketCap's prices of cryptocurrencies. In the
// reference's documentation its name is ecb-plus-coinmarketcap.
//
// Prices are those of CoinMarketCap's quotes/latest, version 2, which needs a
// key. Currencies are asked for by CoinMarketCap's numbers, since symbols are
// not unique there and anybody can make a token that is called XRP; the symbol
// of each answer must still be the code. A price in dollars becomes one in
// euros by the ECB's rate of the dollar: price(BTC) = dollars for a bitcoin /
// dollars for a euro. (The reference divided by both.) Everything is exact.
//
// The two sources are fetched, and trusted, each for itself. See package ecb
// for the ECB's part. A price is too old after CoinMarketCap.MaxAge, and doubted
// when it moves by more than CoinMarketCap.Band at once: the currency then has
// no rate until further prices, an operator, or the age of the last one
// settles it.
package ecbcoinmarketcap

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/internal/ratefeed"
)

// Options say how a Backend is made. CoinMarketCap.Key is required.
type Options struct {
	// Spread is the share of every converted amount that the connector keeps,
	// such as "0.002": at least 0 and less than 1. Empty is none.
	Spread string
	// ECB says how the ECB's file is fetched.
	ECB ECB
	// CoinMarketCap says how the prices of cryptocurrencies are fetched.
	CoinMarketCap CoinMarketCap
	// Client makes the requests. nil means http.DefaultClient. A request has
	// 30 seconds, an answer at most 1 MiB, whatever the client says.
	Client *http.Client
	// Logger takes what an operator should know; nil discards it.
	Logger *slog.Logger
	// Now is the clock that ages are measured with; nil means time.Now.
	Now func() time.Time
}

// ECB is how the ECB's file is fetched, as in package ecb.
type ECB struct {
	// URL is where the file is. Empty means the ECB's.
	URL string
	// Refresh is the time between two fetches. 0 means one hour.
	Refresh time.Duration
	// MaxAge is how long after 14:00 UTC of their day rates are used. 0 means
	// 132 hours.
	MaxAge time.Duration
	// Band is how far a rate may move at once. Empty means 0.1.
	Band string
	// Confirmations is how many further publications must agree with a rate
	// outside the band. 0 means 2.
	Confirmations int
}

// CoinMarketCap is how its prices are fetched.
type CoinMarketCap struct {
	// Key is the key of the API, sent in the header X-CMC_PRO_API_KEY.
	// Redirects to other hosts are not followed, so it goes nowhere else.
	Key string
	// URL is the address of quotes/latest, without a query. Empty means
	// https://pro-api.coinmarketcap.com/v2/cryptocurrency/quotes/latest.
	URL string
	// Currencies are CoinMarketCap's numbers by asset code. Empty means BTC
	// (1), ETH (1027), LTC (2), XLM (512) and XRP (52).
	Currencies map[string]uint64
	// Currency is what prices are asked in: EUR, or a currency that the ECB
	// quotes. Empty means USD.
	Currency string
	// Refresh is the time between two fetches. 0 means five minutes: the
	// free plan has no more than some 300 requests a day.
	Refresh time.Duration
	// MaxAge is how long prices are used; at least twice Refresh. 0 means
	// thirty minutes.
	MaxAge time.Duration
	// Band is how far a price may move at once before it is doubted. Empty
	// means 0.1.
	Band string
	// Confirmations is how many further prices must agree with one outside
	// the band. 0 means 2.
	Confirmations int
}

const (
	defaultRefresh = 5 * time.Minute
	defaultMaxAge  = 30 * time.Minute
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
	daily, err := ratefeed.NewECB(opts.Client, opts.ECB.URL)
	if err != nil {
		return nil, fmt.Errorf("ecbcoinmarketcap: ECB: %w", err)
	}
	latest, err := newLatest(opts.Client, opts.CoinMarketCap)
	if err != nil {
		return nil, fmt.Errorf("ecbcoinmarketcap: CoinMarketCap: %w", err)
	}
	ecb := ratefeed.Feed{
		Name: "ecb", Base: ratefeed.ECBBase, Fetch: daily,
		Refresh: opts.ECB.Refresh, MaxAge: opts.ECB.MaxAge,
		Band: opts.ECB.Band, Confirmations: opts.ECB.Confirmations,
	}
	crypto := ratefeed.Feed{
		Name: "coinmarketcap", Base: latest.currency, Fetch: latest.fetch,
		Refresh: opts.CoinMarketCap.Refresh, MaxAge: opts.CoinMarketCap.MaxAge,
		Band: opts.CoinMarketCap.Band, Confirmations: opts.CoinMarketCap.Confirmations,
	}
	rates, err := ratefeed.New(ratefeed.Options{
		Name: "ecbcoinmarketcap",
		Feeds: []ratefeed.Feed{
			ecb.Or(ratefeed.ECBRefresh, ratefeed.ECBMaxAge),
			crypto.Or(defaultRefresh, defaultMaxAge),
		},
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

// Feeds returns the state of the two sources, "ecb" and "coinmarketcap".
func (b *Backend) Feeds() []backend.FeedStatus { return b.rates.Feeds() }

// Confirm takes the rate of a currency that has jumped out of the band and
// waits: an operator has looked at it.
func (b *Backend) Confirm(currency string) error { return b.rates.Confirm(currency) }
