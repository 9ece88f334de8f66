package ledger_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

func TestAPostingIsToldWhenItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		destination, source := h.book("destination"), h.book("source")
		unblock := d.block()
		defer unblock()
		first := post(t, destination, ledger.Outgoing, 7)
		second := post(t, source, ledger.Incoming, 8)
		synctest.Wait()
		wantBalance(t, destination, -7) // in memory it is at once
		wantBalance(t, source, 8)
		first.wantNothing(t)
		second.wantNothing(t)
		second.then = func(error) {
			if b := durableBalance(t, d.image(), "destination"); b != -7 {
				t.Errorf("the source is told while the destination's balance is %d on disk, want -7", b)
			}
		}
		unblock()
		synctest.Wait()
		first.want(t, nil)
		second.want(t, nil)
		if s, b := durableBalance(t, d.image(), "source"), durableBalance(t, d.image(), "destination"); s != 8 || b != -7 {
			t.Errorf("on disk are %d and %d", s, b)
		}
	})
}

// Many postings share a write: one is under way, and all others wait for the
// next.
func TestPostingsShareWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		d.delay = 10 * time.Millisecond
		h := start(t, d)
		b := h.book("a")
		var waiters []*told
		for range 1000 {
			waiters = append(waiters, post(t, b, ledger.Incoming, 1))
		}
		time.Sleep(25 * time.Millisecond)
		synctest.Wait()
		for _, w := range waiters {
			w.want(t, nil)
		}
		if d.tried() > 2 {
			t.Errorf("%d writes, want 2 at most", d.tried())
		}
	})
}

// A posting needs no waiter, and nobody is told of those without.
func TestPostWithoutWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a")
		reserve(t, b, ledger.Outgoing, 5)
		if err := b.Post(t.Context(), ledger.Outgoing, 5, nil); !errors.Is(err, ledger.ErrPending) {
			t.Fatalf("post gives %v, want ErrPending", err)
		}
		synctest.Wait()
		if got := durableBalance(t, d.image(), "a"); got != -5 {
			t.Errorf("%d on disk, want -5", got)
		}
	})
}

// Nothing in a volatile store outlives the process, so nobody waits for it.
func TestVolatileStoreIsNotWaitedFor(t *testing.T) {
	h := newHost(t, memstore.New()) // it does not even run
	b := h.book("a")
	reserve(t, b, ledger.Incoming, 5)
	w := new(told)
	if err := b.Post(t.Context(), ledger.Incoming, 5, w); err != nil {
		t.Errorf("post gives %v, want nil", err)
	}
	if err := b.Receive(t.Context(), plugin.Money{Amount: 3, Key: "k"}); err != nil {
		t.Errorf("receive gives %v, want nil", err)
	}
	wantBalance(t, b, 2)
	w.wantNothing(t)
}

// A store that fails is written to until it works again, whatever is known of
// the outcome. Meanwhile no packets are taken, those in flight are posted in
// memory, and nobody is told.
func TestStoreThatFails(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault fault
	}{
		{"not written", notWritten}, {"outcome unknown, not written", lost}, {"outcome unknown, written", replyLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(nil)
				h := start(t, d)
				b := h.book("a")
				reserve(t, b, ledger.Outgoing, 100)
				d.fail(test.fault)
				first := post(t, b, ledger.Incoming, 10)
				time.Sleep(time.Second)
				if err := b.Reserve(t.Context(), ledger.Incoming, 1, nil); !errors.Is(err, ledger.ErrUnavailable) {
					t.Errorf("while the store fails Reserve gives %v, want ErrUnavailable", err)
				}
				second := new(told)
				if err := b.Post(t.Context(), ledger.Outgoing, 100, second); !errors.Is(err, ledger.ErrPending) {
					t.Errorf("while the store fails Post gives %v, want ErrPending: the packet is fulfilled", err)
				}
				time.Sleep(time.Minute)
				first.wantNothing(t)
				second.wantNothing(t)
				if got := h.lastEvent(); got.Kind != ledger.StoreFailing || !errors.Is(got.Err, errDisk) || len(h.kinds()) != 1 {
					t.Errorf("events %v, the last of %v: want StoreFailing, once", h.kinds(), got.Err)
				}
				if n := d.tried(); n < 20 || n > 60 {
					t.Errorf("tried %d times in a minute, want about one in two seconds", n)
				}
				d.fail(succeeds)
				time.Sleep(3 * time.Second)
				synctest.Wait()
				first.want(t, nil)
				second.want(t, nil)
				reserve(t, b, ledger.Incoming, 1) // it has recovered by itself
				if got := durableBalance(t, d.image(), "a"); got != -90 {
					t.Errorf("%d on disk, want -90", got)
				}
				if !slices.Equal(h.kinds(), []ledger.EventKind{ledger.StoreFailing, ledger.StoreRecovered}) {
					t.Errorf("events %v, want StoreFailing and StoreRecovered", h.kinds())
				}
			})
		})
	}
}

func TestStoreThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d, func(o *ledger.LocalOptions) { o.SlowAfter = 300 * time.Millisecond })
		b := h.book("a")
		unblock := d.block()
		w := post(t, b, ledger.Incoming, 10)
		time.Sleep(299 * time.Millisecond)
		reserve(t, b, ledger.Incoming, 1)
		time.Sleep(2 * time.Millisecond)
		if err := b.Reserve(t.Context(), ledger.Incoming, 1, nil); !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("while the store hangs Reserve gives %v, want ErrUnavailable", err)
		}
		w.wantNothing(t)
		unblock()
		synctest.Wait()
		w.want(t, nil)
		reserve(t, b, ledger.Incoming, 1)
		if !slices.Equal(h.kinds(), []ledger.EventKind{ledger.StoreFailing, ledger.StoreRecovered}) {
			t.Errorf("events %v, want StoreFailing and StoreRecovered", h.kinds())
		}
	})
}

// The time between two writes is no slow write.
func TestPausesAreNotSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		d.delay = 200 * time.Millisecond
		h := start(t, d, func(o *ledger.LocalOptions) { o.SlowAfter = 300 * time.Millisecond })
		b := h.book("a")
		for i := range 20 {
			post(t, b, ledger.Incoming, 1)
			time.Sleep(time.Duration(i) * 50 * time.Millisecond)
		}
		if n := len(h.kinds()); n != 0 {
			t.Errorf("events %v, want none", h.kinds())
		}
	})
}

// A store that has closed itself is the end: whoever waits learns that it was
// in vain, once, and Run says so.
func TestStoreThatCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a")
		settled := post(t, b, ledger.Incoming, 1)
		synctest.Wait()
		settled.want(t, nil)

		reserve(t, b, ledger.Outgoing, 5)
		d.fail(closesStore)
		unblock := d.block()
		writing := post(t, b, ledger.Incoming, 10)
		synctest.Wait()
		waiting := post(t, b, ledger.Incoming, 100)
		received := make(chan error, 1)
		go func() { received <- b.Receive(context.Background(), plugin.Money{Amount: 1, Key: "k"}) }()
		synctest.Wait()
		unblock()
		if err := h.wait(); !errors.Is(err, store.ErrClosed) {
			t.Errorf("Run returns %v, want ErrClosed of the store", err)
		}
		writing.want(t, ledger.ErrClosed)
		waiting.want(t, ledger.ErrClosed)
		settled.want(t, nil)
		if err := <-received; !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("Receive gives %v, want ErrClosed", err)
		}
		wantStopped(t, h, b)
	})
}

// wantStopped checks that a ledger that has stopped takes nothing. 5 are
// reserved on the outgoing side of b.
func wantStopped(t *testing.T, h *host, b ledger.Book) {
	t.Helper()
	if err := b.Reserve(t.Context(), ledger.Incoming, 1, nil); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("Reserve gives %v, want ErrUnavailable", err)
	}
	w := new(told)
	if err := b.Post(t.Context(), ledger.Outgoing, 5, w); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("Post gives %v, want ErrClosed", err)
	}
	if err := b.Receive(t.Context(), plugin.Money{Amount: 1, Key: "other"}); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("Receive gives %v, want ErrClosed", err)
	}
	if _, err := h.Open(t.Context(), ledger.Terms{Account: "other"}); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("Open gives %v, want ErrClosed", err)
	}
	b.Settle()
	b.Release(ledger.Outgoing, 5)
	b.Close()
	synctest.Wait()
	w.wantNothing(t)
}
