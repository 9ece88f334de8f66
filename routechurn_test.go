package connector_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
)

// Accounts, links, configured routes, what neighbors tell and the connector's
// own address change in any order. Every route leads to an account that is
// there, packets and Explain agree with it, and what is left in the end is what
// the accounts that are left account for.
func TestRoutesLeadToAccountsThatAreThere(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			churnRoutes(t, rand.New(rand.NewPCG(seed, 1)))
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// churn is a connector that inherits its address from "parent", which never
// goes, and what there is beside it. One of the others has the default route.
type churn struct {
	*network
	r        *rand.Rand
	parent   *speaker
	speakers map[string]*speaker
}

// churnPrefixes are what neighbors teach and the host configures: some are the
// connector's own, or a child's, at one time or another.
var churnPrefixes = []string{
	"test.p.me", "test.p.me.a", "test.p.me.a.x", "test.p.you", "test.p.you.b", "test.p", "test.q", "test.q.r", "test",
	"g.p.me", "g.p.me.a", "g.q", "g",
}

func churnRoutes(t *testing.T, r *rand.Rand) {
	c := &churn{network: newNetworkWithout(t, connector.Config{DefaultRoute: "test.s.a"}), r: r, speakers: make(map[string]*speaker)}
	c.addParent()
	c.run()
	for range 60 {
		c.step()
		if r.IntN(3) == 0 {
			time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
		}
		c.wantRoutesToAccounts()
	}
	for id := range c.speakers {
		c.drop(id)
	}
	if err := c.c.Router().SetRoutes(nil); err != nil {
		t.Fatal(err)
	}
	c.parent.link.handler.HandleState(false, nil)
	time.Sleep(time.Second)
	c.parent.link.setOffline()
	for _, route := range c.c.Router().Routes() {
		if route.Origin != connector.RouteLocal && route.Origin != connector.RouteDefault {
			t.Errorf("%v is left", route)
		}
	}
}

func (c *churn) addParent() {
	c.parent = c.addSpeaker(connector.Account{ID: "parent", Relation: connector.Parent})
	var asked atomic.Int64
	c.parent.link.protocol = func(p *ilp.Prepare) ilp.Reply {
		if p.Destination.String() == ildcp.Destination {
			address := []string{"test.p.me", "test.p.you", "g.p.me"}[asked.Add(1)%3]
			return ildcp.Response{Address: ilp.MustParseAddress(address), Asset: usd9}.Fulfill()
		}
		return &ilp.Fulfill{}
	}
}

// step changes something.
func (c *churn) step() {
	name := []string{"a", "b", "d", "e"}[c.r.IntN(4)]
	id := "test.s." + name
	s := c.speakers[id]
	switch what := c.r.IntN(8); {
	case s == nil:
		a := connector.Account{
			ID: id, Relation: []connector.Relation{connector.Child, connector.Peer, connector.Parent}[c.r.IntN(3)],
			SendRoutes: new(c.r.IntN(2) == 0), ReceiveRoutes: new(c.r.IntN(4) > 0),
		}
		if a.Relation == connector.Child {
			a.AddressSegment = name
		}
		s := c.addSpeaker(a)
		c.speakers[id] = s
	case what == 0:
		c.drop(id)
	case what == 1:
		s.link.handler.HandleState(c.r.IntN(2) == 0, nil)
	case what == 2:
		c.parent.link.handler.HandleState(true, nil) // asks for the address again
	case what == 3:
		routes := make([]connector.Route, c.r.IntN(3))
		for i := range routes {
			routes[i] = connector.Route{Prefix: c.prefix(), NextHop: id}
		}
		if err := c.c.Router().SetRoutes(routes); err != nil {
			c.t.Fatal(err)
		}
	default:
		u := s.update()
		u.FromEpoch = 0 // goes on from whatever the connector knows
		u.WithdrawnRoutes = []string{c.prefix()}
		for range c.r.IntN(4) {
			u.NewRoutes = append(u.NewRoutes, &ccp.Route{Prefix: c.prefix(), Path: []ilp.Address{u.Speaker}, Auth: refAuth})
		}
		p, err := u.Prepare(time.Now().Add(time.Minute))
		if err != nil {
			c.t.Fatal(err)
		}
		c.send(id, p) // it may well be refused
	}
}

func (c *churn) prefix() string { return churnPrefixes[c.r.IntN(len(churnPrefixes))] }

func (c *churn) drop(id string) {
	c.remove(context.Background(), id)
	delete(c.speakers, id)
}

func (c *churn) wantRoutesToAccounts() {
	c.t.Helper()
	router := c.c.Router()
	there := map[string]bool{"": true}
	for _, a := range c.c.Accounts() {
		there[a.ID] = true
	}
	for _, route := range router.Routes() {
		if !there[route.NextHop] {
			c.t.Errorf("%v leads to an account that is gone", route)
		}
	}
	for _, prefix := range churnPrefixes {
		address, err := ilp.ParseAddress(prefix + ".z")
		if err != nil {
			c.t.Fatal(err)
		}
		for _, candidate := range router.Explain(address).Candidates {
			if !there[candidate.NextHop] {
				c.t.Errorf("%s: the candidate %v leads to an account that is gone", address, candidate.Route)
			}
		}
		p := prepare(address.String())
		if o := c.send("parent", p); o.pending() {
			c.t.Errorf("%s: a packet was not answered", address)
		}
	}
}
