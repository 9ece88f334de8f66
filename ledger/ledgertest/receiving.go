package ledgertest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

func checkReceive(s *suite) error {
	u := s.begin()
	b, err := u.open("a", unlimited)
	if err != nil {
		return err
	}
	if err := errors.Join(b.pass(in, 100), b.receive(60, "one"), b.want(40, 0, 0), b.receive(90, "two"), b.want(-50, 0, 0)); err != nil {
		return err
	}
	if u, err = u.reopen(); err != nil {
		if _, volatile := errors.AsType[notApplicable](err); volatile {
			return nil
		}
		return err
	}
	if b, err = u.open("a", unlimited); err != nil {
		return err
	}
	if err := errors.Join(b.want(-50, 0, 0), b.receive(60, "one"), b.want(-50, 0, 0)); err != nil {
		return fmt.Errorf("after it was opened again: %w", err)
	}
	return nil
}

func checkReceiveOnce(s *suite) error {
	u := s.begin()
	var books [2]*book
	for i := range books {
		var err error
		if books[i], err = u.open(fmt.Sprint(i), unlimited); err != nil {
			return err
		}
	}
	faults := make(chan error, 40)
	var group sync.WaitGroup
	for i := range cap(faults) {
		group.Go(func() { faults <- books[i%2].receive(10, fmt.Sprint("key ", i/20)) })
	}
	group.Wait()
	close(faults)
	for err := range faults {
		if err != nil {
			return err
		}
	}
	if err := errors.Join(books[0].want(-20, 0, 0), books[1].want(-20, 0, 0)); err != nil {
		return fmt.Errorf("10 under each of two keys, ten times: %w", err)
	}
	books[0].Close()
	b, err := u.open("0", unlimited)
	if err != nil {
		return err
	}
	return errors.Join(b.receive(10, "key 0"), b.receive(10, "key 1"), b.want(-20, 0, 0))
}

func checkReceiveKeys(s *suite) error {
	b, err := s.begin().open("a", unlimited)
	if err != nil {
		return err
	}
	if err := b.receive(1, ""); err == nil {
		return errors.New("a settlement without a key is booked: it would be booked again with every attempt")
	}
	keys := []string{"a", "A", "a ", "\x00", "\x00\x00", "a\x00", "\xff", "a/b", "é", "e\u0301", strings.Repeat("k", 200), strings.Repeat("k", 199) + "l", strings.Repeat("\xff", 200)}
	for i, key := range keys {
		if err := errors.Join(b.receive(1, key), b.receive(1, key), b.want(-int64(i+1), 0, 0)); err != nil {
			return fmt.Errorf("key %.20q: %w", key, err)
		}
	}
	return nil
}

func checkReceiveNothing(s *suite) error {
	b, err := s.begin().open("a", unlimited)
	if err != nil {
		return err
	}
	nothing, other := plugin.Money{Key: "k"}, plugin.Money{Amount: 1, Key: "k"}
	if err := errors.Join(b.receiveMoney(nothing), b.receiveMoney(nothing), b.wantReceived(0, 0)); err != nil {
		return err
	}
	err = b.receiveMoney(other)
	if reused, ok := errors.AsType[*plugin.KeyReusedError](err); !ok || reused.First != nothing {
		return fmt.Errorf("receiving %v, after %v, gives %v, want a KeyReusedError with the first", other, nothing, err)
	}
	return b.wantReceived(0, 0)
}

func checkReceiveOther(s *suite) error {
	b, err := s.begin().open("a", unlimited)
	if err != nil {
		return err
	}
	first := plugin.Money{Amount: 10, Fraction: 5, Key: "k"}
	if err := b.receiveMoney(first); err != nil {
		return err
	}
	for _, other := range []plugin.Money{{Amount: 11, Fraction: 5}, {Amount: 10, Fraction: 4}, {Amount: 10}, {}, {Amount: math.MaxUint64}} {
		other.Key = "k"
		err := b.receiveMoney(other)
		if reused, ok := errors.AsType[*plugin.KeyReusedError](err); !ok || reused.First != first || !errors.Is(err, plugin.ErrKeyReused) {
			return fmt.Errorf("receiving %v, after %v, gives %v, want a KeyReusedError with the first", other, first, err)
		}
		if err := errors.Join(b.wantReceived(10, 5), b.receiveMoney(first), b.wantReceived(10, 5)); err != nil {
			return fmt.Errorf("after %v was refused because of its key: %w", other, err)
		}
	}
	return nil
}

