package ledger_test

import (
	"context"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/memstore"
)

func TestReserveHoldsLimitsWithPacketsInFlight(t *testing.T) {
	const in, out = ledger.Incoming, ledger.Outgoing
	const e18 = uint64(1_000_000_000_000_000_000) // one unit at scale 18
	tests := []struct {
		name             string
		minimum, maximum int64
		balance          int64 // posted before
		side             ledger.Side
		held, amount     uint64 // held is reserved before, on the same side
		want             error
	}{
		{"up to the maximum", -50, 100, 0, in, 0, 100, nil},
		{"past the maximum", -50, 100, 0, in, 0, 101, ledger.ErrLimit},
		{"up to the maximum with what is in flight", -50, 100, 0, in, 60, 40, nil},
		{"past the maximum with what is in flight", -50, 100, 0, in, 60, 41, ledger.ErrLimit},
		{"down to the minimum", -50, 100, 0, out, 0, 50, nil},
		{"past the minimum", -50, 100, 0, out, 0, 51, ledger.ErrLimit},
		{"past the minimum with what is in flight", -50, 100, 0, out, 50, 1, ledger.ErrLimit},
		{"all that they owe and all that we may", -50, 100, 100, out, 0, 150, nil},
		{"more than that", -50, 100, 100, out, 0, 151, ledger.ErrLimit},
		{"from below zero to the maximum", -50, 100, -50, in, 0, 150, nil},
		{"from below zero past the maximum", -50, 100, -50, in, 0, 151, ledger.ErrLimit},
		{"nothing at the limit", -50, 100, 100, in, 0, 0, nil},
		{"only prepaid", math.MinInt64, -5, -10, in, 0, 5, nil},
		{"only prepaid, too much", math.MinInt64, -5, -10, in, 0, 6, ledger.ErrLimit},
		{"limits that leave no room", 0, 0, 0, in, 0, 1, ledger.ErrLimit},
		{"scale 18, nine units of 9.22", math.MinInt64, math.MaxInt64, 0, in, 0, 9 * e18, nil},
		{"scale 18, a tenth unit", math.MinInt64, math.MaxInt64, 0, in, 9 * e18, e18, ledger.ErrLimit},
		{"2^63−1 in", math.MinInt64, math.MaxInt64, 0, in, 0, math.MaxInt64, nil},
		{"2^63 in", math.MinInt64, math.MaxInt64, 0, in, 0, 1 << 63, ledger.ErrLimit},
		{"2^63 out", math.MinInt64, math.MaxInt64, 0, out, 0, 1 << 63, nil},
		{"2^63+1 out", math.MinInt64, math.MaxInt64, 0, out, 0, 1<<63 + 1, ledger.ErrLimit},
		{"2^64−1 in", math.MinInt64, math.MaxInt64, 0, in, 0, math.MaxUint64, ledger.ErrLimit},
		{"2^64−1 after 1 does not wrap", math.MinInt64, math.MaxInt64, 0, in, 1, math.MaxUint64, ledger.ErrLimit},
		{"2^64−1 from the lowest balance", math.MinInt64, math.MaxInt64, math.MinInt64, in, 0, math.MaxUint64, nil},
		{"2^64−1 from the highest balance", math.MinInt64, math.MaxInt64, math.MaxInt64, out, 0, math.MaxUint64, nil},
		{"1 from the lowest balance", math.MinInt64, math.MaxInt64, math.MinInt64, out, 0, 1, ledger.ErrLimit},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t, memstore.New())
			b := h.book("a", limits(test.minimum, test.maximum))
			if test.balance > 0 {
				post(t, b, in, uint64(test.balance))
			} else if test.balance < 0 {
				if err := b.Receive(t.Context(), plugin.Money{Amount: -uint64(test.balance), Key: "k"}); err != nil {
					t.Fatal(err)
				}
			}
			reserve(t, b, test.side, test.held)
			before := b.State()
			err := b.Reserve(t.Context(), test.side, test.amount, nil)
			if !errors.Is(err, test.want) {
				t.Fatalf("reserve gives %v, want %v", err, test.want)
			}
			if err != nil {
				if after := b.State(); after.ReservedIn != before.ReservedIn || after.ReservedOut != before.ReservedOut {
					t.Errorf("refused, but the book is %+v", after)
				}
				return
			}
			if err := b.Post(t.Context(), test.side, test.amount, nil); err != nil { // a volatile store: durable at once
				t.Fatal(err)
			}
			want := big.NewInt(test.balance)
			amount := new(big.Int).SetUint64(test.amount)
			if test.side == in {
				want.Add(want, amount)
			} else {
				want.Sub(want, amount)
			}
			if got := b.State().Balance; want.Cmp(big.NewInt(got)) != 0 {
				t.Errorf("balance %d, want %v", got, want)
			}
		})
	}
}

func TestReleaseGivesBackAndMovesNothing(t *testing.T) {
	h := newHost(t, memstore.New())
	b := h.book("a", limits(-10, 10))
	for range 3 {
		reserve(t, b, ledger.Incoming, 10)
		reserve(t, b, ledger.Outgoing, 10)
		b.Release(ledger.Incoming, 4)
		b.Release(ledger.Incoming, 6)
		b.Release(ledger.Outgoing, 10)
		wantBalance(t, b, 0)
	}
}

