package routetable

// shard is a hash table with open addressing: a prefix is at the place that
// its tag names, or behind it with no free slot between. It has as many slots
// as a power of two, at least a quarter of them free, or none at all.
type shard[V any] []slot[V]

type slot[V any] struct {
	prefix string
	value  V
	tag    uint32 // of the prefix's hash; free if nothing is here
}

// free is no prefix's tag: those are odd.
const free = 0

// newShard makes a shard that holds n prefixes.
func newShard[V any](n int) shard[V] {
	slots := 4
	for slots*3/4 < n {
		slots *= 2
	}
	return make(shard[V], slots)
}

// holds reports whether there is room for n prefixes in all.
func (s shard[V]) holds(n int) bool { return n <= len(s)*3/4 }

// find gives the place of a prefix, or reports false.
func (s shard[V]) find(prefix string, tag uint32) (int, bool) {
	if len(s) == 0 {
		return 0, false
	}
	mask := len(s) - 1
	for i := int(tag>>1) & mask; s[i].tag != free; i = (i + 1) & mask {
		if s[i].tag == tag && s[i].prefix == prefix {
			return i, true
		}
	}
	return 0, false
}

// put adds a prefix that is not there. There is room for it.
func (s shard[V]) put(added slot[V]) {
	mask := len(s) - 1
	i := int(added.tag>>1) & mask
	for s[i].tag != free {
		i = (i + 1) & mask
	}
	s[i] = added
}

// remove takes a prefix out, and reports whether it was there. What lies
// behind it, up to the next free slot, moves up as far as it may.
func (s shard[V]) remove(prefix string, tag uint32) bool {
	gap, ok := s.find(prefix, tag)
	if !ok {
		return false
	}
	mask := len(s) - 1
	for i := (gap + 1) & mask; s[i].tag != free; i = (i + 1) & mask {
		home := int(s[i].tag>>1) & mask
		if (i-home)&mask >= (i-gap)&mask { // its home is not behind the gap
			s[gap] = s[i]
			gap = i
		}
	}
	s[gap] = slot[V]{}
	return true
}
