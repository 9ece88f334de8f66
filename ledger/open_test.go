package ledger_test

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/memstore"
)

func TestOpenRefuses(t *testing.T) {
	id := strings.Repeat("i", account.MaxIDLength)
	five, ten := int64(5), int64(10)
	for _, test := range []struct {
		name  string
		terms ledger.Terms
		want  string
	}{
		{"an empty id", ledger.Terms{}, "has 0 bytes: it must have 1 to 255"},
		{"a long id", ledger.Terms{Account: id + "i"}, "has 256 bytes: it must have 1 to 255"},
		{"limits the wrong way round", ledger.Terms{Account: "a", Limits: &account.BalanceLimits{Minimum: 1}}, "Limits.Minimum is 1, above Limits.Maximum, 0"},
		// The reference pays a negative amount then (11.1, 10).
		{"a threshold above what it settles to", ledger.Terms{Account: "a",
			Limits: &account.BalanceLimits{Maximum: 100, SettleThreshold: &ten, SettleTo: 9}}, "Limits.SettleTo is 9: it must lie between Limits.SettleThreshold, 10,"},
		{"settling to more than the maximum", ledger.Terms{Account: "a",
			Limits: &account.BalanceLimits{Maximum: 7, SettleThreshold: &five, SettleTo: 8}}, "and Limits.Maximum, 7"},
	} {
		h := newHost(t, memstore.New())
		if _, err := h.Open(t.Context(), test.terms); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", test.name, err, test.want)
		}
	}
	newHost(t, memstore.New()).book(id)
}

// What the terms point to is the caller's again.
func TestOpenCopiesLimits(t *testing.T) {
	threshold := int64(-5)
	l := &account.BalanceLimits{Minimum: -10, Maximum: 10, SettleThreshold: &threshold}
	b := newHost(t, memstore.New()).book("a", func(t *ledger.Terms) {
		t.Limits = l
		t.Pay = func(context.Context, plugin.Money) error { return nil }
	})
	l.Maximum, threshold = 0, 0
	reserve(t, b, ledger.Incoming, 10)
	b.Settle()
	post(t, b, ledger.Outgoing, 5)
	if n := len(b.State().Settlements); n != 0 {
		t.Errorf("%d settlements, want none at -5", n)
	}
}

func TestABookIsOpenOnce(t *testing.T) {
	h := newHost(t, memstore.New())
	b := h.book("a")
	if _, err := h.Open(t.Context(), ledger.Terms{Account: "a"}); err == nil || !strings.Contains(err.Error(), "its book is open") {
		t.Errorf("opening it again gives %v, want an error", err)
	}
	b.Close()
	again := h.book("a")
	b.Close() // closed already: it does not close what was opened again
	if _, err := h.Open(t.Context(), ledger.Terms{Account: "a"}); err == nil {
		t.Error("a book that was closed twice is open twice")
	}
	again.Close()
	h.book("a")
}

func TestOneOfManyOpens(t *testing.T) {
	d := newDisk(nil)
	h := start(t, d)
	for range 20 {
		var opened atomic.Int32
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				b, err := h.Open(t.Context(), ledger.Terms{Account: "a"})
				if err == nil {
					if opened.Add(1) > 1 {
						t.Error("a book is open twice at a time")
					}
					post(t, b, ledger.Incoming, 1)
					opened.Add(-1)
					b.Close()
				}
			})
		}
		group.Wait()
	}
	b := h.book("a")
	before := b.State().Balance
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	if got := durableBalance(t, d.image(), "a"); got != before || got < 20 {
		t.Errorf("%d on disk and %d in memory, want the same, and 20 at least", got, before)
	}
}

// A book that is being read from the store is as good as open: what another
// reads meanwhile may be older than what is posted before it is opened.
func TestOpenWhileItIsBeingOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		gate := make(chan struct{})
		d.set(func(d *disk) { d.reads = gate })
		opened := make(chan error, 1)
		go func() {
			_, err := h.Open(t.Context(), ledger.Terms{Account: "a"})
			opened <- err
		}()
		synctest.Wait()
		if _, err := h.Open(t.Context(), ledger.Terms{Account: "a"}); err == nil || !strings.Contains(err.Error(), "its book is open") {
			t.Errorf("Open gives %v, want an error", err)
		}
		close(gate)
		if err := <-opened; err != nil {
			t.Error(err)
		}
	})
}

func TestAClosedBookTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a", settling(0, 0), paidBy(func(context.Context, plugin.Money) error { return nil }))
		reserve(t, b, ledger.Outgoing, 5)
		reserve(t, b, ledger.Incoming, 7)
		reserve(t, b, ledger.Incoming, 1)
		b.Close()
		b.Settle()
		if err := b.Reserve(t.Context(), ledger.Incoming, 1, nil); !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("Reserve gives %v, want ErrUnavailable", err)
		}
		if err := b.Receive(t.Context(), plugin.Money{Amount: 1, Key: "k"}); !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("Receive gives %v, want ErrClosed", err)
		}
		if _, err := b.Send(t.Context(), 1); !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("Send gives %v, want ErrClosed", err)
		}
		synctest.Wait()
		// But what was reserved before can be posted: the packet is fulfilled.
		w := new(told)
		if err := b.Post(t.Context(), ledger.Outgoing, 5, w); !errors.Is(err, ledger.ErrPending) {
			t.Errorf("Post gives %v, want ErrPending", err)
		}
		if err := b.Post(t.Context(), ledger.Incoming, 7, nil); !errors.Is(err, ledger.ErrPending) {
			t.Errorf("Post gives %v, want ErrPending", err)
		}
		synctest.Wait()
		w.want(t, nil)
		b.Release(ledger.Incoming, 1)
		synctest.Wait()
		if got := durableBalance(t, d.image(), "a"); got != 2 {
			t.Errorf("%d on disk, want 2", got)
		}
		if n := ledger.InMemory(h.Local); n != 0 {
			t.Errorf("%d books in memory, want none", n)
		}
		wantBalance(t, h.book("a"), 2)
	})
}

