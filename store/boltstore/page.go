package boltstore

import "bytes"

// Elements follow the header of a page. One of a leaf has flags, position,
// length of the key and length of the value (4 bytes each), one of a branch
// position, length of the key (4 each) and page (8). The position is that of
// the key, counted from the element; the value follows the key. bbolt writes
// keys and values in the order of the elements, without a gap.
const (
	elementSize = 16
	bucketFlag  = 1

	// bucketHeader is the size of what the value of a bucket begins with: the
	// page of its root and its sequence, 8 bytes each. If the page is 0, the
	// root follows.
	bucketHeader = 16
)

// page is a page with those that it runs over, as read from the file.
type page []byte

func (p page) id() uint64       { return order.Uint64(p) }
func (p page) kind() uint16     { return order.Uint16(p[8:]) }
func (p page) count() int       { return int(order.Uint16(p[10:])) }
func (p page) overflow() uint32 { return order.Uint32(p[12:]) }

// element is an element of a branch or a leaf.
type element struct {
	key   []byte
	value []byte // of a leaf
	flags uint32 // of a leaf
	page  uint64 // of a branch: what holds the keys from this one on
}

// elements appends the elements of a branch or a leaf to list. It returns how
// many bytes of the page are in use, or an error that wraps ErrDamaged if an
// element is not where bbolt puts it. The elements point into the page.
func (p page) elements(list []element) ([]element, int, error) {
	end := pageHeader + p.count()*elementSize
	for i := range p.count() {
		at := pageHeader + i*elementSize
		if at+elementSize > len(p) {
			return nil, 0, damagef("%d elements", p.count())
		}
		var e element
		position, keySize, valueSize := order.Uint32(p[at+4:]), order.Uint32(p[at+8:]), order.Uint32(p[at+12:])
		if p.kind() == leafPage {
			e.flags = order.Uint32(p[at:])
		} else {
			position, keySize, valueSize = order.Uint32(p[at:]), order.Uint32(p[at+4:]), 0
			e.page = order.Uint64(p[at+8:])
		}
		if at+int(position) != end || keySize == 0 || uint64(keySize)+uint64(valueSize) > uint64(len(p)-min(end, len(p))) {
			return nil, 0, damagef("element %d is out of place", i)
		}
		value := end + int(keySize)
		e.key = p[end:value]
		end = value + int(valueSize)
		e.value = p[value:end]
		list = append(list, e)
	}
	return list, end, nil
}

// checkOrder returns an error that wraps ErrDamaged unless the keys ascend,
// from lower on to before upper. nil is no bound.
func checkOrder(list []element, lower, upper []byte) error {
	for i, e := range list {
		if c := bytes.Compare(e.key, lower); c < 0 || c == 0 && i > 0 {
			return damagef("key %d is out of order", i)
		}
		if upper != nil && bytes.Compare(e.key, upper) >= 0 {
			return damagef("key %d belongs on another page", i)
		}
		lower = e.key
	}
	return nil
}
