package ledger_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// slowStore is a store whose writes take a second, and fail at first.
type slowStore struct {
	store.Store
	failures int
}

func (s *slowStore) Write(ctx context.Context, b *store.Batch) error {
	time.Sleep(time.Second)
	if s.failures > 0 {
		s.failures--
		return errors.New("not now")
	}
	return s.Store.Write(ctx, b)
}

// A commit is measured once, with all attempts, and with what it has carried.
func TestCommitsAreMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ledger.NewLocal(ledger.LocalOptions{Store: &slowStore{Store: memstore.New(), failures: 1}, SlowAfter: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		b, err := l.Open(t.Context(), ledger.Terms{Account: "a", Limits: &account.BalanceLimits{Maximum: 1000, Minimum: -1000}})
		if err != nil {
			t.Fatal(err)
		}
		waiter := make(heard, 3)
		for range 3 {
			if err := b.Reserve(t.Context(), ledger.Incoming, 5, nil); err != nil {
				t.Fatal(err)
			}
			if err := b.Post(t.Context(), ledger.Incoming, 5, waiter); !errors.Is(err, ledger.ErrPending) {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		for range 3 {
			<-waiter
		}
		c := l.Commits()
		if c.Durations.Count() != 1 || c.Durations.Sum != uint64(2*time.Second+50*time.Millisecond) {
			t.Errorf("%d commits took %v together, want one of 2.05s", c.Durations.Count(), time.Duration(c.Durations.Sum))
		}
		if c.Records.Sum != 1 || c.Waiters.Sum != 3 || c.Failures != 1 || c.Failing {
			t.Errorf("measured %d records, %d waiters, %d failures, failing %v; want 1, 3, 1, false", c.Records.Sum, c.Waiters.Sum, c.Failures, c.Failing)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// heard is a Waiter that a test waits for.
type heard chan error

func (w heard) Done(_ context.Context, err error) { w <- err }
