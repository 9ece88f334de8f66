package static_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/backendtest"
	"github.com/interledger-go/connector/backend/static"
	"github.com/interledger-go/connector/ilp"
)

func party(code string, scale uint8) backend.Party {
	return backend.Party{Account: "of-" + code, Asset: ilp.Asset{Code: code, Scale: scale}}
}

// Dollars buy euros, euros buy yen and XRP.
var rates = static.Rates{"USD": {"EUR": "5/9"}, "EUR": {"JPY": "120", "XRP": "2.05"}}

func TestConformance(t *testing.T) {
	ratio := backend.MustParseRatio
	backendtest.Run(t, backendtest.Options{
		New: func(t testing.TB) backend.Backend {
			b, err := static.New(static.Options{Rates: rates, Spread: "0.1"})
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Pairs: []backendtest.Pair{
			{Source: party("USD", 2), Destination: party("EUR", 2), Want: ratio("1/2")},
			{Source: party("EUR", 2), Destination: party("USD", 2), Want: ratio("1.62")},
			{Source: party("USD", 2), Destination: party("JPY", 0), Want: ratio("0.6")},
			{Source: party("JPY", 0), Destination: party("USD", 2), Want: ratio("1.35")},
			{Source: party("XRP", 6), Destination: party("USD", 9), Want: ratio("1620").Mul(ratio("20/41"))},
			{Source: party("XRP", 6), Destination: party("XRP", 9), Want: ratio("900")},
		},
		Missing: []backendtest.Pair{
			{Source: party("USD", 2), Destination: party("GBP", 2)},
			{Source: party("GBP", 2), Destination: party("USD", 2)},
		},
	})
}

// What the reference's route builder does with these rates, by its tests' numbers.
func TestReferenceRouteBuilder(t *testing.T) {
	b, err := static.New(static.Options{Rates: static.Rates{"EUR": {"USD": "1.8", "JPY": "120"}}, Spread: "0.1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		number       int
		from, to     backend.Party
		amount, want uint64
	}{
		{84, party("USD", 2), party("EUR", 2), 100, 50},
		{85, party("USD", 2), party("EUR", 2), 0, 0},
		{86, party("USD", 2), party("EUR", 2), 1, 0},
		{89, party("USD", 2), party("EUR", 2), 100, 50},
		{90, party("EUR", 2), party("USD", 2), 50, 81},
		{91, party("USD", 2), party("JPY", 0), 100, 60},
		{92, party("JPY", 0), party("USD", 2), 100, 135},
		{93, party("USD", 2), party("EUR", 2), 100, 50},
	} {
		rate, err := b.Rate(test.from, test.to)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := rate.Apply(test.amount); !ok || got != test.want {
			t.Errorf("test %d: %d becomes %d, %v; want %d", test.number, test.amount, got, ok, test.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name  string
		rates static.Rates
		says  string
	}{
		{"there and back that make money", static.Rates{"USD": {"EUR": "0.92"}, "EUR": {"USD": "1.09"}}, "want them to agree"},
		{"there and back that nearly agree", static.Rates{"USD": {"EUR": "0.92"}, "EUR": {"USD": "1.0869565217391304348"}}, "want them to agree"},
		{"a round that makes money", static.Rates{"USD": {"EUR": "0.92"}, "EUR": {"JPY": "163"}, "JPY": {"USD": "0.0067"}}, "want them to agree"},
		{"a currency worth more than itself", static.Rates{"USD": {"USD": "1.01"}}, "want them to agree"},
		{"two worlds", static.Rates{"USD": {"EUR": "0.92"}, "BTC": {"XRP": "90000"}}, "no way from BTC to EUR"},
		{"zero", static.Rates{"USD": {"EUR": "0"}}, "rate of 0 from USD to EUR"},
		{"negative", static.Rates{"USD": {"EUR": "-1"}}, "from USD to EUR"},
		{"NaN", static.Rates{"USD": {"EUR": "NaN"}}, "from USD to EUR"},
		{"no code", static.Rates{"": {"EUR": "1"}}, "without a code"},
		{"no code inside", static.Rates{"USD": {"": "1"}}, "without a code"},
	}
	for _, test := range tests {
		b, err := static.New(static.Options{Rates: test.rates})
		if err == nil || b != nil || !strings.Contains(err.Error(), test.says) || !strings.HasPrefix(err.Error(), "static: ") {
			t.Errorf("%s: %v, %v; want an error that says %q", test.name, b, err, test.says)
		}
	}
	if b, err := static.New(static.Options{Spread: "1"}); err == nil || b != nil {
		t.Errorf("spread 1: %v, %v", b, err)
	}
}

// What is said twice and agrees exactly is no contradiction.
func TestAgreeingRates(t *testing.T) {
	_, err := static.New(static.Options{Rates: static.Rates{
		"USD": {"EUR": "0.8", "USD": "1", "JPY": "96"}, "EUR": {"USD": "1.25", "JPY": "120"}, "JPY": {"EUR": "1/120"},
	}})
	if err != nil {
		t.Error(err)
	}
}

func TestNoRatesAtAll(t *testing.T) {
	b, err := static.New(static.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if rate, err := b.Rate(party("USD", 2), party("USD", 9)); err != nil || rate.String() != "10000000" {
		t.Errorf("%v, %v", rate, err)
	}
	_, err = b.Rate(party("USD", 2), party("EUR", 2))
	if !errors.Is(err, backend.ErrNoRate) || err.Error() != "static: no rate available. currency=USD" {
		t.Errorf("%v", err)
	}
}

func TestSet(t *testing.T) {
	b, err := static.New(static.Options{Rates: rates})
	if err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		rate, err := b.Rate(party("USD", 2), party("EUR", 2))
		if err != nil {
			t.Fatal(err)
		}
		return rate.String()
	}
	if err := b.Set(static.Rates{"USD": {"EUR": "0.5"}}); err != nil || ask() != "1/2" {
		t.Errorf("%v, and the rate is %s", err, ask())
	}
	if err := b.Set(static.Rates{"USD": {"EUR": "0"}}); err == nil || ask() != "1/2" {
		t.Errorf("%v, and the rate is %s", err, ask())
	}
	var zero static.Backend
	if err := zero.Set(rates); err == nil {
		t.Error("a Backend that New did not make takes rates")
	}
	if rate, err := zero.Rate(party("USD", 9), party("USD", 9)); !errors.Is(err, backend.ErrNoRate) || !rate.IsZero() {
		t.Errorf("%v, %v", rate, err)
	}
}

// However the rates hang together, going round makes no money, and loses none
// without a spread.
func TestRoundsAreExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	one := backend.MustParseRatio("1")
	for range 200 {
		// A tree over some currencies, with rates either way round.
		given := static.Rates{}
		n := 2 + rng.IntN(8)
		for i := 1; i < n; i++ {
			a, b := fmt.Sprint("C", i), fmt.Sprint("C", rng.IntN(i))
			if rng.IntN(2) == 0 {
				a, b = b, a
			}
			if given[a] == nil {
				given[a] = map[string]string{}
			}
			given[a][b] = fmt.Sprintf("%d.%04d", rng.IntN(200), 1+rng.IntN(9999))
		}
		b, err := static.New(static.Options{Rates: given})
		if err != nil {
			t.Fatal(err)
		}
		product := one
		first := party(fmt.Sprint("C", rng.IntN(n)), uint8(rng.IntN(19)))
		at := first
		for range 6 {
			next := party(fmt.Sprint("C", rng.IntN(n)), uint8(rng.IntN(19)))
			product = product.Mul(rate(t, b, at, next))
			at = next
		}
		if product = product.Mul(rate(t, b, at, first)); product.Cmp(one) != 0 {
			t.Fatalf("a round comes to %v; rates %v", product, given)
		}
	}
}

func rate(t *testing.T, b *static.Backend, from, to backend.Party) backend.Ratio {
	t.Helper()
	r, err := b.Rate(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ExampleNew() {
	b, err := static.New(static.Options{
		Rates:  static.Rates{"USD": {"EUR": "0.92"}, "EUR": {"JPY": "163.25"}},
		Spread: "0.002",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	rate, err := b.Rate(
		backend.Party{Account: "alice", Asset: ilp.Asset{Code: "USD", Scale: 2}},
		backend.Party{Account: "bob", Asset: ilp.Asset{Code: "JPY", Scale: 0}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rate.Apply(1000)) // ten dollars

	err = b.Set(static.Rates{"USD": {"EUR": "0.92"}, "EUR": {"USD": "1.09"}})
	fmt.Println(err)
	// Output:
	// 1498 true
	// static: rate of 0.92 from USD to EUR: the other rates make it 100/109: want them to agree, or this one left out
}
