package ecb_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/backendtest"
	"github.com/interledger-go/connector/backend/ecb"
	"github.com/interledger-go/connector/ilp"
)

// published is a while after the rates of testdata were.
var published = time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC)

func daily(t testing.TB) string {
	t.Helper()
	document, err := os.ReadFile("testdata/eurofxref-daily.xml")
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

func party(code string, scale uint8) backend.Party {
	return backend.Party{Account: "of-" + code, Asset: ilp.Asset{Code: code, Scale: scale}}
}

func TestConformance(t *testing.T) {
	document := daily(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, document) }))
	defer server.Close()
	ratio := backend.MustParseRatio
	backendtest.Run(t, backendtest.Options{
		New: func(t testing.TB) backend.Backend {
			b, err := ecb.New(ecb.Options{URL: server.URL, Spread: "0.002", Client: server.Client(), Now: func() time.Time { return published }})
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Pairs: []backendtest.Pair{
			{Source: party("EUR", 2), Destination: party("USD", 9), Want: ratio("1.0834").Mul(ratio("9980000"))},
			{Source: party("USD", 9), Destination: party("EUR", 2), Want: ratio("499/5000000000").Mul(ratio("10000/10834"))},
			{Source: party("USD", 2), Destination: party("JPY", 0), Want: ratio("0.00998").Mul(ratio("1632500/10834"))},
			{Source: party("IDR", 2), Destination: party("GBP", 2)},
			{Source: party("USD", 9), Destination: party("USD", 9), Want: ratio("499/500")},
		},
		Missing: []backendtest.Pair{
			{Source: party("USD", 2), Destination: party("XRP", 6)},
			{Source: party("XRP", 6), Destination: party("USD", 2)},
		},
	})
}

// site answers all requests with the same document or error, without a
// network.
type site struct {
	mu       sync.Mutex
	document string
	err      error
}

func (s *site) set(document string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.document, s.err = document, err
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: make(http.Header), Body: io.NopCloser(strings.NewReader(s.document)), Request: r}, nil
}

// started is a backend that asks the site in a bubble, until the test is over. Its clock is in November 2026.
func started(t *testing.T, opts ecb.Options, from *site) *ecb.Backend {
	t.Helper()
	opts.Client = &http.Client{Transport: from}
	start := time.Now()
	opts.Now = func() time.Time { return published.Add(time.Since(start)) }
	b, err := ecb.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- b.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return b
}

// perEuro is a file with these rates.
func perEuro(day, usd, jpy string) string {
	return `<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><Cube>` +
		`<Cube time="` + day + `"><Cube currency="USD" rate="` + usd + `"/><Cube currency="JPY" rate="` + jpy + `"/></Cube></Cube></gesmes:Envelope>`
}

// The amounts of the reference's route builder: USD and EUR at scale 2, JPY at
// 0, 1.8 dollars and 120 yen for a euro, a spread of 0.1. Its tests 87, 88 and
// 94 to 96 are about routes.
func TestReferenceRouteBuilder(t *testing.T) {
	tests := []struct {
		number       string
		from, to     backend.Party
		amount, want uint64
	}{
		{"84", party("USD", 2), party("EUR", 2), 100, 50},
		{"85 an amount of zero", party("USD", 2), party("EUR", 2), 0, 0},
		{"86 rounds to zero", party("USD", 2), party("EUR", 2), 1, 0},
		{"89 destination is the base currency", party("USD", 2), party("EUR", 2), 100, 50},
		{"90 source is the base currency", party("EUR", 2), party("USD", 2), 50, 81},
		{"91 dollars to yen", party("USD", 2), party("JPY", 0), 100, 60},
		{"92 yen to dollars", party("JPY", 0), party("USD", 2), 100, 135},
		{"93", party("USD", 2), party("EUR", 2), 100, 50},
	}
	synctest.Test(t, func(t *testing.T) {
		b := started(t, ecb.Options{Spread: "0.1"}, &site{document: perEuro("2026-11-24", "1.8", "120")})
		for _, test := range tests {
			rate, err := b.Rate(test.from, test.to)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := rate.Apply(test.amount); !ok || got != test.want {
				t.Errorf("test %s: %d becomes %d, %v; want %d", test.number, test.amount, got, ok, test.want)
			}
		}
		// Clients match on this text of the reference.
		if _, err := b.Rate(party("USD", 2), party("XYZ", 2)); err == nil || err.Error() != "ecb: no rate available. currency=XYZ" {
			t.Errorf("%v", err)
		}
	})
}

