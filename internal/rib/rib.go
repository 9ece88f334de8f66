// Package rib is the routing information base: every route that is known for a
// prefix, from whatever source, the best one first.
//
// It knows nothing of links, locks or packets. Whoever holds one tells it what
// its sources say, hears whether the best route of a prefix has changed by
// that, and makes what readers see of it.
package rib

import (
	"cmp"
	"iter"
	"slices"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ccp"
)

// Origin is the kind of a source. Of two routes for a prefix the one of the
// lower origin is better.
type Origin int

const (
	// Configured: the host has said so.
	Configured Origin = iota
	// Local: the connector's own address, or a child's.
	Local
	// Learned: a neighbor has told it (CCP).
	Learned
	// Default: the way to the rest of the network.
	Default
)

// Source is who says where a prefix is. Sources are told apart by their
// address; all routes of one share it.
type Source struct {
	Origin Origin
	// NextHop is where packets go; zero: they have arrived.
	NextHop ccp.Neighbor
	// Rank orders the sources that are alike otherwise, lowest first, such as
	// configured routes by their place in the configuration.
	Rank int
}

// Way is one route for a prefix. The zero Way is none.
type Way struct {
	Source *Source
	Route  *ccp.Route // never changed
}

// Base holds all routes. The zero value is empty. It is not safe for
// concurrent use.
type Base struct {
	ways map[string][]Way // best first; never an empty list
}

// Set makes r the route of s for its prefix, in place of the one that s had,
// and reports whether the best route of the prefix is another now.
func (b *Base) Set(s *Source, r *ccp.Route) (changed bool) {
	if b.ways == nil {
		b.ways = make(map[string][]Way)
	}
	w := Way{s, r}
	ways := b.ways[r.Prefix]
	if len(ways) == 0 {
		b.ways[r.Prefix] = []Way{w}
		return true
	}
	best := ways[0]
	ways = slices.DeleteFunc(ways, func(w Way) bool { return w.Source == s })
	i, _ := slices.BinarySearchFunc(ways, w, Compare)
	ways = slices.Insert(ways, i, w)
	b.ways[r.Prefix] = ways
	return ways[0] != best
}

// Withdraw takes the route of s for prefix out, and reports whether the best
// one is another now, or none.
func (b *Base) Withdraw(s *Source, prefix string) (changed bool) {
	ways := b.ways[prefix]
	i := slices.IndexFunc(ways, func(w Way) bool { return w.Source == s })
	switch {
	case i < 0:
		return false
	case len(ways) == 1:
		delete(b.ways, prefix)
		return true
	}
	b.ways[prefix] = slices.Delete(ways, i, i+1)
	return i == 0
}

// Best gives the best route for prefix.
func (b *Base) Best(prefix string) (Way, bool) {
	ways := b.ways[prefix]
	if len(ways) == 0 {
		return Way{}, false
	}
	return ways[0], true
}

// Ways gives all routes for prefix, the best one first. The list is the
// caller's.
func (b *Base) Ways(prefix string) []Way { return slices.Clone(b.ways[prefix]) }

// Len is the number of prefixes.
func (b *Base) Len() int { return len(b.ways) }

// All gives every prefix with its best route, in no order.
func (b *Base) All() iter.Seq2[string, Way] {
	return func(yield func(string, Way) bool) {
		for prefix, ways := range b.ways {
			if !yield(prefix, ways[0]) {
				return
			}
		}
	}
}

// Compare orders the routes of a prefix, the better one first: by origin; then
// a child's before a peer's before a parent's, the shorter path, the lower
// account id.
func Compare(x, y Way) int {
	return cmp.Or(
		cmp.Compare(x.Source.Origin, y.Source.Origin),
		cmp.Compare(x.Source.Rank, y.Source.Rank),
		cmp.Compare(distance(x.Source.NextHop.Relation), distance(y.Source.NextHop.Relation)),
		cmp.Compare(len(x.Route.Path), len(y.Route.Path)),
		cmp.Compare(x.Source.NextHop.ID, y.Source.NextHop.ID),
	)
}

// distance orders relations: who pays us for the traffic is nearest.
func distance(r account.Relation) int {
	switch r {
	case account.Child:
		return 1
	case account.Peer:
		return 2
	case account.Parent:
		return 3
	}
	return 0 // the connector itself
}
