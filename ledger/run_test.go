package ledger_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

func TestNewLocalRefuses(t *testing.T) {
	view, err := store.NewView(memstore.New(), strings.Repeat("v", store.MaxNameSize))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		options ledger.LocalOptions
		want    string
	}{
		{"no store", ledger.LocalOptions{}, "Store is nil"},
		{"a store with short keys", ledger.LocalOptions{Store: view}, "it must take 466"},
		{"a negative time until a write is slow", ledger.LocalOptions{Store: memstore.New(), SlowAfter: -1}, "must be positive"},
		{"a negative time to close", ledger.LocalOptions{Store: memstore.New(), CloseTimeout: -1}, "must be positive"},
	} {
		if _, err := ledger.NewLocal(test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", test.name, err, test.want)
		}
	}
	if view, err = store.NewView(memstore.New(), "ledger"); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.NewLocal(ledger.LocalOptions{Store: view}); err != nil {
		t.Errorf("a view with a short name: %v", err)
	}
}

func TestRunWritesWhatWasPostedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		d.delay = 100 * time.Millisecond
		h := start(t, d)
		b := h.book("a")
		var waiters []*told
		for range 10 {
			waiters = append(waiters, post(t, b, ledger.Incoming, 1))
			time.Sleep(30 * time.Millisecond)
		}
		reserve(t, b, ledger.Outgoing, 5)
		if err := h.stop(); err != nil {
			t.Errorf("Run returns %v", err)
		}
		for _, w := range waiters {
			w.want(t, nil)
		}
		if got := durableBalance(t, d.image(), "a"); got != 10 {
			t.Errorf("%d on disk, want 10", got)
		}
		wantStopped(t, h, b)
	})
}

func TestRunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newDisk(nil))
		b := h.book("a", paidBy(func(ctx context.Context, _ plugin.Money) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil
		}))
		b.Settle()
		if _, err := b.Send(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		again := func(when string) {
			if err := h.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "Run was called before") {
				t.Errorf("%s Run gives %v, want an error", when, err)
			}
		}
		again("while it runs")
		h.cancel()
		synctest.Wait()
		again("while it stops")
		if err := h.wait(); err != nil {
			t.Error(err)
		}
		again("when it has stopped")
	})
}

// Run does not try for ever to write to a store that fails, or that hangs and
// heeds its context; whoever waits is told.
func TestRunGivesUpStoresThatFail(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(d *disk)
		failing time.Duration // before Run is to stop
	}{
		{"fails before", func(d *disk) { d.fail(lost) }, 10 * time.Second},
		{"fails when it stops", func(d *disk) { d.fail(notWritten) }, 0},
		{"hangs before", func(d *disk) { d.block() }, 10 * time.Second},
		{"hangs when it stops", func(d *disk) { d.block() }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(nil)
				h := start(t, d, func(o *ledger.LocalOptions) { o.CloseTimeout = 3 * time.Second })
				b := h.book("a")
				reserve(t, b, ledger.Outgoing, 2)
				test.prepare(d)
				first, second := post(t, b, ledger.Incoming, 1), new(told)
				time.Sleep(test.failing)
				if err := b.Post(t.Context(), ledger.Outgoing, 2, second); !errors.Is(err, ledger.ErrPending) {
					t.Errorf("Post gives %v, want ErrPending", err)
				}
				began := time.Now()
				err := h.stop()
				if err == nil || !strings.Contains(err.Error(), "may be lost") {
					t.Errorf("Run returns %v, want an error", err)
				}
				if took := time.Since(began); took != 3*time.Second {
					t.Errorf("it took %v, want 3s", took)
				}
				first.want(t, ledger.ErrClosed)
				second.want(t, ledger.ErrClosed)
			})
		})
	}
}

