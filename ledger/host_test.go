package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// host is a process that has a ledger.
type host struct {
	*ledger.Local
	t      testing.TB
	cancel context.CancelFunc
	ended  chan error

	mu     sync.Mutex
	events []ledger.Event
	log    bytes.Buffer
}

// newHost makes a ledger over s, which does not run yet.
func newHost(t testing.TB, s store.Store, change ...func(*ledger.LocalOptions)) *host {
	t.Helper()
	h := &host{t: t, ended: make(chan error, 1)}
	o := ledger.LocalOptions{Store: s, OnEvent: h.event, Logger: slog.New(slog.NewTextHandler(lockedLog{h}, nil))}
	for _, c := range change {
		c(&o)
	}
	l, err := ledger.NewLocal(o)
	if err != nil {
		t.Fatal(err)
	}
	h.Local = l
	return h
}

// start makes a ledger over s and runs it until the end of the test.
func start(t testing.TB, s store.Store, change ...func(*ledger.LocalOptions)) *host {
	t.Helper()
	h := newHost(t, s, change...)
	h.run()
	return h
}

func (h *host) run() {
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	go func() { h.ended <- h.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		err := <-h.ended
		h.ended <- err
	})
}

// stop ends Run and gives what it returns.
func (h *host) stop() error {
	h.cancel()
	return h.wait()
}

// wait gives what Run returns.
func (h *host) wait() error {
	err := <-h.ended
	h.ended <- err // for the cleanup
	return err
}

func (h *host) event(e ledger.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// kinds gives what events were told so far.
func (h *host) kinds() []ledger.EventKind {
	h.mu.Lock()
	defer h.mu.Unlock()
	var kinds []ledger.EventKind
	for _, e := range h.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// lastEvent gives the event that was told last.
func (h *host) lastEvent() ledger.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == 0 {
		h.t.Fatal("no event was told")
	}
	return h.events[len(h.events)-1]
}

func (h *host) logged() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

type lockedLog struct{ h *host }

func (l lockedLog) Write(p []byte) (int, error) {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	return l.h.log.Write(p)
}

// book opens the book of an account.
func (h *host) book(id string, change ...func(*ledger.Terms)) ledger.Book {
	h.t.Helper()
	t := ledger.Terms{Account: id}
	for _, c := range change {
		c(&t)
	}
	b, err := h.Open(context.Background(), t)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func limits(minimum, maximum int64) func(*ledger.Terms) {
	return func(t *ledger.Terms) { t.Limits = &account.BalanceLimits{Minimum: minimum, Maximum: maximum} }
}

func settling(threshold, to int64) func(*ledger.Terms) {
	return func(t *ledger.Terms) {
		t.Limits = &account.BalanceLimits{Minimum: account.NoMinimum, Maximum: account.NoMaximum, SettleThreshold: &threshold, SettleTo: to}
	}
}

func paidBy(pay func(context.Context, plugin.Money) error) func(*ledger.Terms) {
	return func(t *ledger.Terms) { t.Pay = pay }
}

// told is a Waiter that remembers what it was told.
type told struct {
	mu   sync.Mutex
	errs []error
	then func(error)
}

func (w *told) Done(_ context.Context, err error) {
	w.mu.Lock()
	w.errs = append(w.errs, err)
	then := w.then
	w.mu.Unlock()
	if then != nil {
		then(err)
	}
}

// want checks that w was told once, with an error that is like want.
func (w *told) want(t testing.TB, want error) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.errs) != 1 || !errors.Is(w.errs[0], want) {
		t.Errorf("told %v, want %v, once", w.errs, want)
	}
}

// wantNothing checks that w was not told.
func (w *told) wantNothing(t testing.TB) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.errs) != 0 {
		t.Errorf("told %v, want nothing yet", w.errs)
	}
}

// reserve reserves, and the test fails if that does.
func reserve(t testing.TB, b ledger.Book, side ledger.Side, amount uint64) {
	t.Helper()
	if err := b.Reserve(context.Background(), side, amount, nil); err != nil {
		t.Fatalf("reserve %v %d: %v", side, amount, err)
	}
}

// post reserves and posts, and gives who is told when it is durable.
func post(t testing.TB, b ledger.Book, side ledger.Side, amount uint64) *told {
	t.Helper()
	reserve(t, b, side, amount)
	w := new(told)
	if err := b.Post(context.Background(), side, amount, w); err != nil && !errors.Is(err, ledger.ErrPending) {
		t.Fatalf("post %v %d: %v", side, amount, err)
	}
	return w
}

// wantBalance checks a balance, and that nothing is reserved.
func wantBalance(t testing.TB, b ledger.Book, balance int64) {
	t.Helper()
	if s := b.State(); s.Balance != balance || s.ReservedIn != 0 || s.ReservedOut != 0 {
		t.Errorf("book %+v, want a balance of %d and nothing reserved", s, balance)
	}
}
