package routetable

import (
	"hash/maphash"
	"slices"
)

// Builder gathers changes and makes tables of them, each from the one before.
// The zero value is ready, and begins with an empty table. It is not safe for
// concurrent use; the tables that it makes are.
type Builder[V any] struct {
	table   Table[V]
	changes map[string]change[V]
	sizes   []int             // of the shards
	counts  [maxDepth + 1]int // prefixes by depth
}

// change is what is to become of a prefix.
type change[V any] struct {
	value V
	set   bool // or else it is to go
}

// shardSize is how many prefixes a shard has, on average, at the most: what a
// change copies.
const shardSize = 512

// Set gives prefix a value in the next table. A prefix is one or more segments
// joined by dots, or empty.
func (b *Builder[V]) Set(prefix string, value V) { b.change(prefix, change[V]{value, true}) }

// Delete leaves prefix out of the next table.
func (b *Builder[V]) Delete(prefix string) { b.change(prefix, change[V]{}) }

func (b *Builder[V]) change(prefix string, c change[V]) {
	if b.changes == nil {
		b.changes = make(map[string]change[V])
	}
	b.changes[prefix] = c
}

// Pending is how many prefixes have changed since the last Build.
func (b *Builder[V]) Pending() int { return len(b.changes) }

// Build makes the next table. The former ones stay as they are.
func (b *Builder[V]) Build() *Table[V] {
	if len(b.changes) > 0 {
		b.apply()
		b.changes = nil // it may have been large
	}
	built := b.table
	return &built
}

// apply makes the changes in copies of the shards that they concern.
func (b *Builder[V]) apply() {
	b.spread(b.table.size + len(b.changes))
	b.table.shards = slices.Clone(b.table.shards)
	copied := make([]bool, len(b.table.shards))
	for prefix, c := range b.changes {
		i, tag := b.table.place(prefix)
		if !copied[i] {
			copied[i] = true
			b.table.shards[i] = slices.Clone(b.table.shards[i])
		}
		if b.table.shards[i].remove(prefix, tag) {
			b.count(i, prefix, -1)
		}
		if c.set {
			b.put(i, slot[V]{prefix, c.value, tag})
			b.count(i, prefix, 1)
		}
	}
	b.findDepths()
}

// put adds what is not there to the shard i, which no other table has.
func (b *Builder[V]) put(i int, added slot[V]) {
	if s := b.table.shards[i]; !s.holds(b.sizes[i] + 1) {
		larger := newShard[V](b.sizes[i] + 1)
		for j := range s {
			if s[j].tag != free {
				larger.put(s[j])
			}
		}
		b.table.shards[i] = larger
	}
	b.table.shards[i].put(added)
}

func (b *Builder[V]) count(i int, prefix string, n int) {
	b.table.size += n
	b.sizes[i] += n
	b.counts[min(depth(prefix), maxDepth)] += n
}

// spread spreads the prefixes anew over as many shards as size of them need,
// if those that there are have become too large, or much too small.
func (b *Builder[V]) spread(size int) {
	old, n := b.table, 1
	for n*shardSize < size {
		n *= 2
	}
	if n == len(old.shards) || n < len(old.shards) && n*8 > len(old.shards) {
		return
	}
	if len(old.shards) == 0 {
		b.table.seed = maphash.MakeSeed()
	}
	b.table.shards, b.sizes = make([]shard[V], n), make([]int, n)
	for i := range b.table.shards {
		b.table.shards[i] = newShard[V](size / n)
	}
	for prefix, v := range old.All() {
		i, tag := b.table.place(prefix)
		b.put(i, slot[V]{prefix, v, tag})
		b.sizes[i]++
	}
}

// findDepths says at which depths there are prefixes.
func (b *Builder[V]) findDepths() {
	b.table.depths, b.table.deepest = [len(b.table.depths)]uint64{}, 0
	for d, n := range b.counts {
		if n > 0 {
			b.table.depths[d/64] |= 1 << (d % 64)
			b.table.deepest = d
		}
	}
}
