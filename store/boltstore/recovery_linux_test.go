package boltstore_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
)

// The power fails while a store is opened whose journal is to be replayed, at
// each call that this takes, those of the next batch and those of Close; and
// again while what that has left is opened.
func TestPowerFailureInRecovery(t *testing.T) {
	if !inChild(t, "") {
		return
	}
	d := newDisk()
	intercept(t, d.judge)
	whole := newFiles(t)
	torn := files{db: whole.db, journal: slices.Clone(whole.journal)}
	clear(torn.page(3)[10:boltstore.JournalPage])
	for name, f := range map[string]files{"whole": whole, "torn": torn} {
		batches := 3
		if name == "torn" {
			batches = 2
		}
		instants := 0
		for ; ; instants++ {
			left, acked, over := recoverUntilDark(t, d, f, instants, batches)
			if over {
				break
			}
			if acked > batches {
				continue // The batch after it has been acknowledged. That is for TestPowerFailure.
			}
			// Of what may be left, the next recovery is cut off at another call.
			recoverUntilDark(t, d, left, instants%7, batches)
		}
		t.Logf("%s: %d instants", name, instants)
		if instants < 8 {
			t.Errorf("%s: opening, writing and closing takes %d calls", name, instants)
		}
	}
}

// recoverUntilDark opens a store with so many batches, writes another one, and
// closes it, while the power fails at an instant. It checks what may be left,
// and returns the worst of it: nothing of what was not synced. over says that
// all was done before the power failed.
func recoverUntilDark(t *testing.T, d *disk, f files, instant, batches int) (left files, acked int, over bool) {
	t.Helper()
	name := f.write(t)
	d.reset(filepath.Dir(name), func(n int, _ *intercepted) verdict {
		if n >= instant {
			return dark
		}
		return pass
	})
	d.adopt(t, name)
	if f.journal != nil {
		d.adopt(t, name+"-journal")
	}
	acked = batches
	var unknown bool
	if s, err := boltstore.OpenSized(name, smallJournal); err == nil {
		if got := contents(t, s); !maps.Equal(got, afterBatch(batches)) {
			t.Fatalf("instant %d: the store holds %v", instant, got)
		}
		var b store.Batch
		for key, value := range afterBatch(batches + 1) {
			b.Put(key, []byte(value))
		}
		err := s.Write(t.Context(), &b)
		if err == nil {
			acked++
		}
		unknown = err != nil && !errors.Is(err, store.ErrNotWritten)
		_ = s.Close()
	}
	over = d.seen() < instant
	for way := range ways {
		after := filepath.Join(t.TempDir(), "after.db")
		if !d.afterPowerFailure(t, name, after, way, rand.New(rand.NewPCG(uint64(instant), uint64(way)))) {
			t.Fatalf("instant %d, way %d: the file is gone", instant, way)
		}
		if way == loseAll {
			left = readFiles(t, after)
		}
		s, err := boltstore.OpenSized(after, smallJournal)
		if err != nil {
			t.Fatalf("instant %d, way %d: %v", instant, way, err)
		}
		got := contents(t, s)
		if !maps.Equal(got, afterBatch(acked)) && !(unknown && maps.Equal(got, afterBatch(acked+1))) {
			t.Fatalf("instant %d, way %d: the store holds %v, want %d batches", instant, way, got, acked)
		}
		_ = s.Close()
	}
	return left, acked, over
}

// A full disk does not matter to what has its place in the journal. When there
// is no way on, nothing is lost, also not when the store is closed.
func TestFullDisk(t *testing.T) {
	if !inChild(t, "") {
		return
	}
	d := newDisk()
	intercept(t, d.judge)
	dir := t.TempDir()
	name := filepath.Join(dir, "connector.db")
	var full atomic.Bool
	journal := inode{}
	d.reset(dir, func(_ int, c *intercepted) verdict {
		id := inodeOf(syscall.Fstat, c.fd)
		if full.Load() && id != journal && (c.data != nil || c.number == syscall.SYS_FTRUNCATE) {
			return failWith(syscall.ENOSPC)
		}
		return pass
	})
	s := openSized(t, name, 9)
	journal = inodeOf(syscall.Stat, name+"-journal")
	full.Store(true)
	const room = 8 // records
	for n := 1; n <= room; n++ {
		writeBatch(t, s, n)
	}
	for range 3 {
		var b store.Batch
		b.Put("more", nil)
		if err := s.Write(t.Context(), &b); !errors.Is(err, store.ErrNotWritten) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Write: %v, want ErrNotWritten and ENOSPC", err)
		}
	}
	if got := contents(t, s); !maps.Equal(got, afterBatch(room)) {
		t.Errorf("the store holds %v", got)
	}
	if err := s.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close: %v, want ENOSPC", err)
	}
	if _, err := boltstore.OpenSized(name, 9); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, boltstore.ErrDamaged) {
		t.Errorf("Open: %v, want ENOSPC", err)
	}
	full.Store(false)
	s = openSized(t, name, 9)
	if got := contents(t, s); !maps.Equal(got, afterBatch(room)) {
		t.Errorf("the store holds %v when there is space again", got)
	}
	writeBatch(t, s, room+1)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Without space for a journal a store works without one.
