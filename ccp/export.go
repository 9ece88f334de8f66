package ccp

import (
	"time"

	"github.com/interledger-go/connector/account"
)

// The figures of the reference (CCP-36).
const (
	// DefaultHoldDown is how long routes stay good without an update.
	DefaultHoldDown = 45 * time.Second
	// DefaultInterval is the time between two heartbeats.
	DefaultInterval = 30 * time.Second
	// DefaultSpacing is how long a change waits for others, so that a burst
	// of them makes one update.
	DefaultSpacing = 150 * time.Millisecond
)

// Neighbor is an account that routes are learnt from or taught to. The zero
// value is this connector itself.
type Neighbor struct {
	ID       string
	Relation account.Relation
}

// priority orders relations by how much routes learnt there are worth: those
// of customers more than those of peers, and these more than those of a
// provider, as everybody's purse has it.
func (n Neighbor) priority() int {
	if n.ID == "" {
		return 3
	}
	switch n.Relation {
	case account.Child:
		return 2
	case account.Peer:
		return 1
	}
	return 0
}

// ExportPolicy says whether a route that was learnt from one neighbor is
// taught to another. A route is never taught to the neighbor that it leads
// to, whatever the policy says.
type ExportPolicy func(to, from Neighbor) bool

// ReferenceExport is the rule of the reference (CCP-29): everything to
// everybody, save that a parent is not told what was learnt from peers and
// parents.
func ReferenceExport(to, from Neighbor) bool {
	return to.Relation != account.Parent || from.ID == "" || from.Relation == account.Child
}

// ValleyFree teaches our own routes and those of our children to everybody,
// and those of peers and parents to children only: we carry packets for those
// who are our customers, and not for one peer to another.
func ValleyFree(to, from Neighbor) bool {
	return to.Relation == account.Child || from.ID == "" || from.Relation == account.Child
}
