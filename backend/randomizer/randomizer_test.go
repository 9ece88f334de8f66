package randomizer_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/backendtest"
	"github.com/interledger-go/connector/backend/randomizer"
	"github.com/interledger-go/connector/ilp"
)

func party(code string, scale uint8) backend.Party {
	return backend.Party{Account: "of-" + code, Asset: ilp.Asset{Code: code, Scale: scale}}
}

func newBackend(t testing.TB, opts randomizer.Options) *randomizer.Backend {
	t.Helper()
	b, err := randomizer.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) {
	backendtest.Run(t, backendtest.Options{
		New:      func(t testing.TB) backend.Backend { return newBackend(t, randomizer.Options{Spread: "0.002"}) },
		Pairs:    []backendtest.Pair{{Source: party("USD", 9), Destination: party("EUR", 2)}, {Source: party("EUR", 2), Destination: party("USD", 9)}},
		Volatile: true,
	})
	// Without variation it is parity, and everything can be compared.
	backendtest.Run(t, backendtest.Options{
		New: func(t testing.TB) backend.Backend {
			return newBackend(t, randomizer.Options{Variation: "0", Spread: "0.002"})
		},
		Pairs: []backendtest.Pair{
			{Source: party("USD", 9), Destination: party("EUR", 2), Want: backend.MustParseRatio("499/5000000000")},
			{Source: party("EUR", 2), Destination: party("USD", 9), Want: backend.MustParseRatio("9980000")},
		},
	})
}

func draw(t *testing.T, b *randomizer.Backend) backend.Ratio {
	t.Helper()
	rate, err := b.Rate(party("USD", 2), party("EUR", 2))
	if err != nil {
		t.Fatal(err)
	}
	return rate
}

func TestSameSeedSameRates(t *testing.T) {
	a, b, other := newBackend(t, randomizer.Options{Seed: 7}), newBackend(t, randomizer.Options{Seed: 7}), newBackend(t, randomizer.Options{Seed: 8})
	differ := false
	for i := range 1000 {
		rate := draw(t, a)
		if again := draw(t, b); again != rate {
			t.Fatalf("call %d: %v and %v", i, rate, again)
		}
		differ = differ || draw(t, other) != rate
	}
	if !differ {
		t.Error("another seed gives the same rates")
	}
}

// Rates are multiples of 0.00001 times what the spread leaves, within the
// variation, and get near to both ends of it.
func TestRange(t *testing.T) {
	b := newBackend(t, randomizer.Options{Variation: "0.25", Spread: "0.5"})
	low, high := backend.MustParseRatio("0.75"), backend.MustParseRatio("1.25")
	nearLow, nearHigh := backend.MustParseRatio("0.76"), backend.MustParseRatio("1.24")
	var atLow, atHigh bool
	for range 10_000 {
		r := draw(t, b).Mul(backend.MustParseRatio("2"))
		if r.Cmp(low) < 0 || r.Cmp(high) > 0 || !r.Mul(backend.MustParseRatio("100000")).Rat().IsInt() {
			t.Fatalf("a rate of %v", r)
		}
		atLow, atHigh = atLow || r.Cmp(nearLow) < 0, atHigh || r.Cmp(nearHigh) > 0
	}
	if !atLow || !atHigh {
		t.Errorf("near the low end: %v, near the high one: %v", atLow, atHigh)
	}
}

func TestNewRefuses(t *testing.T) {
	for says, opts := range map[string]randomizer.Options{
		"variation of 1 or more": {Variation: "1"},
		"variation of 1":         {Variation: "1e30"},
		"variation: ":            {Variation: "-0.1"},
		"spread 1":               {Spread: "1"},
	} {
		if b, err := randomizer.New(opts); err == nil || b != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, %v; want an error that says %q", b, err, says)
		}
	}
	var zero randomizer.Backend
	if rate, err := zero.Rate(party("USD", 9), party("USD", 9)); !errors.Is(err, backend.ErrNoRate) || !rate.IsZero() {
		t.Errorf("%v, %v", rate, err)
	}
}

func TestItWarns(t *testing.T) {
	var log bytes.Buffer
	newBackend(t, randomizer.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "random") {
		t.Errorf("logged %q", log.String())
	}
}

func BenchmarkRate(b *testing.B) {
	rates := newBackend(b, randomizer.Options{Spread: "0.002"})
	source, destination := party("USD", 9), party("EUR", 2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rates.Rate(source, destination); err != nil {
			b.Fatal(err)
		}
	}
}
