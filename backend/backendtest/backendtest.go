// Package backendtest proves that a rate source keeps the contract of package
// backend.
//
// Whoever writes a backend calls [Run] from a test of its own:
//
//	func TestConformance(t *testing.T) {
//		backendtest.Run(t, backendtest.Options{
//			New: func(t testing.TB) backend.Backend { return mybackend.New() },
//			Pairs: []backendtest.Pair{
//				{Source: usd, Destination: eur, Want: backend.MustParseRatio("0.92")},
//			},
//			Missing: []backendtest.Pair{{Source: usd, Destination: doge}},
//		})
//	}
//
// Each case is a subtest that fails with a sentence that says what the
// contract asks. A backend that fetches is pointed at a test server by New,
// and New does not wait for rates: the suite calls Run, and waits.
//
// The package also has [Fixed], a backend with a table of rates, for the
// tests of everything that needs a backend.
package backendtest

import (
	"errors"
	"testing"

	"github.com/interledger-go/connector/backend"
)

// Pair is a source and a destination.
type Pair struct {
	Source, Destination backend.Party
	// Want is the very rate that the backend must give, spread and scales
	// included. The zero Ratio stands for any rate; give the exact one for at
	// least two pairs with different scales, because a wrong power of ten is
	// the most expensive mistake that a backend can make.
	Want backend.Ratio
}

// Options describe the backend under test.
type Options struct {
	// New returns a fresh backend. It is called once for each case and
	// releases what it holds with t.Cleanup. Required.
	New func(t testing.TB) backend.Backend

	// Pairs have a rate. At least one is required.
	Pairs []Pair

	// Missing are pairs for which the backend has no rate. Leave it empty for
	// a backend that has one for every pair. Want is ignored.
	Missing []Pair

	// Volatile says that two calls may give different rates although nothing
	// has happened in between. Rates are then not compared with one another.
	Volatile bool

	// MaxAllocs is how often Rate may allocate for each call that succeeds. A
	// rate is looked up for each packet, so it should be 0, the default.
	MaxAllocs float64
}

// Run tests a backend. It counts allocations, so it must not be called from a
// test that is marked parallel.
func Run(t *testing.T, opts Options) {
	t.Helper()
	if opts.New == nil {
		t.Fatal("backendtest: Options.New is nil: want a function that returns the backend under test")
	}
	if len(opts.Pairs) == 0 {
		t.Fatal("backendtest: Options.Pairs is empty: want at least one pair that has a rate")
	}
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			err := c.check(t, opts)
			if reason, ok := errors.AsType[notApplicable](err); ok {
				t.Skip(reason)
			}
			if err != nil {
				t.Errorf("%v\nThe contract: %s", err, c.contract)
			}
		})
	}
}
