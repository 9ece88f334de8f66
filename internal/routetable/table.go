// Package routetable finds the longest prefix of an address, by whole
// segments, among any number of prefixes.
//
// A Table never changes: readers need no lock, and a writer builds the next
// one. It is a Go map that is probed at the depths (numbers of segments) at
// which there is a prefix at all, deepest first. Addresses have few segments,
// so a lookup costs a few hash probes whatever the size of the table.
package routetable

import (
	"iter"
	"maps"
	"strings"
)

// Table maps prefixes to values. The zero value is empty. It is safe for
// concurrent use.
type Table[V any] struct {
	values map[string]V
	// depths has bit d set when there is a prefix of d segments, and the last
	// bit for that number and all above; the empty prefix, which covers every
	// address, has no segments.
	depths  [maxDepth/64 + 1]uint64
	deepest int
}

// maxDepth is the number of segments of the longest address: 1023 bytes are
// 512 segments of one byte and their separators.
const maxDepth = 512

// quickDepth is how many cuts of an address fit on the stack of a lookup.
const quickDepth = 24

// New makes a table of the prefixes in values, which it keeps: the caller
// must not change the map any more. A prefix is one or more segments joined
// by dots, or empty.
func New[V any](values map[string]V) *Table[V] {
	t := &Table[V]{values: values}
	for prefix := range values {
		d := depth(prefix)
		t.deepest = max(t.deepest, d)
		d = min(d, maxDepth)
		t.depths[d/64] |= 1 << (d % 64)
	}
	return t
}

func depth(prefix string) int {
	if prefix == "" {
		return 0
	}
	return 1 + strings.Count(prefix, ".")
}

// Len is the number of prefixes.
func (t *Table[V]) Len() int { return len(t.values) }

// All gives every prefix and its value, in no order.
func (t *Table[V]) All() iter.Seq2[string, V] { return maps.All(t.values) }

// Get gives the value of exactly this prefix.
func (t *Table[V]) Get(prefix string) (V, bool) {
	v, ok := t.values[prefix]
	return v, ok
}

// Lookup gives the value of the longest prefix of address. It allocates
// nothing.
func (t *Table[V]) Lookup(address string) (V, bool) {
	if t.deepest > quickDepth {
		return t.lookupDeep(address)
	}
	// Find where the first t.deepest segments end, going forward: what lies
	// behind them (the receiver's part of an address is long) is not looked at.
	var ends [quickDepth + 1]int
	segments := 0
	for start := 0; segments < t.deepest; {
		segments++
		i := strings.IndexByte(address[start:], '.')
		if i < 0 {
			ends[segments] = len(address)
			break
		}
		ends[segments] = start + i
		start += i + 1
	}
	for d := segments; d >= 0; d-- {
		if t.has(d) {
			if v, ok := t.values[address[:ends[d]]]; ok {
				return v, true
			}
		}
	}
	var none V
	return none, false
}

// lookupDeep cuts the address shorter and shorter from its end.
func (t *Table[V]) lookupDeep(address string) (V, bool) {
	prefix := address
	for d := depth(address); d > 0; d-- {
		if t.has(d) {
			if v, ok := t.values[prefix]; ok {
				return v, true
			}
		}
		prefix = prefix[:max(strings.LastIndexByte(prefix, '.'), 0)]
	}
	v, ok := t.values[""]
	return v, ok
}

func (t *Table[V]) has(d int) bool {
	d = min(d, maxDepth)
	return t.depths[d/64]&(1<<(d%64)) != 0
}
