package backend

import "sync/atomic"

const (
	memoBits = 12
	memoSize = 1 << memoBits // results
	memoWays = 4             // places for one hash
)

// memo remembers a bounded number of ratios that cost something to work out.
// Readers take no lock. What is remembered never changes, so a result is
// right whenever it is found; where there is no place left, an older one
// goes, and is worked out again when it is asked for. The zero value is empty.
type memo[K comparable] struct {
	slots [memoSize]atomic.Pointer[remembered[K]]
}

type remembered[K comparable] struct {
	key   K
	ratio Ratio
}

// place is where the first of the places of a hash is, whose upper bits count.
func place(hash uint64) uint64 { return hash >> (64 - memoBits) &^ (memoWays - 1) }

// get returns what is remembered of key, or nil.
func (m *memo[K]) get(hash uint64, key K) *remembered[K] {
	first := place(hash)
	for way := range uint64(memoWays) {
		if r := m.slots[(first+way)%memoSize].Load(); r != nil && r.key == key {
			return r
		}
	}
	return nil
}

func (m *memo[K]) put(hash uint64, key K, ratio Ratio) {
	first, r := place(hash), &remembered[K]{key, ratio}
	for way := range uint64(memoWays) {
		if m.slots[(first+way)%memoSize].CompareAndSwap(nil, r) {
			return
		}
	}
	m.slots[first+hash%memoWays].Store(r)
}

// mix spreads the bits of x over the upper bits of the result.
func mix(x uint64) uint64 {
	x ^= x >> 32
	return x * 0x9e3779b97f4a7c15
}
