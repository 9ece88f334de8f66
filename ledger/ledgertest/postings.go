package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/interledger-go/connector/ledger"
)

const (
	in  = ledger.Incoming
	out = ledger.Outgoing
)

func checkMaximum(s *suite) error {
	b, err := s.begin().open("a", terms{minimum: -1000, maximum: 100})
	if err != nil {
		return err
	}
	return all(
		func() error { return b.wantReserve(in, 101, ledger.ErrLimit) },
		func() error { return b.wantReserve(in, 60, nil) },
		func() error { return b.wantReserve(in, 41, ledger.ErrLimit) },
		func() error { return b.wantReserve(in, 40, nil) },
		func() error { return b.wantReserve(in, 1, ledger.ErrLimit) },
		func() error { return b.wantReserve(out, 1, nil) }, // which makes no room: it may be rejected
		func() error { return b.wantReserve(in, 1, ledger.ErrLimit) },
		func() error { return b.post(in, 60) },
		func() error { return b.wantReserve(in, 1, ledger.ErrLimit) },
		func() error { b.Release(in, 40); return b.want(60, 0, 1) },
		func() error { return b.wantReserve(in, 40, nil) },
		func() error { return b.post(out, 1) },
		func() error { return b.wantReserve(in, 1, nil) },
		func() error { return b.wantReserve(in, 1, ledger.ErrLimit) },
		func() error { return b.want(59, 41, 0) },
	)
}

func checkMinimum(s *suite) error {
	b, err := s.begin().open("a", terms{minimum: -100, maximum: 1000})
	if err != nil {
		return err
	}
	return all(
		func() error { return b.wantReserve(out, 101, ledger.ErrLimit) },
		func() error { return b.wantReserve(out, 60, nil) },
		func() error { return b.wantReserve(out, 41, ledger.ErrLimit) },
		func() error { return b.wantReserve(out, 40, nil) },
		func() error { return b.wantReserve(in, 1, nil) }, // which makes no room: it may be rejected
		func() error { return b.wantReserve(out, 1, ledger.ErrLimit) },
		func() error { return b.post(out, 60) },
		func() error { return b.wantReserve(out, 1, ledger.ErrLimit) },
		func() error { b.Release(out, 40); return b.want(-60, 1, 0) },
		func() error { return b.wantReserve(out, 40, nil) },
		func() error { return b.post(in, 1) },
		func() error { return b.wantReserve(out, 1, nil) },
		func() error { return b.wantReserve(out, 1, ledger.ErrLimit) },
		func() error { return b.want(-59, 0, 41) },
	)
}

func checkEdges(s *suite) error {
	u := s.begin()
	for i, test := range []struct {
		before  int64 // balance
		side    ledger.Side
		held    uint64 // on that side
		amount  uint64
		refused bool
	}{
		{0, in, 0, math.MaxInt64, false},
		{0, in, 0, 1 << 63, true},
		{0, in, 0, math.MaxUint64, true},
		{0, in, 1, math.MaxUint64, true}, // the sum is 0 in 64 bits
		{0, in, math.MaxInt64, 1, true},
		{0, out, 0, 1 << 63, false},
		{0, out, 0, 1<<63 + 1, true},
		{0, out, 1, math.MaxUint64, true},
		{1, in, 0, math.MaxInt64, true},
		{-1, in, 0, 1 << 63, false},
		{math.MaxInt64, out, 0, math.MaxUint64, false},
		{math.MinInt64, in, 0, math.MaxUint64, false},
		{math.MinInt64, out, 0, 1, true},
		{0, in, 1 << 53, 1, false}, // 2^53 + 1 is no double
		{9_000_000_000_000_000_000, in, 0, 223_372_036_854_775_807, false},
		{9_000_000_000_000_000_000, in, 0, 223_372_036_854_775_808, true},
	} {
		b, err := u.open(fmt.Sprint(i), unlimited)
		if err != nil {
			return err
		}
		if err := b.edge(test.before, test.side, test.held, test.amount, test.refused); err != nil {
			return fmt.Errorf("from a balance of %d, %d %v with %d in flight: %w", test.before, test.amount, test.side, test.held, err)
		}
	}
	return nil
}