func TestNoSpaceForJournal(t *testing.T) {
	if !inChild(t, "") {
		return
	}
	d := newDisk()
	intercept(t, d.judge)
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		dir := t.TempDir()
		name := filepath.Join(dir, "connector.db")
		d.reset(dir, func(_ int, c *intercepted) verdict {
			if bytes.HasPrefix(c.data, []byte("\x89ILPJRNL")) {
				return failWith(errno)
			}
			return pass
		})
		s := openSized(t, name, 9)
		writeBatch(t, s, 1)
		if generation, _ := s.Journal(); generation != 0 {
			t.Errorf("%v: there is a journal", errno)
		}
		if names := entries(t, dir); slices.Contains(names, "connector.db-journal") {
			t.Errorf("%v: the directory holds %q", errno, names)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What the journal cannot take goes past it, and no trace of it is replayed
// over what comes later.
func TestJournalThatFails(t *testing.T) {
	if !inChild(t, "") {
		return
	}
	d := newDisk()
	intercept(t, d.judge)
	for _, number := range []uintptr{syscall.SYS_PWRITE64, syscall.SYS_FDATASYNC} {
		dir := t.TempDir()
		path := filepath.Join(dir, "connector.db")
		journal := inode{}
		var armed atomic.Bool
		d.reset(dir, func(_ int, c *intercepted) verdict {
			if armed.Load() && c.number == number && inodeOf(syscall.Fstat, c.fd) == journal {
				return failWith(syscall.EIO)
			}
			return pass
		})
		s := openSized(t, path, smallJournal)
		journal = inodeOf(syscall.Stat, path+"-journal")
		for n := 1; n <= 6; n++ {
			armed.Store(n%3 != 0)
			writeBatch(t, s, n)
			for way := range ways {
				after := filepath.Join(t.TempDir(), "after.db")
				d.afterPowerFailure(t, path, after, way, rand.New(rand.NewPCG(uint64(n), 0)))
				s := openSized(t, after, 0)
				if got := contents(t, s); !maps.Equal(got, afterBatch(n)) {
					t.Errorf("way %d: after batch %d the store holds %v", way, n, got)
				}
				_ = s.Close()
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A checkpoint whose outcome is unknown, and which is in effect after all, ends
// its generation: what is written next must be replayed.
func TestRecordAfterFailedCheckpoint(t *testing.T) {
	if !inChild(t, "") {
		return
	}
	d := newDisk()
	intercept(t, d.judge)
	dir := t.TempDir()
	path := filepath.Join(dir, "connector.db")
	var armed atomic.Bool
	d.reset(dir, failLastSync(&armed))
	s := openSized(t, path, smallJournal)
	writeBatch(t, s, 1)
	armed.Store(true)
	var b store.Batch
	b.Put("large", make([]byte, 60_000)) // The journal has room, but not for this.
	if err := s.Write(t.Context(), &b); !errors.Is(err, store.ErrNotWritten) {
		t.Errorf("Write: %v, want ErrNotWritten", err)
	}
	armed.Store(false)
	writeBatch(t, s, 2)
	if _, records := s.Journal(); records != 1 {
		t.Errorf("%d records of this generation, want that of the second batch", records)
	}
	for way := range ways {
		after := filepath.Join(t.TempDir(), "after.db")
		d.afterPowerFailure(t, path, after, way, rand.New(rand.NewPCG(1, 0)))
		if got := contents(t, openSized(t, after, 0)); !maps.Equal(got, afterBatch(2)) {
			t.Errorf("way %d: the store holds %v", way, got)
		}
	}
}

// A batch whose record may be on the disk, though its Write has failed, never
// comes into force after a later one: neither one in the journal nor one that
// went past it.
func TestFailedRecordStaysInItsPlace(t *testing.T) {
	if !inChild(t, "") {
		return
	}
	d := newDisk()
	intercept(t, d.judge)
	large := strings.Repeat("large", 12_000)
	for name, test := range map[string]struct{ before, later string }{
		"a record":                        {"before", "later"},
		"past the journal":                {"before", large},
		"the first record":                {"", "later"},
		"the first one, past the journal": {"", large},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "connector.db")
		var armed atomic.Bool
		d.reset(dir, func(_ int, c *intercepted) verdict {
			if armed.Load() && c.number == syscall.SYS_FDATASYNC {
				return failWith(syscall.EIO)
			}
			return pass
		})
		s := openSized(t, path, smallJournal)
		if test.before != "" {
			put(t, s, "k", test.before)
		}
		armed.Store(true)
		var b store.Batch
		b.Put("k", []byte("unknown"))
		if err := s.Write(t.Context(), &b); err == nil || errors.Is(err, store.ErrNotWritten) {
			t.Errorf("%s: Write: %v, want an unknown outcome", name, err)
		}
		armed.Store(false)
		wantAfter := func(want ...string) {
			t.Helper()
			for way := range ways {
				for seed := range uint64(8) {
					if way != loseSome && seed > 0 {
						break // It is always the same.
					}
					after := filepath.Join(t.TempDir(), "after.db")
					d.afterPowerFailure(t, path, after, way, rand.New(rand.NewPCG(seed, 0)))
					s := openSized(t, after, smallJournal)
					if got := contents(t, s)["k"]; !slices.Contains(want, got) {
						t.Errorf("%s: way %d: the value has %d bytes: %.10q", name, way, len(got), got)
					}
					_ = s.Close()
				}
			}
		}
		wantAfter(test.before, "unknown")
		put(t, s, "k", test.later)
		wantAfter(test.later)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		wantAfter(test.later)
	}
}
