package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// The form of a bbolt file, in the byte order of the machine that wrote it.
// A page begins with its number (8 bytes), its type (2), the number of its
// elements (2) and the number of further pages that it runs over (4).
const (
	pageHeader = 16

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	// A meta page has, after the header, magic number, version, page size and
	// flags (4 bytes each); root page and sequence of the bucket of buckets,
	// page of the free list, number of pages, transaction, and checksum over all
	// of these (8 bytes each).
	metaSum   = 56
	metaSize  = metaSum + 8
	metaMagic = 0xED0CDAED
	metaForm  = 2

	// noFreelist is the page of the free list in a file that has none.
	noFreelist = 1<<64 - 1

	minPageSize = 1 << 10
	maxPageSize = 1 << 24
)

// order is that of bbolt, which maps the file.
var order = binary.NativeEndian

// meta is what a meta page says: where the state of one transaction begins.
type meta struct {
	pageSize int
	root     uint64 // page of the bucket of buckets
	freelist uint64 // page of the free list
	pages    uint64 // pages in use or free are below
	txid     uint64
}

// decodeMeta reads a meta page from the beginning of b. It takes what bbolt
// takes. An error wraps ErrDamaged.
func decodeMeta(b []byte) (meta, error) {
	if len(b) < pageHeader+metaSize {
		return meta{}, damagef("%d bytes", len(b))
	}
	b = b[pageHeader:]
	if magic := order.Uint32(b); magic != metaMagic {
		return meta{}, damagef("begins with %#x, not %#x", magic, uint32(metaMagic))
	}
	if version := order.Uint32(b[4:]); version != metaForm {
		return meta{}, damagef("version %d, not %d", version, metaForm)
	}
	h := fnv.New64a()
	_, _ = h.Write(b[:metaSum]) // never fails
	if h.Sum64() != order.Uint64(b[metaSum:]) {
		return meta{}, damagef("wrong checksum")
	}
	return meta{
		pageSize: int(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}, nil
}

// findMeta returns the meta page that counts: the valid one of the later
// transaction. A commit overwrites the other one, so one that is not valid is
// what a power failure may leave. What it returns must be what bbolt finds, or
// the check would be of another state. An error wraps ErrDamaged, unless it is
// one in reading.
func findMeta(file io.ReaderAt, size int64) (meta, error) {
	first, err := readMeta(file, 0)
	if errors.Is(err, ErrDamaged) {
		return findSecondMeta(file, size, err)
	}
	if err != nil {
		return meta{}, err
	}
	if size := first.pageSize; size < minPageSize || size > maxPageSize || size&(size-1) != 0 {
		return meta{}, damagef("pages of %d bytes", size)
	}
	second, err := readMeta(file, int64(first.pageSize))
	switch {
	case errors.Is(err, ErrDamaged), err == nil && second.txid <= first.txid:
		return first, nil
	case err != nil:
		return meta{}, err
	case second.pageSize != first.pageSize:
		return meta{}, damagef("meta pages that disagree: pages of %d and of %d bytes", first.pageSize, second.pageSize)
	}
	return second, nil
}

// findSecondMeta returns the second meta page, if there is one that is valid.
// Where it is depends on the size of the pages. first is what is wrong with
// the first one.
func findSecondMeta(file io.ReaderAt, size int64, first error) (meta, error) {
	for pageSize := int64(minPageSize); pageSize <= maxPageSize && pageSize < size; pageSize *= 2 {
		m, err := readMeta(file, pageSize)
		switch {
		case errors.Is(err, ErrDamaged):
			continue
		case err == nil && int64(m.pageSize) != pageSize:
			err = damagef("a meta page at %d, for pages of %d bytes", pageSize, m.pageSize)
		}
		return m, err
	}
	return meta{}, damagef("no valid meta page: the first one: %v", first)
}

func readMeta(file io.ReaderAt, offset int64) (meta, error) {
	b := make([]byte, pageHeader+metaSize)
	n, err := file.ReadAt(b, offset)
	if n < len(b) && !errors.Is(err, io.EOF) {
		return meta{}, fmt.Errorf("reading a meta page: %w", err)
	}
	return decodeMeta(b[:n])
}
