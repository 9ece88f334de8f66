package onetoone_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/backendtest"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ilp"
)

func party(code string, scale uint8) backend.Party {
	return backend.Party{Account: "account-" + code, Asset: ilp.Asset{Code: code, Scale: scale}}
}

func TestConformance(t *testing.T) {
	for _, test := range []struct {
		spread string
		want   [4]string
	}{
		{"", [4]string{"1", "1/10000000", "10000000", "1"}},
		{"0.002", [4]string{"499/500", "499/5000000000", "9980000", "499/500"}},
		{"1e-30", [4]string{}},
	} {
		t.Run("spread="+test.spread, func(t *testing.T) {
			pairs := []backendtest.Pair{
				{Source: party("USD", 9), Destination: party("USD", 9)},
				{Source: party("USD", 9), Destination: party("USD", 2)},
				{Source: party("USD", 2), Destination: party("USD", 9)},
				{Source: party("USD", 4), Destination: party("JPY", 4)},
				{Source: party("USD", 0), Destination: party("USD", 255)},
				{Source: party("USD", 255), Destination: party("USD", 0)},
			}
			for i, want := range test.want {
				if want != "" {
					pairs[i].Want = backend.MustParseRatio(want)
				}
			}
			backendtest.Run(t, backendtest.Options{
				New: func(t testing.TB) backend.Backend {
					b, err := onetoone.New(onetoone.Options{Spread: test.spread})
					if err != nil {
						t.Fatal(err)
					}
					return b
				},
				Pairs: pairs,
			})
		})
	}
}

// The rate is (1 - spread) × 10^(destination scale - source scale), exactly,
// for every difference that there is, at both ends of the scales.
func TestRateOfEveryScaleDifference(t *testing.T) {
	b, err := onetoone.New(onetoone.Options{Spread: "0.002"})
	if err != nil {
		t.Fatal(err)
	}
	check := func(from, to int, want *big.Rat) {
		t.Helper()
		got, err := b.Rate(party("USD", uint8(from)), party("EUR", uint8(to)))
		if err != nil || got.Rat().Cmp(want) != 0 {
			t.Errorf("from scale %d to %d: %v, %v; want %v", from, to, got, err, want)
		}
	}
	up, down, ten := big.NewRat(499, 500), big.NewRat(499, 500), big.NewRat(10, 1)
	for d := range 256 {
		check(0, d, up)
		check(255-d, 255, up)
		check(d, 0, down)
		check(255, 255-d, down)
		up.Mul(up, ten)
		down.Quo(down, ten)
	}
}

// What the reference's integration tests send through at the spread of 0.002,
// and what it got wrong.
func TestAmounts(t *testing.T) {
	tests := []struct {
		spread   string
		from, to uint8
		amount   uint64
		want     uint64
		ok       bool
	}{
		{"0.002", 4, 4, 100, 99, true},
		{"0.002", 9, 9, 500, 499, true},
		{"0.002", 9, 9, 0, 0, true},
		{"", 9, 2, 9_999_999, 0, true},
		{"", 0, 9, 18_446_744_073, 18_446_744_073_000_000_000, true},
		{"", 0, 9, 18_446_744_074, 0, false}, // wrapped to 290448384 there
	}
	for _, test := range tests {
		b, err := onetoone.New(onetoone.Options{Spread: test.spread})
		if err != nil {
			t.Fatal(err)
		}
		rate, err := b.Rate(party("USD", test.from), party("USD", test.to))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := rate.Apply(test.amount); got != test.want || ok != test.ok {
			t.Errorf("%d at spread %q from scale %d to %d: %d, %v; want %d, %v",
				test.amount, test.spread, test.from, test.to, got, ok, test.want, test.ok)
		}
	}
}

// A spread above 1 made the reference's rates negative and its amounts
// enormous; NaN passed its validation.
func TestNewRefuses(t *testing.T) {
	for _, spread := range []string{"1", "1.5", "-0.002", "NaN", "Infinity", "0.2%", "none"} {
		b, err := onetoone.New(onetoone.Options{Spread: spread})
		if err == nil || b != nil {
			t.Errorf("New with spread %q = %v, %v; want an error", spread, b, err)
			continue
		}
		if !strings.Contains(err.Error(), "want at least 0 and less than 1, such as 0.002") {
			t.Errorf("spread %q: %q does not say what would be right", spread, err)
		}
	}
}

func TestZeroBackendHasNoRates(t *testing.T) {
	var b onetoone.Backend
	rate, err := b.Rate(party("USD", 9), party("USD", 9))
	if !errors.Is(err, backend.ErrNoRate) || !rate.IsZero() || !strings.Contains(err.Error(), "New") {
		t.Errorf("Rate of a Backend that New did not make: %v, %v", rate, err)
	}
}

func BenchmarkRate(b *testing.B) {
	one, err := onetoone.New(onetoone.Options{Spread: "0.002"})
	if err != nil {
		b.Fatal(err)
	}
	var rates backend.Backend = one
	source, destination := party("USD", 9), party("USD", 2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rates.Rate(source, destination); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := onetoone.New(onetoone.Options{Spread: "0.002"}); err != nil {
			b.Fatal(err)
		}
	}
}
