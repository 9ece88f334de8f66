package backend_test

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
)

func newTable(t testing.TB, spread string, prices map[string]string) *backend.Table {
	t.Helper()
	keep, err := backend.AfterSpread(spread)
	if err != nil {
		t.Fatal(err)
	}
	ratios := make(map[string]backend.Ratio)
	for code, price := range prices {
		ratios[code] = backend.MustParseRatio(price)
	}
	table, err := backend.NewTable(ratios, keep)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestTableRate(t *testing.T) {
	table := newTable(t, "0.1", map[string]string{"EUR": "1", "USD": "5/9", "JPY": "1/120"})
	tests := []struct {
		from, to ilp.Asset
		want     string
	}{
		{ilp.Asset{Code: "USD", Scale: 2}, ilp.Asset{Code: "EUR", Scale: 2}, "1/2"},
		{ilp.Asset{Code: "EUR", Scale: 2}, ilp.Asset{Code: "USD", Scale: 2}, "81/50"},
		{ilp.Asset{Code: "USD", Scale: 2}, ilp.Asset{Code: "JPY", Scale: 0}, "3/5"},
		{ilp.Asset{Code: "JPY", Scale: 0}, ilp.Asset{Code: "USD", Scale: 2}, "27/20"},
		{ilp.Asset{Code: "USD", Scale: 9}, ilp.Asset{Code: "USD", Scale: 2}, "9/100000000"},
		{ilp.Asset{Code: "DOGE", Scale: 8}, ilp.Asset{Code: "DOGE", Scale: 8}, "9/10"}, // no price, and needs none
	}
	for range 2 { // worked out, and remembered
		for _, test := range tests {
			got, err := table.Rate(test.from, test.to)
			if err != nil || got.String() != test.want {
				t.Errorf("%v to %v: %v, %v; want %s", test.from, test.to, got, err, test.want)
			}
		}
	}
}

// Clients and operators match on the reference's text.
func TestTableWithoutAPrice(t *testing.T) {
	table := newTable(t, "", map[string]string{"USD": "1"})
	usd, doge := ilp.Asset{Code: "USD", Scale: 2}, ilp.Asset{Code: "DOGE", Scale: 2}
	for _, pair := range [][2]ilp.Asset{{usd, doge}, {doge, usd}} {
		rate, err := table.Rate(pair[0], pair[1])
		if !rate.IsZero() || !errors.Is(err, backend.ErrNoRate) || errors.Is(err, backend.ErrNotReady) {
			t.Errorf("%v: %v, %v; want ErrNoRate", pair, rate, err)
		}
		if err.Error() != "no rate available. currency=DOGE" {
			t.Errorf("the error is %q", err)
		}
	}
	later := &backend.NoRateError{Currency: "XRP", Reason: "too old", Temporary: true}
	if !errors.Is(later, backend.ErrNotReady) || !errors.Is(later, backend.ErrNoRate) ||
		later.Error() != "no rate available. currency=XRP: too old" {
		t.Errorf("%v is not both ErrNotReady and ErrNoRate", later)
	}
}

func TestZeroTableHasNoRates(t *testing.T) {
	var table backend.Table
	usd := ilp.Asset{Code: "USD", Scale: 2}
	if rate, err := table.Rate(usd, usd); !rate.IsZero() || !errors.Is(err, backend.ErrNoRate) {
		t.Errorf("%v, %v", rate, err)
	}
}

// Codes of any length and content are told apart: none is taken for another.
func TestTableTellsCodesApart(t *testing.T) {
	codes := []string{"", "A", "AA", "A\x00", "\x00A", "\x00", "\x00\x00", "ABCDEFG", "ABCDEFGH", "ABCDEFGI", "\bABCDEF", "LONGCODE1", "LONGCODE2"}
	prices := make(map[string]backend.Ratio)
	for i, code := range codes {
		price, err := backend.NewRatio(uint64(i)+1, 1)
		if err != nil {
			t.Fatal(err)
		}
		prices[code] = price
	}
	table, err := backend.NewTable(prices, backend.MustParseRatio("1"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, from := range codes {
			for _, to := range codes {
				rate, err := table.Rate(ilp.Asset{Code: from}, ilp.Asset{Code: to})
				if want := prices[from].Mul(prices[to].Inv()); err != nil || rate != want {
					t.Errorf("%q to %q: %v, %v; want %v", from, to, rate, err, want)
				}
			}
		}
		for _, unknown := range []string{"B", "LONGCODE3", "A\x00\x00"} {
			if rate, err := table.Rate(ilp.Asset{Code: unknown}, ilp.Asset{Code: "LONGCODE4"}); err == nil {
				t.Errorf("%q has the rate %v", unknown, rate)
			}
		}
	}
}

func TestNewTableRefuses(t *testing.T) {
	one := backend.MustParseRatio("1")
	tests := []struct {
		price, keep backend.Ratio
		says        string
	}{
		{backend.Ratio{}, one, "price of 0 for currency \"USD\""},
		{one, backend.Ratio{}, "want more than 0 and at most 1"},
		{one, backend.MustParseRatio("1.01"), "want more than 0 and at most 1"},
	}
	for _, test := range tests {
		table, err := backend.NewTable(map[string]backend.Ratio{"USD": test.price}, test.keep)
		if err == nil || table != nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("price %v, keep %v: %v, %v; want %q", test.price, test.keep, table, err, test.says)
		}
	}
}

// The rate there times the rate back is (1 - spread)², exactly, whatever the
// prices and scales: nobody gains by going round.
func TestTableIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	codes := []string{"A", "B", "C", "D", "E"}
	for range 200 {
		prices := make(map[string]backend.Ratio)
		for _, code := range codes {
			price, err := backend.NewRatio(max(word(rng), 1), max(word(rng), 1))
			if err != nil {
				t.Fatal(err)
			}
			prices[code] = price
		}
		keep, err := backend.NewRatio(1+rng.Uint64N(1000), 1000)
		if err != nil {
			t.Fatal(err)
		}
		table, err := backend.NewTable(prices, keep)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			from := ilp.Asset{Code: codes[rng.IntN(5)], Scale: uint8(rng.Uint32())}
			to := ilp.Asset{Code: codes[rng.IntN(5)], Scale: uint8(rng.Uint32())}
			there, err1 := table.Rate(from, to)
			back, err2 := table.Rate(to, from)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			if got, want := there.Mul(back), keep.Mul(keep); got.Cmp(want) != 0 {
				t.Fatalf("%v to %v and back: %v; want %v", from, to, got, want)
			}
			want := new(big.Rat).Quo(prices[from.Code].Rat(), prices[to.Code].Rat())
			want.Mul(want, keep.Rat()).Mul(want, backend.MustParseRatio("1").Scale(from.Scale, to.Scale).Rat())
			if there.Rat().Cmp(want) != 0 {
				t.Fatalf("%v to %v: %v; want %v", from, to, there, want)
			}
		}
	}
}