// A caller that ends a reservation twice is at fault: it is told, and no unit
// is made.
func TestWhatIsNotReservedCannotBePosted(t *testing.T) {
	for _, side := range []ledger.Side{ledger.Incoming, ledger.Outgoing} {
		h := newHost(t, memstore.New())
		b := h.book("a")
		reserve(t, b, side, 5)
		reserve(t, b, 1-side, 100)
		if err := b.Post(t.Context(), side, 6, nil); !errors.Is(err, ledger.ErrNotReserved) {
			t.Errorf("posting %v 6 of 5 gives %v, want ErrNotReserved", side, err)
		}
		b.Release(side, 6)
		b.Release(1-side, 100)
		if s := b.State(); s.Balance != 0 || s.ReservedIn+s.ReservedOut != 5 {
			t.Errorf("book %+v, want 5 reserved and nothing else", s)
		}
		b.Release(side, 5)
		wantBalance(t, b, 0)
		if n := strings.Count(h.logged(), "a reservation was ended twice"); n != 2 {
			t.Errorf("logged %d times, want 2: %s", n, h.logged())
		}
	}
}

// model is a book in integers without bounds.
type model struct {
	balance, in, out *big.Int
}

var (
	lowest  = big.NewInt(math.MinInt64)
	highest = big.NewInt(math.MaxInt64)
)

func (m *model) rises(amount uint64, maximum int64) bool {
	after := new(big.Int).Add(m.balance, m.in)
	return amount == 0 || after.Add(after, new(big.Int).SetUint64(amount)).Cmp(big.NewInt(maximum)) <= 0
}

func (m *model) falls(amount uint64, minimum int64) bool {
	after := new(big.Int).Sub(m.balance, m.out)
	return amount == 0 || after.Sub(after, new(big.Int).SetUint64(amount)).Cmp(big.NewInt(minimum)) >= 0
}

// anyAmount gives amounts of all sizes, and those around the edges often.
func anyAmount(r *rand.Rand) uint64 {
	edges := []uint64{0, 1, 2, 1 << 53, 1<<53 + 1, math.MaxInt64 - 1, math.MaxInt64, 1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64}
	if r.IntN(3) == 0 {
		return edges[r.IntN(len(edges))]
	}
	return r.Uint64() >> r.IntN(64)
}

// Whatever is asked of a book, it does what integers without bounds would, or
// refuses, and then nothing has happened: balance + in and balance − out fit
// into 64 bits, and no reservation takes either beyond its limit.
func TestFiguresAgreeWithUnboundedIntegers(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		minimum, maximum := int64(math.MinInt64), int64(math.MaxInt64)
		if r.IntN(2) == 0 {
			minimum, maximum = -int64(anyAmount(r)>>1), int64(anyAmount(r)>>1)
		}
		h := newHost(t, memstore.New())
		b := h.book("a", func(terms *ledger.Terms) {
			terms.Limits = &account.BalanceLimits{Minimum: minimum, Maximum: maximum}
			terms.Pay = func(context.Context, plugin.Money) error { return nil }
		})
		m := &model{new(big.Int), new(big.Int), new(big.Int)}
		for step := range 200 {
			stepBoth(t, r, b, m, minimum, maximum)
			s := b.State()
			if m.balance.Cmp(big.NewInt(s.Balance)) != 0 || m.in.Cmp(new(big.Int).SetUint64(s.ReservedIn)) != 0 || m.out.Cmp(new(big.Int).SetUint64(s.ReservedOut)) != 0 {
				t.Fatalf("seed %d, step %d: book %+v, want %v, %v in, %v out", seed, step, s, m.balance, m.in, m.out)
			}
			if new(big.Int).Add(m.balance, m.in).Cmp(highest) > 0 || new(big.Int).Sub(m.balance, m.out).Cmp(lowest) < 0 {
				t.Fatalf("seed %d, step %d: %+v is beyond 64 bits", seed, step, s)
			}
		}
	}
}

// stepBoth does one thing to the book and to the model.
func stepBoth(t *testing.T, r *rand.Rand, b ledger.Book, m *model, minimum, maximum int64) {
	t.Helper()
	amount := anyAmount(r)
	exact := new(big.Int).SetUint64(amount)
	side, sign, reserved := ledger.Incoming, big.NewInt(1), m.in
	fits := m.rises(amount, maximum)
	if r.IntN(2) == 0 {
		side, sign, reserved, fits = ledger.Outgoing, big.NewInt(-1), m.out, m.falls(amount, minimum)
	}
	moved := new(big.Int).Mul(sign, exact)
	held := reserved.Cmp(exact) >= 0
	var err error
	switch r.IntN(8) {
	case 0, 1, 2:
		if err = b.Reserve(t.Context(), side, amount, nil); fits {
			reserved.Add(reserved, exact)
		}
	case 3, 4:
		if err = b.Post(t.Context(), side, amount, nil); held {
			reserved.Sub(reserved, exact)
			m.balance.Add(m.balance, moved)
		}
		fits = held
	case 5:
		if b.Release(side, amount); held {
			reserved.Sub(reserved, exact)
		}
		return
	case 6:
		if fits = m.falls(amount, math.MinInt64); fits {
			m.balance.Sub(m.balance, exact)
		}
		err = b.Receive(t.Context(), plugin.Money{Amount: amount, Key: big.NewInt(r.Int64()).String()})
	default:
		if fits = amount != 0 && m.rises(amount, maximum); fits {
			m.balance.Add(m.balance, exact)
		}
		_, err = b.Send(t.Context(), amount)
	}
	if (err == nil) != fits {
		t.Fatalf("%v of %d gives %v, want success: %v", side, amount, err, fits)
	}
}
