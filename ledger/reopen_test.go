package ledger_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

// A book that is opened again before its last posting is durable holds that
// posting, even where the store does not.
func TestOpenAgainBeforeItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a", limits(0, 100))
		post(t, b, ledger.Incoming, 1)
		synctest.Wait()
		unblock := d.block()
		defer unblock()
		first := post(t, b, ledger.Incoming, 10)
		b.Close()
		again := h.book("a", limits(0, 20))
		wantBalance(t, again, 11)
		if err := again.Reserve(t.Context(), ledger.Incoming, 10, nil); !errors.Is(err, ledger.ErrLimit) {
			t.Errorf("Reserve gives %v, want ErrLimit by the new limits", err)
		}
		second := post(t, again, ledger.Incoming, 2)
		unblock()
		synctest.Wait()
		first.want(t, nil)
		second.want(t, nil)
		if got := durableBalance(t, d.image(), "a"); got != 13 {
			t.Errorf("%d on disk, want 13", got)
		}
	})
}

// A book is forgotten when its last posting is durable, not when an earlier
// one is.
func TestOpenAgainWhileItsLastBatchIsBeingWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		first := d.block()
		h.book("a").Close()
		synctest.Wait() // its batch is being written
		b := h.book("a")
		post(t, b, ledger.Incoming, 10)
		b.Close()
		second := d.block() // the next batch waits
		defer second()
		first()
		synctest.Wait()
		wantBalance(t, h.book("a"), 10)
	})
}

// A packet that was in flight when its book was closed is posted to the book
// that was opened again.
func TestOpenAgainWithPacketsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newDisk(nil))
		b := h.book("a")
		reserve(t, b, ledger.Outgoing, 5)
		reserve(t, b, ledger.Incoming, 7)
		b.Close()
		synctest.Wait()
		again := h.book("a")
		w := new(told)
		if err := b.Post(t.Context(), ledger.Outgoing, 5, w); !errors.Is(err, ledger.ErrPending) {
			t.Errorf("Post gives %v, want ErrPending", err)
		}
		b.Release(ledger.Incoming, 7)
		wantBalance(t, again, -5)
		synctest.Wait()
		w.want(t, nil)
	})
}

// A settlement whose payment is under way when its book is closed is paid
// under the same key by whoever opens the book again, and by one at a time.
func TestOpenAgainWhileASettlementIsBeingPaid(t *testing.T) {
	for _, later := range []time.Duration{0, 500 * time.Millisecond} {
		t.Run(later.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { openWhilePaying(t, later) })
		})
	}
}

func openWhilePaying(t *testing.T, later time.Duration) {
	h := start(t, newDisk(nil))
	var paying atomic.Int32
	var keys [2]string
	pay := func(i int, patience time.Duration) func(context.Context, plugin.Money) error {
		return func(ctx context.Context, m plugin.Money) error {
			if paying.Add(1) > 1 {
				t.Error("two at a time pay for one account")
			}
			defer paying.Add(-1)
			keys[i] = m.Key
			if patience > 0 {
				<-ctx.Done()
				time.Sleep(patience) // it heeds its context, but not at once
				return ctx.Err()
			}
			return nil
		}
	}
	b := h.book("a", settling(-10, 0), paidBy(pay(0, time.Second)))
	b.Settle()
	post(t, b, ledger.Outgoing, 11)
	synctest.Wait()
	b.Close()
	time.Sleep(later)
	again := h.book("a", settling(-10, 0), paidBy(pay(1, 0)))
	again.Settle()
	if s := again.State(); len(s.Settlements) != 1 || s.Balance != 0 {
		t.Fatalf("book %+v, want the settlement under way", s)
	}
	time.Sleep(2 * time.Second)
	synctest.Wait()
	if s := again.State(); len(s.Settlements) != 0 || s.Balance != 0 || keys[0] == "" || keys[0] != keys[1] {
		t.Errorf("book %+v, paid under %q and %q: want the same key, and no settlement left", s, keys[0], keys[1])
	}
}

// Closed books do not gather in memory.
func TestClosedBooksAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		for range 3 {
			for _, id := range []string{"idle", "posted", "reserved"} {
				b := h.book(id)
				switch id {
				case "posted":
					post(t, b, ledger.Incoming, 1)
				case "reserved":
					reserve(t, b, ledger.Outgoing, 1)
					b.Release(ledger.Outgoing, 1)
				}
				b.Close()
			}
			synctest.Wait()
			if n := ledger.InMemory(h.Local); n != 0 {
				t.Errorf("%d books in memory, want none", n)
			}
		}
		wantBalance(t, h.book("posted"), 3)
	})
}
