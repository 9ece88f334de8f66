package backendtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/interledger-go/connector/backend"
)

// limit is how long anything that must not wait may take. Only a backend that
// fails a case ever spends it.
const limit = 10 * time.Second

// String names the pair in failures.
func (p Pair) String() string {
	return fmt.Sprintf("%s (%v) to %s (%v)",
		p.Source.Account, p.Source.Asset, p.Destination.Account, p.Destination.Asset)
}

// fresh returns a backend that nobody has used.
func fresh(t testing.TB, opts Options) backend.Backend {
	t.Helper()
	b := opts.New(t)
	if b == nil {
		t.Fatal("backendtest: Options.New returned nil: want a backend")
	}
	return b
}

// start returns a backend that has its rates: its Run is under way, if it has
// one, until the case ends.
func start(t testing.TB, opts Options) (backend.Backend, error) {
	b := fresh(t, opts)
	if r, ok := b.(backend.Runner); ok {
		run(t, r)
	}
	return b, await(b, opts)
}

// await waits until the backend has had the time to fetch its rates.
func await(b backend.Backend, opts Options) error {
	deadline := time.After(limit)
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for _, p := range opts.Pairs {
		for {
			var err error
			if slow := within(fmt.Sprintf("Rate of %v", p), func() { _, err = b.Rate(p.Source, p.Destination) }); slow != nil {
				return slow
			}
			if !errors.Is(err, backend.ErrNotReady) {
				break
			}
			select {
			case <-retry.C:
			case <-deadline:
				return fmt.Errorf("%v: after %v still %w", p, limit, err)
			}
		}
	}
	return nil
}

// ask returns the rate of a pair that has one.
func ask(b backend.Backend, p Pair) (backend.Ratio, error) {
	rate, err := b.Rate(p.Source, p.Destination)
	if err != nil {
		return backend.Ratio{}, fmt.Errorf("%v: %w; want a rate", p, err)
	}
	if rate.IsZero() {
		return backend.Ratio{}, fmt.Errorf("%v: the rate is zero without an error", p)
	}
	return rate, nil
}

// checkRefusal says what is wrong with the way in which a rate was refused.
func checkRefusal(p Pair, rate backend.Ratio, err error) error {
	if !errors.Is(err, backend.ErrNoRate) {
		return fmt.Errorf("%v: the error %q does not wrap ErrNoRate", p, err)
	}
	if !rate.IsZero() {
		return fmt.Errorf("%v: the rate is %v together with the error %q, want the zero Ratio", p, rate, err)
	}
	return nil
}

// exchange is a packet between the two accounts of p.
func exchange(p Pair) backend.Exchange {
	return backend.Exchange{Source: p.Source, Destination: p.Destination, SourceAmount: 1000, DestinationAmount: 900, Fulfilled: true}
}

// A running is a call of Run under way.
type running struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	err    error // what Run returned; read after done
}

// run calls Run until the test ends.
func run(t testing.TB, r backend.Runner) *running {
	x := runWith(context.Background(), r)
	t.Cleanup(func() { _ = x.stop() })
	return x
}

func runWith(ctx context.Context, r backend.Runner) *running {
	ctx, cancel := context.WithCancel(ctx)
	x := &running{ctx: ctx, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(x.done)
		x.err = r.Run(ctx)
	}()
	return x
}

// stop ends Run and says what is wrong with the way it ended.
func (x *running) stop() error {
	x.cancel()
	if err := within("Run, once its context is done,", func() { <-x.done }); err != nil {
		return err
	}
	if x.err != nil && !errors.Is(x.err, x.ctx.Err()) {
		return fmt.Errorf("Run ended with %w, want nil or the error of its context", x.err)
	}
	return nil
}

// within reports f as blocking if it has not returned after the limit. The
// goroutine of such an f is left behind: there is no way to end it.
func within(what string, f func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("%s has not returned after %v", what, limit)
	}
}
