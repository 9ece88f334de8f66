package backend

// MemoSize is how many results a memo has room for.
const MemoSize = memoSize

// Memo is the memo of whole numbers.
type Memo struct{ memo memo[uint64] }

// Get returns what is remembered of key.
func (m *Memo) Get(key uint64) (Ratio, bool) {
	if r := m.memo.get(mix(key), key); r != nil {
		return r.ratio, true
	}
	return Ratio{}, false
}

// Put remembers ratio.
func (m *Memo) Put(key uint64, ratio Ratio) { m.memo.put(mix(key), key, ratio) }
