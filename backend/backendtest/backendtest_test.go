package backendtest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/backendtest"
	"github.com/interledger-go/connector/ilp"
)

var (
	usd  = backend.Party{Account: "alice", Asset: ilp.Asset{Code: "USD", Scale: 9}}
	eur  = backend.Party{Account: "bob", Asset: ilp.Asset{Code: "EUR", Scale: 2}}
	doge = backend.Party{Account: "carol", Asset: ilp.Asset{Code: "DOGE", Scale: 8}}
)

// These are backends put together from functions, with and without the
// optional abilities.
type rates func(source, destination backend.Party) (backend.Ratio, error)

func (f rates) Rate(source, destination backend.Party) (backend.Ratio, error) {
	return f(source, destination)
}

type runs struct {
	rates
	run func(ctx context.Context) error
}

func (r runs) Run(ctx context.Context) error { return r.run(ctx) }

type observes struct {
	rates
	observe func(x backend.Exchange)
}

func (o observes) Observe(x backend.Exchange) { o.observe(x) }

// good keeps the contract: 1.08 dollars for a euro, less a spread.
func good(source, destination backend.Party) (backend.Ratio, error) {
	switch {
	case source.Asset == usd.Asset && destination.Asset == eur.Asset:
		return usdToEUR, nil
	case source.Asset == eur.Asset && destination.Asset == usd.Asset:
		return eurToUSD, nil
	}
	return backend.Ratio{}, backend.ErrNoRate
}

var (
	usdToEUR = backend.MustParseRatio("100/108").Scale(9, 2).Mul(backend.MustParseRatio("0.998"))
	eurToUSD = backend.MustParseRatio("108/100").Scale(2, 9).Mul(backend.MustParseRatio("0.998"))
)

func options(newBackend func(t testing.TB) backend.Backend) backendtest.Options {
	return backendtest.Options{
		New: newBackend,
		Pairs: []backendtest.Pair{
			{Source: usd, Destination: eur, Want: usdToEUR},
			{Source: eur, Destination: usd, Want: eurToUSD},
		},
		Missing: []backendtest.Pair{{Source: usd, Destination: doge}, {Source: doge, Destination: usd}},
	}
}

func TestFixed(t *testing.T) {
	backendtest.Run(t, options(func(testing.TB) backend.Backend {
		f := new(backendtest.Fixed)
		f.Set(usd.Asset, eur.Asset, usdToEUR)
		f.Set(eur.Asset, usd.Asset, eurToUSD)
		f.Set(usd.Asset, doge.Asset, usdToEUR)
		f.Set(usd.Asset, doge.Asset, backend.Ratio{}) // and away again
		return f
	}))
}

func TestFixedRemembers(t *testing.T) {
	var f backendtest.Fixed
	first := backend.Exchange{Source: usd, Destination: eur, SourceAmount: 10700, DestinationAmount: 10081, Fulfilled: true}
	second := backend.Exchange{Source: eur, Destination: usd, SourceAmount: 1}
	f.Observe(first)
	f.Observe(second)
	got := f.Exchanges()
	if !slices.Equal(got, []backend.Exchange{first, second}) {
		t.Errorf("Exchanges() = %v", got)
	}
	got[0] = second
	if f.Exchanges()[0] != first {
		t.Error("Exchanges returns the slice that it keeps")
	}
}

// A backend that fetches, in a bubble where time is the suite's to wait for.
func TestRunWaitsForRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, err := range backendtest.Verdicts(t, options(func(testing.TB) backend.Backend { return fetching(time.Second) })) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// fetching keeps the contract: it has its rates a while after Run begins.
func fetching(delay time.Duration) backend.Backend {
	var fetched atomic.Bool
	return runs{
		func(source, destination backend.Party) (backend.Ratio, error) {
			rate, err := good(source, destination)
			if err == nil && !fetched.Load() {
				return backend.Ratio{}, backend.ErrNotReady
			}
			return rate, err
		},
		func(ctx context.Context) error {
			select {
			case <-ctx.Done():
			case <-time.After(delay):
				fetched.Store(true)
				<-ctx.Done()
			}
			return ctx.Err()
		},
	}
}

