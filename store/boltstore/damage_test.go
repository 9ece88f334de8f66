package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/interledger-go/connector/store/boltstore"
)

func TestSoundFiles(t *testing.T) {
	for name, m := range map[string]image{
		"a tree":           newImage(t),
		"nothing":          makeImage(t, func(*bbolt.DB) error { return nil }),
		"a bucket inlined": makeImage(t, func(db *bbolt.DB) error { return db.Update(putInline) }),
	} {
		if err := boltstore.CheckFile(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := open(t, write(t, m)).Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := boltstore.CheckFile(makeImage(t, freeMany)); err != nil {
		t.Errorf("many free pages: %v", err)
	}
}

func putInline(tx *bbolt.Tx) error {
	b, err := tx.CreateBucket(boltstore.BucketName())
	if err != nil {
		return err
	}
	return b.Put([]byte("k"), record("k", "v"))
}

// freeMany leaves more free pages than the header of the list can count.
func freeMany(db *bbolt.DB) error {
	err := db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("to be deleted"))
		if err != nil {
			return err
		}
		return b.Put([]byte("k"), make([]byte, 70_000*imagePageSize))
	})
	if err != nil {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("to be deleted")) })
}

// write puts an image into a file.
func write(t testing.TB, m []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "connector.db")
	if err := os.WriteFile(path, m, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file that is damaged, or was never one of ours, is refused with a sentence
// that says what is wrong, and left as it is.
func TestDamagedFiles(t *testing.T) {
	sound := newImage(t)
	for _, test := range damages {
		t.Run(test.name, func(t *testing.T) {
			damaged := test.damage(t, slices.Clone(sound))
			path := write(t, damaged)
			s, err := boltstore.Open(path)
			if err == nil {
				_ = s.Close()
				t.Fatal("the file is opened")
			}
			if !errors.Is(err, boltstore.ErrDamaged) || !strings.Contains(err.Error(), test.says) ||
				!strings.HasPrefix(err.Error(), "boltstore: "+path+" is damaged, and left as it is: ") {
				t.Errorf("%v, want ErrDamaged and %q", err, test.says)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(after, damaged) {
				t.Errorf("the file has changed (%v)", err)
			}
			if names := entries(t, filepath.Dir(path)); len(names) != 1 {
				t.Errorf("beside the file there is something else: %q", names)
			}
		})
	}
}

func entries(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// leaf returns the first leaf.
func (m image) leaf() image {
	p := m.page(m.tree())
	for p[8] == 1 {
		p = m.page(p.child(0))
	}
	return p
}

// One meta page that is damaged is what a power failure may leave in the
// middle of a commit. The other one counts.
func TestOneMetaPageDamaged(t *testing.T) {
	for _, later := range []bool{true, false} {
		m := newImage(t)
		want := imageContents(imageVersion)
		damaged := m
		if &m.meta()[0] == &m[0] != later {
			damaged = m.page(1)
		}
		if later {
			want = imageContents(imageVersion - 1)
		}
		damaged[50]++
		s, err := boltstore.Open(write(t, m))
		if err != nil {
			t.Errorf("the later one: %v: %v", later, err)
			continue
		}
		if got := contents(t, s); !maps.Equal(got, want) {
			t.Errorf("the later one: %v: %d keys, account 79 has %q", later, len(got), got["account/079"])
		}
		_ = s.Close()
	}
}

// A disk that does not answer says nothing about the file.
func TestReadErrorIsNoDamage(t *testing.T) {
	m := newImage(t)
	reads := 0
	for fails := 0; ; fails++ {
		reads = 0
		err := boltstore.CheckReader(readerFunc(func(b []byte, offset int64) (int, error) {
			if reads++; reads > fails {
				return 0, syscall.EIO
			}
			return bytes.NewReader(m).ReadAt(b, offset)
		}), int64(len(m)))
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EIO) || errors.Is(err, boltstore.ErrDamaged) {
			t.Fatalf("read %d fails: %v", fails, err)
		}
	}
	if reads < 10 {
		t.Errorf("the check makes %d reads", reads)
	}
}

type readerFunc func(b []byte, offset int64) (int, error)

func (f readerFunc) ReadAt(b []byte, offset int64) (int, error) { return f(b, offset) }

func contents(t testing.TB, s *boltstore.Store) map[string]string {
	t.Helper()
	seen := make(map[string]string)
	err := s.Scan(context.Background(), "", func(key string, value []byte) error {
		seen[key] = string(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// Wherever a bit flips in the pages that are in use: the file is refused, or
// nothing of what it says has changed.
func TestEveryBitCounts(t *testing.T) {
	m := newImage(t)
	want := imageContents(imageVersion)
	rng := rand.New(rand.NewPCG(1, 0))
	refused, passed := 0, 0
	end := int(m.pages()) * imagePageSize
	for at := 2 * imagePageSize; at < end; at += 1 + rng.IntN(16) {
		bit := byte(1) << rng.IntN(8)
		m[at] ^= bit
		switch err := boltstore.CheckFile(m); {
		case errors.Is(err, boltstore.ErrDamaged):
			refused++
		case err != nil:
			t.Fatalf("byte %d: %v", at, err)
		default:
			if passed++; passed%50 == 0 {
				s := open(t, write(t, m))
				if got := contents(t, s); !maps.Equal(got, want) {
					t.Fatalf("byte %d: the file is opened, and has other contents", at)
				}
				_ = s.Close()
			}
		}
		m[at] ^= bit
	}
	t.Logf("%d refused, %d passed", refused, passed)
	if refused == 0 || passed == 0 {
		t.Error("want both: pages in use, and free ones")
	}
}