func TestTableRateAllocatesNothing(t *testing.T) {
	table := newTable(t, "0.002", map[string]string{"EUR": "1", "USD": "10000/10834", "XRP": "0.4812345678912345"})
	for _, pair := range [][2]string{{"USD", "EUR"}, {"XRP", "USD"}, {"USD", "USD"}} {
		from, to := ilp.Asset{Code: pair[0], Scale: 9}, ilp.Asset{Code: pair[1], Scale: 2}
		n := testing.AllocsPerRun(100, func() {
			rate, err := table.Rate(from, to)
			if err != nil {
				t.Fatal(err)
			}
			rate.Apply(1_000_000)
		})
		if n != 0 {
			t.Errorf("%v: %v allocations", pair, n)
		}
	}
}

func BenchmarkTableRate(b *testing.B) {
	table := newTable(b, "0.002", map[string]string{"EUR": "1", "USD": "10000/10834", "JPY": "0.0061", "XRP": "0.48"})
	for _, pair := range [][2]string{{"USD", "JPY"}, {"USD", "USD"}} {
		b.Run(pair[0]+"-"+pair[1], func(b *testing.B) {
			from, to := ilp.Asset{Code: pair[0], Scale: 9}, ilp.Asset{Code: pair[1], Scale: 2}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := table.Rate(from, to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
