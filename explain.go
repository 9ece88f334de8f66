package connector

import (
	"fmt"
	"slices"
	"strings"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/rib"
)

// Explanation says which way packets for an address go, and why.
type Explanation struct {
	Address ilp.Address
	// Candidates are all routes that cover the address: the longest prefix
	// first, and for one prefix the best route first. Packets take the first;
	// there is none where they are unreachable.
	Candidates []Candidate
}

// Candidate is one route that covers an address.
type Candidate struct {
	Route
	// Relation is that of the next hop; 0 for the connector itself.
	Relation Relation
	// Path is what lies behind the next hop as it has told, nearest first,
	// itself included; empty for routes that were not learned.
	Path []ilp.Address
	// Connected says whether the link to the next hop is up. The connector
	// itself always is.
	Connected bool
	// Why says why packets take this route, or not.
	Why string
}

// Used gives the route that packets take, if there is one.
func (e Explanation) Used() (Candidate, bool) {
	if len(e.Candidates) == 0 {
		return Candidate{}, false
	}
	return e.Candidates[0], true
}

// String tells it in a line for each candidate.
func (e Explanation) String() string {
	if len(e.Candidates) == 0 {
		return fmt.Sprintf("%s: no route\n", e.Address)
	}
	var b strings.Builder
	for _, c := range e.Candidates {
		fmt.Fprintf(&b, "%s: %s (%s) to %s: %s\n", e.Address, c.Prefix, c.Origin, nextHopName(c.NextHop), c.Why)
	}
	return b.String()
}

func nextHopName(id string) string {
	if id == "" {
		return "the connector itself"
	}
	return fmt.Sprintf("account %q", id)
}

// Explain says which routes cover address, which of them packets take and why.
func (r *Router) Explain(address ilp.Address) Explanation {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := Explanation{Address: address}
	for prefix := range prefixesOf(address.String()) {
		ways := r.base.Ways(prefix)
		for i, way := range ways {
			c := r.candidate(prefix, way)
			switch {
			case i > 0:
				c.Why = whyNot(ways[i-1], way)
			case len(e.Candidates) > 0:
				c.Why = fmt.Sprintf("%s is longer", e.Candidates[0].Prefix)
			default:
				c.Why = "the longest prefix"
			}
			e.Candidates = append(e.Candidates, c)
		}
	}
	return e
}

func (r *Router) candidate(prefix string, way rib.Way) Candidate {
	h := r.hops[way.Source]
	c := Candidate{
		Route:     h.route(prefix),
		Relation:  way.Source.NextHop.Relation,
		Path:      slices.Clone(way.Route.Path),
		Connected: h.link == nil || h.link.plugin.Connected(),
	}
	return c
}

// whyNot says why the worse of two routes for a prefix is not used.
func whyNot(better, worse rib.Way) string {
	x, y := better.Source, worse.Source
	switch {
	case x.Origin != y.Origin:
		return fmt.Sprintf("a %s route comes before a %s one", RouteOrigin(x.Origin), RouteOrigin(y.Origin))
	case x.Rank != y.Rank:
		return "another is configured before it"
	case x.NextHop.Relation != y.NextHop.Relation:
		return fmt.Sprintf("by a %s rather than a %s", x.NextHop.Relation, y.NextHop.Relation)
	case len(better.Route.Path) != len(worse.Route.Path):
		return fmt.Sprintf("its path of %d is longer than %d", len(worse.Route.Path), len(better.Route.Path))
	}
	return fmt.Sprintf("the account id %q comes before", x.NextHop.ID)
}

// prefixesOf gives address and what is left of it when its last segments are
// taken away, one after the other.
func prefixesOf(address string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for address != "" && yield(address) {
			address = address[:max(strings.LastIndexByte(address, '.'), 0)]
		}
	}
}

// ExchangeStatus is how routes are exchanged with one account.
type ExchangeStatus struct {
	Account string
	// Connected says whether the link is up.
	Connected bool
	// Sender is what it is told, Receiver what it tells; nil where it is not.
	Sender   *SenderStatus
	Receiver *ReceiverStatus
}

// Exchange gives the state of the exchange of routes with each account that
// takes part, by account id.
func (r *Router) Exchange() []ExchangeStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []ExchangeStatus
	for n := range r.exchange.with {
		s := ExchangeStatus{Account: n.id.ID, Connected: n.up}
		if n.sender != nil {
			s.Sender = new(n.sender.Status())
		}
		if n.receiver != nil {
			s.Receiver = new(n.receiver.Status())
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b ExchangeStatus) int { return strings.Compare(a.Account, b.Account) })
	return all
}
