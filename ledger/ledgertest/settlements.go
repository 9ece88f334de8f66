package ledgertest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

func checkThreshold(s *suite) error {
	u := s.begin()
	for i, test := range []struct {
		threshold, to int64
		amount        uint64 // posted
		balance       int64  // after
		paid          []uint64
	}{
		{-10, 0, 9, -9, nil},
		{-10, 0, 10, -10, nil}, // strictly below
		{-10, 0, 11, 0, []uint64{11}},
		{-10, -4, 11, -4, []uint64{7}},
		{-10, -10, 11, -10, []uint64{1}},
		{-10, 50, 11, 50, []uint64{61}},
		{-100, -50, 120, -50, []uint64{70}}, // an amount smaller than the threshold
		{-10, 0, 1 << 62, 0, []uint64{1 << 62}},
	} {
		p := new(payer)
		b, err := u.open(fmt.Sprint(i), settling(test.threshold, test.to, p.pay))
		if err != nil {
			return err
		}
		b.Settle()
		if err := errors.Join(b.pass(out, test.amount), b.settled(test.balance)); err != nil {
			return fmt.Errorf("posting %d with a threshold of %d, settling to %d: %w", test.amount, test.threshold, test.to, err)
		}
		if _, err := p.want(test.paid...); err != nil {
			return fmt.Errorf("posting %d with a threshold of %d, settling to %d: %w", test.amount, test.threshold, test.to, err)
		}
	}
	return nil
}

func checkSettleReady(s *suite) error {
	p := new(payer)
	b, err := s.begin().open("a", settling(500, 700, p.pay))
	if err != nil {
		return err
	}
	if err := errors.Join(b.pass(out, 1), b.settled(-1)); err != nil {
		return fmt.Errorf("before Settle: %w", err)
	}
	key, err := b.send(5)
	if err != nil {
		return err
	}
	if err := p.wantNothing(s); err != nil {
		return fmt.Errorf("before Settle: %w", err)
	}
	b.Settle()
	calls, err := p.want(5, 696)
	if err != nil {
		return fmt.Errorf("after Settle: %w", err)
	}
	if calls[0].Key != key {
		return fmt.Errorf("what was sent under %q is paid under %q", key, calls[0].Key)
	}
	b.Settle()
	if err := errors.Join(b.pass(out, 200), b.settled(500), b.pass(out, 1), b.settled(700)); err != nil {
		return err
	}
	_, err = p.want(5, 696, 201)
	return err
}

func checkSettleNever(s *suite) error {
	u := s.begin()
	p := new(payer)
	unpaid := settling(-10, 0, nil)
	without := unlimited
	without.pay = p.pay
	for i, t := range []terms{unpaid, without} {
		b, err := u.open(fmt.Sprint(i), t)
		if err != nil {
			return err
		}
		b.Settle()
		if err := errors.Join(b.pass(out, 500), b.settled(-500)); err != nil {
			return err
		}
	}
	return p.wantNothing(s)
}

func checkSettleMaximum(s *suite) error {
	threshold := int64(-10)
	u := s.begin()
	for i, test := range []struct {
		inFlight uint64
		paid     []uint64
		balance  int64
	}{
		{5, []uint64{116}, 15},
		{8, []uint64{113}, 12},
		{30, []uint64{91}, -10},
		{31, nil, -101},
	} {
		p := new(payer)
		t := terms{minimum: -1000, maximum: 20, threshold: &threshold, to: 15, pay: p.pay}
		b, err := u.open(fmt.Sprint(i), t)
		if err != nil {
			return err
		}
		b.Settle()
		err = all(
			func() error { return b.receive(100, "k") },
			func() error { return b.wantReserve(in, test.inFlight, nil) },
			func() error { return b.pass(out, 1) },
			func() error { return b.settled(test.balance) },
			func() error { _, err := p.want(test.paid...); return err },
			func() error { b.Release(in, test.inFlight); return nil },
		)
		if err == nil && test.paid == nil { // it is made when there is room
			err = errors.Join(b.settled(15))
		}
		if err != nil {
			return fmt.Errorf("with a maximum of 20 and %d in flight: %w", test.inFlight, err)
		}
	}
	return nil
}

