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
	tests := []struct {
		name   string
		damage func(m image) image
		says   string
	}{
		{"empty", func(image) image { return nil }, "it is empty"},
		{"one byte", func(image) image { return image("x") }, "no valid meta page"},
		{"text", func(image) image { return image(strings.Repeat("We hold these truths. ", 4000)) }, "no valid meta page"},
		{"zeros", func(m image) image { return make(image, len(m)) }, "no valid meta page: the first one: begins with 0x0"},
		{"half a meta page", func(m image) image { return m[:40] }, "no valid meta page"},
		{"one page", func(m image) image { return m[:imagePageSize] }, "truncated"},
		{"both meta pages and no more", func(m image) image { return m[:2*imagePageSize] }, "truncated"},
		{"a third missing", func(m image) image { return m[:2*m.pages()/3*imagePageSize] }, "truncated"},
		{"the last page missing", func(m image) image { return m[:(m.pages()-1)*imagePageSize] }, "truncated"},
		{"another version of bbolt", func(m image) image {
			m[20], m.page(1)[20] = 3, 3
			m.resum()
			return m
		}, "version 3, not 2"},
		{"both meta pages", func(m image) image {
			m[33]++
			m.page(1)[33]++
			return m
		}, "wrong checksum"},
		{"no pages", func(m image) image { return m.metas(24, 0) }, "pages of 0 bytes"},
		{"odd pages", func(m image) image { return m.metas(24, 3000) }, "pages of 3000 bytes"},
		{"meta pages that disagree", func(m image) image {
			order.PutUint32(m.page(1)[24:], 2*imagePageSize)
			order.PutUint64(m.page(1)[64:], 100)
			m.resum()
			return m
		}, "pages of 1024 and of 2048 bytes"},
		{"root nowhere", func(m image) image { m.setMeta(metaRoot, 1<<40); return m }, "there is no page 1099511627776"},
		{"root in a meta page", func(m image) image { m.setMeta(metaRoot, 1); return m }, "there is no page 1"},
		{"free list nowhere", func(m image) image { m.setMeta(metaFreelist, m.pages()); return m }, "free list: there is no page"},
		{"no free list", func(m image) image { m.setMeta(metaFreelist, 1<<64-1); return m }, "free list: there is none"},
		{"free list is a leaf", func(m image) image { m.setMeta(metaFreelist, m.root()); return m }, "type 0x2"},
		{"free list too long", func(m image) image { order.PutUint16(m.page(m.freelist())[10:], 500); return m }, "500 pages"},
		{"free list much too long", func(m image) image {
			p := m.page(m.freelist())
			order.PutUint16(p[10:], 0xFFFF)
			order.PutUint64(p[16:], 1<<63)
			return m
		}, "9223372036854775808 pages"},
		{"free page nowhere", func(m image) image { order.PutUint64(m.page(m.freelist())[16:], 0); return m }, "there is no page 0"},
		{"free page in use", func(m image) image { order.PutUint64(m.page(m.freelist())[16:], m.tree()); return m }, "in use twice, or free"},
		{"free page lost", func(m image) image {
			p := m.page(m.freelist())
			order.PutUint16(p[10:], order.Uint16(p[10:])-1)
			return m
		}, "neither in use nor free"},
		{"another page", func(m image) image { m.page(m.tree())[0]++; return m }, "says that it is page"},
		{"another type", func(m image) image { m.page(m.tree())[8] = 0x10; return m }, "type 0x10"},
		{"a leaf for a branch", func(m image) image { m.page(m.tree())[8] = 2; return m }, "out of place"},
		{"overflow", func(m image) image { order.PutUint32(m.page(m.tree())[12:], 1<<30); return m }, "runs over"},
		{"overflow into others", func(m image) image { order.PutUint32(m.page(m.root())[12:], 1); return m }, ""},
		{"no children", func(m image) image { order.PutUint16(m.page(m.tree())[10:], 0); return m }, "a branch without children"},
		{"too many elements", func(m image) image { order.PutUint16(m.page(m.tree())[10:], 0xFFFF); return m }, ""},
		{"a child twice", func(m image) image {
			p := m.page(m.tree())
			order.PutUint64(p.element(1)[8:], p.child(0))
			return m
		}, "in use twice"},
		{"a circle", func(m image) image { order.PutUint64(m.page(m.tree()).element(0)[8:], m.tree()); return m }, "in use twice"},
		{"a subtree lost", func(m image) image { m.setTree(m.page(m.tree()).child(0)); return m }, "neither in use nor free"},
		{"a leaf in the place of another", func(m image) image {
			p := m.page(m.tree())
			a, b := p.child(0), p.child(1)
			order.PutUint64(p.element(0)[8:], b)
			order.PutUint64(p.element(1)[8:], a)
			return m
		}, "another page"},
		{"keys out of order", func(m image) image {
			p := m.page(m.tree())
			at := order.Uint32(p.element(1)) // The key of the second child.
			p.element(1)[at] = 'z'
			return m
		}, "out of order"},
		{"a tree too deep", func(m image) image { return m.deep(40) }, "too deep"},
		{"pages left over", func(m image) image {
			p := m.page(m.tree())
			p = m.page(p.child(int(order.Uint16(p[10:])) - 1)) // It ends with the large value.
			order.PutUint32(p.element(int(order.Uint16(p[10:])) - 1)[12:], 4)
			return m
		}, "bytes in use of"},
		{"an inlined bucket without head", func(image) image { return inlined(t, 8) }, "8 bytes for a bucket"},
		{"an inlined bucket without page", func(image) image { return inlined(t, 20) }, "20 bytes for a bucket"},
		{"an inlined bucket without content", func(image) image { return inlined(t, 32) }, "1 elements"},
		{"a value", func(m image) image { return m.replace("balance 10800", "balance 90800") }, `key "account/060": wrong checksum`},
		{"a key", func(m image) image { return m.replace("account/079b", "account/07:b") }, "wrong checksum"},
		{"a bucket among the keys", func(m image) image { m.leaf().element(0)[0] = 1; return m }, "flags 0x1"},
		{"another program's", func(image) image { return makeImage(t, otherBucket("users")) }, `first one "users"`},
		{"another version of ours", func(image) image { return makeImage(t, otherBucket("interledger connector store 2")) }, "another version"},
		{"another bucket beside ours", func(image) image {
			return makeImage(t, func(db *bbolt.DB) error {
				return errors.Join(db.Update(putInline), otherBucket("users")(db))
			})
		}, "holds 2 elements"},
		{"no list of free pages", func(image) image { return withoutFreelist(t) }, "another program has written it"},
	}
	sound := newImage(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			damaged := test.damage(slices.Clone(sound))
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

// metas changes a number in both meta pages.
func (m image) metas(offset int, value uint32) image {
	order.PutUint32(m[offset:], value)
	order.PutUint32(m.page(1)[offset:], value)
	m.resum()
	return m
}

// deep returns a file whose tree has so many levels, of one branch each.
func (m image) deep(levels int) image {
	deep := make(image, (4+levels)*imagePageSize)
	copy(deep, m[:2*imagePageSize])
	deep.setMeta(metaFreelist, 2)
	deep.setMeta(metaRoot, 3)
	deep.setMeta(metaPages, uint64(4+levels))
	order.PutUint64(deep.page(2), 2)
	order.PutUint16(deep.page(2)[8:], 0x10)
	copy(deep.page(3), m.page(m.root())[:imagePageSize])
	order.PutUint64(deep.page(3), 3)
	deep.setTree(4)
	for id := uint64(4); id < uint64(4+levels); id++ {
		p := deep.page(id)
		order.PutUint64(p, id)
		order.PutUint16(p[8:], 1)
		order.PutUint16(p[10:], 1)
		e := p.element(0)
		order.PutUint32(e, 16)
		order.PutUint32(e[4:], 1)
		order.PutUint64(e[8:], id+1)
		e[16] = 'k'
	}
	return deep
}

// inlined returns a file whose root holds only so many bytes of an inlined
// bucket.
func inlined(t *testing.T, bytes uint32) image {
	m := makeImage(t, func(db *bbolt.DB) error { return db.Update(putInline) })
	order.PutUint32(m.page(m.root()).element(0)[12:], bytes)
	return m
}

// replace changes content that is there.
func (m image) replace(old, changed string) image {
	if !bytes.Contains(m, []byte(old)) {
		panic("there is no " + old)
	}
	return bytes.ReplaceAll(m, []byte(old), []byte(changed))
}

// leaf returns the first leaf.
func (m image) leaf() image {
	p := m.page(m.tree())
	for p[8] == 1 {
		p = m.page(p.child(0))
	}
	return p
}

func otherBucket(name string) func(db *bbolt.DB) error {
	return func(db *bbolt.DB) error {
		return db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte(name))
			if err != nil {
				return err
			}
			return b.Put([]byte("k"), []byte("v"))
		})
	}
}

func withoutFreelist(t testing.TB) image {
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(putInline), db.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
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
