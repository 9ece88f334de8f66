package ecbcoinmarketcap_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/backendtest"
	"github.com/interledger-go/connector/backend/ecbcoinmarketcap"
	"github.com/interledger-go/connector/ilp"
)

func party(code string, scale uint8) backend.Party {
	return backend.Party{Account: "of-" + code, Asset: ilp.Asset{Code: code, Scale: scale}}
}

func file(t testing.TB, name string) string {
	t.Helper()
	document, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

// now is a while after everything in testdata was made.
func now() time.Time { return time.Date(2026, 11, 25, 12, 1, 0, 0, time.UTC) }

var coins = map[string]uint64{"BTC": 1, "XRP": 52, "ETH": 1027, "LTC": 2}

func TestConformance(t *testing.T) {
	daily, latest := file(t, "../ecb/testdata/eurofxref-daily.xml"), file(t, "testdata/quotes-latest.json")
	mux := http.NewServeMux()
	mux.HandleFunc("/daily.xml", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, daily) })
	mux.HandleFunc("/v2/latest", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-CMC_PRO_API_KEY") != "key" || r.URL.RawQuery != "convert=USD&id=1%2C1027%2C2%2C52" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, latest)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	ratio := backend.MustParseRatio
	backendtest.Run(t, backendtest.Options{
		New: func(t testing.TB) backend.Backend {
			b, err := ecbcoinmarketcap.New(ecbcoinmarketcap.Options{
				Spread:        "0.002",
				ECB:           ecbcoinmarketcap.ECB{URL: server.URL + "/daily.xml"},
				CoinMarketCap: ecbcoinmarketcap.CoinMarketCap{URL: server.URL + "/v2/latest", Key: "key", Currencies: coins},
				Client:        server.Client(), Now: now,
			})
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Pairs: []backendtest.Pair{
			{Source: party("XRP", 6), Destination: party("USD", 9), Want: ratio("0.5123456789012345").Mul(ratio("998"))},
			// Dollars for an XRP / dollars for a euro; the reference had the product.
			{Source: party("XRP", 6), Destination: party("EUR", 6), Want: ratio("0.5123456789012345").Mul(ratio("9980/10834"))},
			{Source: party("EUR", 2), Destination: party("BTC", 8), Want: ratio("1.0834").Mul(ratio("43289.51734182637").Inv()).Mul(ratio("998000"))},
			{Source: party("ETH", 9), Destination: party("XRP", 6)},
			{Source: party("JPY", 0), Destination: party("GBP", 2)},
		},
		Missing: []backendtest.Pair{
			{Source: party("USD", 2), Destination: party("LTC", 8)}, // asked for, and not answered
			{Source: party("USD", 2), Destination: party("DOGE", 8)},
		},
	})
}

func TestParse(t *testing.T) {
	c := ecbcoinmarketcap.CoinMarketCap{Key: "key", Currencies: coins}
	quotes, err := ecbcoinmarketcap.Parse(c, strings.NewReader(file(t, "testdata/quotes-latest.json")))
	if err != nil {
		t.Fatal(err)
	}
	if quotes.Base != "USD" || len(quotes.Prices) != 3 || !quotes.Time.Equal(time.Date(2026, 11, 25, 11, 59, 0, 0, time.UTC)) {
		t.Errorf("%+v; want three prices, as old as the oldest", quotes)
	}
	for code, want := range map[string]string{"BTC": "43289.51734182637", "XRP": "0.5123456789012345", "ETH": "2250"} {
		if got := quotes.Prices[code]; got.Cmp(backend.MustParseRatio(want)) != 0 {
			t.Errorf("%s: %v; want %s", code, got, want)
		}
	}
}

// document is an answer with an XRP and a BTC.
func document(xrp, btc string) string {
	return `{"status":{"error_code":0},"data":{"52":` + xrp + `,"1":` + btc + `}}`
}

func coin(symbol, price, at string) string {
	return `{"symbol":"` + symbol + `","quote":{"USD":{"price":` + price + `,"last_updated":"` + at + `"}}}`
}

// A coin that nobody trades any more, or without a price, is left out and does
// not make the others old.
func TestParseLeavesOut(t *testing.T) {
	c := ecbcoinmarketcap.CoinMarketCap{Key: "key", Currencies: coins}
	good := coin("XRP", "0.5", "2026-11-25T12:00:00Z")
	for _, btc := range []string{coin("BTC", "43000", "2026-11-20T12:00:00Z"), coin("BTC", "null", "2026-11-25T12:00:00Z")} {
		quotes, err := ecbcoinmarketcap.Parse(c, strings.NewReader(document(good, btc)))
		if err != nil || len(quotes.Prices) != 1 || quotes.Prices["XRP"].IsZero() || !quotes.Time.Equal(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)) {
			t.Errorf("with %s: %+v, %v", btc, quotes, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const at = "2026-11-25T12:00:00Z"
	btc := coin("BTC", "43000", at)
	tests := []struct{ name, document, says string }{
		{"nothing", ``, "unexpected EOF"},
		{"a complaint", `{"status":{"error_code":1001,"error_message":"This API Key is invalid."}}`, `error 1001: "This API Key is invalid."`},
		{"no status", `{"data":{}}`, "/status"},
		{"another coin", document(coin("XRPX", "0.5", at), btc), `number 52 is "XRPX"`},
		{"no symbol", document(`{}`, btc), "/symbol"},
		{"another currency", document(strings.Replace(coin("XRP", "0.5", at), `"USD"`, `"EUR"`, 1), btc), "/quote/USD"},
		{"zero", document(coin("XRP", "0", at), btc), "currency XRP: price"},
		{"negative", document(coin("XRP", "-0.5", at), btc), "above 0"},
		{"text", document(coin("XRP", `"many"`, at), btc), "above 0"},
		{"huge exponent", document(coin("XRP", "1e999", at), btc), "want"},
		{"huge digits", document(coin("XRP", strings.Repeat("1", 5000), at), btc), "want at most 40"},
		{"no time", document(coin("XRP", "0.5", ""), btc), "no time"},
		{"a coin twice", `{"status":{"error_code":0},"data":{"52":{},"52":{}}}`, "twice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := ecbcoinmarketcap.CoinMarketCap{Key: "key", Currencies: coins}
			quotes, err := ecbcoinmarketcap.Parse(c, strings.NewReader(test.document))
			if err == nil || quotes.Prices != nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%+v, %v; want an error that says %q", quotes, err, test.says)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	type coinMarketCap = ecbcoinmarketcap.CoinMarketCap
	for says, c := range map[string]coinMarketCap{
		"no key":                  {},
		"with a query":            {Key: "k", URL: "https://rates.example/?id=1"},
		"want one such as https":  {Key: "k", URL: "x"},
		"number 0":                {Key: "k", Currencies: map[string]uint64{"XRP": 0}},
		"number 52":               {Key: "k", Currencies: map[string]uint64{"XRP": 52, "RIPPLE": 52}},
		"number 2781":             {Key: "k", Currencies: map[string]uint64{"USD": 2781}},
		"empty currency code":     {Key: "k", Currencies: map[string]uint64{"": 52}},
		"coinmarketcap: greatest": {Key: "k", MaxAge: time.Minute},
		"header":                  {Key: "k\n"},
	} {
		b, err := ecbcoinmarketcap.New(ecbcoinmarketcap.Options{CoinMarketCap: c})
		if err == nil || b != nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "ecbcoinmarketcap: ") {
			t.Errorf("%v, %v; want an error that says %q", b, err, says)
		}
	}
	if _, err := ecbcoinmarketcap.New(ecbcoinmarketcap.Options{CoinMarketCap: coinMarketCap{Key: "k"}}); err != nil {
		t.Errorf("with a key alone: %v", err)
	}
}

func TestZeroBackendHasNoRates(t *testing.T) {
	var b ecbcoinmarketcap.Backend
	if rate, err := b.Rate(party("USD", 9), party("USD", 9)); !errors.Is(err, backend.ErrNoRate) || !rate.IsZero() {
		t.Errorf("%v, %v", rate, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(file(f, "testdata/quotes-latest.json"))
	f.Add(document(coin("XRP", "0.5", "2026-11-25T12:00:00Z"), coin("BTC", "1e3", "1795608000")))
	f.Add(`{"status":{"error_code":1001,"error_message":null}}`)
	f.Fuzz(func(t *testing.T, document string) {
		quotes, err := ecbcoinmarketcap.Parse(ecbcoinmarketcap.CoinMarketCap{Key: "key"}, strings.NewReader(document))
		if err != nil {
			if quotes.Prices != nil {
				t.Errorf("quotes along with the error %v", err)
			}
			return
		}
		for code, price := range quotes.Prices {
			if coins[code] == 0 && code != "XLM" || price.IsZero() || quotes.Time.IsZero() {
				t.Errorf("%+v", quotes)
			}
		}
	})
}