func checkTriedAgain(s *suite) error {
	u := s.begin()
	reasons := []error{errors.New("no answer"), plugin.ErrUnknownOutcome, plugin.ErrNotConnected, plugin.ErrBusy}
	faults := make(chan error, len(reasons))
	for i, reason := range reasons { // at the same time: a ledger takes its time to try again
		p := &payer{answer: reason}
		b, err := u.open(fmt.Sprint(i), settling(-10, 0, p.pay))
		if err != nil {
			return err
		}
		go func() { faults <- triedAgain(b, p, reason) }()
	}
	var err error
	for range reasons {
		err = errors.Join(err, <-faults)
	}
	return err
}

// triedAgain makes a settlement that p does not pay, because of reason, and
// that it pays later.
func triedAgain(b *book, p *payer, reason error) error {
	b.Settle()
	if err := b.pass(out, 11); err != nil {
		return err
	}
	if err := eventually(func() bool { return len(p.asked()) >= 2 }); err != nil {
		return fmt.Errorf("when Pay fails with %w it is called %d times, want again and again", reason, len(p.asked()))
	}
	first := p.asked()[0]
	want := fmt.Sprintf("a balance of 0 and the settlement of %v, with its attempts, the last error and when it was created", first)
	err := b.wantState(want, func(s ledger.State) bool {
		return s.Balance == 0 && len(s.Settlements) == 1 && s.Settlements[0].Key == first.Key && s.Settlements[0].Amount == 11 &&
			s.Settlements[0].Attempts >= 2 && errors.Is(s.Settlements[0].LastError, reason) && !s.Settlements[0].Created.IsZero()
	})
	if err != nil {
		return fmt.Errorf("when Pay fails with %w: %w", reason, err)
	}
	p.answers(nil)
	if err := b.settled(0); err != nil {
		return fmt.Errorf("when Pay no longer fails with %w: %w", reason, err)
	}
	for _, m := range p.asked() {
		if m != first {
			return fmt.Errorf("when Pay fails with %w it is called with %v, and then with %v", reason, first, m)
		}
	}
	return nil
}

func checkRefused(s *suite) error {
	p := &payer{answer: fmt.Errorf("%w: the account is closed", plugin.ErrNotSent)}
	t := unlimited
	t.pay = p.pay
	b, err := s.begin().open("a", t)
	if err != nil {
		return err
	}
	b.Settle()
	keys := make(map[string]bool)
	for range 3 {
		key, err := b.send(10)
		if err != nil {
			return err
		}
		keys[key] = true
		if err := b.settled(0); err != nil {
			return fmt.Errorf("after a definite no: %w", err)
		}
	}
	if calls, err := p.want(10, 10, 10); err != nil {
		return err
	} else if len(keys) != 3 || !keys[calls[0].Key] || !keys[calls[1].Key] || !keys[calls[2].Key] {
		return fmt.Errorf("%v are paid, want one under each of the keys that Send gave, %q", calls, slices.Sorted(maps.Keys(keys)))
	}
	return nil
}

func checkRest(s *suite) error {
	if !s.opts.Bubble {
		return notApplicable("it waits for hours: Options.Bubble is not set")
	}
	p := &payer{answer: plugin.ErrNotSent}
	b, err := s.begin().open("a", settling(-10, 0, p.pay))
	if err != nil {
		return err
	}
	b.Settle()
	owed := int64(0)
	for range 600 {
		if err := b.pass(out, 100); err != nil {
			return err
		}
		owed += 100
		time.Sleep(100 * time.Millisecond)
	}
	if n := len(p.asked()); n < 1 || n > 60 {
		return fmt.Errorf("in a minute with 600 packets Pay is called %d times, want less and less often", n)
	}
	if err := b.wantState(fmt.Sprintf("a balance of %d", -owed), func(s ledger.State) bool { return s.Balance == -owed }); err != nil {
		return err
	}
	p.answers(nil)
	time.Sleep(time.Hour)
	if err := b.settled(0); err != nil {
		return fmt.Errorf("an hour after Pay stopped to say no: %w", err)
	}
	return nil
}

