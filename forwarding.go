package connector

import (
	"slices"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

// Forwarding is what neighbors are told of routes, as a log of changes.
type Forwarding struct {
	// TableID names the log.
	TableID ccp.TableID
	// Epoch is the number of changes that there have been.
	Epoch uint32
	// Log has the last change of each prefix, in order. Prefixes that were
	// withdrawn long ago are not in it.
	Log []ForwardedRoute
}

// ForwardedRoute is a change of what neighbors are told.
type ForwardedRoute struct {
	Epoch  uint32
	Prefix string
	// Withdrawn says that there is no route for the prefix any more.
	Withdrawn bool
	// NextHop is the id of the account; empty for the connector itself.
	NextHop string
	// Path is what neighbors are told: our own address first.
	Path []ilp.Address
}

// Forwarding gives what neighbors are told of routes. ok is false where
// nobody is told anything: the exchange is off, or there is no address yet.
func (r *Router) Forwarding() (f Forwarding, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	table := r.exchange.table
	if table == nil {
		return Forwarding{}, false
	}
	f = Forwarding{TableID: table.ID(), Epoch: table.CurrentEpoch()}
	for epoch, best := range table.Log() {
		change := ForwardedRoute{Epoch: epoch, Prefix: best.Prefix, Withdrawn: best.Route == nil}
		if best.Route != nil {
			change.NextHop = best.NextHop.ID
			change.Path = append([]ilp.Address{r.address}, best.Route.Path...)
		}
		f.Log = append(f.Log, change)
	}
	return f, true
}

// Best gives the route for exactly this prefix that is used, and what is known
// of it. It is what Routes gives, but for changes of the last moment.
func (r *Router) Best(prefix string) (Candidate, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	way, ok := r.base.Best(prefix)
	if !ok {
		return Candidate{}, false
	}
	return r.candidate(prefix, way), true
}

// ConfiguredRoutes gives the configured routes, whether their accounts are
// there or not, in the order in which they were configured.
func (r *Router) ConfiguredRoutes() []Route {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.configured)
}
