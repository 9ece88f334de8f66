package connector_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// disk is a durable store for tests: what was written outlives the connector.
// It fails as it is told to.
type disk struct {
	store.Store // a memstore, whose ability Volatile is not seen here

	delay time.Duration // each Write takes

	mu   sync.Mutex
	err  error         // of every Write
	lies bool          // the batch is written although there is an error
	gate chan struct{} // every Write waits until it is closed, or its context ends; nil: none does
}

func newDisk() *disk { return &disk{Store: memstore.New()} }

// breaks makes all writes fail, with or without effect; nil mends them.
func (d *disk) breaks(err error, lies bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.lies = err, lies
}

// hangs makes all writes wait, until the function that it returns is called.
func (d *disk) hangs() (mend func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gate := make(chan struct{})
	d.gate = gate
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.gate = nil
		close(gate)
	}
}

func (d *disk) Write(ctx context.Context, b *store.Batch) error {
	d.mu.Lock()
	err, lies, gate := d.err, d.lies, d.gate
	d.mu.Unlock()
	time.Sleep(d.delay)
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err != nil && !lies {
		return err
	}
	if failed := d.Store.Write(ctx, b); failed != nil {
		return failed
	}
	return err
}

// wantBooks fails the test unless the disk holds these balances and nothing is
// reserved.
func (d *disk) wantBooks(t testing.TB, want map[string]int64) {
	t.Helper()
	for id, balance := range want {
		if s := d.book(t, id); s.Balance != balance || s.InDoubtIn != 0 || s.InDoubtOut != 0 {
			t.Errorf("on disk the book of %s is %+v, want a balance of %d and nothing in doubt", id, s, balance)
		}
	}
}

// book is a book as the next process would find it.
func (d *disk) book(t testing.TB, id string) ledger.State {
	t.Helper()
	l, err := ledger.NewLocal(ledger.LocalOptions{Store: d.Store})
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Open(context.Background(), ledger.Terms{Account: id})
	if err != nil {
		t.Fatal(err)
	}
	return b.State()
}

// wantNothingReserved fails the test if the books of a connector at rest hold
// room for packets.
func wantNothingReserved(t testing.TB, c *connector.Connector) {
	t.Helper()
	for _, a := range c.Accounts() {
		if a.Book.ReservedIn != 0 || a.Book.ReservedOut != 0 || a.InFlight != 0 || a.Outstanding != 0 {
			t.Errorf("at rest account %s is %+v, want nothing reserved nor in flight", a.ID, a)
		}
	}
}
