package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
)

// faultPlans are what can go wrong with call n. Each is over after a while.
var faultPlans = []struct {
	name string
	plan func(n int) func(int, *intercepted) verdict
}{
	{"I/O error", func(n int) func(int, *intercepted) verdict {
		return func(i int, _ *intercepted) verdict {
			if i == n {
				return failWith(syscall.EIO)
			}
			return pass
		}
	}},
	{"I/O errors for a while", func(n int) func(int, *intercepted) verdict {
		return func(i int, _ *intercepted) verdict {
			if n <= i && i < n+5 {
				return failWith(syscall.EIO)
			}
			return pass
		}
	}},
	{"disk full", func(n int) func(int, *intercepted) verdict {
		return func(i int, c *intercepted) verdict {
			if n <= i && i < n+3 && (c.data != nil || c.number == syscall.SYS_FTRUNCATE) {
				return failWith(syscall.ENOSPC)
			}
			return pass
		}
	}},
	{"disk full in the middle of a page", func(n int) func(int, *intercepted) verdict { return cutShort(n, 1000) }},
	{"disk full in the middle of a number", func(n int) func(int, *intercepted) verdict { return cutShort(n, 43) }},
	{"disk full when it comes to syncing", func(n int) func(int, *intercepted) verdict {
		return func(i int, c *intercepted) verdict {
			if n <= i && i < n+3 && c.data == nil {
				return failWith(syscall.ENOSPC)
			}
			return pass
		}
	}},
}

// cutShort lets write n end after a few bytes, and what follows it fail.
func cutShort(n int, bytes int64) func(int, *intercepted) verdict {
	return func(i int, c *intercepted) verdict {
		switch {
		case i == n && int64(len(c.data)) > bytes:
			return writeOnly(bytes)
		case i == n+1:
			return failWith(syscall.ENOSPC)
		}
		return pass
	}
}

// One call after the other fails. Whatever Write says is true, the store goes
// on by itself when the trouble is over, and what it has acknowledged outlives
// a power failure.
func TestFaults(t *testing.T) {
	if !inChild(t, "") {
		return
	}
	d := newDisk()
	intercept(t, d.judge)
	calls := healthyRun(t, d)
	for _, f := range faultPlans {
		t.Run(f.name, func(t *testing.T) {
			var outcomes outcomes
			runs := 0
			for n, c := range calls {
				if f.plan(n)(n, c) == pass {
					continue // It spares this call. What is left of it happens when n is another one.
				}
				faultyRun(t, d, f.plan(n), uint64(n), &outcomes)
				runs++
			}
			t.Logf("%d calls, %d runs: %+v", len(calls), runs, outcomes)
			if outcomes.notOpened == 0 || outcomes.notWritten == 0 {
				t.Error("the plan has not reached every stage")
			}
		})
	}
}

// healthyRun returns the calls of a run in which nothing fails.
func healthyRun(t *testing.T, d *disk) (calls []*intercepted) {
	faultyRun(t, d, func(_ int, c *intercepted) verdict {
		calls = append(calls, c)
		return pass
	}, 0, new(outcomes))
	d.reset("", nil) // No more calls are judged.
	return calls
}

// outcomes counts what calls of the store returned.
type outcomes struct{ notOpened, notWritten, unknown, written int }

// faultyRun writes numbered batches to a new store, each until it is written.
func faultyRun(t *testing.T, d *disk, plan func(int, *intercepted) verdict, seed uint64, seen *outcomes) {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "connector.db")
	d.reset(dir, plan)
	s := openAgain(t, name, seen)
	defer func() { _ = s.Close() }() // whichever it is by then
	rng := rand.New(rand.NewPCG(seed, 1))
	for n := 1; n <= batches; n++ {
		allowed, failed := []int{n - 1}, false
		for tries := 0; ; tries++ {
			if tries == 10 {
				t.Fatalf("batch %d is not written when the trouble is over", n)
			}
			err := s.Write(context.Background(), batchOf(n))
			if err == nil {
				seen.written++
				wantState(t, s, n)
				break
			}
			if strings.Contains(err.Error(), "unknown") == errors.Is(err, store.ErrNotWritten) {
				t.Fatalf("%v: wraps ErrNotWritten: %v", err, errors.Is(err, store.ErrNotWritten))
			}
			if errors.Is(err, store.ErrNotWritten) {
				seen.notWritten++ // by this call; an earlier one may have done it
			} else {
				seen.unknown++
				allowed = []int{n - 1, n}
			}
			wantState(t, s, allowed...)
			wantAfterPowerFailure(t, d, name, rng.IntN(ways), rng, allowed)
			failed = true
			if rng.IntN(3) == 0 {
				// Whoever opens the file again can rely on what is there.
				_ = s.Close()
				s = openAgain(t, name, seen)
				found := wantState(t, s, allowed...)
				wantAfterPowerFailure(t, d, name, loseAll, rng, []int{found})
			}
		}
		if failed || n == batches {
			wantAfterPowerFailure(t, d, name, loseAll, rng, []int{n})
		}
	}
}

