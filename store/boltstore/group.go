package boltstore

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/interledger-go/connector/store"
)

// maxGroup bounds the changes that go into one commit, so that a small batch
// does not wait for many large ones. A larger batch goes alone.
const maxGroup = 1 << 14

// queue lets concurrent writers share the syncs of a commit. One of them leads:
// it commits its own batch and those that were waiting when it began, tells
// their writers how it went, and hands the lead to the first of those who have
// come meanwhile. Its zero value is ready for use.
type queue struct {
	mu      sync.Mutex
	led     bool
	shared  bool      // the last commit was of several writers
	groups  uint64    // so many have been taken
	waiting []*waiter // in the order of their coming
}

// waiter is a Write that waits, or leads.
type waiter struct {
	batch *store.Batch // only read, and only while its Write has not returned
	turn  chan turn    // has room for one; nil for who leads at once
}

// turn ends the wait of a Write.
type turn struct {
	lead bool  // it is to commit its batch
	err  error // otherwise, how the commit of its batch went
}

// join makes w the leader and returns true, or lets it wait.
func (q *queue) join(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.led {
		q.led = true
		return true
	}
	w.turn = make(chan turn, 1)
	q.waiting = append(q.waiting, w)
	return false
}

// wait waits for the turn of w. When ctx is done it leaves the queue, unless
// somebody has begun to commit its batch.
func (q *queue) wait(ctx context.Context, w *waiter) turn {
	select {
	case t := <-w.turn:
		return t
	case <-ctx.Done():
	}
	q.mu.Lock()
	i := slices.Index(q.waiting, w)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	q.mu.Unlock()
	if i >= 0 {
		return turn{err: notWritten(ctx.Err())}
	}
	return <-w.turn
}

// take returns what the leader w commits: w first, and who is waiting.
func (q *queue) take(w *waiter) []*waiter {
	q.gather()
	q.mu.Lock()
	defer q.mu.Unlock()
	n, changes := 0, w.batch.Len()
	for n < len(q.waiting) && changes+q.waiting[n].batch.Len() <= maxGroup {
		changes += q.waiting[n].batch.Len()
		n++
	}
	group := append(make([]*waiter, 0, 1+n), w)
	group = append(group, q.waiting[:n]...)
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.shared = n > 0
	q.groups++
	return group
}

// gather lets others run if the commit before this one was shared: it has just
// woken its writers, and those who write again come into this group. A lone
// writer gathers nobody.
func (q *queue) gather() {
	const patience = 8 // times that nobody comes; each takes less than a microsecond
	for n, idle := 0, 0; idle < patience; idle++ {
		q.mu.Lock()
		shared, waiting := q.shared, len(q.waiting)
		q.mu.Unlock()
		if !shared {
			return
		}
		if waiting > n {
			n, idle = waiting, 0
		}
		runtime.Gosched()
	}
}

// done tells those whom the leader, the first of the group, has taken along
// how their commit went, and passes the lead on.
func (q *queue) done(group []*waiter, err error) {
	for _, w := range group[1:] {
		w.turn <- turn{err: err}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.led = false
		return
	}
	q.waiting[0].turn <- turn{lead: true}
	q.waiting = slices.Delete(q.waiting, 0, 1)
}
