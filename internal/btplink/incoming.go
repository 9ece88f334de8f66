package btplink

import "sync"

// incoming holds the requests of the counterparty on one socket that are not
// answered. It gives each a token to answer with, and lets it be used once
// (BTP-30): there is one slot for each request that is open, and the token
// names the slot and says how often it had been used before.
type incoming struct {
	mu    sync.Mutex
	slots []slot
	free  []uint32 // indices of slots that are not in use
}

type slot struct {
	id  uint32 // of the request
	use uint32 // odd while the slot is in use
}

// open takes a request in.
func (q *incoming) open(id uint32) (token uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var i uint32
	if n := len(q.free); n > 0 {
		i, q.free = q.free[n-1], q.free[:n-1]
	} else {
		i = uint32(len(q.slots))
		q.slots = append(q.slots, slot{})
	}
	s := &q.slots[i]
	s.id = id
	s.use++
	return uint64(i)<<32 | uint64(s.use)
}

// take takes a request out, to be answered. It reports false if that has been
// done before.
func (q *incoming) take(token uint64) (id uint32, ok bool) {
	i, use := uint32(token>>32), uint32(token)
	q.mu.Lock()
	defer q.mu.Unlock()
	if int(i) >= len(q.slots) || q.slots[i].use != use || use%2 == 0 {
		return 0, false
	}
	q.slots[i].use++
	q.free = append(q.free, i)
	return q.slots[i].id, true
}

// unanswered is the number of requests that are open.
func (q *incoming) unanswered() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.slots) - len(q.free)
}
