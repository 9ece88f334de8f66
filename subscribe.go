package connector

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/internal/routetable"
)

// RouteChange is a prefix whose packets go another way from now on.
type RouteChange struct {
	// Route is the new one, or, where Withdrawn, the one that there was.
	Route     Route
	Withdrawn bool
}

// Subscribe has f called with the routes that change from now on, in order,
// in batches. f is called by one goroutine of the connector while it runs, and
// must not block: routes are exchanged by the same one. It may use the Router.
// The changes are not to be changed: all subscribers are given the same.
// A call that is under way may end after cancel has returned.
func (r *Router) Subscribe(f func([]RouteChange)) (cancel func()) {
	return r.subscribers.add(f)
}

// subscribers are told of changes of the table.
type subscribers struct {
	mu    sync.Mutex
	list  []*subscriber // never changed, but replaced
	queue []notice
}

type subscriber struct {
	f         func([]RouteChange)
	cancelled atomic.Bool
}

// notice is what those are to be told who had subscribed when it happened.
type notice struct {
	to      []*subscriber
	changes []RouteChange
}

func (s *subscribers) add(f func([]RouteChange)) (cancel func()) {
	added := &subscriber{f: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(slices.Clip(s.list), added)
	return func() {
		added.cancelled.Store(true)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list = slices.DeleteFunc(slices.Clone(s.list), func(other *subscriber) bool { return other == added })
	}
}

// note puts what differs between two tables into the queue. prefixes are
// those that may.
func (s *subscribers) note(before, after *routetable.Table[*hop], prefixes map[string]struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return
	}
	changes := make([]RouteChange, 0, len(prefixes))
	for prefix := range prefixes {
		var old, now Route
		h, was := before.Get(prefix)
		if was {
			old = h.route(prefix)
		}
		h, is := after.Get(prefix)
		if is {
			now = h.route(prefix)
		}
		switch {
		case is && now != old:
			changes = append(changes, RouteChange{Route: now})
		case was && !is:
			changes = append(changes, RouteChange{Route: old, Withdrawn: true})
		}
	}
	if len(changes) > 0 {
		s.queue = append(s.queue, notice{s.list, changes})
	}
}

// deliver tells everybody what is in the queue.
func (s *subscribers) deliver() {
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, n := range queue {
		for _, subscriber := range n.to {
			if !subscriber.cancelled.Load() {
				subscriber.f(n.changes)
			}
		}
	}
}
