package ecbcoinmarketcap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/internal/ratefeed"
)

const (
	latestURL = "https://pro-api.coinmarketcap.com/v2/cryptocurrency/quotes/latest"
	keyHeader = "X-CMC_PRO_API_KEY"
	// maxLag is how much older than the newest price another may be.
	maxLag = 10 * time.Minute
)

// latest is CoinMarketCap's quotes/latest for some currencies.
type latest struct {
	request  *ratefeed.Request
	codes    map[string]string // asset codes by CoinMarketCap's numbers
	currency string
}

func newLatest(client *http.Client, c CoinMarketCap) (*latest, error) {
	if c.Key == "" {
		return nil, errors.New("no key: want the key of an account at CoinMarketCap")
	}
	if c.URL == "" {
		c.URL = latestURL
	}
	if strings.Contains(c.URL, "?") {
		return nil, errors.New("URL with a query: want it without, since the query is made from the currencies")
	}
	if c.Currency == "" {
		c.Currency = "USD"
	}
	if err := ratefeed.CheckCode(c.Currency); err != nil {
		return nil, err
	}
	if len(c.Currencies) == 0 {
		c.Currencies = map[string]uint64{"BTC": 1, "ETH": 1027, "LTC": 2, "XLM": 512, "XRP": 52}
	}
	l := &latest{codes: make(map[string]string, len(c.Currencies)), currency: c.Currency}
	for code, number := range c.Currencies {
		if err := ratefeed.CheckCode(code); err != nil {
			return nil, err
		}
		id := strconv.FormatUint(number, 10)
		if other, twice := l.codes[id]; twice || number == 0 || code == c.Currency {
			return nil, fmt.Errorf("currency %s with the number %d: want CoinMarketCap's number of it, and not that of %s", code, number, cmp.Or(other, c.Currency))
		}
		l.codes[id] = code
	}
	query := url.Values{"id": {strings.Join(slices.Sorted(maps.Keys(l.codes)), ",")}, "convert": {c.Currency}}
	var err error
	l.request, err = ratefeed.NewRequest(client, c.URL+"?"+query.Encode(), map[string]string{keyHeader: c.Key})
	return l, err
}

func (l *latest) fetch(ctx context.Context) (ratefeed.Quotes, error) {
	return l.request.Get(ctx, l.parse)
}

// parse reads
//
//	{"status": {"error_code": 0, …},
//	 "data": {"52": {"symbol": "XRP", "quote": {"USD": {"price": 0.51, "last_updated": "…"}}, …}, …}}
//
// A currency that was asked for and is not there, has no price, or one that is
// much older than the newest of them, is left out: its last price grows old.
// The oldest of the others says how old all are.
func (l *latest) parse(r io.Reader) (ratefeed.Quotes, error) {
	document, err := ratefeed.ParseJSON(r)
	if err != nil {
		return ratefeed.Quotes{}, err
	}
	if err := status(document); err != nil {
		return ratefeed.Quotes{}, err
	}
	listed := make(map[string]quote, len(l.codes))
	var newest time.Time
	for id, code := range l.codes {
		q, ok, err := l.quote(document, id, code)
		if err != nil {
			return ratefeed.Quotes{}, fmt.Errorf("currency %s: %w", code, err)
		}
		if ok {
			listed[code] = q
		}
		if q.at.After(newest) {
			newest = q.at
		}
	}
	quotes := ratefeed.Quotes{Base: l.currency, Time: newest, Prices: make(map[string]backend.Ratio, len(listed))}
	for code, q := range listed {
		if newest.Sub(q.at) > maxLag {
			continue
		}
		quotes.Prices[code] = q.price
		if q.at.Before(quotes.Time) {
			quotes.Time = q.at
		}
	}
	return quotes, nil
}

// status says what CoinMarketCap complains of.
func status(document any) error {
	code, err := ratefeed.Pointer{"status", "error_code"}.Find(document)
	if err != nil {
		return err
	}
	if text := fmt.Sprint(code); text != "0" {
		message, _ := ratefeed.Pointer{"status", "error_message"}.Find(document)
		return fmt.Errorf("CoinMarketCap's error %.20s: %.200q", text, fmt.Sprint(message))
	}
	return nil
}

// quote is the price of one currency.
type quote struct {
	price backend.Ratio
	at    time.Time
}

// quote reads one currency's. ok is false if there is none.
func (l *latest) quote(document any, id, code string) (q quote, ok bool, err error) {
	currency, missing := ratefeed.Pointer{"data", id}.Find(document)
	if missing != nil {
		return quote{}, false, nil
	}
	symbol, err := ratefeed.Pointer{"symbol"}.Find(currency)
	if err != nil {
		return quote{}, false, err
	}
	if symbol != code {
		return quote{}, false, fmt.Errorf("number %s is %.32q: want the number of %s", id, fmt.Sprint(symbol), code)
	}
	value, err := ratefeed.Pointer{"quote", l.currency, "price"}.Find(currency)
	if err != nil || value == nil {
		return quote{}, false, err
	}
	if q.price, err = ratefeed.JSONPrice(value); err != nil {
		return quote{}, false, err
	}
	q.at, err = ratefeed.Pointer{"quote", l.currency, "last_updated"}.Time(currency)
	return q, err == nil, err
}
