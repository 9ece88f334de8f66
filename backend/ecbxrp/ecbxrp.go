// Package ecbxrp is a rate source on the European Central Bank's reference
// rates and a price of XRP. In the reference its name is ecb-plus-xrp; the
// service that it asks for the price was closed, so this one takes any address
// that answers a JSON document with a decimal number in it.
//
// These fit, for example, each asked for euros (the third column is
// XRP.Price, a JSON pointer):
//
//	Bitstamp   https://www.bitstamp.net/api/v2/ticker/xrpeur/              /last
//	Kraken     https://api.kraken.com/0/public/Ticker?pair=XRPEUR          /result/XXRPZEUR/c/0
//	Coinbase   https://api.coinbase.com/v2/prices/XRP-EUR/spot             /data/amount
//	CoinGecko  https://api.coingecko.com/api/v3/simple/price?ids=ripple&vs_currencies=eur    /ripple/eur
//
// The first is the default. A price in another currency, such as dollars,
// becomes one in euros by the ECB's rate of that currency. Prices are exact:
// they are read from their text, never through a floating-point number.
//
// The two sources are fetched, and trusted, each for itself: without the ECB
// there are no dollars, without the other no XRP. See package ecb for the
// ECB's part. The price of XRP is too old after XRP.MaxAge, and doubted when it
// moves by more than XRP.Band at once: XRP then has no rate until further
// fetches, an operator, or the age of the last price settles it.
package ecbxrp

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

// Options say how a Backend is made. The zero value takes both sources'
// defaults, without a spread.
type Options struct {
	// Spread is the share of every converted amount that the connector keeps,
	// such as "0.002": at least 0 and less than 1. Empty is none.
	Spread string
	// ECB says how the ECB's file is fetched.
	ECB ECB
	// XRP says how the price of XRP is fetched.
	XRP XRP
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

// XRP is how the price of XRP is fetched.
type XRP struct {
	// URL answers a JSON document. Empty means Bitstamp's for XRP in euros,
	// and then Price, Time and Currency are left empty too.
	URL string
	// Header is sent along, for a key for example. Redirects to other hosts
	// are not followed, so it goes nowhere else.
	Header map[string]string
	// Price is the JSON pointer (RFC 6901) of the price: a number, or a
	// string that holds one. Required with a URL.
	Price string
	// Time is the JSON pointer of the time of the price: RFC 3339, or seconds
	// since 1970. Empty means that a price is as old as the request for it.
	Time string
	// Currency is what the price is in: EUR, or a currency that the ECB
	// quotes. Empty means EUR.
	Currency string
	// Inverse says that the number is how much XRP a unit of Currency buys,
	// not what an XRP costs.
	Inverse bool
	// Refresh is the time between two fetches. 0 means one minute.
	Refresh time.Duration
	// MaxAge is how long a price is used; at least twice Refresh. 0 means ten
	// minutes.
	MaxAge time.Duration
	// Band is how far the price may move at once before it is doubted. Empty
	// means 0.1.
	Band string
	// Confirmations is how many further prices must agree with one outside
	// the band. 0 means 2.
	Confirmations int
}

const (
	bitstampURL   = "https://www.bitstamp.net/api/v2/ticker/xrpeur/"
	bitstampPrice = "/last"
	bitstampTime  = "/timestamp"

	xrpRefresh = time.Minute
	xrpMaxAge  = 10 * time.Minute
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
		return nil, fmt.Errorf("ecbxrp: ECB: %w", err)
	}
	price, err := newPrice(opts.Client, opts.XRP)
	if err != nil {
		return nil, fmt.Errorf("ecbxrp: XRP: %w", err)
	}
	ecb := ratefeed.Feed{
		Name: "ecb", Base: ratefeed.ECBBase, Fetch: daily,
		Refresh: opts.ECB.Refresh, MaxAge: opts.ECB.MaxAge,
		Band: opts.ECB.Band, Confirmations: opts.ECB.Confirmations,
	}
	xrp := ratefeed.Feed{
		Name: "xrp", Fetch: price.fetch,
		Refresh: opts.XRP.Refresh, MaxAge: opts.XRP.MaxAge,
		Band: opts.XRP.Band, Confirmations: opts.XRP.Confirmations,
	}
	rates, err := ratefeed.New(ratefeed.Options{
		Name: "ecbxrp",
		Feeds: []ratefeed.Feed{
			ecb.Or(ratefeed.ECBRefresh, ratefeed.ECBMaxAge),
			xrp.Or(xrpRefresh, xrpMaxAge),
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

// Feeds returns the state of the two sources, "ecb" and "xrp".
func (b *Backend) Feeds() []backend.FeedStatus { return b.rates.Feeds() }

// Confirm takes the rate of a currency that has jumped out of the band and
// waits: an operator has looked at it.
func (b *Backend) Confirm(currency string) error { return b.rates.Confirm(currency) }

// price is where the price of XRP is.
type price struct {
	request  *ratefeed.Request
	value    ratefeed.Pointer
	made     ratefeed.Pointer // when, if dated
	dated    bool
	currency string
	inverse  bool
}

func newPrice(client *http.Client, x XRP) (*price, error) {
	if x.URL == "" {
		if x.Price != "" || x.Time != "" || x.Currency != "" || x.Inverse {
			return nil, errors.New("price, time or currency without a URL: want the URL that they belong to")
		}
		x.URL, x.Price, x.Time = bitstampURL, bitstampPrice, bitstampTime
	}
	if x.Price == "" {
		return nil, errors.New("no place of the price: want a JSON pointer such as /last")
	}
	if x.Currency == "" {
		x.Currency = ratefeed.ECBBase
	}
	if x.Currency == code {
		return nil, errors.New("price of XRP in XRP: want another currency")
	}
	p := &price{dated: x.Time != "", currency: x.Currency, inverse: x.Inverse}
	var err error
	if err = ratefeed.CheckCode(x.Currency); err != nil {
		return nil, err
	}
	if p.value, err = ratefeed.NewPointer(x.Price); err != nil {
		return nil, err
	}
	if p.made, err = ratefeed.NewPointer(x.Time); err != nil {
		return nil, err
	}
	p.request, err = ratefeed.NewRequest(client, x.URL, x.Header)
	return p, err
}

// code is the currency that this package is about.
const code = "XRP"

func (p *price) fetch(ctx context.Context) (ratefeed.Quotes, error) {
	return p.request.Get(ctx, p.parse)
}

func (p *price) parse(r io.Reader) (ratefeed.Quotes, error) {
	document, err := ratefeed.ParseJSON(r)
	if err != nil {
		return ratefeed.Quotes{}, err
	}
	value, err := p.value.Price(document)
	if err != nil {
		return ratefeed.Quotes{}, err
	}
	if p.inverse {
		value = value.Inv()
	}
	var at time.Time
	if p.dated {
		if at, err = p.made.Time(document); err != nil {
			return ratefeed.Quotes{}, err
		}
	}
	return ratefeed.Quotes{Base: p.currency, Time: at, Prices: map[string]backend.Ratio{code: value}}, nil
}
