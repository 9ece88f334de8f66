package btplink

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/interledger-go/connector/plugin"
)

// pending holds the requests that one socket has sent and that are not
// answered. Whoever takes an entry out answers it, so that each is answered
// once. An entry that is given up stays for a while, without anybody to
// answer to, so that what comes for it is known to be late.
type pending struct {
	limit int
	late  time.Duration // from the expiry of a packet until it is given up

	mu      sync.Mutex
	entries map[uint32]entry
	open    int   // entries that are not given up
	next    int64 // when the timer fires; never while it is not set
	timer   *time.Timer
	closed  error // what to tell whoever comes too late; nil before

	failing sync.WaitGroup // the timer while it is set, and close
}

// entry is one request.
type entry struct {
	responder plugin.Responder // of an ILP packet
	call      *call            // of a Request; nil otherwise
	due       int64            // Unix milliseconds: when to give up, or to forget
	givenUp   bool
}

// never is the due of an entry that is not given up by the timer.
const never = math.MaxInt64

// fail answers the request that there is no reply.
func (e *entry) fail(ctx context.Context, err error) {
	if e.call != nil {
		e.call.fail(err)
		return
	}
	e.responder.Fail(ctx, err)
}

// add puts a request in, under a new id. Ids are random, which keeps them
// apart from those of earlier sockets of the same account (BTP-31).
func (t *pending) add(e entry) (id uint32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed != nil {
		return 0, t.closed
	}
	if t.open >= t.limit {
		return 0, plugin.ErrBusy
	}
	if t.entries == nil {
		t.entries = make(map[uint32]entry)
	}
	for {
		id = rand.Uint32()
		if _, taken := t.entries[id]; !taken {
			break
		}
	}
	t.entries[id] = e
	t.open++
	t.expect(e.due)
	return id, nil
}

// verdict is what is known about the id of a reply.
type verdict int

const (
	unknown verdict = iota // never asked, or answered before, or long ago
	found
	late // given up
)

// take takes a request out because its reply has come.
func (t *pending) take(id uint32) (entry, verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.entries[id]
	switch {
	case !ok:
		return entry{}, unknown
	case e.givenUp:
		delete(t.entries, id)
		return entry{}, late
	}
	delete(t.entries, id)
	t.open--
	return e, found
}

// giveUp makes a request one whose reply is late. It reports false if
// somebody else has answered it.
func (t *pending) giveUp(id uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.entries[id]
	if !ok || e.givenUp {
		return false
	}
	e = t.forgetLater(time.Now())
	t.entries[id] = e
	t.open--
	t.expect(e.due)
	return true
}

// forgetLater is the entry of a request that is given up now.
func (t *pending) forgetLater(now time.Time) entry {
	return entry{givenUp: true, due: now.Add(t.late).UnixMilli()}
}

// expect sets the timer to due, unless it fires before. It does not fire
// sooner than in an eighth of the late window, however the expiries are spread
// and however long ago they are: no request is given up while it is being
// written. The lock is held.
func (t *pending) expect(due int64) {
	if due >= t.next {
		return
	}
	now := time.Now()
	due = max(due, now.Add(t.late/8).UnixMilli())
	if due >= t.next {
		return
	}
	t.next = due
	wait := time.UnixMilli(due).Sub(now)
	if t.timer == nil {
		t.failing.Add(1)
		t.timer = time.AfterFunc(wait, t.sweep)
		return
	}
	if !t.timer.Stop() {
		t.failing.Add(1) // it had fired, and what it runs will be done with its own
	}
	t.timer.Reset(wait)
}

// sweep is run by the timer. It gives up what is due, forgets what was given
// up long ago, and sets the timer to the next time at which there is
// something to do. While nothing is pending the timer is not set again.
func (t *pending) sweep() {
	defer t.failing.Done()
	var gone []entry
	t.mu.Lock()
	if t.closed != nil {
		t.mu.Unlock()
		return
	}
	now := time.Now()
	next := int64(never)
	t.next = next
	for id, e := range t.entries {
		switch {
		case e.due > now.UnixMilli():
		case e.givenUp:
			delete(t.entries, id)
			continue
		default:
			gone = append(gone, e)
			t.open--
			e = t.forgetLater(now)
			t.entries[id] = e
		}
		next = min(next, e.due)
	}
	t.expect(next)
	if len(t.entries) == 0 {
		t.entries = nil // it may have grown
	}
	t.mu.Unlock()
	failAll(gone, errGivenUp)
}

// close fails everything that is pending, with err, and all that comes later,
// with refusal. A second call does nothing, and does not wait for the first,
// nor for the timer: failing does.
func (t *pending) close(err, refusal error) {
	t.mu.Lock()
	if t.closed != nil {
		t.mu.Unlock()
		return
	}
	t.closed = refusal
	if t.timer != nil && t.timer.Stop() {
		t.failing.Done()
	}
	var gone []entry
	for _, e := range t.entries {
		if !e.givenUp {
			gone = append(gone, e)
		}
	}
	t.entries, t.open = nil, 0
	t.failing.Add(1)
	defer t.failing.Done()
	t.mu.Unlock()
	failAll(gone, err)
}

// failAll answers requests that have been taken out of the table.
func failAll(gone []entry, err error) {
	if len(gone) == 0 {
		return
	}
	burst := plugin.NewBurst(context.Background())
	for i := range gone {
		gone[i].fail(burst.Context(), err)
	}
	burst.Flush()
}

// outstanding is the number of requests that are not answered.
func (t *pending) outstanding() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open
}

var errGivenUp = fmt.Errorf("btp: no reply from the counterparty: %w", plugin.ErrUnknownOutcome)
