package boltstore_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
)

// A transaction whose outcome is unknown makes bbolt forget who reads the pages
// that it frees. A Scan that began before it shows its instant all the same.
func TestScanOutlivesFailedSync(t *testing.T) {
	if !inChild(t, "") {
		return
	}
	d := newDisk()
	intercept(t, d.judge)
	// Without room in the journal the batch is in the transaction. Otherwise
	// those before it are, and the batch has not gone anywhere.
	t.Run("direct", func(t *testing.T) { scanOverFailedSync(t, d, 2, false) })
	t.Run("checkpoint", func(t *testing.T) { scanOverFailedSync(t, d, 5, true) })
}

func scanOverFailedSync(t *testing.T, d *disk, journal int, notWritten bool) {
	dir := t.TempDir()
	var armed atomic.Bool
	d.reset(dir, failLastSync(&armed))
	s, err := boltstore.OpenSized(filepath.Join(dir, "connector.db"), journal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for n := 1; n <= 3; n++ {
		if err := s.Write(context.Background(), batchOf(n)); err != nil {
			t.Fatal(err)
		}
	}

	seen := make(map[string]string)
	var scan sync.WaitGroup
	begun, goOn := make(chan struct{}), make(chan struct{})
	scan.Go(func() {
		err := s.Scan(context.Background(), "", func(key string, value []byte) error {
			if len(seen) == 0 {
				close(begun)
				<-goOn
			}
			seen[key] = string(value)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-begun

	armed.Store(true)
	if err := s.Write(context.Background(), batchOf(4)); err == nil || errors.Is(err, store.ErrNotWritten) != notWritten {
		t.Errorf("Write whose last sync fails: %v, want an error that wraps ErrNotWritten: %v", err, notWritten)
	}
	armed.Store(false)
	var written atomic.Int64
	var writes sync.WaitGroup
	writes.Go(func() {
		for n := 5; n <= 8; n++ {
			if err := s.Write(context.Background(), batchOf(n)); err != nil {
				t.Error(err)
			}
			written.Add(1)
		}
	})
	// The writer would do harm now. It has to wait instead.
	for !s.Settling() && written.Load() == 0 {
		runtime.Gosched()
	}
	close(goOn)
	scan.Wait()
	writes.Wait()
	if !maps.Equal(seen, stateOf(3)) {
		t.Errorf("the scan shows %d keys, %q for the first account, want the state after batch 3", len(seen), seen["account/0"])
	}
	wantState(t, s, 8)
}

// failLastSync lets the sync of a meta page fail while armed is set, and what
// is done about it.
func failLastSync(armed *atomic.Bool) func(int, *intercepted) verdict {
	syncs := 0
	return func(_ int, c *intercepted) verdict {
		if !armed.Load() {
			return pass
		}
		if c.data == nil {
			syncs++
		}
		if syncs >= 2 {
			return failWith(syscall.EIO)
		}
		return pass
	}
}