func checkOrder(s *suite) error {
	const n = 20
	p := new(payer)
	t := unlimited
	t.pay = p.pay
	u := s.begin()
	b, err := u.open("a", t)
	if err != nil {
		return err
	}
	var keys []string
	for i := range uint64(n) {
		key, err := b.send(i + 1)
		if err != nil {
			return err
		}
		if slices.Contains(keys, key) {
			return fmt.Errorf("two settlements have the key %q", key)
		}
		keys = append(keys, key)
		if i == n/2 {
			b.Settle()
		}
	}
	if err := b.settled(n * (n + 1) / 2); err != nil {
		return err
	}
	calls := p.asked()
	if len(calls) != n || p.overlap {
		return fmt.Errorf("for %[2]d settlements Pay is called %[1]d times, at the same time: %[3]v", len(calls), n, p.overlap)
	}
	for i, m := range calls {
		if m.Key != keys[i] || m.Amount != uint64(i+1) {
			return fmt.Errorf("payment %d is of %v, want %d under %q: the oldest first", i+1, m, i+1, keys[i])
		}
	}
	return nil
}

func checkSend(s *suite) error {
	u := s.begin()
	p := &payer{answer: plugin.ErrUnknownOutcome}
	b, err := u.open("a", terms{minimum: account.NoMinimum, maximum: 100, pay: p.pay})
	if err != nil {
		return err
	}
	if err := b.wantReserve(in, 40, nil); err != nil {
		return err
	}
	for _, amount := range []uint64{61, 1 << 63, 1<<64 - 1} {
		if key, err := b.send(amount); !errors.Is(err, ledger.ErrLimit) || key != "" {
			return fmt.Errorf("sending %d with a maximum of 100 and 40 in flight gives %q, %v, want ErrLimit and no key", amount, key, err)
		}
	}
	if key, err := b.send(0); err == nil || key != "" {
		return fmt.Errorf("sending nothing gives %q, %v, want an error and no key", key, err)
	}
	key, err := b.send(60)
	if err != nil || key == "" {
		return fmt.Errorf("sending 60 with a maximum of 100 and 40 in flight gives %q, %w, want a key", key, err)
	}
	err = b.wantState("a balance of 60 and the settlement", func(s ledger.State) bool {
		return s.Balance == 60 && len(s.Settlements) == 1 && s.Settlements[0].Key == key && s.Settlements[0].Amount == 60
	})
	if err != nil {
		return err
	}
	unpaid, err := u.open("b", unlimited)
	if err != nil {
		return err
	}
	if key, err := unpaid.send(1); err == nil || key != "" {
		return fmt.Errorf("sending where the link cannot pay gives %q, %v, want an error and no key", key, err)
	}
	return unpaid.settled(0)
}

func checkPaidAfterReopen(s *suite) error {
	if s.opts.Reopen == nil {
		return notApplicable("Options.Reopen is nil")
	}
	u := s.begin()
	p := &payer{answer: plugin.ErrUnknownOutcome}
	b, err := u.open("a", settling(-10, 0, p.pay))
	if err != nil {
		return err
	}
	b.Settle()
	if err := b.pass(out, 11); err != nil {
		return err
	}
	if err := eventually(func() bool { return len(p.asked()) > 0 }); err != nil {
		return errors.New("the settlement is not paid")
	}
	first := p.asked()[0]
	second, err := b.send(5)
	if err != nil {
		return err
	}
	if u, err = u.reopen(); err != nil {
		return err
	}
	p.answers(nil)
	p.forget()
	if b, err = u.open("a", settling(-10, 0, p.pay)); err != nil {
		return err
	}
	state := b.State()
	if state.Balance != 5 || len(state.Settlements) != 2 || state.Settlements[0].Key != first.Key || state.Settlements[1].Key != second {
		return fmt.Errorf("the book was opened again with %s, want a balance of 5 and the settlements %q and %q", brief(state), first.Key, second)
	}
	if err := p.wantNothing(s); err != nil {
		return fmt.Errorf("before Settle: %w", err)
	}
	b.Settle()
	calls, err := p.want(11, 5)
	if err != nil {
		return err
	}
	if calls[0] != first || calls[1].Key != second {
		return fmt.Errorf("after it was opened again %v is paid, want the keys %q and %q", calls, first.Key, second)
	}
	if err := b.settled(5); err != nil {
		return err
	}
	if u, err = u.reopen(); err != nil {
		return err
	}
	if b, err = u.open("a", settling(-10, 0, p.pay)); err != nil {
		return err
	}
	if state := b.State(); state.Balance != 5 || len(state.Settlements) != 0 {
		return fmt.Errorf("after everything was paid the book was opened again with %s, want a balance of 5 and no settlements", brief(state))
	}
	p.forget()
	b.Settle()
	if err := p.wantNothing(s); err != nil {
		return fmt.Errorf("after everything was paid: %w", err)
	}
	return b.settled(5)
}