// Easter: nothing is published from Thursday to Tuesday, and rates are there
// all the time; after that they are too old.
func TestRatesLastOverTheLongestHolidays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &site{document: perEuro("2026-11-24", "1.8", "120")}
		b := started(t, ecb.Options{}, from)
		from.set("", errors.New("network is unreachable"))
		for _, test := range []struct {
			after time.Duration
			good  bool
		}{{5 * 24 * time.Hour, true}, {128*time.Hour - time.Nanosecond, true}, {128 * time.Hour, false}, {200 * time.Hour, false}} {
			time.Sleep(test.after - time.Since(start2000))
			synctest.Wait()
			rate, err := b.Rate(party("USD", 2), party("EUR", 2))
			if (err == nil) != test.good || !test.good && !errors.Is(err, backend.ErrNotReady) {
				t.Errorf("after %v: %v, %v", test.after, rate, err)
			}
		}
	})
}

// start2000 is when time begins in a bubble.
var start2000 = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// The reference fetched once, at the start: its rates were as old as the
// process.
func TestNextDayIsFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &site{document: perEuro("2026-11-24", "1.8", "120")}
		b := started(t, ecb.Options{}, from)
		from.set(perEuro("2026-11-25", "1.81", "120"), nil)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		rate, err := b.Rate(party("EUR", 2), party("USD", 2))
		if err != nil || rate.String() != "181/100" {
			t.Errorf("%v, %v; want 1.81", rate, err)
		}
		feeds := b.Feeds()
		if len(feeds) != 1 || feeds[0].Name != "ecb" || feeds[0].Successes < 20 || feeds[0].Currencies != 2 {
			t.Errorf("%+v", feeds)
		}
		from.set(perEuro("2026-11-26", "2.5", "120"), nil)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if _, err := b.Rate(party("EUR", 2), party("USD", 2)); !errors.Is(err, backend.ErrNotReady) {
			t.Errorf("after a jump: %v", err)
		}
		if err := b.Confirm("USD"); err != nil {
			t.Error(err)
		}
		if rate, err := b.Rate(party("EUR", 2), party("USD", 2)); err != nil || rate.String() != "5/2" {
			t.Errorf("%v, %v; want 2.5", rate, err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for says, opts := range map[string]ecb.Options{
		"want one such as https":    {URL: "eurofxref-daily.xml"},
		"spread 1.5":                {Spread: "1.5"},
		"ecb: ecb: greatest age":    {MaxAge: time.Hour},
		"ecb: ecb: refresh":         {Refresh: -time.Hour},
		"ecb: ecb: band \"narrow\"": {Band: "narrow"},
		"-1 confirmations":          {Confirmations: -1},
	} {
		b, err := ecb.New(opts)
		if err == nil || b != nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "ecb: ") {
			t.Errorf("%v, %v; want an error that says %q", b, err, says)
		}
	}
}

func TestZeroBackendHasNoRates(t *testing.T) {
	var b ecb.Backend
	if rate, err := b.Rate(party("USD", 9), party("USD", 9)); !errors.Is(err, backend.ErrNoRate) || !rate.IsZero() {
		t.Errorf("%v, %v", rate, err)
	}
	if err := b.Run(t.Context()); err == nil {
		t.Error("Run of a Backend that New did not make")
	}
	if b.Feeds() != nil || b.Confirm("USD") == nil {
		t.Error("a Backend that New did not make has feeds")
	}
}

func BenchmarkRate(b *testing.B) {
	rates, err := ecb.New(ecb.Options{
		Spread: "0.002", Now: func() time.Time { return published },
		Client: &http.Client{Transport: &site{document: daily(b)}},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- rates.Run(ctx) }()
	for rates.Feeds()[0].Successes == 0 {
		runtime.Gosched()
	}
	var backend backend.Backend = rates
	source, destination := party("USD", 9), party("JPY", 2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := backend.Rate(source, destination); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
}