// Account ids are bytes, and one may be the beginning of another: each has
// its own book, settlements and keys.
func TestAccountsDoNotShareRecords(t *testing.T) {
	ids := []string{"a", "ab", "abc", "a\x00", "a\x00b", "\x00", "\x01", "\x01a", "\x02ab", "\xff", "\xff\xfe", "/", "a/", "a/b", "A", "é",
		strings.Repeat("a", 97), strings.Repeat("a", account.MaxIDLength)}
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		settles := paidBy(func(context.Context, plugin.Money) error { return plugin.ErrUnknownOutcome })
		for i, id := range ids {
			b := h.book(id, settles)
			post(t, b, ledger.Incoming, uint64(i+1)*100)
			if err := b.Receive(t.Context(), plugin.Money{Amount: uint64(i), Key: "b"}); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Send(t.Context(), uint64(i+1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h = start(t, newDisk(d.image()))
		for i, id := range ids {
			b := h.book(id, settles)
			receive(t, b, uint64(i), "b") // is known, the others are not
			for _, key := range []string{"bb", "\x00", "ab"} {
				receive(t, b, 1, key)
			}
			s := b.State()
			if want := int64(i+1)*100 + 1 - 3; s.Balance != want || len(s.Settlements) != 1 || s.Settlements[0].Amount != uint64(i+1) {
				t.Errorf("account %q: book %+v, want a balance of %d and one settlement of %d", id, s, want, i+1)
			}
		}
	})
}

// A damaged record is an error that names it, and nothing is written over it.
func TestDamagedRecords(t *testing.T) {
	book := string(ledger.BookRecord(7, 0, 0, 0))
	settlement := string(ledger.SettlementValue(plugin.Money{Amount: 7}, time.Unix(0, 0)))
	unit := string(binary.BigEndian.AppendUint64(nil, plugin.FractionsPerUnit))
	none := string(make([]byte, 8))
	for _, test := range []struct{ name, key, value string }{
		{"an empty book", ledger.BookKey("a"), ""},
		{"a short book", ledger.BookKey("a"), book[:24]},
		{"a long book", ledger.BookKey("a"), book + "x"},
		{"a book of a later version", ledger.BookKey("a"), "\x02" + book[1:]},
		{"a book with a remainder in a record of the first version", ledger.BookKey("a"), book + none},
		{"a book with a remainder of a unit", ledger.BookKey("a"), "\x02" + book[1:] + unit},
		{"a book with a remainder of nothing", ledger.BookKey("a"), "\x02" + book[1:] + none},
		{"a long book with a remainder", ledger.BookKey("a"), string(ledger.BookRecord(7, 0, 0, 1)) + "x"},
		{"a book of a later version with a remainder", ledger.BookKey("a"), "\x03" + string(ledger.BookRecord(7, 0, 0, 1))[1:]},
		{"an asset without a code", ledger.AssetKey("a"), "\x01\x09"},
		{"an asset of a later version", ledger.AssetKey("a"), "\x02\x09USD"},
		{"a settlement that we make, with a fraction", ledger.OutKey("a", "k"), string(ledger.SettlementValue(plugin.Money{Fraction: 1}, time.Unix(0, 0)))},
		{"a settlement that we have received, with a unit as fraction", ledger.ReceivedKey("a", "k"), "\x02" + settlement[1:] + unit},
		{"a short settlement that we make", ledger.OutKey("a", "k"), settlement[:16]},
		{"a settlement that we make, of a later version", ledger.OutKey("a", "k"), "\x02" + settlement[1:]},
		{"a long settlement that we have received", ledger.ReceivedKey("a", "k"), settlement + "x"},
		{"an empty settlement that we have received", ledger.ReceivedKey("a", "k"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				contents := map[string]string{ledger.BookKey("a"): book, ledger.BookKey("ab"): book}
				contents[test.key] = test.value
				d := newDisk(contents)
				h := start(t, d)
				for range 2 {
					_, err := h.Open(t.Context(), ledger.Terms{Account: "a"})
					if err == nil || !strings.Contains(err.Error(), "is damaged, or of a later version") || !strings.Contains(err.Error(), `account "a"`) {
						t.Errorf("Open gives %v, want an error that says so", err)
					}
				}
				post(t, h.book("ab"), ledger.Incoming, 1)
				if err := h.stop(); err != nil {
					t.Fatal(err)
				}
				delete(contents, ledger.BookKey("ab"))
				after := d.image()
				delete(after, ledger.BookKey("ab"))
				if !maps.Equal(after, contents) {
					t.Errorf("the disk has %q, want %q", after, contents)
				}
			})
		})
	}
}