// The state on the disk survives that a sync fails and the power fails while
// the store gets over it: it must not write over the pages of the last state
// that the disk has.
func TestPowerFailureAfterFailedSync(t *testing.T) {
	if !inChild(t, "") {
		return
	}
	d := newDisk()
	intercept(t, d.judge)
	runs, over := 0, false
	for n := 0; !over; n++ {
		for later := 2; later < 14; later++ {
			isSync := false
			plan := func(i int, c *intercepted) verdict {
				if i == n {
					isSync = c.data == nil
				}
				switch {
				case i >= n+later:
					return dark
				case isSync && (i == n || i == n+1): // The attempt to mend it fails, too.
					return failWith(syscall.EIO)
				}
				return pass
			}
			dir := t.TempDir()
			name := filepath.Join(dir, "connector.db")
			d.reset(dir, plan)
			tries := 1 + later%2*2 // With one, the store is closed at once.
			acked, tried := writeUntilDark(name, tries)
			if over = d.seen() < n; over || !isSync {
				break
			}
			last := d.seen() < n+later // The power has not failed before the end.
			runs++
			rng := rand.New(rand.NewPCG(uint64(n), uint64(later)))
			for way := range ways {
				after := filepath.Join(t.TempDir(), "after.db")
				if !d.afterPowerFailure(t, name, after, way, rng) {
					if acked > 0 {
						t.Fatalf("sync %d, power %d, way %d: the file is gone", n, n+later, way)
					}
					continue
				}
				s, err := boltstore.OpenSized(after, 0)
				if err != nil {
					t.Fatalf("sync %d, power %d, way %d: %v", n, n+later, way, err)
				}
				wantState(t, s, acked, tried)
				_ = s.Close()
			}
			if last && tries > 1 {
				break
			}
		}
	}
	t.Logf("%d runs", runs)
}

// writeUntilDark writes numbered batches, each so many times if need be. It
// returns the last that was acknowledged, and the last that was tried.
func writeUntilDark(name string, tries int) (acked, tried int) {
	s, err := boltstore.OpenSized(name, faultJournal)
	if err != nil {
		return 0, 0
	}
	defer func() { _ = s.Close() }()
	for tried = 1; tried <= batches; tried++ {
		for range tries {
			if err = s.Write(context.Background(), batchOf(tried)); err == nil {
				break
			}
		}
		if err != nil {
			return acked, tried
		}
		acked = tried
	}
	return acked, acked
}

// Where there are no links, a new file is made in its place, and one that
// cannot be made leaves nothing.
func TestFileSystemWithoutLinks(t *testing.T) {
	if !inChild(t, "") {
		return
	}
	d := newDisk()
	intercept(t, d.judge)
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.EOPNOTSUPP, syscall.ENOSYS} {
		for full := range 20 {
			dir := t.TempDir()
			name := filepath.Join(dir, "connector.db")
			linked := false
			d.reset(dir, func(n int, c *intercepted) verdict {
				switch {
				case c.number == syscall.SYS_LINKAT:
					linked = true
					return failWith(errno)
				case linked && n == full && c.data != nil:
					return failWith(syscall.ENOSPC)
				}
				return pass
			})
			s, err := boltstore.OpenSized(name, 0)
			if err != nil {
				if !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("%v: %v", errno, err)
				}
				s = openSized(t, name, 0)
			}
			put(t, s, "k", "v")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if names := entries(t, dir); len(names) != 1 {
				t.Errorf("%v, full at %d: the directory holds %q", errno, full, names)
			}
		}
	}
}

// openAgain opens a store until it succeeds.
func openAgain(t *testing.T, name string, seen *outcomes) *boltstore.Store {
	t.Helper()
	var err error
	for range 10 {
		s, errOpen := boltstore.OpenSized(name, faultJournal)
		if errOpen == nil {
			return s
		}
		if err = errOpen; errors.Is(err, boltstore.ErrDamaged) || errors.Is(err, boltstore.ErrInUse) {
			break
		}
		seen.notOpened++
	}
	t.Fatalf("cannot be opened when the trouble is over: %v", err)
	return nil
}

// wantAfterPowerFailure opens what the disk would have after a power failure
// at this instant.
func wantAfterPowerFailure(t *testing.T, d *disk, name string, way int, rng *rand.Rand, allowed []int) {
	t.Helper()
	after := filepath.Join(t.TempDir(), "after.db")
	if !d.afterPowerFailure(t, name, after, way, rng) {
		t.Fatalf("way %d: the file is gone", way)
	}
	s, err := boltstore.OpenSized(after, 0)
	if err != nil {
		t.Fatalf("way %d: %v", way, err)
	}
	defer func() { _ = s.Close() }()
	wantState(t, s, allowed...)
}

// batches is how many batches the tests write. In a journal of faultJournal
// pages the last but one has no room any more, and the last one is too large
// for it.
const (
	batches      = 7
	faultJournal = 9
)

// stateOf is what the store holds after batch n. All batches change the same
// keys, and each has a size of its own.
func stateOf(n int) map[string]string {
	state := make(map[string]string)
	if n == 0 {
		return state
	}
	for i := range 3 * n {
		state[fmt.Sprintf("account/%d", i)] = fmt.Sprintf("%d of batch %d", i, n)
	}
	state["large"] = strings.Repeat(fmt.Sprint(n), 1200*n)
	return state
}

func batchOf(n int) *store.Batch {
	var b store.Batch
	for key, value := range stateOf(n) {
		b.Put(key, []byte(value))
	}
	return &b
}

// wantState fails t unless the store is in the state after one of the allowed
// batches, and says after which.
func wantState(t *testing.T, s store.Store, allowed ...int) int {
	t.Helper()
	got := make(map[string]string)
	err := s.Scan(context.Background(), "", func(key string, value []byte) error {
		got[key] = string(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range allowed {
		if maps.Equal(got, stateOf(n)) {
			return n
		}
	}
	t.Fatalf("the store holds %d keys, the first account is %q: want the state after one of the batches %v", len(got), got["account/0"], allowed)
	return 0
}
