package boltstore

import (
	"bytes"
	"fmt"
	"io"
)

// maxDepth is more than any tree has: a branch has many children.
const maxDepth = 32

// checker walks through all that a file holds, before bbolt maps it, which
// trusts every number in it.
type checker struct {
	file   io.ReaderAt
	meta   meta
	seen   []uint64 // a bit for each page that has been accounted for
	levels [maxDepth]level
}

// level is memory for one page at one depth of the tree.
type level struct {
	page     page
	elements []element
}

// checkFile returns an error that wraps ErrDamaged unless the file, of size
// bytes, is a sound one of this package, or one of bbolt with nothing in it. It
// reads every page that is in use once. An error in reading is wrapped, too,
// and no verdict on the file.
func checkFile(file io.ReaderAt, size int64) error {
	if size == 0 {
		return damagef("it is empty: want it removed, if there has never been anything in it")
	}
	m, err := findMeta(file, size)
	if err != nil {
		return err
	}
	if m.pages > uint64(size)/uint64(m.pageSize) {
		return damagef("truncated: %d bytes are left of %d pages of %d bytes", size, m.pages, m.pageSize)
	}
	c := &checker{file: file, meta: m, seen: make([]uint64, m.pages/64+1)}
	if err := c.checkFreelist(); err != nil {
		return fmt.Errorf("free list: %w", err)
	}
	if err := c.checkRoot(); err != nil {
		return err
	}
	for id := uint64(2); id < m.pages; id++ {
		if c.seen[id/64]&(1<<(id%64)) == 0 {
			return damagef("page %d is neither in use nor free", id)
		}
	}
	return nil
}

// claim accounts for a page, which must be so far unaccounted for.
func (c *checker) claim(id uint64) error {
	if id < 2 || id >= c.meta.pages {
		return damagef("there is no page %d", id)
	}
	if bit := uint64(1) << (id % 64); c.seen[id/64]&bit == 0 {
		c.seen[id/64] |= bit
		return nil
	}
	return damagef("page %d is in use twice, or free", id)
}

// read reads a page that is in use, with those that it runs over.
func (c *checker) read(id uint64, depth int) (page, error) {
	if depth == maxDepth {
		return nil, damagef("page %d: the tree is too deep", id)
	}
	if err := c.claim(id); err != nil {
		return nil, err
	}
	size, buffer := c.meta.pageSize, &c.levels[depth].page
	offset := int64(id) * int64(size)
	if err := c.fill(buffer, 0, size, offset); err != nil {
		return nil, err
	}
	p := *buffer
	if p.id() != id {
		return nil, damagef("page %d: says that it is page %d", id, p.id())
	}
	over := uint64(p.overflow())
	if over >= c.meta.pages-id {
		return nil, damagef("page %d: runs over %d more", id, over)
	}
	for next := id + 1; next <= id+over; next++ {
		if err := c.claim(next); err != nil {
			return nil, fmt.Errorf("page %d: %w", id, err)
		}
	}
	if over == 0 {
		return p, nil
	}
	if err := c.fill(buffer, size, int(1+over)*size, offset); err != nil {
		return nil, err
	}
	return *buffer, nil
}

// fill reads from byte begin to byte end of what lies at offset.
func (c *checker) fill(buffer *page, begin, end int, offset int64) error {
	if cap(*buffer) < end {
		*buffer = append(make(page, 0, end), (*buffer)[:begin]...)
	}
	*buffer = (*buffer)[:end]
	if _, err := c.file.ReadAt((*buffer)[begin:], offset+int64(begin)); err != nil {
		return fmt.Errorf("reading %d bytes at %d: %w", end-begin, offset+int64(begin), err)
	}
	return nil
}

