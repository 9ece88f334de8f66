package backend_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/backendtest"
	"github.com/interledger-go/connector/ilp"
)

// plain is a backend that always has the same rate, without other abilities.
type plain struct{ rate backend.Ratio }

func (p plain) Rate(_, _ backend.Party) (backend.Ratio, error) {
	if p.rate.IsZero() {
		return backend.Ratio{}, backend.ErrNotReady
	}
	return p.rate, nil
}

type runs struct{ ran *int }

func (r runs) Run(context.Context) error { *r.ran++; return nil }

type observes struct{ seen *[]backend.Exchange }

func (o observes) Observe(x backend.Exchange) { *o.seen = append(*o.seen, x) }

func of(account, code string) backend.Party {
	return backend.Party{Account: account, Asset: ilp.Asset{Code: code, Scale: 9}}
}

func TestWithSpreads(t *testing.T) {
	spreads := backend.Spreads{
		Default:      "0.1",
		Pairs:        map[string]map[string]string{"USD": {"JPY": "0.2", "USD": "0"}},
		Sources:      map[string]string{"friend": "0", "risky": "0.5"},
		Destinations: map[string]string{"far": "0.25", "risky": "0.3"},
	}
	tests := []struct {
		name                string
		source, destination backend.Party
		want                string
	}{
		{"default", of("a", "USD"), of("b", "EUR"), "9/10"},
		{"pair", of("a", "USD"), of("b", "JPY"), "4/5"},
		{"the way back of a pair", of("a", "JPY"), of("b", "USD"), "9/10"},
		{"a currency and itself", of("a", "USD"), of("b", "USD"), "1"},
		{"another currency and itself", of("a", "EUR"), of("b", "EUR"), "9/10"},
		{"source's own", of("risky", "USD"), of("b", "EUR"), "1/2"},
		{"source's own of 0 instead of the pair's", of("friend", "USD"), of("b", "JPY"), "1"},
		{"destination's own", of("a", "USD"), of("far", "JPY"), "3/4"},
		{"both their own", of("risky", "USD"), of("far", "JPY"), "3/8"},
		{"what an account sends is not what it gets", of("a", "USD"), of("risky", "EUR"), "7/10"},
		{"a source's terms as destination are none", of("a", "USD"), of("friend", "EUR"), "9/10"},
	}
	for _, rate := range []string{"1", "1.0834", "499e-40"} {
		b, err := backend.WithSpreads(plain{backend.MustParseRatio(rate)}, spreads)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // worked out, and remembered
			for _, test := range tests {
				want := backend.MustParseRatio(rate).Mul(backend.MustParseRatio(test.want))
				got, err := b.Rate(test.source, test.destination)
				if err != nil || got.Cmp(want) != 0 {
					t.Errorf("%s of %s: %v, %v; want %v", test.name, rate, got, err, want)
				}
			}
		}
	}
}

func TestWithSpreadsConformance(t *testing.T) {
	one := backend.MustParseRatio("1")
	dollars := of("alice", "USD")
	dollars.Asset.Scale = 2
	backendtest.Run(t, backendtest.Options{
		New: func(t testing.TB) backend.Backend { return spreadBackend(t) },
		Pairs: []backendtest.Pair{
			{Source: dollars, Destination: of("bob", "USD"), Want: one.Scale(2, 9).Mul(backend.MustParseRatio("0.9995"))},
			{Source: of("bob", "USD"), Destination: dollars, Want: one.Scale(9, 2).Mul(backend.MustParseRatio("0.998"))},
			{Source: dollars, Destination: of("bob", "JPY")},
		},
		Missing: []backendtest.Pair{{Source: dollars, Destination: of("bob", "XRP")}},
	})
}

func TestWithSpreadsOfNoRate(t *testing.T) {
	b, err := backend.WithSpreads(plain{}, backend.Spreads{Default: "0.1"})
	if err != nil {
		t.Fatal(err)
	}
	if rate, err := b.Rate(of("a", "USD"), of("b", "EUR")); !rate.IsZero() || !errors.Is(err, backend.ErrNotReady) {
		t.Errorf("%v, %v; want what the inner backend says", rate, err)
	}
}

