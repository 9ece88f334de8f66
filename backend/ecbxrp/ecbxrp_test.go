package ecbxrp_test

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
	"github.com/interledger-go/connector/backend/ecbxrp"
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

func TestConformance(t *testing.T) {
	daily, ticker := file(t, "../ecb/testdata/eurofxref-daily.xml"), file(t, "testdata/ticker.json")
	mux := http.NewServeMux()
	mux.HandleFunc("/daily.xml", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, daily) })
	mux.HandleFunc("/ticker", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, ticker) })
	server := httptest.NewServer(mux)
	defer server.Close()
	ratio := backend.MustParseRatio
	for _, test := range []struct {
		currency     string
		inverse      bool
		inEUR, inUSD backend.Ratio // an XRP
	}{
		{"", false, ratio("0.4812"), ratio("0.4812").Mul(ratio("1.0834"))},
		{"USD", false, ratio("4812/10834"), ratio("0.4812")},
		{"USD", true, ratio("10000/4812").Mul(ratio("10000/10834")), ratio("10000/4812")},
	} {
		t.Run(test.currency, func(t *testing.T) {
			backendtest.Run(t, backendtest.Options{
				New: func(t testing.TB) backend.Backend {
					b, err := ecbxrp.New(ecbxrp.Options{
						ECB:    ecbxrp.ECB{URL: server.URL + "/daily.xml"},
						XRP:    ecbxrp.XRP{URL: server.URL + "/ticker", Price: "/last", Time: "/timestamp", Currency: test.currency, Inverse: test.inverse},
						Client: server.Client(), Now: now,
					})
					if err != nil {
						t.Fatal(err)
					}
					return b
				},
				Pairs: []backendtest.Pair{
					{Source: party("XRP", 6), Destination: party("EUR", 2), Want: test.inEUR.Scale(6, 2)},
					{Source: party("EUR", 9), Destination: party("XRP", 6), Want: test.inEUR.Inv().Scale(9, 6)},
					{Source: party("XRP", 6), Destination: party("USD", 9), Want: test.inUSD.Scale(6, 9)},
					{Source: party("USD", 2), Destination: party("EUR", 2), Want: ratio("10000/10834")},
				},
				Missing: []backendtest.Pair{{Source: party("XRP", 6), Destination: party("BTC", 8)}},
			})
		})
	}
}

// The shapes of the services that the package comment names.
func TestParse(t *testing.T) {
	tests := []struct {
		name, pointer, at, document, want string
	}{
		{"Bitstamp", "/last", "/timestamp", file(t, "testdata/ticker.json"), "1203/2500"},
		{"Kraken", "/result/XXRPZEUR/c/0", "", `{"error":[],"result":{"XXRPZEUR":{"a":["0.48130000","100","100.000"],"c":["0.48120000","55.1"],"t":[1,2]}}}`, "1203/2500"},
		{"Coinbase", "/data/amount", "", `{"data":{"amount":"0.4812","base":"XRP","currency":"EUR"}}`, "1203/2500"},
		{"CoinGecko", "/ripple/eur", "", `{"ripple":{"eur":0.4812}}`, "1203/2500"},
	}
	for _, test := range tests {
		quotes, err := ecbxrp.Parse(ecbxrp.XRP{URL: "https://rates.example/", Price: test.pointer, Time: test.at}, strings.NewReader(test.document))
		if err != nil || quotes.Base != "EUR" || len(quotes.Prices) != 1 || quotes.Prices["XRP"].String() != test.want || quotes.Time.IsZero() != (test.at == "") {
			t.Errorf("%s: %+v, %v", test.name, quotes, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for document, says := range map[string]string{
		``:                                     "unexpected EOF",
		`{"error":["EQuery:Unknown pair"]}`:    "nothing is at /last",
		`{"last":null,"timestamp":"1"}`:        "no price",
		`{"last":"0","timestamp":"1"}`:         "more than 0",
		`{"last":-1,"timestamp":"1"}`:          "above 0",
		`{"last":"NaN","timestamp":"1"}`:       "above 0",
		`{"last":1e400,"timestamp":"1"}`:       "want",
		`{"last":"0.48"}`:                      "nothing is at /timestamp",
		`{"last":"0.48","timestamp":"soon"}`:   "no time",
		`{"last":1,"last":2,"timestamp":"1"}`:  "twice",
		`{"last":"0.48","timestamp":"1"} more`: "invalid character",
	} {
		quotes, err := ecbxrp.Parse(ecbxrp.XRP{URL: "https://rates.example/", Price: "/last", Time: "/timestamp"}, strings.NewReader(document))
		if err == nil || quotes.Prices != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %+v, %v; want an error that says %q", document, quotes, err, says)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for says, opts := range map[string]ecbxrp.Options{
		"ECB: URL":            {ECB: ecbxrp.ECB{URL: "x"}},
		"XRP: URL":            {XRP: ecbxrp.XRP{URL: "x", Price: "/last"}},
		"no place":            {XRP: ecbxrp.XRP{URL: "https://rates.example/"}},
		"without a URL":       {XRP: ecbxrp.XRP{Price: "/last"}},
		"begins with a /":     {XRP: ecbxrp.XRP{URL: "https://rates.example/", Price: "last"}},
		"XRP in XRP":          {XRP: ecbxrp.XRP{URL: "https://rates.example/", Price: "/last", Currency: "XRP"}},
		"spread 2":            {Spread: "2"},
		"xrp: greatest age":   {XRP: ecbxrp.XRP{MaxAge: time.Second}},
		"ecb: greatest age":   {ECB: ecbxrp.ECB{MaxAge: time.Second}},
		"xrp: band \"wide\"":  {XRP: ecbxrp.XRP{Band: "wide"}},
		"ecb: -3 confirmatio": {ECB: ecbxrp.ECB{Confirmations: -3}},
	} {
		b, err := ecbxrp.New(opts)
		if err == nil || b != nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "ecbxrp: ") {
			t.Errorf("%v, %v; want an error that says %q", b, err, says)
		}
	}
	if _, err := ecbxrp.New(ecbxrp.Options{}); err != nil {
		t.Errorf("without options: %v", err)
	}
}

func TestZeroBackendHasNoRates(t *testing.T) {
	var b ecbxrp.Backend
	if rate, err := b.Rate(party("USD", 9), party("USD", 9)); !errors.Is(err, backend.ErrNoRate) || !rate.IsZero() {
		t.Errorf("%v, %v", rate, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(file(f, "testdata/ticker.json"))
	f.Add(`{"last":0.5,"timestamp":"2026-11-25T12:00:00Z"}`)
	f.Add(`{"last":"-1","timestamp":1}`)
	f.Fuzz(func(t *testing.T, document string) {
		x := ecbxrp.XRP{URL: "https://rates.example/", Price: "/last", Time: "/timestamp", Inverse: len(document)%2 == 0}
		quotes, err := ecbxrp.Parse(x, strings.NewReader(document))
		if (err == nil) != (quotes.Prices != nil) || err == nil && (len(quotes.Prices) != 1 || quotes.Prices["XRP"].IsZero()) {
			t.Errorf("%+v, %v", quotes, err)
		}
	})
}