// edge brings the balance to before, reserves held and then amount, and posts
// both, or finds amount refused.
func (b *book) edge(before int64, side ledger.Side, held, amount uint64, refused bool) error {
	var err error
	switch {
	case before > 0:
		err = b.pass(in, uint64(before))
	case before < 0:
		err = b.receive(-uint64(before), "before")
	}
	if held > 0 {
		err = errors.Join(err, b.wantReserve(side, held, nil))
	}
	if refused {
		err = errors.Join(err, b.wantReserve(side, amount, ledger.ErrLimit))
		b.Release(side, held)
		return errors.Join(err, b.want(before, 0, 0))
	}
	err = errors.Join(err, b.wantReserve(side, amount, nil), b.post(side, amount))
	if held > 0 {
		err = errors.Join(err, b.post(side, held))
	}
	after := before + int64(amount+held) // exact, since it fits
	if side == out {
		after = before - int64(amount+held)
	}
	return errors.Join(err, b.want(after, 0, 0))
}

func checkPost(s *suite) error {
	u := s.begin()
	destination, err := u.open("destination", unlimited)
	if err != nil {
		return err
	}
	source, err := u.open("source", unlimited)
	if err != nil {
		return err
	}
	for i := range uint64(10) {
		err := all(
			func() error { return source.wantReserve(in, 10+i, nil) },
			func() error { return destination.wantReserve(out, 9+i, nil) },
			func() error { return errors.Join(destination.post(out, 9+i), source.post(in, 10+i)) },
		)
		if err != nil {
			return err
		}
	}
	return errors.Join(source.want(145, 0, 0), destination.want(-135, 0, 0), destination.pass(in, 235), destination.want(100, 0, 0))
}

func checkRelease(s *suite) error {
	b, err := s.begin().open("a", terms{minimum: -10, maximum: 10})
	if err != nil {
		return err
	}
	for range 3 {
		err := all(
			func() error { return b.wantReserve(in, 4, nil) },
			func() error { return b.wantReserve(in, 6, nil) },
			func() error { return b.wantReserve(out, 10, nil) },
			func() error { b.Release(in, 4); return b.want(0, 6, 10) },
			func() error { b.Release(out, 10); return b.want(0, 6, 0) },
			func() error { b.Release(in, 6); return b.want(0, 0, 0) },
		)
		if err != nil {
			return err
		}
	}
	return nil
}

func checkNotReserved(s *suite) error {
	b, err := s.begin().open("a", unlimited)
	if err != nil {
		return err
	}
	if err := errors.Join(b.wantReserve(in, 5, nil), b.wantReserve(out, 3, nil)); err != nil {
		return err
	}
	for side, amount := range map[ledger.Side]uint64{in: 6, out: 4} {
		if err := b.post(side, amount); !errors.Is(err, ledger.ErrNotReserved) {
			return fmt.Errorf("posting %d %v, where less is reserved, gives %v, want ErrNotReserved", amount, side, err)
		}
		b.Release(side, amount)
		if err := b.want(0, 5, 3); err != nil {
			return fmt.Errorf("after %d %v was posted and released, which is not reserved: %w", amount, side, err)
		}
	}
	return errors.Join(b.post(in, 5), b.post(out, 3), b.want(2, 0, 0))
}

// checkWaiters leaves the counting to the end of the case. The calls are made
// in bursts, so that they are answered together.
func checkWaiters(s *suite) error {
	u := s.begin()
	b, err := u.open("a", terms{minimum: -100, maximum: 100})
	if err != nil {
		return err
	}
	ctx := context.Background()
	for range 5 {
		var calls []func() error
		for range 100 {
			w := s.waiter("Reserve of 1 incoming")
			err := b.Reserve(ctx, in, 1, w)
			calls = append(calls, func() error { return w.answer(err) })
		}
		refused := s.waiter("Reserve past the maximum")
		err := b.Reserve(ctx, in, 100, refused)
		for _, answer := range calls {
			if err := answer(); err != nil {
				return err
			}
		}
		if err := refused.answer(err); !errors.Is(err, ledger.ErrLimit) {
			return fmt.Errorf("reserving past the maximum gives %v, want ErrLimit", err)
		}
		calls = nil
		for range 100 {
			w := s.waiter("Post of 1 incoming")
			err := b.Post(ctx, in, 1, w)
			calls = append(calls, func() error { return w.answer(err) })
		}
		for _, answer := range calls {
			if err := answer(); err != nil {
				return err
			}
		}
		if err := errors.Join(b.pass(out, 100), b.want(0, 0, 0)); err != nil {
			return err
		}
	}
	return nil
}

