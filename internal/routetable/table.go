// Package routetable finds the longest prefix of an address, by whole
// segments, among any number of prefixes.
//
// A [Table] never changes: readers need no lock, and a [Builder] makes the
// next one. It is a hash table that is probed at the depths (numbers of
// segments) at which there is a prefix at all, deepest first. Addresses have
// few segments, so a lookup costs a few probes whatever the size of the table.
//
// The prefixes are spread over many small hash tables, the shards, so that the
// next table shares all of them with the present one but those in which
// something changes: a change among a million prefixes copies some hundreds.
// One hash of the prefix chooses the shard and the place in it, which is why
// this is not a map of maps.
package routetable

import (
	"hash/maphash"
	"iter"
	"strings"
)

// Table maps prefixes to values. The zero value is empty. It is safe for
// concurrent use.
type Table[V any] struct {
	shards []shard[V]   // as many as a power of two, or none
	seed   maphash.Seed // nobody outside can know who shares a shard
	size   int
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

func depth(prefix string) int {
	if prefix == "" {
		return 0
	}
	return 1 + strings.Count(prefix, ".")
}

// Len is the number of prefixes.
func (t *Table[V]) Len() int { return t.size }

// All gives every prefix and its value, in no order.
func (t *Table[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, slots := range t.shards {
			for i := range slots {
				if slots[i].tag != free && !yield(slots[i].prefix, slots[i].value) {
					return
				}
			}
		}
	}
}

// Get gives the value of exactly this prefix.
func (t *Table[V]) Get(prefix string) (V, bool) {
	if len(t.shards) > 0 {
		i, tag := t.place(prefix)
		if j, ok := t.shards[i].find(prefix, tag); ok {
			return t.shards[i][j].value, true
		}
	}
	var none V
	return none, false
}

// place says which shard a prefix belongs to, and its tag there. There is at
// least one shard.
func (t *Table[V]) place(prefix string) (shard int, tag uint32) {
	hash := maphash.String(t.seed, prefix)
	return int(hash & uint64(len(t.shards)-1)), uint32(hash>>32) | 1
}

// Lookup gives the longest prefix of address, which is a part of it, and its
// value. It allocates nothing.
func (t *Table[V]) Lookup(address string) (prefix string, value V, ok bool) {
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
			if v, ok := t.Get(address[:ends[d]]); ok {
				return address[:ends[d]], v, true
			}
		}
	}
	return "", value, false
}

// lookupDeep cuts the address shorter and shorter from its end.
func (t *Table[V]) lookupDeep(address string) (prefix string, value V, ok bool) {
	prefix = address
	for d := depth(address); d > 0; d-- {
		if t.has(d) {
			if v, ok := t.Get(prefix); ok {
				return prefix, v, true
			}
		}
		prefix = prefix[:max(strings.LastIndexByte(prefix, '.'), 0)]
	}
	value, ok = t.Get("")
	return "", value, ok
}

func (t *Table[V]) has(d int) bool {
	d = min(d, maxDepth)
	return t.depths[d/64]&(1<<(d%64)) != 0
}
