package ledger_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/memstore"
)

// SE-12, and its example: 905 at scale 11 is 9 at scale 9, and 5 at scale 11
// remain, and are booked when they add up.
func TestReceiveKeepsRemainder(t *testing.T) {
	b := newHost(t, memstore.New()).book("a")
	for i, want := range []struct {
		balance   int64
		remainder uint64 // at scale 11
	}{{-9, 5}, {-18, 10}, {-27, 15}, {-36, 20}} {
		m, err := plugin.NewMoney(fmt.Sprint(i), big.NewInt(905), 11, ilp.Asset{Code: "USD", Scale: 9})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Receive(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if s := b.State(); s.Balance != want.balance || s.Remainder != want.remainder*(plugin.FractionsPerUnit/100) {
			t.Errorf("book %+v, want %d and a remainder of %d hundredths", s, want.balance, want.remainder)
		}
	}
}

// SE-55, and SE-54 for a key that is used again, though wrongly.
func TestReceiveRefusesReusedKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		h := start(t, d)
		b := h.book("a")
		m := plugin.Money{Amount: 10, Fraction: 3, Key: "k"}
		for day := range 4 {
			if err := b.Receive(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24*time.Hour - time.Minute)
			err := b.Receive(t.Context(), plugin.Money{Amount: 10, Fraction: 4, Key: "k"})
			want := `first it was 10.000000000000000003 under "k", now it is 10.000000000000000004 under "k"`
			if !errors.Is(err, plugin.ErrKeyReused) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `account "a"`) {
				t.Errorf("Receive gives %v, want ErrKeyReused with %q", err, want)
			}
			time.Sleep(24*time.Hour - time.Minute)
			if day == 1 {
				d, h = restart(t, d, h)
				b = h.book("a")
			}
			receive(t, b, 0, fmt.Sprint("day ", day)) // makes it forget what is old
		}
		if s := b.State(); s.Balance != -10 || s.Remainder != 3 {
			t.Errorf("book %+v, want -10 and a remainder of 3", s)
		}
	})
}

// The unit that fractions add up to counts where 64 bits end, and what does
// not fit changes nothing.
func TestReceiveFractionsAtTheEdges(t *testing.T) {
	const most = plugin.FractionsPerUnit - 1
	for _, test := range []struct {
		name     string
		balance  int64
		reserved uint64 // outgoing
		amount   uint64
		fits     bool
	}{
		{"to the lowest balance", math.MinInt64 + 1, 0, 0, true},
		{"below the lowest balance", math.MinInt64, 0, 0, false},
		{"below the lowest balance by the amount", math.MinInt64 + 1, 0, 1, false},
		{"into what is in flight", math.MinInt64 + 5, 5, 0, false},
		{"up to what is in flight", math.MinInt64 + 6, 5, 0, true},
		{"from the highest balance", math.MaxInt64, 0, math.MaxUint64 - 1, true},
		{"an amount and a unit of 2^64", math.MaxInt64, 0, math.MaxUint64, false},
	} {
		b := newHost(t, memstore.New()).book("a")
		if test.balance > 0 {
			post(t, b, ledger.Incoming, uint64(test.balance))
		} else {
			receive(t, b, -uint64(test.balance), "balance")
		}
		reserve(t, b, ledger.Outgoing, test.reserved)
		if err := b.Receive(t.Context(), plugin.Money{Fraction: 1, Key: "fraction"}); err != nil {
			t.Fatal(err)
		}
		before := b.State()
		err := b.Receive(t.Context(), plugin.Money{Amount: test.amount, Fraction: most, Key: "k"})
		switch after := b.State(); {
		case (err == nil) != test.fits || err != nil && !errors.Is(err, ledger.ErrLimit):
			t.Errorf("%s: %v, want it to fit: %v", test.name, err, test.fits)
		case err != nil && (after.Balance != before.Balance || after.Remainder != 1):
			t.Errorf("%s: it does not fit, and changes %+v to %+v", test.name, before, after)
		case err == nil && (after.Balance != before.Balance-int64(test.amount)-1 || after.Remainder != 0):
			t.Errorf("%s: it changes %+v to %+v", test.name, before, after)
		}
	}
}

// What was written without fractions is read, and where there are none what is
// written can be read by versions that know of none.
func TestRecordsWithoutFractions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const book, settlement = "01" + "fffffffffffffff6" + "0000000000000000" + "0000000000000000", "01" + "000000000000000a" + "00000000075bcd15"
		key := ledger.ReceivedKey("a", "k")
		contents := map[string]string{ledger.BookKey("a"): fromHex(t, book), key: fromHex(t, settlement)}
		d := newDisk(contents)
		h := start(t, d, func(o *ledger.LocalOptions) { o.Now = func() time.Time { return time.Unix(0, 123456789) } })
		b := h.book("a")
		receive(t, b, 10, "k")
		if s := b.State(); s.Balance != -10 || s.Remainder != 0 {
			t.Errorf("book %+v, want -10", s)
		}
		if got := d.image(); !maps.Equal(got, contents) {
			t.Errorf("the disk has %q, want %q", got, contents)
		}
	})
}

