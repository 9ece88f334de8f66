package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/memstore"
)

func receive(t testing.TB, b ledger.Book, amount uint64, key string) {
	t.Helper()
	if err := b.Receive(context.Background(), plugin.Money{Amount: amount, Key: key}); err != nil {
		t.Fatal(err)
	}
}

func TestReceiveOncePerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		a, b := h.book("a"), h.book("b")
		receive(t, a, 10, "one")
		receive(t, a, 10, "one")
		receive(t, a, 5, "two")
		receive(t, b, 7, "one") // another account
		wantBalance(t, a, -15)
		wantBalance(t, b, -7)
		if x, y := durableBalance(t, d.image(), "a"), durableBalance(t, d.image(), "b"); x != -15 || y != -7 {
			t.Errorf("%d and %d on disk, want -15 and -7", x, y)
		}
	})
}

// Two calls with one key at once are one settlement, and both return when it
// is durable.
func TestReceiveConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a")
		unblock := d.block()
		post(t, b, ledger.Incoming, 1)
		synctest.Wait() // the write that is under way is not that of the settlement
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				receive(t, b, 10, "k")
				if got := durableBalance(t, d.image(), "a"); got != -9 {
					t.Errorf("Receive has returned with %d on disk, want -9", got)
				}
			})
		}
		synctest.Wait()
		unblock()
		group.Wait()
		wantBalance(t, b, -9)
	})
}

// SE-54: a key is known for 24 hours since it was last used, restarts or not.
func TestReceiveKnowsKeysForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a")
		receive(t, b, 10, "k")
		want := int64(-10)
		for day := range 6 {
			time.Sleep(24*time.Hour - time.Minute)
			if day%2 == 0 {
				d, h = restart(t, d, h)
				b = h.book("a")
			}
			receive(t, b, 1, fmt.Sprintf("day %d", day)) // makes it forget what is old
			receive(t, b, 10, "k")
			want--
			wantBalance(t, b, want)
		}
		time.Sleep(24*time.Hour + time.Minute)
		receive(t, b, 1, "last")
		image := d.image()
		for key, want := range map[string]bool{"k": false, "day 0": false, "last": true} {
			if _, known := image[ledger.ReceivedKey("a", key)]; known != want {
				t.Errorf("key %q is on disk: %v, want %v", key, known, want)
			}
		}
		receive(t, b, 10, "k") // another one by now
		wantBalance(t, b, want-11)
	})
}

// restart ends a process that has a ledger, and begins another.
func restart(t testing.TB, d *disk, h *host) (*disk, *host) {
	t.Helper()
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	d = newDisk(d.image())
	return d, start(t, d)
}

// Money that has arrived is booked whatever the limits say (11.1, 5).
func TestReceiveKnowsNoLimits(t *testing.T) {
	h := newHost(t, memstore.New())
	b := h.book("a", limits(-10, 10))
	reserve(t, b, ledger.Outgoing, 10)
	receive(t, b, 1_000_000, "k")
	if s := b.State(); s.Balance != -1_000_000 {
		t.Errorf("book %+v", s)
	}
	b.Release(ledger.Outgoing, 10)
	if err := b.Reserve(t.Context(), ledger.Outgoing, 1, nil); !errors.Is(err, ledger.ErrLimit) {
		t.Errorf("below the minimum Reserve gives %v, want ErrLimit", err)
	}
	reserve(t, b, ledger.Incoming, 1_000_010) // back up to the maximum
}

func TestReceiveRefuses(t *testing.T) {
	h := newHost(t, memstore.New())
	b := h.book("a")
	for _, test := range []struct {
		name  string
		money plugin.Money
		want  string
	}{
		{"no key", plugin.Money{Amount: 1}, "its key has 0 bytes: it must have 1 to 200"},
		{"a long key", plugin.Money{Amount: 1, Key: strings.Repeat("k", 201)}, "its key has 201 bytes: it must have 1 to 200"},
		{"more than 64 bits hold", plugin.Money{Amount: 1<<63 + 1, Key: "k"}, ledger.ErrLimit.Error()},
	} {
		if err := b.Receive(t.Context(), test.money); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", test.name, err, test.want)
		}
	}
	wantBalance(t, b, 0)
	receive(t, b, 1<<63, "k") // what was refused is not known
	receive(t, b, 0, strings.Repeat("k", 200))
	wantBalance(t, b, math.MinInt64)
}