func TestWithSpreadsRefuses(t *testing.T) {
	inner := plain{backend.MustParseRatio("1")}
	for name, spreads := range map[string]backend.Spreads{
		"1":                       {Default: "1"},
		"-0.1":                    {Default: "-0.1"},
		"from currency \"USD\"":   {Pairs: map[string]map[string]string{"USD": {"EUR": "1.5"}}},
		"\"bob\", as source":      {Sources: map[string]string{"bob": "NaN"}},
		"\"bob\", as destination": {Destinations: map[string]string{"bob": "2"}},
	} {
		b, err := backend.WithSpreads(inner, spreads)
		if err == nil || b != nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "want at least 0 and less than 1") {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
	if b, err := backend.WithSpreads(nil, backend.Spreads{}); err == nil || b != nil {
		t.Errorf("without a backend: %v, %v", b, err)
	}
}

// The result has the abilities that the inner backend has: those of a
// connector are asserted once, on what the host hands over.
func TestWithSpreadsPassesAbilitiesOn(t *testing.T) {
	var ran int
	var seen []backend.Exchange
	rate := plain{backend.MustParseRatio("1")}
	r, o := runs{&ran}, observes{&seen}
	for name, inner := range map[string]backend.Backend{
		"none": rate,
		"run": struct {
			plain
			runs
		}{rate, r},
		"observe": struct {
			plain
			observes
		}{rate, o},
		"both": struct {
			plain
			runs
			observes
		}{rate, r, o},
	} {
		ran, seen = 0, nil
		b, err := backend.WithSpreads(inner, backend.Spreads{Default: "0.1"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Rate(of("a", "USD"), of("b", "EUR")); err != nil || got.String() != "9/10" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		runner, runs := b.(backend.Runner)
		if runs != (name == "run" || name == "both") {
			t.Errorf("%s: is a Runner: %v", name, runs)
		}
		if runs {
			if err := runner.Run(t.Context()); err != nil || ran != 1 {
				t.Errorf("%s: Run reached the inner backend %d times, %v", name, ran, err)
			}
		}
		observer, observes := b.(backend.Observer)
		if observes != (name == "observe" || name == "both") {
			t.Errorf("%s: is an Observer: %v", name, observes)
		}
		if observes {
			x := backend.Exchange{Source: of("a", "USD"), Destination: of("b", "EUR"), SourceAmount: 10, DestinationAmount: 9, Fulfilled: true}
			if observer.Observe(x); len(seen) != 1 || seen[0] != x {
				t.Errorf("%s: the inner backend saw %v", name, seen)
			}
		}
	}
}

// Whoever pays what, nobody gains by going there and back.
func TestWithSpreadsRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	share := func() string { return []string{"", "0", "0.002", "0.1", "1/3", "0.999"}[rng.IntN(6)] }
	one := backend.MustParseRatio("1")
	for range 300 {
		table := newTable(t, "", map[string]string{"USD": "10000/10834", "JPY": "0.0061"})
		b, err := backend.WithSpreads(quotes{table}, backend.Spreads{
			Default:      share(),
			Pairs:        map[string]map[string]string{"USD": {"JPY": share()}, "JPY": {"JPY": share()}},
			Sources:      map[string]string{"a": share(), "b": share()},
			Destinations: map[string]string{"b": share(), "c": share()},
		})
		if err != nil {
			t.Fatal(err)
		}
		parties := []backend.Party{of("a", "USD"), of("b", "JPY"), of("c", "JPY"), of("d", "USD")}
		x, y := parties[rng.IntN(4)], parties[rng.IntN(4)]
		there, err1 := b.Rate(x, y)
		back, err2 := b.Rate(y, x)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if there.Mul(back).Cmp(one) > 0 {
			t.Fatalf("%v to %v is %v, and %v back", x, y, there, back)
		}
	}
}

// quotes is a backend over a table.
type quotes struct{ table *backend.Table }

func (q quotes) Rate(source, destination backend.Party) (backend.Ratio, error) {
	return q.table.Rate(source.Asset, destination.Asset)
}

func TestWithSpreadsAllocatesNothing(t *testing.T) {
	b := spreadBackend(t)
	for _, source := range []string{"alice", "carol"} {
		n := testing.AllocsPerRun(100, func() {
			if _, err := b.Rate(of(source, "USD"), of("bob", "JPY")); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", source, n)
		}
	}
}

func spreadBackend(t testing.TB) backend.Backend {
	t.Helper()
	b, err := backend.WithSpreads(quotes{newTable(t, "", map[string]string{"USD": "10000/10834", "JPY": "0.0061"})}, backend.Spreads{
		Default: "0.002",
		Pairs:   map[string]map[string]string{"USD": {"EUR": "0.001"}},
		Sources: map[string]string{"alice": "0.0005"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func BenchmarkWithSpreads(b *testing.B) {
	rates := spreadBackend(b)
	source, destination := of("alice", "USD"), of("bob", "JPY")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rates.Rate(source, destination); err != nil {
			b.Fatal(err)
		}
	}
}
