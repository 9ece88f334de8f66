package httprates_test

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
	"github.com/interledger-go/connector/backend/httprates"
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
	document := file(t, "testdata/rates.json")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer key" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, document)
	}))
	defer server.Close()
	ratio := backend.MustParseRatio
	backendtest.Run(t, backendtest.Options{
		New: func(t testing.TB) backend.Backend {
			b, err := httprates.New(httprates.Options{
				URL: server.URL, Header: map[string]string{"Authorization": "Bearer key"},
				Base: "USD", Spread: "0.1", Client: server.Client(), Now: now,
			})
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Pairs: []backendtest.Pair{
			{Source: party("USD", 2), Destination: party("EUR", 9), Want: ratio("0.828e7")},
			{Source: party("EUR", 9), Destination: party("USD", 2), Want: ratio("9/92").Scale(9, 2).Mul(ratio("10"))},
			{Source: party("JPY", 0), Destination: party("XRP", 6), Want: ratio("1950000/14925").Mul(ratio("90"))},
			{Source: party("MXN", 2), Destination: party("MXN", 2), Want: ratio("9/10")},
		},
		Missing: []backendtest.Pair{{Source: party("USD", 2), Destination: party("GBP", 2)}},
	})
}

func TestParse(t *testing.T) {
	quotes, err := httprates.Parse(strings.NewReader(file(t, "testdata/rates.json")))
	if err != nil {
		t.Fatal(err)
	}
	if quotes.Base != "USD" || len(quotes.Prices) != 4 || !quotes.Time.Equal(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", quotes)
	}
	for code, want := range map[string]string{"EUR": "25/23", "JPY": "4/597", "XRP": "20/39"} {
		if got := quotes.Prices[code].String(); got != want {
			t.Errorf("a unit of %s is %s dollars; want %s", code, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	rate := func(text string) string { return `{"base":"USD","rates":{"EUR":` + text + `}}` }
	tests := []struct{ name, document, says string }{
		{"nothing", ``, "unexpected EOF"},
		{"null", `null`, "no object"},
		{"array", `[]`, "no object"},
		{"no base", `{"rates":{"EUR":"0.92"}}`, "no base"},
		{"a base that is no text", `{"base":1,"rates":{"EUR":"0.92"}}`, "no base"},
		{"an empty base", `{"base":"","rates":{"EUR":"0.92"}}`, "base: empty"},
		{"no rates", `{"base":"USD"}`, "no rates"},
		{"rates in an array", `{"base":"USD","rates":[1]}`, "no rates"},
		{"a currency twice", `{"base":"USD","rates":{"EUR":"0.92","EUR":"0.92"}}`, "twice"},
		{"a base that is not 1", `{"base":"USD","rates":{"USD":"1.1"}}`, "want 1"},
		{"an empty currency", `{"base":"USD","rates":{"":"1.1"}}`, "empty currency"},
		{"zero", rate(`0`), "currency EUR"},
		{"zero text", rate(`"0.00"`), "more than 0"},
		{"negative", rate(`-0.92`), "above 0"},
		{"NaN", rate(`"NaN"`), "above 0"},
		{"null rate", rate(`null`), "no price"},
		{"object", rate(`{}`), "no price"},
		{"huge digits", rate(strings.Repeat("9", 10_000)), "want at most 40"},
		{"huge exponent", rate(`1e999999999`), "above 0"},
		{"fraction", rate(`"1/2"`), "decimal"},
		{"a time that is none", `{"base":"USD","rates":{"EUR":"0.92"},"time":"soon"}`, "no time"},
		{"truncated", rate(`0.92`)[:30], "unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			quotes, err := httprates.Parse(strings.NewReader(test.document))
			if err == nil || quotes.Prices != nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, %v; want an error that says %q", quotes, err, test.says)
			}
		})
	}
}

// Numbers are read from their text: 0.29 of 100 is 29, and seventeen digits
// are seventeen digits.
func TestNumbersAreExact(t *testing.T) {
	for text, want := range map[string]string{
		`0.29`:                "100/29",
		`"0.29"`:              "100/29",
		`9007199254740993`:    "1/9007199254740993",
		`0.10000000000000001`: "100000000000000000/10000000000000001",
		`1.3e-7`:              "100000000/13",
		`1.3E+2`:              "1/130",
	} {
		quotes, err := httprates.Parse(strings.NewReader(`{"base":"USD","rates":{"X":` + text + `}}`))
		if err != nil || quotes.Prices["X"].String() != want {
			t.Errorf("%s: %v, %v; want a price of %s", text, quotes.Prices["X"], err, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for says, opts := range map[string]httprates.Options{
		"no URL":                 {},
		"want one such as https": {URL: "rates.example"},
		"spread":                 {URL: "https://rates.example", Spread: "-1"},
		"header":                 {URL: "https://rates.example", Header: map[string]string{"": "x"}},
		"greatest age 1s":        {URL: "https://rates.example", MaxAge: time.Second},
	} {
		b, err := httprates.New(opts)
		if err == nil || b != nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "httprates: ") {
			t.Errorf("%v, %v; want an error that says %q", b, err, says)
		}
	}
}

func TestZeroBackendHasNoRates(t *testing.T) {
	var b httprates.Backend
	if rate, err := b.Rate(party("USD", 9), party("USD", 9)); !errors.Is(err, backend.ErrNoRate) || !rate.IsZero() {
		t.Errorf("%v, %v", rate, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(file(f, "testdata/rates.json"))
	f.Add(`{"base":"USD","rates":{"EUR":"0.92","USD":1.0},"time":1795608000}`)
	f.Add(`{"base":"USD","rates":{"EUR":1e999}}`)
	f.Add(`{"base":"USD","base":"EUR","rates":{}}`)
	f.Fuzz(func(t *testing.T, document string) {
		quotes, err := httprates.Parse(strings.NewReader(document))
		if err != nil {
			if quotes.Prices != nil {
				t.Errorf("quotes along with the error %v", err)
			}
			return
		}
		for code, price := range quotes.Prices {
			if code == quotes.Base || code == "" || price.IsZero() {
				t.Errorf("currency %q has the price %v", code, price)
			}
		}
	})
}