// checkFreelist accounts for the pages that are free.
func (c *checker) checkFreelist() error {
	if c.meta.freelist == noFreelist {
		return damagef("there is none: another program has written it")
	}
	p, err := c.read(c.meta.freelist, 0)
	if err != nil {
		return err
	}
	if p.kind() != freelistPage {
		return damagef("page %d: type %#x", p.id(), p.kind())
	}
	count, list := uint64(p.count()), p[pageHeader:]
	if count == 0xFFFF { // More than fit into the header: they come first in the list.
		count, list = order.Uint64(list), list[8:]
	}
	if count > uint64(len(list)/8) {
		return damagef("page %d: %d pages", p.id(), count)
	}
	for i := range count {
		if err := c.claim(order.Uint64(list[8*i:])); err != nil {
			return err
		}
	}
	return nil
}

// checkRoot checks the bucket of buckets, and ours in it, if it is there.
func (c *checker) checkRoot() error {
	p, err := c.read(c.meta.root, 0)
	if err != nil {
		return fmt.Errorf("root: %w", err)
	}
	list, err := c.elements(p, 0)
	if err != nil {
		return fmt.Errorf("root: %w", err)
	}
	if len(list) == 0 {
		return nil
	}
	bucket := list[len(list)-1]
	if len(list) == 2 && isJournalBucket(list[0]) {
		list = list[1:]
	}
	if p.kind() != leafPage || len(list) > 1 || bucket.flags != bucketFlag || !bytes.Equal(bucket.key, bucketName) {
		return damagef("the root holds %d elements, the first one %.40q: want only %q; the file is of another program or of another version",
			len(list), list[0].key, bucketName)
	}
	if len(bucket.value) < bucketHeader {
		return damagef("root: %d bytes for a bucket", len(bucket.value))
	}
	if root := order.Uint64(bucket.value); root != 0 {
		return c.checkTree(root, 1, nil, nil)
	}
	inline := page(bucket.value[bucketHeader:])
	if len(inline) < pageHeader || inline.kind() != leafPage {
		return damagef("root: %d bytes for a bucket", len(bucket.value))
	}
	if list, err = c.elements(inline, 1); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	return checkLeaf(list, nil, nil)
}

// isJournalBucket reports whether e is the bucket that says that there is a
// journal. There is nothing in it.
func isJournalBucket(e element) bool {
	if e.flags != bucketFlag || !bytes.Equal(e.key, journalName) || len(e.value) != bucketHeader+pageHeader {
		return false
	}
	inline := page(e.value[bucketHeader:])
	return order.Uint64(e.value) == 0 && inline.kind() == leafPage && inline.count() == 0
}

// elements returns the elements of a branch or a leaf.
func (c *checker) elements(p page, depth int) ([]element, error) {
	if p.kind() != leafPage && p.kind() != branchPage {
		return nil, damagef("type %#x", p.kind())
	}
	list, end, err := p.elements(c.levels[depth].elements[:0])
	if err != nil {
		return nil, err
	}
	// bbolt takes no more pages for a node than it needs.
	if len(p)-end >= c.meta.pageSize {
		return nil, damagef("%d bytes in use of %d", end, len(p))
	}
	c.levels[depth].elements = list
	return list, nil
}

// checkTree checks the tree under a page, whose keys begin with lower and end
// before upper.
func (c *checker) checkTree(id uint64, depth int, lower, upper []byte) error {
	p, err := c.read(id, depth)
	if err != nil {
		return err
	}
	list, err := c.elements(p, depth)
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	if p.kind() == leafPage {
		if err := checkLeaf(list, lower, upper); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		return nil
	}
	if err := checkOrder(list, lower, upper); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	if len(list) == 0 {
		return damagef("page %d: a branch without children", id)
	}
	for i, e := range list {
		end := upper
		if i+1 < len(list) {
			end = list[i+1].key
		}
		if err := c.checkTree(e.page, depth+1, e.key, end); err != nil {
			return err
		}
	}
	return nil
}

// checkLeaf checks the records of a leaf.
func checkLeaf(list []element, lower, upper []byte) error {
	if err := checkOrder(list, lower, upper); err != nil {
		return err
	}
	for i, e := range list {
		if e.flags != 0 {
			return damagef("key %d: flags %#x", i, e.flags)
		}
		if err := checkRecord(e.key, e.value); err != nil {
			return err
		}
	}
	return nil
}
