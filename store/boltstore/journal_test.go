package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
)

// files are those of a store.
type files struct {
	db, journal []byte // journal is nil if there is none
	done        uint64 // the last generation that db has
}

// killed returns what a process leaves that is killed now.
func killed(t testing.TB, s *boltstore.Store) files {
	t.Helper()
	f := files{done: s.Done()}
	var err error
	if f.db, err = os.ReadFile(s.Path()); err != nil {
		t.Fatal(err)
	}
	if f.journal, err = os.ReadFile(s.Path() + "-journal"); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return f
}

// write puts the files into a directory of their own, and returns the path of
// the store.
func (f files) write(t testing.TB) string {
	t.Helper()
	path := write(t, f.db)
	if f.journal != nil {
		if err := os.WriteFile(path+"-journal", f.journal, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// page returns what begins with a page of the journal.
func (f files) page(i int) []byte { return f.journal[i*boltstore.JournalPage:] }

// writeBatch writes batch n of a store: one key of its own, and one that all
// have.
func writeBatch(t testing.TB, s store.Store, n int) {
	t.Helper()
	var b store.Batch
	b.Put(fmt.Sprintf("batch/%02d", n), []byte(fmt.Sprint("value ", n)))
	b.Put("last", []byte(fmt.Sprint(n)))
	if err := s.Write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
}

// afterBatch is what a store has after n batches.
func afterBatch(n int) map[string]string {
	state := make(map[string]string)
	for i := 1; i <= n; i++ {
		state[fmt.Sprintf("batch/%02d", i)] = fmt.Sprint("value ", i)
		state["last"] = fmt.Sprint(i)
	}
	return state
}

// newFiles returns the files of a store that is killed after three batches,
// all of them in the journal, in pages 1, 2 and 3.
func newFiles(t testing.TB) files {
	t.Helper()
	s := openSized(t, filepath.Join(t.TempDir(), "connector.db"), smallJournal)
	for n := 1; n <= 3; n++ {
		writeBatch(t, s, n)
	}
	defer func() { _ = s.Close() }()
	return killed(t, s)
}

// While a store is open, an earlier version of this package, which knows
// nothing of journals, refuses its file. When it is closed, it is one file
// again, and nothing in it speaks of a journal.
func TestJournalIsGoneAfterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.db")
	s := open(t, path)
	writeBatch(t, s, 1)
	if _, records := s.Journal(); records != 1 {
		t.Errorf("%d records, want that of the batch", records)
	}
	if n := len(buckets(t, write(t, killed(t, s).db))); n != 2 {
		t.Errorf("the open file has %d buckets, want one that says that there is a journal", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if names := entries(t, filepath.Dir(path)); !slices.Equal(names, []string{"connector.db"}) {
		t.Errorf("the directory holds %q, want the file alone", names)
	}
	if names := buckets(t, path); len(names) != 1 || names[0] != string(boltstore.BucketName()) {
		t.Errorf("the closed file has the buckets %q", names)
	}
	if got := contents(t, open(t, path)); !maps.Equal(got, afterBatch(1)) {
		t.Errorf("the store holds %v", got)
	}
}

func buckets(t *testing.T, path string) (names []string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			names = append(names, string(name))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// What a killed process has acknowledged is there, and the next one goes on
// with its journal, time and again.
func TestReplay(t *testing.T) {
	f := newFiles(t)
	for n := 3; n < 60; n++ {
		s := openSized(t, f.write(t), smallJournal)
		if got := contents(t, s); !maps.Equal(got, afterBatch(n)) {
			t.Fatalf("after batch %d the store holds %v", n, got)
		}
		if _, records := s.Journal(); records != 0 {
			t.Fatalf("%d records are in the journal, want them in the file", records)
		}
		writeBatch(t, s, n+1)
		f = killed(t, s)
		_ = s.Close()
	}
}

// The journal belongs to the file, not to its name.
func TestJournalBehindSymlink(t *testing.T) {
	path := newFiles(t).write(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if got := contents(t, open(t, link)); !maps.Equal(got, afterBatch(3)) {
		t.Errorf("the store holds %v", got)
	}
	if names := entries(t, filepath.Dir(link)); slices.Contains(names, "link.db-journal") {
		t.Errorf("beside the link: %q", names)
	}
}

// Whatever lies beside a closed store under the name of the journal and says
// nothing that the store does not have is no reason to refuse it.
func TestWhatIsLeftOfJournal(t *testing.T) {
	s := openSized(t, filepath.Join(t.TempDir(), "connector.db"), smallJournal)
	writeBatch(t, s, 1)
	writeBatch(t, s, 2)
	history := killed(t, s).journal
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	closed, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	for name, journal := range map[string][]byte{
		"history":           history,
		"half a history":    history[:6000],
		"empty":             {},
		"half made":         make([]byte, 5000),
		"torn when made":    slices.Concat(history[:512], make([]byte, 10*boltstore.JournalPage)),
		"longer than a new": append(slices.Clone(history), make([]byte, boltstore.JournalPage)...),
	} {
		t.Run(name, func(t *testing.T) {
			s := openSized(t, files{db: closed, journal: journal}.write(t), smallJournal)
			writeBatch(t, s, 3)
			if got := contents(t, openSized(t, killed(t, s).write(t), smallJournal)); !maps.Equal(got, afterBatch(3)) {
				t.Errorf("the store holds %v", got)
			}
		})
	}
}

// The last record may be there in part: of each sector what was there before,
// or what was to be, or nothing that makes sense. Then its batch is not there,
// and everything before it is.
func TestTornTail(t *testing.T) {
	const sector = 512
	f := newFiles(t)
	s := openSized(t, f.write(t), smallJournal)
	for n := 4; n <= 6; n++ {
		writeBatch(t, s, n)
	}
	before := killed(t, s)
	put(t, s, "large", strings.Repeat("large", 2000))
	after := killed(t, s)
	want := afterBatch(6)
	rng := rand.New(rand.NewPCG(1, 0))
	for round := range 40 {
		torn := files{db: after.db, journal: slices.Clone(after.journal)}
		whole := true
		for at := 0; at < len(torn.journal); at += sector {
			if bytes.Equal(before.journal[at:at+sector], after.journal[at:at+sector]) {
				continue
			}
			switch rng.IntN(6) {
			case 0:
				copy(torn.journal[at:at+sector], before.journal[at:])
				whole = false
			case 1:
				for i := range sector {
					torn.journal[at+i] = byte(rng.IntN(256))
				}
				whole = false
			}
		}
		s := openSized(t, torn.write(t), smallJournal)
		got := contents(t, s)
		if _, there := got["large"]; there != whole {
			t.Errorf("round %d: the batch is there: %v; all of its record is: %v", round, there, whole)
		}
		delete(got, "large")
		if !maps.Equal(got, want) {
			t.Errorf("round %d: the store holds %v", round, got)
		}
		_ = s.Close()
	}
}

// Random batches, on a journal that is full all the time: the store shows what
// a map would show, before and after it is closed or killed.
func TestOverlay(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := openSized(t, filepath.Join(t.TempDir(), "connector.db"), 9)
		want := make(map[string]string)
		first, _ := s.Journal()
		for range 150 {
			switch rng.IntN(25) {
			case 0:
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = openSized(t, s.Path(), 9)
			case 1:
				f := killed(t, s)
				_ = s.Close()
				s = openSized(t, f.write(t), 9)
			}
			var b store.Batch
			for range rng.IntN(8) {
				key := fmt.Sprintf("%d/%d", rng.IntN(3), rng.IntN(12))
				if rng.IntN(3) == 0 {
					b.Delete(key)
					delete(want, key)
				} else {
					value := strings.Repeat("v", rng.IntN(3000))
					b.Put(key, []byte(value))
					want[key] = value
				}
			}
			if err := s.Write(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			wantMap(t, s, want, fmt.Sprintf("%d/", rng.IntN(3)))
		}
		if last, _ := s.Journal(); last == first {
			t.Error("there has been no checkpoint")
		}
	}
}

// What a Scan shows of the overlay and of bbolt is of one instant.
func TestSnapshotHolds(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "connector.db"))
	writeBatch(t, s, 1)
	if !s.SnapshotHolds() {
		t.Error("the overlay may change between the two parts of a Scan")
	}
}

// wantMap fails t unless the store shows what is in want under a prefix.
func wantMap(t *testing.T, s store.Store, want map[string]string, prefix string) {
	t.Helper()
	var keys []string
	for key := range want {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var seen []string
	err := s.Scan(context.Background(), prefix, func(key string, value []byte) error {
		seen = append(seen, key)
		if string(value) != want[key] {
			return fmt.Errorf("%s has %d bytes, want %d", key, len(value), len(want[key]))
		}
		clear(value) // It is ours.
		return nil
	})
	if err != nil || !slices.Equal(seen, keys) {
		t.Fatalf("Scan shows %q (%v), want %q", seen, err, keys)
	}
	for i := range 12 {
		key := fmt.Sprint(prefix, i)
		value, err := s.Get(context.Background(), key)
		if wanted, there := want[key]; string(value) != wanted || there != (err == nil) || err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("Get of %s gives %d bytes and %v, want %d", key, len(value), err, len(wanted))
		}
		clear(value)
	}
}
