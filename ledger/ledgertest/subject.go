package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

// patience is how long the suite waits for something that has to happen.
const patience = time.Minute

// suite is a case that is being checked.
type suite struct {
	t        testing.TB
	opts     Options
	subjects []*subject

	mu      sync.Mutex
	waiters []*waiter
}

// end stops all ledgers, and checks what has to hold at the end of every case
// that found nothing wrong before.
func (s *suite) end(passed bool) error {
	var faults []error
	for _, u := range s.subjects {
		if err := u.stop(); err != nil && passed {
			faults = append(faults, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.waiters {
		if err := w.check(); err != nil && passed {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// subject is a ledger under test, which runs.
type subject struct {
	ledger.Ledger
	s      *suite
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run, when ended is closed
}

func (s *suite) begin() *subject { return s.adopt(s.opts.New(s.t)) }

func (s *suite) adopt(l ledger.Ledger) *subject {
	if l == nil {
		s.t.Fatal("ledgertest: Options.New or Options.Reopen returned nil: want a ledger")
	}
	ctx, cancel := context.WithCancel(context.Background())
	u := &subject{Ledger: l, s: s, cancel: cancel, ended: make(chan struct{})}
	s.subjects = append(s.subjects, u)
	go func() {
		defer close(u.ended)
		u.err = l.Run(ctx)
	}()
	return u
}

// stop ends Run.
func (u *subject) stop() error {
	u.cancel()
	select {
	case <-u.ended:
	case <-time.After(patience):
		return fmt.Errorf("Run has not returned %v after its context ended", patience)
	}
	if u.err != nil {
		return fmt.Errorf("Run returns %w, want nil", u.err)
	}
	return nil
}

// reopen stops the ledger and opens its books again.
func (u *subject) reopen() (*subject, error) {
	if u.s.opts.Reopen == nil {
		return nil, notApplicable("Options.Reopen is nil")
	}
	if err := u.stop(); err != nil {
		return nil, err
	}
	return u.s.adopt(u.s.opts.Reopen(u.s.t, u.Ledger)), nil
}

// terms are what a case opens books with.
type terms struct {
	minimum, maximum int64
	threshold        *int64
	to               int64
	pay              func(context.Context, plugin.Money) error
}

var unlimited = terms{minimum: account.NoMinimum, maximum: account.NoMaximum}

// settling is unlimited, with a threshold.
func settling(threshold, to int64, pay func(context.Context, plugin.Money) error) terms {
	t := unlimited
	t.threshold, t.to, t.pay = &threshold, to, pay
	return t
}

// book is a book under test.
type book struct {
	ledger.Book
	s         *suite
	id        string
	immediate bool
}

func (u *subject) open(id string, t terms) (*book, error) {
	b, err := u.Open(context.Background(), ledger.Terms{Account: id, Pay: t.pay,
		Limits: &account.BalanceLimits{Minimum: t.minimum, Maximum: t.maximum, SettleThreshold: t.threshold, SettleTo: t.to}})
	if err != nil {
		return nil, fmt.Errorf("opening the book of %.20q: %w", id, err)
	}
	if b == nil {
		return nil, fmt.Errorf("opening the book of %.20q gives neither a book nor an error", id)
	}
	_, immediate := b.(ledger.Immediate)
	return &book{Book: b, s: u.s, id: id, immediate: immediate}, nil
}

// waiter is told how a call ended.
type waiter struct {
	call   string
	ch     chan error
	before func() // if set, called by Done before anybody hears of it

	mu      sync.Mutex
	told    int
	pending bool // the call gave ErrPending
}

func (s *suite) waiter(call string) *waiter {
	w := &waiter{call: call, ch: make(chan error, 100)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiters = append(s.waiters, w)
	return w
}

// Done implements ledger.Waiter.
func (w *waiter) Done(_ context.Context, err error) {
	if w.before != nil {
		w.before()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told++
	if w.told <= cap(w.ch) {
		w.ch <- err
	}
}

// answer waits for the answer of a call that gave err at first.
func (w *waiter) answer(err error) error {
	if !errors.Is(err, ledger.ErrPending) {
		return err
	}
	w.mu.Lock()
	w.pending = true
	w.mu.Unlock()
	select {
	case err := <-w.ch:
		return err
	case <-time.After(patience):
		return fmt.Errorf("%s gave ErrPending, and its Waiter has not been told for %v", w.call, patience)
	}
}

// check checks, at the end, how often the waiter was told.
func (w *waiter) check() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.pending && w.told != 1:
		return fmt.Errorf("%s gave ErrPending, and its Waiter was told %d times, want once", w.call, w.told)
	case !w.pending && w.told != 0:
		return fmt.Errorf("%s was answered at once, and its Waiter was told %d times, want never", w.call, w.told)
	}
	return nil
}

// reserve reserves, whenever the answer comes.
func (b *book) reserve(side ledger.Side, amount uint64) error {
	call := fmt.Sprintf("Reserve of %d %v", amount, side)
	w := b.s.waiter(call)
	err := b.Reserve(context.Background(), side, amount, w)
	if b.immediate && errors.Is(err, ledger.ErrPending) {
		err = fmt.Errorf("%s gives ErrPending, although the book is Immediate", call)
		_ = w.answer(ledger.ErrPending)
		return err
	}
	if err := w.answer(err); err != nil {
		return fmt.Errorf("%s: %w", call, err)
	}
	return nil
}

// wantReserve reserves, and checks the answer.
func (b *book) wantReserve(side ledger.Side, amount uint64, want error) error {
	before := b.State()
	if err := b.reserve(side, amount); !errors.Is(err, want) {
		return fmt.Errorf("reserving %d %v with %v gives %v, want %v", amount, side, brief(before), err, want)
	}
	return nil
}

// post posts what is reserved, and waits until it is durable.
func (b *book) post(side ledger.Side, amount uint64) error {
	call := fmt.Sprintf("Post of %d %v", amount, side)
	w := b.s.waiter(call)
	if err := w.answer(b.Post(context.Background(), side, amount, w)); err != nil {
		return fmt.Errorf("%s: %w", call, err)
	}
	return nil
}

// pass reserves and posts.
func (b *book) pass(side ledger.Side, amount uint64) error {
	if err := b.reserve(side, amount); err != nil {
		return err
	}
	return b.post(side, amount)
}

// receive books a settlement of the counterparty.
func (b *book) receive(amount uint64, key string) error {
	return b.receiveMoney(plugin.Money{Amount: amount, Key: key})
}

// receiveMoney books a settlement that may have a fraction.
func (b *book) receiveMoney(m plugin.Money) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Receive(ctx, m); err != nil {
		return fmt.Errorf("receiving %v: %w", m, err)
	}
	return nil
}

// send makes a settlement.
func (b *book) send(amount uint64) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return b.Send(ctx, amount)
}

// want checks the figures of the book, and waits for them if they are not
// there at once.
func (b *book) want(balance int64, in, out uint64) error {
	return b.wantState(fmt.Sprintf("a balance of %d, %d reserved in, %d out", balance, in, out), func(s ledger.State) bool {
		return s.Balance == balance && s.ReservedIn == in && s.ReservedOut == out
	})
}

// wantState checks the state of the book, and waits for it if need be.
func (b *book) wantState(want string, holds func(ledger.State) bool) error {
	if err := eventually(func() bool { return holds(b.State()) }); err != nil {
		return fmt.Errorf("the book of %.20q has %v, want %s", b.id, brief(b.State()), want)
	}
	return nil
}

// brief gives a state as a failure says it.
func brief(s ledger.State) string {
	text := fmt.Sprintf("a balance of %d", s.Balance)
	if s.Remainder != 0 {
		text += fmt.Sprintf(", a remainder of %d", s.Remainder)
	}
	text += fmt.Sprintf(", %d reserved in, %d out", s.ReservedIn, s.ReservedOut)
	for _, made := range s.Settlements {
		text += fmt.Sprintf(", a settlement of %v tried %d times (%v)", plugin.Money{Amount: made.Amount, Key: made.Key}, made.Attempts, made.LastError)
	}
	return text
}

var errPatience = errors.New("it did not happen")

// eventually waits until holds does.
func eventually(holds func() bool) error {
	deadline := time.After(patience)
	for pause := time.Millisecond; !holds(); pause = min(2*pause, 100*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-deadline:
			return errPatience
		}
	}
	return nil
}

// idle gives the ledger time to do what it should not, where time costs
// nothing.
func (s *suite) idle() {
	if s.opts.Bubble {
		time.Sleep(patience)
		synctest.Wait()
	}
}

// all returns the first error of what is done one after the other.
func all(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
