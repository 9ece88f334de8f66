package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

var errTimeout = errors.New("the engine does not answer")

// SE-51, SE-52: while the outcome is unknown a settlement is tried again under
// its key, less and less often, and nothing is refunded.
func TestSettlementIsTriedAgainUnderItsKey(t *testing.T) {
	// A link that is down or busy says nothing of an earlier attempt.
	for _, reason := range []error{errTimeout, plugin.ErrUnknownOutcome, plugin.ErrNotConnected, plugin.ErrBusy, fmt.Errorf("dial: %w", plugin.ErrNotConnected)} {
		t.Run(reason.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := new(engine)
				e.answers(reason)
				d := newDisk(nil)
				h := start(t, d)
				b := h.book("a", settling(-10, 0), paidBy(e.pay))
				b.Settle()
				post(t, b, ledger.Outgoing, 11)
				time.Sleep(6 * time.Hour)
				wantBalance(t, b, 0)
				calls := e.asked()
				wantBackoff(t, calls)
				s := b.State().Settlements
				if len(s) != 1 || s[0].Attempts != len(calls) || !errors.Is(s[0].LastError, reason) || s[0].Key != calls[0].Key || s[0].Amount != 11 {
					t.Errorf("settlements %+v, want one with %d attempts", s, len(calls))
				}
				if got := h.lastEvent(); got.Kind != ledger.SettlementFailing || got.Account != "a" || got.Amount != 11 || !errors.Is(got.Err, reason) {
					t.Errorf("event %+v", got)
				}
				if n := len(h.kinds()); n != len(calls) {
					t.Errorf("%d events of %d failures", n, len(calls))
				}

				d, h = restart(t, d, h)
				b = h.book("a", settling(-10, 0), paidBy(e.pay))
				synctest.Wait()
				e.want(t) // the link is not ready
				b.Settle()
				synctest.Wait()
				again := e.want(t, 11)
				e.answers(nil)
				time.Sleep(2 * time.Second)
				again = append(again, e.want(t, 11)...)
				if keys(append(again, calls...)) != 1 {
					t.Errorf("it was paid under %d keys", keys(append(again, calls...)))
				}
				time.Sleep(time.Hour)
				e.want(t)
				wantBalance(t, b, 0)
				if n := durableSettlements(d.image(), "a"); n != 0 || len(b.State().Settlements) != 0 {
					t.Errorf("%d settlements are left on disk, and %v", n, b.State().Settlements)
				}
			})
		})
	}
}

// wantBackoff checks that calls come less and less often.
func wantBackoff(t *testing.T, calls []call) {
	t.Helper()
	if len(calls) < 30 || keys(calls) != 1 {
		t.Fatalf("%d attempts with %d keys in six hours, want 30 at least, and one key", len(calls), keys(calls))
	}
	limit := time.Second
	for i := range calls[1:] {
		wait := calls[i+1].at.Sub(calls[i].at)
		if wait < limit/2 || wait > limit {
			t.Errorf("attempt %d comes after %v, want %v to %v", i+2, wait, limit/2, limit)
		}
		limit = min(2*limit, ledger.MaxBackoff)
	}
}

// What one settlement had to wait is not held against the next.
func TestBackoffBeginsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := new(engine)
		e.answers(errTimeout)
		b := start(t, newDisk(nil)).book("a", paidBy(e.pay))
		b.Settle()
		send := func() {
			if _, err := b.Send(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		send()
		time.Sleep(time.Hour)
		e.answers(nil)
		time.Sleep(ledger.MaxBackoff)
		e.asked()
		e.answers(errTimeout)
		send()
		time.Sleep(time.Second)
		if n := len(e.asked()); n != 2 {
			t.Errorf("%d attempts in a second, want 2", n)
		}
	})
}

