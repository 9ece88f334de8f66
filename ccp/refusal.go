package ccp

import (
	"fmt"
	"slices"

	"github.com/interledger-go/connector/ilp"
)

// Refusal is why a route is not learnt. A prefix that was known before is
// forgotten then: what was known of it does not hold any more.
type Refusal int

const (
	// Malformed: an address in it is none.
	Malformed Refusal = iota
	// OutsideGlobalPrefix: the prefix is not of this network (CCP-32).
	OutsideGlobalPrefix
	// GlobalPrefixItself: a default route (CCP-32).
	GlobalPrefixItself
	// OwnAddress: the prefix is our own address, or below it.
	OwnAddress
	// Loop: the path leads through this connector (CCP-32).
	Loop
	// PathTooLong: the path has more hops or bytes than any honest one.
	PathTooLong
	// PathRepeats: the path leads through some connector twice.
	PathRepeats
	// TooManyRoutes: the peer has as many routes as it may have.
	TooManyRoutes

	refusalCount
)

var refusalNames = [refusalCount]string{
	Malformed:           "malformed address",
	OutsideGlobalPrefix: "outside the global prefix",
	GlobalPrefixItself:  "the global prefix itself",
	OwnAddress:          "our own address",
	Loop:                "loop",
	PathTooLong:         "path too long",
	PathRepeats:         "path repeats",
	TooManyRoutes:       "too many routes",
}

// String names the reason in a few words.
func (r Refusal) String() string {
	if r < 0 || r >= refusalCount {
		return fmt.Sprintf("Refusal(%d)", int(r))
	}
	return refusalNames[r]
}

// Refusals counts routes that were refused, by Refusal.
type Refusals [refusalCount]uint64

// Total is the number of all of them.
func (r *Refusals) Total() (total uint64) {
	for _, n := range r {
		total += n
	}
	return total
}

// The longest path that is learnt. Routes of the network today have fewer than
// ten hops.
const (
	maxPathHops = 64
	maxPathSize = 4096
)

// importRules are the checks on what a peer tells.
type importRules struct {
	address string // our own
	within  string // the address of the peer, if it is a child of ours
	global  string
}

// refuse says why a route is not learnt; ok is false if it may be.
func (f *importRules) refuse(route *Route) (why Refusal, refused bool) {
	switch {
	case route.Prefix == f.global:
		return GlobalPrefixItself, true
	case !below(route.Prefix, f.global):
		return OutsideGlobalPrefix, true
	case f.address != "" && within(route.Prefix, f.address) && (f.within == "" || !within(route.Prefix, f.within)):
		return OwnAddress, true
	case len(route.Path) > maxPathHops || pathSize(route.Path) > maxPathSize:
		return PathTooLong, true
	}
	for i, hop := range route.Path {
		if hop.String() == f.address {
			return Loop, true
		}
		if slices.Contains(route.Path[:i], hop) {
			return PathRepeats, true
		}
	}
	return 0, false
}

// honest gives the route with the speaker as the first hop of its path, as it
// must be (CCP-25). A peer that leaves itself out would seem nearer than it
// is, and escape the check for loops.
func honest(route *Route, speaker ilp.Address) (*Route, bool) {
	if len(route.Path) > 0 && route.Path[0] == speaker {
		return route, true
	}
	route.Path = append([]ilp.Address{speaker}, route.Path...)
	return route, false
}
