package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

func checkAccountIDs(s *suite) error {
	u := s.begin()
	for _, id := range []string{"", strings.Repeat("a", account.MaxIDLength+1)} {
		if _, err := u.open(id, unlimited); err == nil {
			return fmt.Errorf("an account id of %d bytes is taken", len(id))
		}
	}
	ids := []string{"a", "ab", "abc", "A", "a ", " a", "a\x00", "a\x00b", "\x00", "\x01", "\x01a", "\xff", "\xff\xfe", "a/", "a/b", "a:b", "{a}", "a%", "a_",
		"é", "e\u0301", "'", `"; drop table "Books; --`, strings.Repeat("a", account.MaxIDLength), strings.Repeat("a", account.MaxIDLength-1)}
	books := make([]*book, len(ids))
	for i, id := range ids {
		var err error
		if books[i], err = u.open(id, unlimited); err != nil {
			return err
		}
		if err := errors.Join(books[i].pass(in, uint64(i+1)*10), books[i].receive(1, "a")); err != nil {
			return err
		}
	}
	for i, id := range ids {
		if got := books[i].State().Account; got != id {
			return fmt.Errorf("the state of %.20q has Account %.20q", id, got)
		}
		if err := books[i].want(int64(i+1)*10-1, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

func checkOpenOnce(s *suite) error {
	u := s.begin()
	b, err := u.open("a", unlimited)
	if err != nil {
		return err
	}
	if _, err := u.open("a", unlimited); err == nil {
		return errors.New("a book that is open is opened again")
	}
	b.Close()
	again, err := u.open("a", unlimited)
	if err != nil {
		return err
	}
	b.Close() // has no effect on who has opened it again
	if _, err := u.open("a", unlimited); err == nil {
		return errors.New("closing a book a second time has closed it for whoever opened it again")
	}
	again.Close()
	_, err = u.open("a", unlimited)
	return err
}

func checkLimits(s *suite) error {
	u := s.begin()
	l := &account.BalanceLimits{Minimum: -100, Maximum: 100}
	opened, err := u.Open(context.Background(), ledger.Terms{Account: "a", Limits: l})
	if err != nil {
		return err
	}
	_, immediate := opened.(ledger.Immediate)
	b := &book{Book: opened, s: s, id: "a", immediate: immediate}
	l.Maximum, l.Minimum = 0, 0
	if err := errors.Join(b.pass(in, 100), b.wantReserve(in, 1, ledger.ErrLimit)); err != nil {
		return err
	}
	b.Close()
	if b, err = u.open("a", terms{minimum: 0, maximum: 50}); err != nil {
		return err
	}
	if err := errors.Join(b.wantReserve(in, 1, ledger.ErrLimit), b.pass(out, 60), b.pass(in, 10), b.wantReserve(in, 1, ledger.ErrLimit)); err != nil {
		return fmt.Errorf("with a balance of 100 and a maximum of 50: %w", err)
	}
	b.Close()
	free, err := u.Open(context.Background(), ledger.Terms{Account: "a"})
	if err != nil {
		return err
	}
	b.Book = free
	if err := b.wantReserve(in, math.MaxInt64-50, nil); err != nil {
		return fmt.Errorf("without limits: %w", err)
	}
	return nil
}

func checkClose(s *suite) error {
	u := s.begin()
	b, err := u.open("a", unlimited)
	if err != nil {
		return err
	}
	var w *waiter
	for range 20 {
		if err := errors.Join(b.wantReserve(in, 1, nil), b.wantReserve(out, 10, nil)); err != nil {
			return err
		}
		_ = b.Post(context.Background(), out, 10, nil)
		w = s.waiter("Post before Close")
		posted := b.Post(context.Background(), in, 1, w)
		b.Close()
		again, err := u.open("a", unlimited)
		if err != nil {
			return err
		}
		if err := w.answer(posted); err != nil {
			return fmt.Errorf("what was posted before Close: %w", err)
		}
		b = again
	}
	if err := b.want(-180, 0, 0); err != nil {
		return fmt.Errorf("it was closed and opened with every packet: %w", err)
	}
	b.Close()
	b.Settle()
	if err := b.reserve(in, 1); err == nil {
		return errors.New("a closed book reserves")
	}
	if err := b.receive(1, "k"); err == nil {
		return errors.New("a closed book receives")
	}
	if _, err := b.send(1); err == nil {
		return errors.New("a closed book sends")
	}
	again, err := u.open("a", unlimited)
	if err != nil {
		return err
	}
	return again.want(-180, 0, 0)
}

func checkCloseInFlight(s *suite) error {
	u := s.begin()
	b, err := u.open("a", unlimited)
	if err != nil {
		return err
	}
	if err := errors.Join(b.wantReserve(in, 7, nil), b.wantReserve(out, 5, nil), b.wantReserve(out, 2, nil)); err != nil {
		return err
	}
	b.Close()
	if err := b.post(out, 5); err != nil {
		return fmt.Errorf("after Close: %w", err)
	}
	again, err := u.open("a", unlimited)
	if err != nil {
		return err
	}
	if err := b.post(in, 7); err != nil {
		return fmt.Errorf("after Close, and after the book was opened again: %w", err)
	}
	b.Release(out, 2)
	return again.want(2, 0, 0)
}

func checkStop(s *suite) error {
	u := s.begin()
	b, err := u.open("a", settling(-1000, 0, func(context.Context, plugin.Money) error { return nil }))
	if err != nil {
		return err
	}
	if err := b.wantReserve(out, 5, nil); err != nil {
		return err
	}
	if err := b.wantReserve(in, 50, nil); err != nil {
		return err
	}
	var posted []func() error
	for range 48 {
		w := s.waiter("Post before Run is to stop")
		err := b.Post(context.Background(), in, 1, w)
		posted = append(posted, func() error { return w.answer(err) })
	}
	// Run is to stop while the ledger tells of a posting, right after another
	// was made: there is something left to write, however fast it is.
	first, last := s.waiter("Post before Run is to stop"), s.waiter("Post when Run is to stop")
	var lastErr error
	first.before = func() {
		lastErr = b.Post(context.Background(), in, 1, last)
		u.cancel()
	}
	err = b.Post(context.Background(), in, 1, first)
	if !errors.Is(err, ledger.ErrPending) {
		first.before()
	}
	if err := first.answer(err); err != nil {
		return fmt.Errorf("what was posted while Run ran: %w", err)
	}
	posted = append(posted, func() error { return last.answer(lastErr) })
	if err := u.stop(); err != nil {
		return err
	}
	for _, answer := range posted {
		if err := answer(); err != nil {
			return fmt.Errorf("what was posted before Run was to stop: %w", err)
		}
	}
	if err := b.reserve(in, 1); err == nil {
		return errors.New("a ledger that has stopped reserves")
	}
	if err := b.post(out, 5); err == nil {
		return errors.New("a ledger that has stopped posts, as if that were durable")
	}
	if err := b.receive(1, "k"); err == nil {
		return errors.New("a ledger that has stopped receives, as if that were durable")
	}
	if _, err := b.send(1); err == nil {
		return errors.New("a ledger that has stopped sends, as if that were durable")
	}
	if _, err := u.open("b", unlimited); err == nil {
		return errors.New("a ledger that has stopped opens books")
	}
	b.Settle()
	b.Release(out, 5)
	b.Close()
	return nil
}

func checkReopen(s *suite) error {
	if s.opts.Reopen == nil {
		return notApplicable("Options.Reopen is nil")
	}
	u := s.begin()
	ids := []string{"a", "ab", "\x00\xff", strings.Repeat("a", account.MaxIDLength)}
	for round := range 3 {
		for i, id := range ids {
			b, err := u.open(id, unlimited)
			if err != nil {
				return err
			}
			if err := b.want(int64(round)*(int64(i)-3), 0, 0); err != nil {
				return fmt.Errorf("after it was opened again %d times: %w", round, err)
			}
			err = errors.Join(b.pass(in, uint64(i+2)), b.pass(out, 5), b.wantReserve(in, 100, nil), b.wantReserve(out, 100, nil))
			if err != nil {
				return err
			}
		}
		var err error
		if u, err = u.reopen(); err != nil {
			return err
		}
	}
	return nil
}