// A definite no puts the amount back and raises the event. What the threshold
// asks for is tried again under another key, less and less often, however many
// packets pass meanwhile.
func TestRefusedSettlementIsRefunded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := fmt.Errorf("%w: account closed", plugin.ErrNotSent)
		e := new(engine)
		e.answers(refused)
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a", settling(-10, 0), paidBy(e.pay))
		b.Settle()
		post(t, b, ledger.Outgoing, 11)
		synctest.Wait()
		wantBalance(t, b, -11)
		calls := e.want(t, 11)
		if got := h.lastEvent(); got.Kind != ledger.SettlementRefused || got.Account != "a" || got.Amount != 11 || !errors.Is(got.Err, refused) || len(h.kinds()) != 1 {
			t.Errorf("events %v, the last %+v", h.kinds(), got)
		}
		if got, n := durableBalance(t, d.image(), "a"), durableSettlements(d.image(), "a"); got != -11 || n != 0 {
			t.Errorf("%d and %d settlements on disk, want -11 and none", got, n)
		}
		owed := uint64(11)
		for range 1000 {
			post(t, b, ledger.Outgoing, 1)
			owed++
			time.Sleep(time.Second)
		}
		again := e.asked()
		if n := len(again); n < 8 || n > 12 || keys(append(again, calls...)) != n+1 {
			t.Errorf("%d attempts with %d keys in 1000 seconds, want about ten, each with its own", n, keys(again))
		}
		wantBalance(t, b, -int64(owed))
		e.answers(nil)
		time.Sleep(ledger.MaxBackoff)
		e.want(t, owed)
		wantBalance(t, b, 0)
		post(t, b, ledger.Outgoing, 11) // and it is not held against the next
		synctest.Wait()
		e.want(t, 11)
	})
}

// A refusal that comes while packets are in flight may leave the balance below
// its minimum: nothing more is taken then. The reference throws (11.1, 10).
func TestRefundBelowTheMinimum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		threshold := int64(-50)
		gate := make(chan struct{})
		b := start(t, newDisk(nil)).book("a", func(t *ledger.Terms) {
			t.Limits = &account.BalanceLimits{Minimum: -100, Maximum: 100, SettleThreshold: &threshold}
		}, paidBy(func(context.Context, plugin.Money) error {
			<-gate
			return plugin.ErrNotSent
		}))
		b.Settle()
		post(t, b, ledger.Outgoing, 100)
		reserve(t, b, ledger.Outgoing, 90)
		close(gate)
		synctest.Wait()
		if s := b.State(); s.Balance != -100 || s.ReservedOut != 90 {
			t.Errorf("book %+v, want a balance of -100 with 90 in flight", s)
		}
		if err := b.Reserve(t.Context(), ledger.Outgoing, 1, nil); !errors.Is(err, ledger.ErrLimit) {
			t.Errorf("Reserve gives %v, want ErrLimit", err)
		}
		if err := b.Post(t.Context(), ledger.Outgoing, 90, nil); !errors.Is(err, ledger.ErrPending) {
			t.Errorf("Post gives %v, want ErrPending", err)
		}
		wantBalance(t, b, -190)
	})
}

// A refund that does not fit into 64 bits is kept until it does.
func TestRefundThatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		e := new(engine)
		b := start(t, newDisk(nil)).book("a", paidBy(func(ctx context.Context, m plugin.Money) error {
			<-gate
			return e.pay(ctx, m)
		}))
		e.answers(plugin.ErrNotSent)
		b.Settle()
		if _, err := b.Send(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		post(t, b, ledger.Outgoing, 10)
		reserve(t, b, ledger.Outgoing, 1<<63)
		close(gate)
		time.Sleep(time.Minute)
		if s := b.State(); s.Balance != 0 || len(s.Settlements) != 1 {
			t.Errorf("book %+v, want the settlement of 10 still", s)
		}
		b.Release(ledger.Outgoing, 1<<63)
		time.Sleep(time.Hour)
		wantBalance(t, b, -10)
		if s := b.State(); len(s.Settlements) != 0 || keys(e.asked()) != 1 {
			t.Errorf("book %+v, want no settlement", s)
		}
	})
}

