package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
)

// crowd is a store on which one writer is at the point of committing, and
// others wait. Who comes from now on can only go into a later commit.
type crowd struct {
	*boltstore.Store
	t       *testing.T
	commit  func() error // of the leader
	writers sync.WaitGroup
}

func newCrowd(t *testing.T) *crowd {
	c := &crowd{Store: open(t, filepath.Join(t.TempDir(), "connector.db")), t: t}
	c.commit = c.Lead(numbered("leader", 1))
	return c
}

// join adds a writer, and returns when it waits. check gets what it is told.
func (c *crowd) join(ctx context.Context, b *store.Batch, check func(error)) {
	n := c.Waiting()
	c.writers.Go(func() { check(c.Write(ctx, b)) })
	for c.Waiting() == n {
		runtime.Gosched()
	}
}

// goOn lets them all go on, waits for them, and returns how many commits it
// took.
func (c *crowd) goOn() uint64 {
	c.succeeds(c.commit())
	c.writers.Wait()
	return c.Groups()
}

// numbered returns a batch of changes, each of its own.
func numbered(name string, changes int) *store.Batch {
	b := new(store.Batch)
	for i := range changes {
		b.Put(fmt.Sprintf("%s/%d", name, i), []byte(name))
	}
	return b
}

// repeated returns a batch of changes of one key.
func repeated(name string, changes int) *store.Batch {
	b := new(store.Batch)
	for range changes {
		b.Put(name, []byte(name))
	}
	return b
}

func (c *crowd) succeeds(err error) {
	if err != nil {
		c.t.Error(err)
	}
}

// Those who write while another commits share the next commit, and the later
// one of two that write one key comes later.
func TestWritersShareCommit(t *testing.T) {
	const writers = 50
	c := newCrowd(t)
	for i := range writers {
		b := numbered(fmt.Sprint("writer ", i), 2)
		b.Put("shared", []byte(fmt.Sprint(i)))
		c.join(t.Context(), b, c.succeeds)
	}
	if n := c.goOn(); n != 2 {
		t.Errorf("%d writers took %d commits, want that of the leader and one more", writers, n)
	}
	if got := contents(t, c.Store); len(got) != 1+2*writers+1 || got["shared"] != fmt.Sprint(writers-1) {
		t.Errorf("the store holds %d keys, the shared one is %q", len(got), got["shared"])
	}
}

// A small batch does not wait for any number of large ones.
func TestGroupsAreBounded(t *testing.T) {
	c := newCrowd(t)
	for i := range 3 {
		c.join(t.Context(), repeated(fmt.Sprint("large ", i), boltstore.MaxGroup/2), c.succeeds)
	}
	c.join(t.Context(), repeated("larger", boltstore.MaxGroup+1), c.succeeds)
	c.join(t.Context(), repeated("small", 1), c.succeeds)
	if n := c.goOn(); n != 5 {
		t.Errorf("%d commits, want 5: the leader's, two large ones, another large one, the larger one, the small one", n)
	}
}

// A writer that gives up while it waits has written nothing, and whoever comes
// after it does not notice.
func TestWaitThatIsCancelled(t *testing.T) {
	c := newCrowd(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	c.join(ctx, numbered("cancelled", 1), func(err error) {
		defer close(gone)
		if !errors.Is(err, store.ErrNotWritten) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want ErrNotWritten and the reason", err)
		}
	})
	c.join(t.Context(), numbered("patient", 1), c.succeeds)
	cancel()
	<-gone // though the leader still holds everything up
	if n := c.goOn(); n != 2 {
		t.Errorf("%d commits, want 2", n)
	}
	if got := contents(t, c.Store); len(got) != 2 || got["patient/0"] == "" {
		t.Errorf("the store holds %v", got)
	}
}

// The last of those who wait may give up, too: nobody is left to take the lead.
func TestLastWaitThatIsCancelled(t *testing.T) {
	c := newCrowd(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	c.join(ctx, numbered("cancelled", 1), func(error) { close(gone) })
	cancel()
	<-gone
	c.goOn()
	if c.Led() {
		t.Error("there is a leader, and nobody writes")
	}
	put(t, c, "k", "v")
}

// Whatever happens to the waiting at the instant at which they are cancelled,
// what they are told is true.
func TestCancelledInTheMiddle(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "connector.db"))
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 50 {
				ctx, cancel := context.WithCancel(context.Background())
				var canceller sync.WaitGroup
				canceller.Go(cancel)
				key := fmt.Sprintf("%d/%d", w, i)
				var b store.Batch
				b.Put(key, []byte("v"))
				err := s.Write(ctx, &b)
				canceller.Wait()
				_, errGet := s.Get(context.Background(), key)
				if err == nil && errGet != nil || errors.Is(err, store.ErrNotWritten) && !errors.Is(errGet, store.ErrNotFound) {
					t.Errorf("Write: %v, but Get: %v", err, errGet)
				}
			}
		})
	}
	writers.Wait()
	if s.Led() || s.Waiting() > 0 {
		t.Error("somebody is still there")
	}
}

// Whoever waits when the store is closed is told what has become of its batch.
func TestCloseWhileOthersWait(t *testing.T) {
	const writers = 5
	c := newCrowd(t)
	told := make([]error, writers)
	for i := range writers {
		c.join(t.Context(), numbered(fmt.Sprint(i), 1), func(err error) { told[i] = err })
	}
	c.writers.Go(func() { c.succeeds(c.Close()) })
	if err := c.commit(); err != nil && !errors.Is(err, store.ErrClosed) {
		t.Errorf("the leader: %v", err)
	}
	c.writers.Wait()
	got := contents(t, open(t, c.Path()))
	for i, err := range told {
		_, there := got[fmt.Sprintf("%d/0", i)]
		if there != (err == nil) || err != nil && (!errors.Is(err, store.ErrClosed) || !errors.Is(err, store.ErrNotWritten)) {
			t.Errorf("%v, and its batch is there: %v", err, there)
		}
	}
}
