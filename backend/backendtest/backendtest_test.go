package backendtest_test

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
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

func TestSuiteSeesEveryFault(t *testing.T) {
	seen := make(map[string]bool)
	faults := rateFaults()
	maps.Copy(faults, callFaults())
	maps.Copy(faults, runFaults())
	for name, fault := range faults {
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

// An author who returns no backend is told so, in place of a panic.
func TestSuiteNamesANilBackend(t *testing.T) {
	f := &fatal{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		backendtest.Verdicts(f, backendtest.Options{New: func(testing.TB) backend.Backend { return nil }})
	}()
	<-done
	if !strings.Contains(f.text, "returned nil: want a backend") {
		t.Errorf("the suite says %q", f.text)
	}
}

// fatal keeps what a case fails with.
type fatal struct {
	testing.TB
	text string
}

func (f *fatal) Fatal(args ...any) {
	f.text = fmt.Sprint(args...)
	runtime.Goexit()
}