// Settlements of an account are paid one after the other, oldest first, and
// after a restart too, however alike their times are.
func TestSettlementsArePaidInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := new(engine)
		e.answers(errTimeout)
		d := newDisk(nil)
		stopped := time.Now()
		still := func(o *ledger.LocalOptions) { o.Now = func() time.Time { return stopped } }
		h := start(t, d, still)
		b := h.book("a", paidBy(e.pay))
		var want []string
		for i := range 40 {
			if i == 20 {
				b.Settle()
			}
			if i > 30 {
				stopped = stopped.Add(-time.Hour) // somebody sets the clock
			}
			key, err := b.Send(t.Context(), uint64(i+1))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, key)
		}
		time.Sleep(time.Minute)
		if n := keys(e.asked()); n != 1 {
			t.Errorf("%d settlements were tried, want the oldest alone", n)
		}
		e.answers(nil)
		_, h = restart(t, d, h)
		b = h.book("a", paidBy(e.pay))
		b.Settle()
		synctest.Wait()
		var got []string
		for i, c := range e.asked() {
			got = append(got, c.Key)
			if c.Amount != uint64(i+1) {
				t.Errorf("payment %d is of %d", i, c.Amount)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("paid %v, want %v", got, want)
		}
		wantBalance(t, b, 40*41/2)
	})
}

func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := new(engine)
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a", limits(-100, 100), paidBy(e.pay))
		reserve(t, b, ledger.Incoming, 40)
		for amount, want := range map[uint64]error{61: ledger.ErrLimit, math.MaxUint64: ledger.ErrLimit, 0: nil} {
			if key, err := b.Send(t.Context(), amount); err == nil || key != "" || want != nil && !errors.Is(err, want) {
				t.Errorf("sending %d gives %q, %v, want an error", amount, key, err)
			}
		}
		key, err := b.Send(t.Context(), 60)
		if err != nil || len(key) < 26 {
			t.Fatalf("key %q, %v", key, err)
		}
		if got, n := durableBalance(t, d.image(), "a"), durableSettlements(d.image(), "a"); got != 60 || n != 1 {
			t.Errorf("%d and %d settlements on disk, want 60 and 1", got, n)
		}
		synctest.Wait()
		e.want(t) // the link is not ready
		b.Settle()
		synctest.Wait()
		if calls := e.want(t, 60); calls[0].Key != key {
			t.Errorf("paid under %q, want %q", calls[0].Key, key)
		}
		if _, err := h.book("b").Send(t.Context(), 1); err == nil {
			t.Error("a link that cannot pay sends")
		}
	})
}

// A settlement whose caller has stopped waiting is made all the same, under
// the key that it was given.
func TestSendWaitsUpToItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := new(engine)
		d := newDisk(nil)
		b := start(t, d).book("a", paidBy(e.pay))
		b.Settle()
		unblock := d.block()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		key, err := b.Send(ctx, 5)
		if !errors.Is(err, context.DeadlineExceeded) || key == "" {
			t.Fatalf("Send gives %q, %v, want a key and DeadlineExceeded", key, err)
		}
		e.want(t)
		unblock()
		synctest.Wait()
		if calls := e.want(t, 5); calls[0].Key != key {
			t.Errorf("paid under %q, want %q", calls[0].Key, key)
		}
	})
}

// After a refusal the threshold rests, and who asks for a settlement need not
// wait for that; if it is paid the rest is over.
func TestSendAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := new(engine)
		e.answers(plugin.ErrNotSent)
		b := start(t, newDisk(nil)).book("a", settling(-10, 0), paidBy(e.pay))
		b.Settle()
		post(t, b, ledger.Outgoing, 11)
		time.Sleep(10 * time.Minute)
		e.asked()
		for range 3 {
			if _, err := b.Send(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			e.want(t, 1) // at once, and nothing with it
		}
		e.answers(nil)
		if _, err := b.Send(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		e.want(t, 1)
		wantBalance(t, b, -10) // not below the threshold
		post(t, b, ledger.Outgoing, 1)
		synctest.Wait()
		e.want(t, 11)
	})
}

// A payment that succeeds although its context has ended is in the books.
func TestPaymentThatEndsWithItsBook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a", paidBy(func(ctx context.Context, _ plugin.Money) error {
			<-ctx.Done()
			return nil
		}))
		b.Settle()
		if _, err := b.Send(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.Close()
		synctest.Wait()
		if n := durableSettlements(d.image(), "a"); n != 0 {
			t.Errorf("%d settlements on disk, want none", n)
		}
		if n := ledger.InMemory(h.Local); n != 0 {
			t.Errorf("%d books in memory, want none", n)
		}
		wantBalance(t, h.book("a"), 5)
	})
}