// faults are backends that break the contract, each with the cases that must
// see it and no others.
func faults() map[string]struct {
	backend func(t testing.TB) backend.Backend
	fails   []string
} {
	gift := backend.MustParseRatio("1.01")
	type fault = struct {
		backend func(t testing.TB) backend.Backend
		fails   []string
	}
	just := func(b backend.Backend) func(testing.TB) backend.Backend {
		return func(testing.TB) backend.Backend { return b }
	}
	return map[string]fault{
		"forgets the scales": {just(rates(func(s, d backend.Party) (backend.Ratio, error) {
			r, err := good(s, d)
			return r.Scale(s.Asset.Scale, d.Asset.Scale), err
		})), []string{"Rate"}},
		"gives zero for a missing rate": {just(rates(func(s, d backend.Party) (backend.Ratio, error) {
			r, _ := good(s, d)
			return r, nil
		})), []string{"Missing"}},
		"gives an error of its own": {just(rates(func(s, d backend.Party) (backend.Ratio, error) {
			r, err := good(s, d)
			if err != nil {
				err = errors.New("unknown currency")
			}
			return r, err
		})), []string{"Missing"}},
		"gives a rate along with the error": {just(rates(func(s, d backend.Party) (backend.Ratio, error) {
			r, err := good(s, d)
			if err != nil {
				r = usdToEUR
			}
			return r, err
		})), []string{"Missing"}},
		"has no rates": {just(rates(func(backend.Party, backend.Party) (backend.Ratio, error) {
			return backend.Ratio{}, backend.ErrNoRate
		})), []string{"Rate", "Stable", "RoundTrip", "BeforeRun", "Concurrent", "Allocations"}},
		"has zero rates": {just(rates(func(s, d backend.Party) (backend.Ratio, error) {
			_, err := good(s, d)
			return backend.Ratio{}, err
		})), []string{"Rate", "Stable", "RoundTrip", "BeforeRun", "Concurrent"}},
		"wavers": {wavers, []string{"Rate", "Stable"}},
		"pays the customer": {just(rates(func(s, d backend.Party) (backend.Ratio, error) {
			r, err := good(s, d)
			return r.Mul(gift), err
		})), []string{"Rate", "RoundTrip"}},
		"blocks in Rate": {func(t testing.TB) backend.Backend {
			released := release(t)
			return rates(func(backend.Party, backend.Party) (backend.Ratio, error) {
				<-released
				return usdToEUR, nil
			})
		}, []string{"Rate", "Missing", "Stable", "RoundTrip", "BeforeRun", "Concurrent", "Allocations"}},
		"breaks when two call at once": {func(testing.TB) backend.Backend { return alone() }, []string{"Concurrent"}},
		"allocates": {just(rates(func(s, d backend.Party) (backend.Ratio, error) {
			if fmt.Sprintf("%s>%s", s.Asset.Code, d.Asset.Code) == "" {
				return backend.Ratio{}, nil
			}
			return good(s, d)
		})), []string{"Allocations"}},
		"never fetches": {just(runs{
			func(s, d backend.Party) (backend.Ratio, error) {
				if _, err := good(s, d); err != nil {
					return backend.Ratio{}, err
				}
				return backend.Ratio{}, backend.ErrNotReady
			},
			func(ctx context.Context) error { <-ctx.Done(); return nil },
		}), []string{"Rate", "Missing", "Stable", "RoundTrip", "Concurrent", "Allocations", "Run"}},
		"runs on": {func(t testing.TB) backend.Backend {
			released := release(t)
			return runs{good, func(context.Context) error { <-released; return nil }}
		}, []string{"Run"}},
		"runs on if stopped at the start": {func(t testing.TB) backend.Backend {
			released := release(t)
			return runs{good, func(ctx context.Context) error {
				if ctx.Err() != nil {
					<-released
				}
				<-ctx.Done()
				return nil
			}}
		}, []string{"Run"}},
		"ends with an error of its own": {just(runs{good, func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("interrupted")
		}}), []string{"Run"}},
		"blocks after Run": {func(t testing.TB) backend.Backend {
			released := release(t)
			var ended atomic.Bool
			return runs{
				func(s, d backend.Party) (backend.Ratio, error) {
					if ended.Load() {
						<-released
					}
					return good(s, d)
				},
				func(ctx context.Context) error {
					<-ctx.Done()
					ended.Store(true)
					return nil
				},
			}
		}, []string{"Run"}},
		"blocks in Observe": {func(t testing.TB) backend.Backend {
			released, queue := release(t), make(chan backend.Exchange, 100)
			return observes{good, func(x backend.Exchange) {
				select {
				case queue <- x:
				case <-released:
				}
			}}
		}, []string{"Observe", "Concurrent"}},
	}
}

// release is closed when the test is over, for those that block until then.
func release(t testing.TB) <-chan struct{} {
	c := make(chan struct{})
	t.Cleanup(func() { close(c) })
	return c
}

// wavers gives a slightly worse rate with each call.
func wavers(testing.TB) backend.Backend {
	var calls atomic.Uint64
	return rates(func(s, d backend.Party) (backend.Ratio, error) {
		r, err := good(s, d)
		n := calls.Add(1)
		worse, _ := backend.NewRatio(1_000_000-n, 1_000_000)
		return r.Mul(worse), err
	})
}

// alone answers one caller at a time. The callers of the concurrent case meet
// in it for certain: the thousandth call of each instance, which only that
// case gets to, waits for another.
func alone() backend.Backend {
	var calls atomic.Uint64
	meet := make(chan struct{})
	return rates(func(s, d backend.Party) (backend.Ratio, error) {
		switch calls.Add(1) {
		case 1000:
			<-meet
			return backend.Ratio{}, errors.New("two at once")
		case 1001:
			close(meet)
		}
		return good(s, d)
	})
}

func TestSuiteSeesEveryFault(t *testing.T) {
	seen := make(map[string]bool)
	for name, fault := range faults() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				verdicts := backendtest.Verdicts(t, options(fault.backend))
				maps.DeleteFunc(verdicts, func(_ string, err error) bool { return err == nil })
				failed, want := slices.Sorted(maps.Keys(verdicts)), slices.Sorted(slices.Values(fault.fails))
				if !slices.Equal(failed, want) {
					t.Errorf("failed cases %v, want %v\n%v", failed, want, verdicts)
				}
				for _, c := range failed {
					seen[c] = true
				}
			})
		})
	}
	for _, c := range backendtest.CaseNames() {
		if !seen[c] {
			t.Errorf("no broken backend makes the case %s fail", c)
		}
	}
}

// What Options say is said for the cases that ask.
func TestOptions(t *testing.T) {
	opts := options(wavers)
	opts.Volatile, opts.Missing, opts.MaxAllocs = true, nil, 2
	for i := range opts.Pairs {
		opts.Pairs[i].Want = backend.Ratio{}
	}
	verdicts := backendtest.Verdicts(t, opts)
	for _, c := range []string{"Stable", "RoundTrip", "Missing", "Run", "Observe"} {
		if _, ok := verdicts[c]; ok {
			t.Errorf("the case %s has been run", c)
		}
	}
	for name, err := range verdicts {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
