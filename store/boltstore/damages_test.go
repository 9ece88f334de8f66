package boltstore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// damages are what can be wrong with a file, and what Open says about it.
var damages = []struct {
	name   string
	damage func(t *testing.T, sound image) image
	says   string
}{
	{"empty", func(t *testing.T, _ image) image { return nil }, "it is empty"},
	{"one byte", func(t *testing.T, _ image) image { return image("x") }, "no valid meta page"},
	{"text", func(t *testing.T, _ image) image { return image(strings.Repeat("We hold these truths. ", 4000)) }, "no valid meta page"},
	{"zeros", func(_ *testing.T, m image) image { return make(image, len(m)) }, "no valid meta page: the first one: begins with 0x0"},
	{"half a meta page", func(_ *testing.T, m image) image { return m[:40] }, "no valid meta page"},
	{"one page", func(_ *testing.T, m image) image { return m[:imagePageSize] }, "truncated"},
	{"both meta pages and no more", func(_ *testing.T, m image) image { return m[:2*imagePageSize] }, "truncated"},
	{"a third missing", func(_ *testing.T, m image) image { return m[:2*m.pages()/3*imagePageSize] }, "truncated"},
	{"the last page missing", func(_ *testing.T, m image) image { return m[:(m.pages()-1)*imagePageSize] }, "truncated"},
	{"another version of bbolt", func(_ *testing.T, m image) image {
		m[20], m.page(1)[20] = 3, 3
		m.resum()
		return m
	}, "version 3, not 2"},
	{"both meta pages", func(_ *testing.T, m image) image {
		m[33]++
		m.page(1)[33]++
		return m
	}, "wrong checksum"},
	{"no pages", func(_ *testing.T, m image) image { return m.metas(24, 0) }, "pages of 0 bytes"},
	{"odd pages", func(_ *testing.T, m image) image { return m.metas(24, 3000) }, "pages of 3000 bytes"},
	{"a meta page that is out of place", func(_ *testing.T, m image) image {
		m = m.metas(24, 2*imagePageSize)
		m[0+16]++
		return m
	}, "a meta page at 1024, for pages of 2048 bytes"},
	{"meta pages that disagree", func(_ *testing.T, m image) image {
		order.PutUint32(m.page(1)[24:], 2*imagePageSize)
		order.PutUint64(m.page(1)[64:], 100)
		m.resum()
		return m
	}, "pages of 1024 and of 2048 bytes"},
	{"root nowhere", func(_ *testing.T, m image) image { m.setMeta(metaRoot, 1<<40); return m }, "there is no page 1099511627776"},
	{"root in a meta page", func(_ *testing.T, m image) image { m.setMeta(metaRoot, 1); return m }, "there is no page 1"},
	{"free list nowhere", func(_ *testing.T, m image) image { m.setMeta(metaFreelist, m.pages()); return m }, "free list: there is no page"},
	{"no free list", func(_ *testing.T, m image) image { m.setMeta(metaFreelist, 1<<64-1); return m }, "free list: there is none"},
	{"free list is a leaf", func(_ *testing.T, m image) image { m.setMeta(metaFreelist, m.root()); return m }, "type 0x2"},
	{"free list too long", func(_ *testing.T, m image) image { order.PutUint16(m.page(m.freelist())[10:], 500); return m }, "500 pages"},
	{"free list much too long", func(_ *testing.T, m image) image {
		p := m.page(m.freelist())
		order.PutUint16(p[10:], 0xFFFF)
		order.PutUint64(p[16:], 1<<63)
		return m
	}, "9223372036854775808 pages"},
	{"free page nowhere", func(_ *testing.T, m image) image { order.PutUint64(m.page(m.freelist())[16:], 0); return m }, "there is no page 0"},
	{"free page in use", func(_ *testing.T, m image) image { order.PutUint64(m.page(m.freelist())[16:], m.tree()); return m }, "in use twice, or free"},
	{"free page lost", func(_ *testing.T, m image) image {
		p := m.page(m.freelist())
		order.PutUint16(p[10:], order.Uint16(p[10:])-1)
		return m
	}, "neither in use nor free"},
	{"another page", func(_ *testing.T, m image) image { m.page(m.tree())[0]++; return m }, "says that it is page"},
	{"another type", func(_ *testing.T, m image) image { m.page(m.tree())[8] = 0x10; return m }, "type 0x10"},
	{"a leaf for a branch", func(_ *testing.T, m image) image { m.page(m.tree())[8] = 2; return m }, "out of place"},
	{"overflow", func(_ *testing.T, m image) image { order.PutUint32(m.page(m.tree())[12:], 1<<30); return m }, "runs over"},
	{"overflow into others", func(_ *testing.T, m image) image { order.PutUint32(m.page(m.root())[12:], 1); return m }, ""},
	{"no children", func(_ *testing.T, m image) image { order.PutUint16(m.page(m.tree())[10:], 0); return m }, "a branch without children"},
	{"too many elements", func(_ *testing.T, m image) image { order.PutUint16(m.page(m.tree())[10:], 0xFFFF); return m }, ""},
	{"a child twice", func(_ *testing.T, m image) image {
		p := m.page(m.tree())
		order.PutUint64(p.element(1)[8:], p.child(0))
		return m
	}, "in use twice"},
	{"a circle", func(_ *testing.T, m image) image {
		order.PutUint64(m.page(m.tree()).element(0)[8:], m.tree())
		return m
	}, "in use twice"},
	{"a subtree lost", func(_ *testing.T, m image) image { m.setTree(m.page(m.tree()).child(0)); return m }, "neither in use nor free"},
	{"a leaf in the place of another", func(_ *testing.T, m image) image {
		p := m.page(m.tree())
		a, b := p.child(0), p.child(1)
		order.PutUint64(p.element(0)[8:], b)
		order.PutUint64(p.element(1)[8:], a)
		return m
	}, "another page"},
	{"keys out of order", func(_ *testing.T, m image) image {
		p := m.page(m.tree())
		at := order.Uint32(p.element(1)) // The key of the second child.
		p.element(1)[at] = 'z'
		return m
	}, "out of order"},
	{"a tree too deep", func(_ *testing.T, m image) image { return m.deep(40) }, "too deep"},
	{"pages left over", func(_ *testing.T, m image) image {
		p := m.page(m.tree())
		p = m.page(p.child(int(order.Uint16(p[10:])) - 1)) // It ends with the large value.
		order.PutUint32(p.element(int(order.Uint16(p[10:])) - 1)[12:], 4)
		return m
	}, "bytes in use of"},
	{"an inlined bucket without head", func(t *testing.T, _ image) image { return inlined(t, 8) }, "8 bytes for a bucket"},
	{"an inlined bucket without page", func(t *testing.T, _ image) image { return inlined(t, 20) }, "20 bytes for a bucket"},
	{"an inlined bucket without content", func(t *testing.T, _ image) image { return inlined(t, 32) }, "1 elements"},
	{"a value", func(_ *testing.T, m image) image { return m.replace("balance 10800", "balance 90800") }, `key "account/060": wrong checksum`},
	{"a key", func(_ *testing.T, m image) image { return m.replace("account/079b", "account/07:b") }, "wrong checksum"},
	{"a bucket among the keys", func(_ *testing.T, m image) image { m.leaf().element(0)[0] = 1; return m }, "flags 0x1"},
	{"another program's", func(t *testing.T, _ image) image { return makeImage(t, otherBucket("users")) }, `first one "users"`},
	{"another version of ours", func(t *testing.T, _ image) image { return makeImage(t, otherBucket("interledger connector store 2")) }, "another version"},
	{"another bucket beside ours", func(t *testing.T, _ image) image {
		return makeImage(t, func(db *bbolt.DB) error {
			return errors.Join(db.Update(putInline), otherBucket("users")(db))
		})
	}, "holds 2 elements"},
	{"no list of free pages", func(t *testing.T, _ image) image { return withoutFreelist(t) }, "another program has written it"},
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
