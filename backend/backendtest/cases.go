package backendtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/interledger-go/connector/backend"
)

// A conformanceCase is one thing that the contract asks.
type conformanceCase struct {
	name string
	// contract says what is asked, for whoever reads the failure.
	contract string
	// check returns what is wrong with the backend that opts describe. It
	// uses t for New alone and leaves the verdict to the caller, so that the
	// suite itself can be tested.
	check func(t testing.TB, opts Options) error
}

// notApplicable says why a case has nothing to check.
type notApplicable string

func (reason notApplicable) Error() string { return string(reason) }

func cases() []conformanceCase {
	return []conformanceCase{
		{"Rate", "Rate gives the exact rate of each pair that has one, with scales and spread, and never zero.", checkRate},
		{"Missing", "A pair without a rate gives the zero Ratio and an error that wraps ErrNoRate.", checkMissing},
		{"Stable", "Rate says the same until something has happened.", checkStable},
		{"RoundTrip", "Converting there and back makes no money: the two rates multiply to at most 1.", checkRoundTrip},
		{"BeforeRun", "Rate never blocks, before Run as well: it gives a rate or an error that wraps ErrNoRate.", checkBeforeRun},
		{"Concurrent", "Rate and Observe are called concurrently.", checkConcurrent},
		{"Allocations", "Rate is called for each packet and allocates nothing (Options.MaxAllocs).", checkAllocations},
		{"Run", "Run returns soon after ctx is done, with nil or ctx.Err(), and Rate still answers after that.", checkRun},
		{"Observe", "Observe never blocks, whether or not Run is there to take what it queues.", checkObserve},
	}
}

func checkRate(t testing.TB, opts Options) error {
	b, err := start(t, opts)
	if err != nil {
		return err
	}
	for _, p := range opts.Pairs {
		rate, err := ask(b, p)
		if err != nil {
			return err
		}
		if !p.Want.IsZero() && rate.Cmp(p.Want) != 0 {
			return fmt.Errorf("%v: the rate is %v, want %v", p, rate, p.Want)
		}
	}
	return nil
}

func checkMissing(t testing.TB, opts Options) error {
	if len(opts.Missing) == 0 {
		return notApplicable("Options.Missing is empty: the backend has a rate for every pair")
	}
	b, err := start(t, opts)
	if err != nil {
		return err
	}
	for _, p := range opts.Missing {
		rate, err := b.Rate(p.Source, p.Destination)
		if err == nil {
			return fmt.Errorf("%v: the rate is %v without an error, want ErrNoRate", p, rate)
		}
		if err := checkRefusal(p, rate, err); err != nil {
			return err
		}
	}
	return nil
}

func checkStable(t testing.TB, opts Options) error {
	if opts.Volatile {
		return notApplicable("Options.Volatile: rates change by themselves")
	}
	b, err := start(t, opts)
	if err != nil {
		return err
	}
	for _, p := range opts.Pairs {
		first, err := ask(b, p)
		if err != nil {
			return err
		}
		for range 100 {
			again, err := ask(b, p)
			if err != nil {
				return err
			}
			if again.Cmp(first) != 0 {
				return fmt.Errorf("%v: the rate was %v and is now %v", p, first, again)
			}
		}
	}
	return nil
}

func checkRoundTrip(t testing.TB, opts Options) error {
	if opts.Volatile {
		return notApplicable("Options.Volatile: rates change by themselves")
	}
	b, err := start(t, opts)
	if err != nil {
		return err
	}
	one := backend.MustParseRatio("1")
	for _, p := range opts.Pairs {
		there, err := ask(b, p)
		if err != nil {
			return err
		}
		back, err := b.Rate(p.Destination, p.Source)
		if errors.Is(err, backend.ErrNoRate) {
			continue // No way back.
		}
		if err != nil {
			return fmt.Errorf("%v and back: %w", p, err)
		}
		if there.Mul(back).Cmp(one) > 0 {
			return fmt.Errorf("%v: the rate is %v, and %v back: one unit returns as %v", p, there, back, there.Mul(back))
		}
	}
	return nil
}

func checkBeforeRun(t testing.TB, opts Options) error {
	b := fresh(t, opts)
	_, fetches := b.(backend.Runner)
	for _, p := range opts.Pairs {
		var rate backend.Ratio
		var err error
		if slow := within(fmt.Sprintf("Rate of %v", p), func() { rate, err = b.Rate(p.Source, p.Destination) }); slow != nil {
			return slow
		}
		switch {
		case err == nil && rate.IsZero():
			return fmt.Errorf("%v: the rate is zero without an error", p)
		case err != nil && !fetches:
			return fmt.Errorf("%v: %w; want a rate at once, since the backend has no Run", p, err)
		case err != nil:
			if fault := checkRefusal(p, rate, err); fault != nil {
				return fault
			}
		}
	}
	return nil
}

func checkConcurrent(t testing.TB, opts Options) error {
	b, err := start(t, opts)
	if err != nil {
		return err
	}
	const callers, rounds = 8, 200
	observer, observes := b.(backend.Observer)
	faults := make([]error, callers)
	begin := make(chan struct{})
	var callersDone sync.WaitGroup
	for i := range callers {
		callersDone.Go(func() {
			<-begin
			for range rounds {
				for _, p := range opts.Pairs {
					if _, err := ask(b, p); err != nil {
						faults[i] = err
						return
					}
					if observes {
						observer.Observe(exchange(p))
					}
				}
			}
		})
	}
	if err := within("a Rate or Observe among concurrent ones", func() { close(begin); callersDone.Wait() }); err != nil {
		return err
	}
	return errors.Join(faults...)
}

func checkAllocations(t testing.TB, opts Options) error {
	b, err := start(t, opts)
	if err != nil {
		return err
	}
	for _, p := range opts.Pairs {
		n := testing.AllocsPerRun(100, func() { _, err = b.Rate(p.Source, p.Destination) })
		if err != nil {
			return fmt.Errorf("%v: %w", p, err)
		}
		if n > opts.MaxAllocs {
			return fmt.Errorf("%v: Rate allocates %v times, want at most %v", p, n, opts.MaxAllocs)
		}
	}
	return nil
}

func checkRun(t testing.TB, opts Options) error {
	b := fresh(t, opts)
	runner, ok := b.(backend.Runner)
	if !ok {
		return notApplicable("the backend has no Run")
	}
	r := run(t, runner)
	if err := await(b, opts); err != nil {
		return err
	}
	if err := r.stop(); err != nil {
		return err
	}
	for _, p := range opts.Pairs {
		if err := within(fmt.Sprintf("Rate of %v after Run", p), func() { _, _ = b.Rate(p.Source, p.Destination) }); err != nil {
			return err
		}
	}

	// A connector that is stopped while it starts.
	runner, ok = fresh(t, opts).(backend.Runner)
	if !ok {
		return errors.New("the first backend of New has Run and the second has not")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return runWith(ctx, runner).stop()
}

func checkObserve(t testing.TB, opts Options) error {
	const packets = 10_000
	b := fresh(t, opts)
	observer, ok := b.(backend.Observer)
	if !ok {
		return notApplicable("the backend has no Observe")
	}
	return within(fmt.Sprintf("one of %d calls of Observe", packets), func() {
		for i := range packets {
			x := exchange(opts.Pairs[i%len(opts.Pairs)])
			x.Fulfilled = i%2 == 0
			observer.Observe(x)
		}
	})
}