// The time to close counts for each batch: a link that takes long to heed its
// context does not use it up, and the postings of others need not wait for it.
func TestRunWaitsForPayersAndGoesOnWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		d.delay = 50 * time.Millisecond
		h := start(t, d, func(o *ledger.LocalOptions) { o.CloseTimeout = time.Second })
		slow := h.book("slow", settling(0, 0), paidBy(func(ctx context.Context, _ plugin.Money) error {
			<-ctx.Done()
			time.Sleep(20 * time.Second)
			return nil
		}))
		other := h.book("other")
		slow.Settle()
		post(t, slow, ledger.Outgoing, 5)
		time.Sleep(time.Second)
		h.cancel()
		time.Sleep(2 * time.Second)
		w := post(t, other, ledger.Incoming, 3)
		time.Sleep(100 * time.Millisecond)
		w.want(t, nil)
		if err := h.wait(); err != nil {
			t.Errorf("Run returns %v", err)
		}
		if n := durableSettlements(d.image(), "slow"); n != 0 {
			t.Errorf("%d settlements on disk, want none: it was paid", n)
		}
		if got := durableBalance(t, d.image(), "other"); got != 3 {
			t.Errorf("%d on disk, want 3", got)
		}
	})
}

// The time to close begins anew with a batch that begins after Run is to stop.
func TestRunGivesUpWhatPayersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d, func(o *ledger.LocalOptions) { o.CloseTimeout = 3 * time.Second })
		b := h.book("a", paidBy(func(ctx context.Context, _ plugin.Money) error {
			<-ctx.Done()
			time.Sleep(20 * time.Second)
			return nil
		}))
		b.Settle()
		if _, err := b.Send(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		d.fail(lost)
		began := time.Now()
		if err := h.stop(); err == nil || !errors.Is(err, errDisk) {
			t.Errorf("Run returns %v, want an error", err)
		}
		if took := time.Since(began); took != 23*time.Second {
			t.Errorf("it took %v, want 23s", took)
		}
	})
}

// What was in flight when a process ended is reported by the next, if it ended
// without stopping, and as of its last write.
func TestPacketsInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a")
		reserve(t, b, ledger.Incoming, 20)
		reserve(t, b, ledger.Outgoing, 300)
		post(t, b, ledger.Incoming, 1)
		synctest.Wait()
		crashed := d.image()

		b.Release(ledger.Incoming, 20)
		b.Release(ledger.Outgoing, 300)
		synctest.Wait()
		restedAndCrashed := d.image()

		reserve(t, b, ledger.Outgoing, 4000)
		post(t, b, ledger.Incoming, 1)
		synctest.Wait()
		reserve(t, b, ledger.Outgoing, 1)
		b.Release(ledger.Outgoing, 4001)
		if err := h.stop(); err != nil { // nobody has closed the book
			t.Fatal(err)
		}
		for _, test := range []struct {
			name    string
			image   map[string]string
			in, out uint64
			balance int64
		}{
			{"after a crash", crashed, 20, 300, 1},
			{"after a crash at rest", restedAndCrashed, 0, 0, 1},
			{"after a stop", d.image(), 0, 0, 2},
		} {
			h := newHost(t, newDisk(test.image))
			s := h.book("a").State()
			if s.InDoubtIn != test.in || s.InDoubtOut != test.out || s.Balance != test.balance || s.ReservedIn+s.ReservedOut != 0 {
				t.Errorf("%s: book %+v, want %d and %d in doubt, a balance of %d, and nothing reserved", test.name, s, test.in, test.out, test.balance)
			}
			if logged := strings.Contains(h.logged(), "packets were in flight"); logged != (test.in != 0) {
				t.Errorf("%s: the log says %q", test.name, h.logged())
			}
		}
	})
}

// Packets that are in flight when Run ends are in doubt, though no posting
// was written since they were taken.
func TestPacketsInFlightWhenRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a")
		reserve(t, b, ledger.Outgoing, 30)
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		if s := newHost(t, newDisk(d.image())).book("a").State(); s.InDoubtOut != 30 {
			t.Errorf("book %+v, want 30 in doubt", s)
		}
	})
}

// A ledger over a store that is closed, or whose reads fail, opens nothing.
func TestOpenNeedsTheStore(t *testing.T) {
	d := newDisk(nil)
	h := newHost(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Open(ctx, ledger.Terms{Account: "a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is done Open gives %v", err)
	}
	if _, err := h.Open(t.Context(), ledger.Terms{Account: "a"}); err != nil {
		t.Errorf("a second attempt gives %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Open(t.Context(), ledger.Terms{Account: "b"}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("with a closed store Open gives %v, want its ErrClosed", err)
	}
}