func checkPostNothing(s *suite) error {
	u := s.begin()
	b, err := u.open("a", unlimited)
	if err != nil {
		return err
	}
	if err := errors.Join(b.post(out, 0), b.want(0, 0, 0), b.reserve(out, 10)); err != nil {
		return err
	}
	if err := b.Post(context.Background(), out, 10, nil); err != nil && !errors.Is(err, ledger.ErrPending) {
		return fmt.Errorf("posting without a Waiter gives %w", err)
	}
	if err := errors.Join(b.post(out, 0), b.want(-10, 0, 0)); err != nil || s.opts.Reopen == nil {
		return err
	}
	if u, err = u.reopen(); err != nil {
		return err
	}
	if b, err = u.open("a", unlimited); err != nil {
		return err
	}
	return b.want(-10, 0, 0)
}

func checkNoWaiter(s *suite) error {
	u := s.begin()
	b, err := u.open("a", unlimited)
	if err != nil {
		return err
	}
	if err := b.wantReserve(out, 7, nil); err != nil {
		return err
	}
	if err := b.Post(context.Background(), out, 7, nil); err != nil && !errors.Is(err, ledger.ErrPending) {
		return fmt.Errorf("posting without a Waiter gives %w", err)
	}
	return b.want(-7, 0, 0)
}

func checkImmediate(s *suite) error {
	b, err := s.begin().open("a", unlimited)
	if err != nil {
		return err
	}
	if !b.immediate {
		return notApplicable("the book is not Immediate")
	}
	for range 1000 {
		if err := b.Reserve(context.Background(), in, 1, nil); err != nil {
			return fmt.Errorf("reserving in an Immediate book without a Waiter gives %w", err)
		}
	}
	return nil
}

const concurrentLimit = 20

// checkConcurrent moves packets between two accounts, both ways, and looks at
// the books all the time.
func checkConcurrent(s *suite) error {
	const packets, goroutines, limit = 60, 8, concurrentLimit
	u := s.begin()
	var books [2]*book
	for i := range books {
		b, err := u.open(fmt.Sprint(i), terms{minimum: -limit, maximum: limit})
		if err != nil {
			return err
		}
		books[i] = b
	}
	var moved [2]atomic.Int64
	faults := make(chan error, goroutines)
	for g := range goroutines {
		go func() {
			source, destination := g%2, 1-g%2
			for i := range packets {
				amount := uint64(1 + (g+i)%7)
				posted, err := packet(books[source], books[destination], amount, i%3 != 0)
				if err = errors.Join(err, books[0].within(limit), books[1].within(limit)); err != nil {
					faults <- err
					return
				}
				if posted {
					moved[source].Add(int64(amount))
					moved[destination].Add(-int64(amount))
				}
			}
			faults <- nil
		}()
	}
	var err error
	for range goroutines {
		err = errors.Join(err, <-faults)
	}
	return errors.Join(err, books[0].want(moved[0].Load(), 0, 0), books[1].want(moved[1].Load(), 0, 0))
}

// packet moves amount if both books have room for it and it is fulfilled.
func packet(source, destination *book, amount uint64, fulfilled bool) (posted bool, err error) {
	if err := source.reserve(in, amount); err != nil {
		return false, unless(err, ledger.ErrLimit)
	}
	if err := errors.Join(source.within(concurrentLimit), destination.within(concurrentLimit)); err != nil {
		return false, err
	}
	if err := destination.reserve(out, amount); err != nil {
		source.Release(in, amount)
		return false, unless(err, ledger.ErrLimit)
	}
	if !fulfilled {
		destination.Release(out, amount)
		source.Release(in, amount)
		return false, nil
	}
	return true, errors.Join(destination.post(out, amount), source.post(in, amount))
}

// unless is err, unless that is the expected one.
func unless(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// within checks that a book is within limits of this much either way.
func (b *book) within(limit int64) error {
	s := b.State()
	if s.Balance+int64(s.ReservedIn) > limit || s.Balance-int64(s.ReservedOut) < -limit {
		return fmt.Errorf("the book of %q has %v, which is past its limits of %d either way", b.id, brief(s), limit)
	}
	return nil
}