func fromHex(t *testing.T, digits string) string {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every image that the disk ever had, which is what any crash leaves, holds
// exactly the settlements whose keys it knows: what was booked and the
// remainder together. Nothing that was acknowledged is missing, and when all
// are asked for again, as they are after a crash, each counts once.
func TestFractionsAreNeitherLostNorMade(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newFractions(t, seed).run() })
		})
	}
}

// fractions is a walk of settlements at random scales.
type fractions struct {
	t    *testing.T
	disk *disk

	mu     sync.Mutex
	images []map[string]string
	asked  map[string]plugin.Money
	acked  map[string]int // the image at which a key was acknowledged
}

func newFractions(t *testing.T, seed uint64) *fractions {
	f := &fractions{t: t, disk: newDisk(nil), images: []map[string]string{{}}, asked: make(map[string]plugin.Money), acked: make(map[string]int)}
	faults := rand.New(rand.NewPCG(seed, 1))
	f.disk.delay = 2 * time.Millisecond
	f.disk.script = func(int) fault { return []fault{succeeds, succeeds, notWritten, lost, replyLost}[faults.IntN(5)] }
	f.disk.onWrite = func(contents map[string]string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.images = append(f.images, maps.Clone(contents))
	}
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range 150 {
		f.ask(r, fmt.Sprint("key ", i))
	}
	return f
}

// ask makes up a settlement in units of USD/9.
func (f *fractions) ask(r *rand.Rand, key string) {
	scale := []uint8{0, 2, 9, 10, 11, 18, 26, 27}[r.IntN(8)]
	amount := new(big.Int).SetUint64(r.Uint64N(1000))
	if r.IntN(3) == 0 {
		amount.SetUint64(r.Uint64() >> r.IntN(64) % 1_000_000)
	}
	m, err := plugin.NewMoney(key, amount, scale, ilp.Asset{Code: "USD", Scale: 9})
	if err != nil {
		f.t.Fatal(err)
	}
	f.asked[key] = m
}

func (f *fractions) run() {
	h := start(f.t, f.disk, func(o *ledger.LocalOptions) { o.CloseTimeout = time.Minute })
	b := h.book("a")
	var group sync.WaitGroup
	for key, m := range f.asked {
		group.Go(func() {
			time.Sleep(time.Duration(m.Amount%7001) * time.Millisecond) // as good as random
			for range 1 + len(key)%2 {
				f.receive(b, m)
			}
		})
	}
	group.Wait()
	want := new(big.Int)
	for _, m := range f.asked {
		want.Add(want, worth(m))
	}
	f.check("at the end", b.State(), want)
	if err := h.stop(); err != nil {
		f.t.Error(err)
	}
	for i := 0; i < len(f.images); i++ {
		f.reopen(i, want)
	}
	f.t.Logf("%d images", len(f.images))
}

func (f *fractions) receive(b ledger.Book, m plugin.Money) {
	if err := b.Receive(context.Background(), m); err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, again := f.acked[m.Key]; !again {
		f.acked[m.Key] = len(f.images) - 1
	}
}

// reopen is the life of a process that begins after a crash with image i.
func (f *fractions) reopen(i int, all *big.Int) {
	image := f.images[i]
	known := new(big.Int)
	for key, m := range f.asked {
		_, has := image[ledger.ReceivedKey("a", key)]
		if has {
			known.Add(known, worth(m))
		} else if f.acked[key] <= i {
			f.t.Errorf("image %d: %q was acknowledged, and is lost", i, key)
		}
	}
	h := start(f.t, newDisk(image))
	b := h.book("a")
	f.check(fmt.Sprint("image ", i), b.State(), known)
	var group sync.WaitGroup
	for _, m := range f.asked {
		group.Go(func() {
			if err := b.Receive(context.Background(), m); err != nil {
				f.t.Error(err)
			}
		})
	}
	group.Wait()
	f.check(fmt.Sprintf("image %d, and all of it again", i), b.State(), all)
	if err := h.stop(); err != nil {
		f.t.Error(err)
	}
}

// check compares what a book has received with what it should have.
func (f *fractions) check(when string, s ledger.State, want *big.Int) {
	got := worth(plugin.Money{Amount: uint64(-s.Balance), Fraction: s.Remainder})
	if s.Remainder >= plugin.FractionsPerUnit || got.Cmp(want) != 0 {
		f.t.Errorf("%s: a balance of %d and a remainder of %d, want %d in all", when, s.Balance, s.Remainder, want)
	}
}

// worth is m in fractions.
func worth(m plugin.Money) *big.Int {
	n := new(big.Int).SetUint64(m.Amount)
	n.Mul(n, big.NewInt(plugin.FractionsPerUnit))
	return n.Add(n, new(big.Int).SetUint64(m.Fraction))
}
