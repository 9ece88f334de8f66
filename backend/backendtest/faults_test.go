package backendtest_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/interledger-go/connector/backend"
)

// A fault is a backend that breaks the contract.
type fault struct {
	backend func(t testing.TB) backend.Backend
	fails   []string // the cases that must see it, and no others
}

// just is a backend that every case may use.
func just(b backend.Backend) func(testing.TB) backend.Backend {
	return func(testing.TB) backend.Backend { return b }
}

// rateFaults give wrong rates.
func rateFaults() map[string]fault {
	gift := backend.MustParseRatio("1.01")
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
		"allocates": {just(rates(func(s, d backend.Party) (backend.Ratio, error) {
			if fmt.Sprintf("%s>%s", s.Asset.Code, d.Asset.Code) == "" {
				return backend.Ratio{}, nil
			}
			return good(s, d)
		})), []string{"Allocations"}},
	}
}

// callFaults do not stand the way in which they are called.
func callFaults() map[string]fault {
	return map[string]fault{
		"blocks in Rate": {func(t testing.TB) backend.Backend {
			released := release(t)
			return rates(func(backend.Party, backend.Party) (backend.Ratio, error) {
				<-released
				return usdToEUR, nil
			})
		}, []string{"Rate", "Missing", "Stable", "RoundTrip", "BeforeRun", "Concurrent", "Allocations"}},
		"breaks when two call at once": {func(testing.TB) backend.Backend { return alone() }, []string{"Concurrent"}},
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

// runFaults are wrong about Run.
func runFaults() map[string]fault {
	return map[string]fault{
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
