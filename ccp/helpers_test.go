package ccp_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func seeded(seed uint64) rand.Source { return rand.NewPCG(seed, 0) }

func neighbor(id string, relation account.Relation) ccp.Neighbor {
	return ccp.Neighbor{ID: id, Relation: relation}
}

// The neighbors of most tests.
var (
	self   = ccp.Neighbor{}
	cad    = neighbor("cad", account.Peer)
	usd    = neighbor("usd", account.Peer)
	eur    = neighbor("eur", account.Peer)
	child  = neighbor("child", account.Child)
	child2 = neighbor("child2", account.Child)
	parent = neighbor("parent", account.Parent)
)

// route is a route with this path.
func route(prefix string, hops ...string) *ccp.Route {
	return &ccp.Route{Prefix: prefix, Path: path(hops...)}
}

// best is the route for a prefix by way of a neighbor.
func best(prefix string, by ccp.Neighbor, hops ...string) ccp.Best {
	return ccp.Best{Prefix: prefix, NextHop: by, Route: route(prefix, hops...)}
}

func none(prefix string) ccp.Best { return ccp.Best{Prefix: prefix} }

var tableID = ccp.TableID{0x3b, 0x06, 0x98, 0x22, 0xa7, 0x54, 0x4e, 0x44, 0x8a, 0x60, 0x0f, 0x9f, 0x70, 0x84, 0x14, 0x4d}

// newTable is a table of test.connie.
func newTable(changes ...ccp.Best) *ccp.Table {
	t := ccp.NewTable(ccp.TableOptions{Address: addr("test.connie"), ID: tableID, Random: seeded(1)})
	t.Set(changes)
	return t
}

// announced is the prefixes that a table tells.
func announced(table *ccp.Table) (prefixes []string) {
	for b := range table.All() {
		prefixes = append(prefixes, b.Prefix)
	}
	return prefixes
}

// newSender is a sender that has been asked for everything.
func newSender(table *ccp.Table, peer ccp.Neighbor) *ccp.Sender {
	s := ccp.NewSender(ccp.SenderOptions{Table: table, Peer: peer, Random: seeded(2)})
	s.Apply(start, &ccp.Control{Mode: ccp.Sync})
	return s
}

// update reads a message that must be there.
func update(t testing.TB, m *ccp.Message) *ccp.Update {
	t.Helper()
	if m == nil {
		t.Fatal("there is no message")
	}
	if m.Prepare.Amount != 0 || m.Prepare.Condition != ilp.PeerCondition {
		t.Errorf("the packet is %+v", m.Prepare)
	}
	u, err := ccp.ParseUpdate(&m.Prepare, m.Prepare.ExpiresAt.Add(-ccp.MessageLifetime))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// control reads a message that must be there.
func control(t testing.TB, m *ccp.Message) *ccp.Control {
	t.Helper()
	if m == nil {
		t.Fatal("there is no message")
	}
	c, err := ccp.ParseControl(&m.Prepare, m.Prepare.ExpiresAt.Add(-ccp.MessageLifetime))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func prefixes(routes []*ccp.Route) (p []string) {
	for _, r := range routes {
		p = append(p, r.Prefix)
	}
	return p
}

// newReceiver is a receiver of usd at test.connie whose first Control has been
// fulfilled.
func newReceiver(t testing.TB, change ...func(*ccp.ReceiverOptions)) *ccp.Receiver {
	t.Helper()
	o := ccp.ReceiverOptions{Address: addr("test.connie"), Random: seeded(3)}
	for _, c := range change {
		c(&o)
	}
	r := ccp.NewReceiver(o)
	r.LinkUp(start)
	_, m := r.Poll(start)
	equal(t, control(t, m), &ccp.Control{Mode: ccp.Sync})
	r.Answered(start, m.Sequence, ccp.Fulfilled)
	return r
}

var peerTable = ccp.TableID{1}

// news is an update of test.usd.
func news(from, to uint32, routes ...*ccp.Route) *ccp.Update {
	return &ccp.Update{TableID: peerTable, Speaker: addr("test.usd"), CurrentEpoch: to, FromEpoch: from, ToEpoch: to, HoldDown: ccp.DefaultHoldDown, NewRoutes: routes}
}

func withdrawal(from, to uint32, prefixes ...string) *ccp.Update {
	u := news(from, to)
	u.WithdrawnRoutes = prefixes
	return u
}

// by is a route of test.usd.
func by(prefix string, hops ...string) *ccp.Route {
	return route(prefix, append([]string{"test.usd"}, hops...)...)
}

// learnt is the prefixes that a receiver knows.
func learnt(r *ccp.Receiver) (p []string) {
	for prefix := range r.All() {
		p = append(p, prefix)
	}
	slices.Sort(p)
	return p
}

// said is changes as "+prefix" and "-prefix".
func said(changes []ccp.Change) (s []string) {
	for _, c := range changes {
		if c.Route == nil {
			s = append(s, "-"+c.Prefix)
		} else {
			s = append(s, "+"+c.Prefix)
		}
	}
	slices.Sort(s)
	return s
}
