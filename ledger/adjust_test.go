package ledger_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// An adjustment is booked whole, within the limits, or not at all.
func TestAdjust(t *testing.T) {
	h := start(t, memstore.New())
	b := h.book("a", limits(-10, 100))
	for _, step := range []struct {
		diff    int64
		is      error
		balance int64
	}{
		{100, nil, 100},
		{1, ledger.ErrLimit, 100},
		{-110, nil, -10},
		{-1, ledger.ErrLimit, -10},
		{math.MinInt64, ledger.ErrLimit, -10},
		{math.MaxInt64, ledger.ErrLimit, -10},
		{0, nil, -10},
	} {
		if err := ledger.Adjust(t.Context(), b, step.diff); !errors.Is(err, step.is) {
			t.Errorf("adjusting by %d gives %v, want %v", step.diff, err, step.is)
		}
		if s := b.State(); s.Balance != step.balance || s.ReservedIn|s.ReservedOut != 0 {
			t.Errorf("after %d the book is %+v, want %d", step.diff, s, step.balance)
		}
	}
	free := h.book("b", limits(account.NoMinimum, account.NoMaximum))
	if err := ledger.Adjust(t.Context(), free, math.MinInt64+1); err != nil || free.State().Balance != math.MinInt64+1 {
		t.Errorf("%v, and the book is %+v", err, free.State())
	}
}

// What cannot be made durable in time is booked all the same, and said to be.
func TestAdjustWithoutDurability(t *testing.T) {
	h := newHost(t, struct{ store.Store }{memstore.New()}) // it does not run, and the store is not known to forget
	b := h.book("a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ledger.Adjust(ctx, b, 5); !errors.Is(err, context.Canceled) || b.State().Balance != 5 {
		t.Errorf("%v, and the book is %+v", err, b.State())
	}
}