func checkReceiveFractions(s *suite) error {
	u := s.begin()
	b, err := u.open("a", unlimited)
	if err != nil {
		return err
	}
	const unit, half = plugin.FractionsPerUnit, plugin.FractionsPerUnit / 2
	for _, tooMuch := range []uint64{unit, math.MaxUint64} {
		if err := b.receiveMoney(plugin.Money{Amount: 1, Fraction: tooMuch, Key: "too much"}); err == nil {
			return fmt.Errorf("a fraction of %d is taken: it must be less than the %d of a unit", tooMuch, uint64(unit))
		}
	}
	for i, step := range []struct{ amount, fraction, booked, remainder uint64 }{
		{0, 1, 0, 1},
		{9, half, 9, half + 1},
		{0, half - 2, 9, unit - 1},
		{0, 1, 10, 0},
		{5, unit - 1, 15, unit - 1},
		{0, unit - 1, 16, unit - 2},
		{1, 2, 18, 0},
		{0, half, 18, half},
		{2, 0, 20, half},
	} {
		m := plugin.Money{Amount: step.amount, Fraction: step.fraction, Key: fmt.Sprint(i)}
		if err := b.wantAfter(m, step.booked, step.remainder); err != nil {
			return err
		}
		if s.opts.Reopen == nil {
			continue
		}
		if u, err = u.reopen(); err != nil {
			return err
		}
		if b, err = u.open("a", unlimited); err != nil {
			return err
		}
		if err := b.wantAfter(m, step.booked, step.remainder); err != nil {
			return fmt.Errorf("after it was opened again: %w", err)
		}
	}
	return nil
}

// wantAfter receives m, twice, and checks what was received in all.
func (b *book) wantAfter(m plugin.Money, booked, remainder uint64) error {
	if err := errors.Join(b.receiveMoney(m), b.receiveMoney(m), b.wantReceived(booked, remainder)); err != nil {
		return fmt.Errorf("receiving %v, twice: %w", m, err)
	}
	return nil
}

// wantReceived checks what was received in a book that had nothing else.
func (b *book) wantReceived(booked, remainder uint64) error {
	want := fmt.Sprintf("a balance of %d, and a remainder of %d", -int64(booked), remainder)
	return b.wantState(want, func(s ledger.State) bool { return s.Balance == -int64(booked) && s.Remainder == remainder })
}

func checkReceiveBeyondLimits(s *suite) error {
	b, err := s.begin().open("a", terms{minimum: -10, maximum: 10})
	if err != nil {
		return err
	}
	return all(
		func() error { return b.wantReserve(out, 10, nil) },
		func() error { return b.receive(1_000_000, "k") },
		func() error { return b.want(-1_000_000, 0, 10) },
		func() error { return b.post(out, 10) },
		func() error { return b.want(-1_000_010, 0, 0) },
		func() error { return b.wantReserve(out, 1, ledger.ErrLimit) },
		func() error { return b.wantReserve(in, 1_000_020, nil) },
		func() error { return b.post(in, 1_000_020) },
		func() error { return b.receive(math.MaxInt64, "large") },
		func() error { return b.want(10-math.MaxInt64, 0, 0) },
	)
}

func checkReceiveForADay(s *suite) error {
	if !s.opts.Bubble {
		return notApplicable("it waits for days: Options.Bubble is not set")
	}
	u := s.begin()
	b, err := u.open("a", unlimited)
	if err != nil {
		return err
	}
	if err := b.receive(10, "k"); err != nil {
		return err
	}
	for day := range int64(4) {
		time.Sleep(24*time.Hour - time.Minute)
		if s.opts.Reopen != nil && day%2 == 1 {
			if u, err = u.reopen(); err != nil {
				return err
			}
			if b, err = u.open("a", unlimited); err != nil {
				return err
			}
		}
		if day == 2 { // so it is used, though for nothing
			if err := b.receive(11, "k"); !errors.Is(err, plugin.ErrKeyReused) {
				return fmt.Errorf("another amount under a key that was used a day before gives %v, want ErrKeyReused", err)
			}
			time.Sleep(24*time.Hour - time.Minute)
		}
		if err := errors.Join(b.receive(1, fmt.Sprint("day ", day)), b.receive(10, "k"), b.want(-11-day, 0, 0)); err != nil {
			return fmt.Errorf("a key that was used a day before: %w", err)
		}
	}
	return nil
}
