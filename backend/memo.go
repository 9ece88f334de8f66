package backend

import "sync/atomic"

const (
	memoBits = 12 // 4096 results
	memoWays = 4  // places for one hash
)

// memo remembers a bounded number of ratios that cost something to work out.
// Readers take no lock. What is remembered never changes, so a result is
// right whenever it is found; where there is no place left, an older one
// goes, and is worked out again when it is asked for. The zero value is empty.
type memo[K comparable] struct {
	slots [1 << memoBits]atomic.Pointer[remembered[K]]
}

type remembered[K comparable] struct {
	key   K
	ratio Ratio
}

// set returns the places of a hash, whose upper bits count.
func (m *memo[K]) set(hash uint64) []atomic.Pointer[remembered[K]] {
	first := hash >> (64 - memoBits) &^ (memoWays - 1)
	return m.slots[first : first+memoWays]
}

func (m *memo[K]) get(hash uint64, key K) (Ratio, bool) {
	for i := range m.set(hash) {
		if r := m.set(hash)[i].Load(); r != nil && r.key == key {
			return r.ratio, true
		}
	}
	return Ratio{}, false
}

func (m *memo[K]) put(hash uint64, key K, ratio Ratio) {
	set, r := m.set(hash), &remembered[K]{key, ratio}
	for i := range set {
		if set[i].CompareAndSwap(nil, r) {
			return
		}
	}
	set[hash%memoWays].Store(r)
}

// mix spreads the bits of x over the upper bits of the result.
func mix(x uint64) uint64 {
	x ^= x >> 32
	return x * 0x9e3779b97f4a7c15
}
