package ccp

import "time"

// What follows is the table that a Receiver keeps of its peer's routes. Every
// change passes through touch, so that changes can give each prefix that ended
// up with another route exactly once.

// routeCost is what a route takes in memory beside its text, and allowedCost
// what one may take on the average.
const (
	routeCost   = 160
	allowedCost = 1024
)

func cost(route *Route) int {
	return routeCost + len(route.Prefix) + pathSize(route.Path)
}

// known is what the peer has for a prefix; nil: nothing.
func (r *Receiver) known(prefix string) *Route {
	if route := r.routes[prefix]; route != nil {
		return route
	}
	return r.former[prefix]
}

// touch remembers what was known of a prefix before this event.
func (r *Receiver) touch(prefix string, before *Route) {
	if _, ok := r.touched[prefix]; !ok {
		r.touched[prefix] = before
		r.order = append(r.order, prefix)
	}
}

// changes gives what this event has changed.
func (r *Receiver) changes() []Change {
	var changes []Change
	for _, prefix := range r.order {
		if now := r.known(prefix); now != r.touched[prefix] {
			if changes == nil {
				changes = make([]Change, 0, len(r.order))
			}
			changes = append(changes, Change{prefix, now})
		}
	}
	if len(r.order) > 1<<12 {
		r.touched, r.order = make(map[string]*Route), nil // an exception need not be kept
	}
	clear(r.touched)
	clear(r.order)
	r.order = r.order[:0]
	return changes
}

// put learns a route; false if the peer has too many.
func (r *Receiver) put(route *Route) bool {
	prefix := route.Prefix
	present, before := r.routes[prefix], r.known(prefix)
	// What is out there already stays so, also if it was withdrawn a moment
	// ago.
	if before == nil {
		before = r.touched[prefix]
	}
	if before.same(route) {
		route = before
	}
	size := r.size + cost(route)
	if present != nil {
		size -= cost(present)
	} else if len(r.routes) >= r.o.MaxRoutes {
		return false
	}
	if size > r.o.MaxRoutes*allowedCost {
		return false
	}
	if route != before {
		r.touch(prefix, before)
	}
	r.size = size
	r.routes[prefix] = route
	delete(r.former, prefix)
	return true
}

// forget removes a prefix, if it is known.
func (r *Receiver) forget(prefix string) {
	before := r.known(prefix)
	if before == nil {
		return
	}
	r.touch(prefix, before)
	if present := r.routes[prefix]; present != nil {
		r.size -= cost(present)
		delete(r.routes, prefix)
	}
	delete(r.former, prefix)
}

// newTable begins the table of this id. What the last one taught stays until
// the new one is complete or until then; what is left of one before goes.
func (r *Receiver) newTable(id TableID, until time.Time) {
	if r.id != (TableID{}) {
		r.counts.NewTables++
	}
	r.id, r.epoch = id, 0
	if len(r.routes) == 0 {
		return
	}
	r.forgetFormer()
	r.former, r.routes, r.size = r.routes, make(map[string]*Route), 0
	r.formerExpiry = until
}

// startOver makes as if nothing were known, so that a Control asks for all.
func (r *Receiver) startOver(now time.Time) {
	r.newTable(TableID{}, now.Add(r.o.MinHoldDown))
	r.crammed = false
}

// makeRoom asks for everything if routes were refused for want of room and
// there is some now.
func (r *Receiver) makeRoom(now time.Time) {
	if r.crammed && len(r.routes) < r.o.MaxRoutes-r.o.MaxRoutes/8 && r.size < (r.o.MaxRoutes-r.o.MaxRoutes/8)*allowedCost {
		r.startOver(now)
		r.ask(now)
	}
}

// forgetFormer removes what the former table taught and the present one does
// not.
func (r *Receiver) forgetFormer() {
	for prefix, route := range r.former {
		r.touch(prefix, route)
	}
	r.former, r.formerExpiry = nil, time.Time{}
}

// forgetAll removes everything that was learnt.
func (r *Receiver) forgetAll() {
	for prefix, route := range r.All() {
		r.touch(prefix, route)
	}
	r.routes, r.former, r.size, r.crammed = make(map[string]*Route), nil, 0, false
	r.id, r.epoch, r.gaps = TableID{}, 0, 0
	r.expiry, r.formerExpiry = time.Time{}, time.Time{}
}
