package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// disk is a durable store for tests: what was written outlives the ledger that
// wrote it. It fails as it is told to.
type disk struct {
	store.Store // the contents, in a memstore whose ability Volatile is not seen here

	mu       sync.Mutex
	script   func(attempt int) fault // what becomes of an attempt to write, from 1; nil: all succeed
	delay    time.Duration           // how long each attempt takes
	gate     chan struct{}           // attempts wait until it is closed, if there is one
	reads    chan struct{}           // so does Get, for this one
	onWrite  func(contents map[string]string)
	attempts int
	contents map[string]string // what is durable
}

// fault is what becomes of an attempt to write.
type fault int

const (
	succeeds    fault = iota
	notWritten        // it says so
	lost              // the outcome is unknown: it was not written
	replyLost         // the outcome is unknown: it was written
	closesStore       // the store has closed itself
)

var errDisk = errors.New("the disk fails")

// newDisk makes a disk that holds contents.
func newDisk(contents map[string]string) *disk {
	d := &disk{Store: memstore.New(), contents: make(map[string]string)}
	var b store.Batch
	for key, value := range contents {
		b.Put(key, []byte(value))
	}
	if err := d.Write(context.Background(), &b); err != nil {
		panic(err) // a memstore takes what another disk had
	}
	d.attempts = 0
	return d
}

func (d *disk) Write(ctx context.Context, b *store.Batch) error {
	d.mu.Lock()
	d.attempts++
	becomes, delay, gate := succeeds, d.delay, d.gate
	if d.script != nil {
		becomes = d.script(d.attempts)
	}
	d.mu.Unlock()
	if err := pause(ctx, delay, gate); err != nil {
		return err
	}
	switch becomes {
	case notWritten:
		return fmt.Errorf("%w: %w", store.ErrNotWritten, errDisk)
	case lost:
		return errDisk
	case closesStore:
		_ = d.Close()
	}
	if err := d.Store.Write(ctx, b); err != nil {
		return err
	}
	d.durable(b)
	if becomes == replyLost {
		return errDisk
	}
	return nil
}

// Get reads, when it may.
func (d *disk) Get(ctx context.Context, key string) ([]byte, error) {
	d.mu.Lock()
	gate := d.reads
	d.mu.Unlock()
	value, err := d.Store.Get(ctx, key)
	return value, errors.Join(err, pause(ctx, 0, gate))
}

func pause(ctx context.Context, delay time.Duration, gate <-chan struct{}) error {
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", store.ErrNotWritten, ctx.Err())
		}
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", store.ErrNotWritten, ctx.Err())
		}
	}
	return nil
}

func (d *disk) durable(b *store.Batch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for op := range b.Ops() {
		if op.Delete {
			delete(d.contents, string(op.Key))
		} else {
			d.contents[string(op.Key)] = string(op.Value)
		}
	}
	if d.onWrite != nil {
		d.onWrite(d.contents)
	}
}

// set changes how the disk behaves from the next attempt on.
func (d *disk) set(change func(d *disk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// block makes attempts wait until the function that it returns is called.
func (d *disk) block() (unblock func()) {
	gate := make(chan struct{})
	d.set(func(d *disk) { d.gate = gate })
	return sync.OnceFunc(func() {
		d.set(func(d *disk) {
			if d.gate == gate { // and nobody has blocked it again
				d.gate = nil
			}
		})
		close(gate)
	})
}

// fail makes all attempts end like this until the next call.
func (d *disk) fail(f fault) {
	d.set(func(d *disk) { d.script = func(int) fault { return f } })
}

// tried is how often somebody has tried to write.
func (d *disk) tried() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.attempts
}

// image is what a crash at this moment would leave.
func (d *disk) image() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.contents)
}

// durableBalance is the balance of an account in an image.
func durableBalance(t testing.TB, image map[string]string, account string) int64 {
	t.Helper()
	value, ok := image[ledger.BookKey(account)]
	if !ok {
		return 0
	}
	balance, _, _, _, err := ledger.ParseBook([]byte(value))
	if err != nil {
		t.Errorf("book of %q: %v", account, err)
	}
	return balance
}

// durableSettlements counts the settlements that an image has in an account's
// outbox.
func durableSettlements(image map[string]string, account string) int {
	n := 0
	for key := range image {
		if strings.HasPrefix(key, ledger.OutKey(account, "")) {
			n++
		}
	}
	return n
}
