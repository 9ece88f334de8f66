package inproc

import (
	"sync"

	"github.com/interledger-go/connector/plugin"
)

// requests holds the responders of what one end has sent. A token is a place
// in the list and, above it, how often the place was used, so that an answer
// to a former request finds nothing.
type requests struct {
	mu     sync.Mutex
	list   []request
	free   []uint32
	closed bool
}

type request struct {
	responder plugin.Responder
	uses      uint32
	waiting   bool
}

// add keeps r until take or close. It reports false after close.
func (q *requests) add(r plugin.Responder) (token uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0, false
	}
	var place uint32
	if last := len(q.free) - 1; last >= 0 {
		place, q.free = q.free[last], q.free[:last]
	} else {
		place = uint32(len(q.list))
		q.list = append(q.list, request{})
	}
	entry := &q.list[place]
	entry.responder, entry.waiting = r, true
	entry.uses++
	return uint64(entry.uses)<<32 | uint64(place), true
}

// take gives the responder for token, once.
func (q *requests) take(token uint64) (plugin.Responder, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	place, uses := uint32(token), uint32(token>>32)
	if int(place) >= len(q.list) {
		return plugin.Responder{}, false
	}
	entry := &q.list[place]
	if !entry.waiting || entry.uses != uses {
		return plugin.Responder{}, false
	}
	r := entry.responder
	entry.responder, entry.waiting = plugin.Responder{}, false
	q.free = append(q.free, place)
	return r, true
}

// close gives all responders that wait, and lets no more in.
func (q *requests) close() []plugin.Responder {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	var waiting []plugin.Responder
	for i := range q.list {
		if q.list[i].waiting {
			waiting = append(waiting, q.list[i].responder)
		}
	}
	q.list, q.free = nil, nil
	return waiting
}