// Whoever waits for a settlement to be booked waits up to its context, and
// finds it booked when it asks again.
func TestReceiveWaitsUpToItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a")
		d.fail(lost)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Receive(ctx, plugin.Money{Amount: 10, Key: "k"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Receive gives %v, want DeadlineExceeded", err)
		}
		d.fail(succeeds)
		receive(t, b, 10, "k")
		wantBalance(t, b, -10)
		if got := durableBalance(t, d.image(), "a"); got != -10 {
			t.Errorf("%d on disk, want -10", got)
		}
	})
}

// SE-55: who uses a key twice goes on from what it stands for, so that has to
// be durable as well as a booking that is told.
func TestReusedKeyWaitsForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a")
		d.fail(lost)
		for range 2 {
			for _, amount := range []uint64{10, 15} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				err := b.Receive(ctx, plugin.Money{Amount: amount, Key: "k"})
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, plugin.ErrKeyReused) {
					t.Errorf("%d, before anything is durable: %v, want DeadlineExceeded", amount, err)
				}
			}
		}
		d.fail(succeeds)
		err := b.Receive(t.Context(), plugin.Money{Amount: 15, Key: "k"})
		reused, ok := errors.AsType[*plugin.KeyReusedError](err)
		if !ok || reused.First != (plugin.Money{Amount: 10, Key: "k"}) {
			t.Errorf("Receive gives %v, want the first in a KeyReusedError", err)
		}
		if got := durableBalance(t, d.image(), "a"); got != -10 {
			t.Errorf("%d on disk, want -10", got)
		}
	})
}

// A key stands for a value. The account may count in another unit by the time
// that an engine asks again: it is the same settlement, and no other than the
// same is.
func TestReceivedKeysInAnotherUnit(t *testing.T) {
	for _, test := range []struct {
		name        string
		first       plugin.Money
		from, to    uint8
		again       plugin.Money
		wait        time.Duration // before the unit is another one
		want, after error         // of opening in it, and of the same amount in the former unit
	}{
		{"finer", plugin.Money{Amount: 7}, 6, 9, plugin.Money{Amount: 7000}, 0, nil, plugin.ErrKeyReused},
		{"coarser", plugin.Money{Amount: 7}, 9, 6, plugin.Money{Fraction: 7 * plugin.FractionsPerUnit / 1000}, 0, nil, plugin.ErrKeyReused},
		{"the same", plugin.Money{Amount: 7}, 9, 9, plugin.Money{Amount: 7}, 0, nil, nil},
		{"too coarse", plugin.Money{Amount: 7}, 255, 9, plugin.Money{}, 0, ledger.ErrAsset, nil},
		{"too coarse, and long ago", plugin.Money{Amount: 7}, 255, 9, plugin.Money{Amount: 1}, 24*time.Hour + time.Minute, nil, plugin.ErrKeyReused},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.first.Key, test.again.Key = "k", "k"
				d := newDisk(nil)
				h := start(t, d)
				b := h.book("a", counts(in("USD", test.from)))
				if err := b.Receive(t.Context(), test.first); err != nil {
					t.Fatal(err)
				}
				post(t, b, ledger.Incoming, test.first.Amount) // so that nothing is owed
				b.Close()
				time.Sleep(test.wait)
				d, h = restart(t, d, h)
				wantOpens(t, h, in("USD", test.to), test.want)
				if test.want != nil {
					return
				}
				_, h = restart(t, d, h)
				b = h.book("a", counts(in("USD", test.to)))
				if err := b.Receive(t.Context(), test.again); err != nil {
					t.Errorf("the settlement once more: %v", err)
				}
				if s := b.State(); test.wait == 0 && (s.Balance != 0 || s.Remainder != 0) {
					t.Errorf("it is booked twice: %+v", s)
				}
				if err := b.Receive(t.Context(), test.first); !errors.Is(err, test.after) {
					t.Errorf("the same number of other units: %v, want %v", err, test.after)
				}
			})
		})
	}
}
