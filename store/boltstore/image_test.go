package boltstore_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/interledger-go/connector/store/boltstore"
)

// image is a file in memory, for doing damage to. Its pages are of
// imagePageSize bytes, which are few, so that little content makes a tree.
type image []byte

const imagePageSize = 1024

var order = binary.NativeEndian

// newImage returns the file of a store that has been used: with branches and
// leaves, a value that takes several pages, and free pages.
func newImage(t testing.TB) image {
	t.Helper()
	return makeImage(t, func(db *bbolt.DB) error {
		for version := 1; version <= imageVersion; version++ {
			if err := db.Update(func(tx *bbolt.Tx) error { return putContents(tx, imageContents(version)) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// imageVersion is that of the contents of newImage.
const imageVersion = 3

// imageContents returns what was in newImage after a number of commits.
func imageContents(version int) map[string]string {
	contents := map[string]string{"large": strings.Repeat("large ", 300*version), "empty": ""}
	for i := range 80 {
		contents[fmt.Sprintf("account/%03d", i)] = fmt.Sprintf("balance %d", version*i*i)
	}
	return contents
}

func putContents(tx *bbolt.Tx, contents map[string]string) error {
	b, err := tx.CreateBucketIfNotExists(boltstore.BucketName())
	for key, value := range contents {
		if err == nil {
			err = b.Put([]byte(key), record(key, value))
		}
	}
	return err
}

// makeImage returns the file that bbolt makes of what fill does.
func makeImage(t testing.TB, fill func(db *bbolt.DB) error) image {
	t.Helper()
	name := filepath.Join(t.TempDir(), "image.db")
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{PageSize: imagePageSize, FreelistType: bbolt.FreelistMapType, NoSync: true, NoGrowSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(db); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// record is what a store keeps for a value.
func record(key, value string) []byte {
	sum := crc32.Checksum([]byte(key+value), crc32.MakeTable(crc32.Castagnoli))
	return binary.BigEndian.AppendUint32([]byte(value), sum)
}

// page returns what begins with a page.
func (m image) page(id uint64) image { return m[id*imagePageSize:] }

// meta returns the meta page that counts.
func (m image) meta() image {
	if order.Uint64(m.page(1)[64:]) > order.Uint64(m[64:]) {
		return m.page(1)
	}
	return m
}

// resum makes the checksums of both meta pages right.
func (m image) resum() {
	for id := range uint64(2) {
		if (id+1)*imagePageSize > uint64(len(m)) {
			return
		}
		h := fnv.New64a()
		_, _ = h.Write(m.page(id)[16:72])
		order.PutUint64(m.page(id)[72:], h.Sum64())
	}
}

// setMeta changes a number of the meta page that counts, at an offset from its
// beginning.
func (m image) setMeta(offset int, value uint64) {
	order.PutUint64(m.meta()[offset:], value)
	m.resum()
}

// Offsets in a meta page.
const (
	metaRoot     = 32
	metaFreelist = 48
	metaPages    = 56
)

func (m image) pages() uint64    { return order.Uint64(m.meta()[metaPages:]) }
func (m image) freelist() uint64 { return order.Uint64(m.meta()[metaFreelist:]) }
func (m image) root() uint64     { return order.Uint64(m.meta()[metaRoot:]) }

// tree returns the page at which the tree of the store begins.
func (m image) tree() uint64 { return order.Uint64(m.bucket()) }

// setTree changes where the tree begins.
func (m image) setTree(id uint64) { order.PutUint64(m.bucket(), id) }

// bucket returns the value of the last element of the root, which is the bucket
// of the store. The position is counted from the element.
func (m image) bucket() image {
	root := m.page(m.root())
	last := root.element(int(order.Uint16(root[10:])) - 1)
	return last[order.Uint32(last[4:])+order.Uint32(last[8:]):]
}

// element returns element i of a page.
func (m image) element(i int) image { return m[16+16*i:] }

// child returns child i of a branch.
func (m image) child(i int) uint64 { return order.Uint64(m.element(i)[8:]) }
