package connector_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

// speaker is the counterparty of a fake link that speaks CCP: it takes the
// messages of the connector and sends its own.
type speaker struct {
	n    *network
	id   string
	link *fakeLink

	mu       sync.Mutex
	controls []ccp.Control
	known    map[string]*ccp.Route // what it has been told
	epoch    uint32
	table    ccp.TableID
}

// addSpeaker adds a to n, with a counterparty that speaks CCP.
func (n *network) addSpeaker(a connector.Account) *speaker {
	n.t.Helper()
	s := &speaker{n: n, id: a.ID, link: newFakeLink(), known: make(map[string]*ccp.Route), table: ccp.TableID{15: 1}}
	s.link.protocol, s.link.answer = s.answer, fulfills(fulfillment1)
	a.Plugin = s.link
	n.add(a)
	return s
}

func (s *speaker) answer(p *ilp.Prepare) ilp.Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch p.Destination.String() {
	case ccp.ControlDestination:
		control, err := ccp.ParseControl(p, time.Now())
		if err != nil {
			s.n.t.Errorf("%s was sent a bad route control: %v", s.id, err)
			return ilp.Rejectf(ilp.F00BadRequest, "bad.")
		}
		s.controls = append(s.controls, *control)
	case ccp.UpdateDestination:
		update, err := ccp.ParseUpdate(p, time.Now())
		if err != nil {
			s.n.t.Errorf("%s was sent a bad route update: %v", s.id, err)
			return ilp.Rejectf(ilp.F00BadRequest, "bad.")
		}
		for _, prefix := range update.WithdrawnRoutes {
			delete(s.known, prefix)
		}
		for _, route := range update.NewRoutes {
			s.known[route.Prefix] = route
		}
	}
	return &ilp.Fulfill{}
}

// listen asks for the routes of the connector.
func (s *speaker) listen() {
	s.n.t.Helper()
	control := ccp.Control{Mode: ccp.Sync}
	p, err := control.Prepare(time.Now().Add(time.Minute))
	if err != nil {
		s.n.t.Fatal(err)
	}
	s.n.send(s.id, p).wantFulfill(s.n.t, ilp.Fulfillment{})
}

// teach tells the connector of prefixes, each with a path that begins at the
// speaker, and withdraws those that follow the word "without".
func (s *speaker) teach(prefixes ...string) {
	s.n.t.Helper()
	u := s.update()
	for i, prefix := range prefixes {
		if prefix == "without" {
			u.WithdrawnRoutes = prefixes[i+1:]
			break
		}
		u.NewRoutes = append(u.NewRoutes, &ccp.Route{Prefix: prefix, Path: []ilp.Address{s.address()}, Auth: refAuth})
	}
	s.tell(u)
}

// address is what the reference's tests have for one: the id of the account.
func (s *speaker) address() ilp.Address { return ilp.MustParseAddress(s.id) }

// update is the next one of the speaker, with nothing in it.
func (s *speaker) update() ccp.Update {
	s.epoch++
	return ccp.Update{
		TableID: s.table, CurrentEpoch: s.epoch, FromEpoch: s.epoch - 1, ToEpoch: s.epoch,
		HoldDown: 45 * time.Second, Speaker: s.address(),
	}
}

func (s *speaker) tell(u ccp.Update) {
	s.n.t.Helper()
	p, err := u.Prepare(time.Now().Add(time.Minute))
	if err != nil {
		s.n.t.Fatal(err)
	}
	s.n.send(s.id, p).wantFulfill(s.n.t, ilp.Fulfillment{})
}

// asked is how often it has been asked for its routes.
func (s *speaker) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.controls)
}

func (s *speaker) told() map[string]*ccp.Route {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.known)
}

// wantTold fails the test unless the speaker knows just these prefixes.
func (s *speaker) wantTold(prefixes ...string) {
	s.n.t.Helper()
	if got := slices.Sorted(maps.Keys(s.told())); !slices.Equal(got, slices.Sorted(slices.Values(prefixes))) {
		s.n.t.Errorf("%s has been told of %v, want %v", s.id, got, prefixes)
	}
}

func auth(text string) ccp.Auth {
	return ccp.Auth(must(base64.StdEncoding.DecodeString(text)))
}

// refAuth is that of the reference's fixture, refSecret its routing secret.
var (
	refAuth   = auth("RLQ3sZWn8Y5TSNJM9qXszfxVlcuERxsxpy+7RhaUadk=")
	refSecret = must(base64.StdEncoding.DecodeString("c8rEzjyVRS7gGB3xLuy/GBDDKzZDPVJor/w6IA6pMfo="))
)

func peer(id string) connector.Account {
	return connector.Account{ID: id, Relation: connector.Peer}
}

// nextHop is the account that packets for an address go to; "none" if there is
// no route, "self" for the connector.
func (n *network) nextHop(address string) string {
	route, ok := n.c.Router().Lookup(ilp.MustParseAddress(address))
	switch {
	case !ok:
		return "none"
	case route.NextHop == "":
		return "self"
	}
	return route.NextHop
}

func (n *network) wantNextHop(address, want string) {
	n.t.Helper()
	if got := n.nextHop(address); got != want {
		n.t.Errorf("packets for %s go to %s, want %s", address, got, want)
	}
}

// Reference tests 53 to 59: accounts that come and go while it runs.
func TestReferenceModifyPlugins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		for _, id := range []string{"test.cad-ledger", "test.usd-ledger", "test.eur-ledger", "test.cny-ledger"} {
			n.addSpeaker(peer(id))
		}
		n.run()
		synctest.Wait()

		n.addSpeaker(peer("test.eur-ledger-2")) // 53
		if got := len(n.c.Accounts()); got != 5 {
			t.Errorf("%d accounts, want 5", got)
		}
		const noRoute = "no route found. source=test.usd-ledger destination=test.jpy-ledger.bob"
		n.send("test.usd-ledger", prepare("test.jpy-ledger.bob")).wantReject(t, ilp.F02Unreachable, noRoute)
		jpy := n.addSpeaker(peer("test.jpy-ledger")) // 54
		synctest.Wait()
		if !exchanges(n, "test.jpy-ledger") { // 56
			t.Error("no routes are exchanged with the account that was added")
		}
		jpy.teach("test.jpy-ledger")
		time.Sleep(time.Second)
		n.send("test.usd-ledger", prepare("test.jpy-ledger.bob")).wantFulfill(t, fulfillment1)

		if err := n.c.RemoveAccount(context.Background(), "test.jpy-ledger"); err != nil {
			t.Fatal(err)
		}
		for _, a := range n.c.Accounts() { // 57
			if a.ID == "test.jpy-ledger" {
				t.Error("the account that was removed is listed")
			}
		}
		n.send("test.usd-ledger", prepare("test.jpy-ledger.bob")).wantReject(t, ilp.F02Unreachable, noRoute) // 58
		if exchanges(n, "test.jpy-ledger") {                                                                 // 59
			t.Error("routes are exchanged with an account that was removed")
		}

		child := newFakeLink()
		child.answer = fulfills(fulfillment1)
		n.add(connector.Account{ID: "test.jpy-ledger", AddressSegment: "jpy", Relation: connector.Child, Plugin: child}) // 55
		n.send("test.usd-ledger", prepare("test.connie.jpy.bob")).wantFulfill(t, fulfillment1)
	})
}

func exchanges(n *network, id string) bool {
	return slices.ContainsFunc(n.c.Router().Exchange(), func(s connector.ExchangeStatus) bool { return s.Account == id })
}

// Reference test 76, and CCP-30: which sides of the exchange there are.
func TestReferenceRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		usd, cad := peer("test.usd-ledger"), peer("test.cad-ledger")
		usd.SendRoutes = new(false)
		cad.SendRoutes, cad.ReceiveRoutes = new(false), new(false)
		n.addSpeaker(usd)
		n.addSpeaker(cad)
		n.addSpeaker(peer("test.eur-ledger"))
		n.addSpeaker(connector.Account{ID: "child", Relation: connector.Child})
		n.addSpeaker(connector.Account{ID: "parent", Relation: connector.Parent})
		n.run()
		synctest.Wait()
		var got []string
		for _, s := range n.c.Router().Exchange() {
			got = append(got, fmt.Sprintf("%s %t %t", s.Account, s.Sender != nil, s.Receiver != nil))
		}
		want := []string{"parent true true", "test.eur-ledger true true", "test.usd-ledger false true"}
		if !slices.Equal(got, want) {
			t.Errorf("the exchange is %v, want %v", got, want)
		}
		for id, want := range map[string]string{
			"test.usd-ledger": "rejecting route control message, we are configured not to send routes to you.",
			"test.cad-ledger": "cannot process route control messages from non-peers.",
			"child":           "cannot process route control messages from non-peers.",
		} {
			control := ccp.Control{Mode: ccp.Sync}
			n.send(id, must(control.Prepare(time.Now().Add(time.Minute)))).wantReject(t, ilp.F00BadRequest, want)
		}
	})
}

// The network of the reference's route broadcaster tests.
func broadcaster(t *testing.T) (n *network, cad, usd, eur *speaker) {
	n = newNetwork(t, connector.Config{RoutingSecret: refSecret, Routes: []connector.Route{
		{Prefix: "test.prefix", NextHop: "test.cad-ledger"}, {Prefix: "test.eur-ledger", NextHop: "test.eur-ledger"},
	}})
	cad, usd, eur = n.addSpeaker(peer("test.cad-ledger")), n.addSpeaker(peer("test.usd-ledger")), n.addSpeaker(peer("test.eur-ledger"))
	n.run()
	synctest.Wait()
	for _, s := range []*speaker{cad, usd, eur} {
		s.teach(s.id)
	}
	time.Sleep(time.Second)
	return n, cad, usd, eur
}

// Reference tests 77 to 80: what is told to whom, with which auth values.
func TestReferenceBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, cad, usd, _ := broadcaster(t)
		n.wantNextHop("test.prefix.mary", "test.cad-ledger") // 77
		cad.listen()
		usd.listen()
		time.Sleep(time.Second)
		want := func(s *speaker, routes ...string) {
			t.Helper()
			var got []string
			for _, route := range s.told() {
				got = append(got, fmt.Sprint(route.Prefix, route.Path, base64.StdEncoding.EncodeToString(route.Auth[:6])))
			}
			slices.Sort(got)
			if !slices.Equal(got, routes) {
				t.Errorf("%s was told\n%s\nwant\n%s", s.id, strings.Join(got, "\n"), strings.Join(routes, "\n"))
			}
		}
		want(cad, // 79
			"test.connie[test.connie]muk4Yc9M",
			"test.eur-ledger[test.connie]pzvpeQd5",
			"test.usd-ledger[test.connie test.usd-ledger]VpLK9Fmh")
		want(usd,
			"test.cad-ledger[test.connie test.cad-ledger]VpLK9Fmh",
			"test.connie[test.connie]muk4Yc9M",
			"test.eur-ledger[test.connie]pzvpeQd5",
			"test.prefix[test.connie]2mgQJ9MA")

		cad.teach("without", "test.cad-ledger") // 80
		time.Sleep(time.Second)
		usd.wantTold("test.connie", "test.eur-ledger", "test.prefix")
		n.wantNextHop("test.cad-ledger.mary", "none")
	})
}

// Reference test 78: a configured route is used before one that was learned.
func TestReferenceConfiguredRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, _, _ := broadcaster(t)
		n.wantNextHop("test.cad-ledger.mary", "test.cad-ledger")
		if err := n.c.Router().SetRoutes([]connector.Route{{Prefix: "test.cad-ledger", NextHop: "test.usd-ledger"}}); err != nil {
			t.Fatal(err)
		}
		n.wantNextHop("test.cad-ledger.mary", "test.usd-ledger")
		n.wantNextHop("test.prefix.mary", "none")                // no longer configured
		n.wantNextHop("test.eur-ledger.mary", "test.eur-ledger") // learned, too
		if err := n.c.Router().SetRoutes([]connector.Route{{Prefix: "test..x", NextHop: "a"}, {Prefix: "test.y"}}); err == nil {
			t.Error("routes that are none are taken")
		}
		n.wantNextHop("test.cad-ledger.mary", "test.usd-ledger")
	})
}

// Reference tests 81 to 83: routes come and go, and some are not taken.
func TestReferenceLearning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, usd, _ := broadcaster(t)
		count := func(want int) {
			t.Helper()
			time.Sleep(time.Second)
			if routes := n.c.Router().Routes(); len(routes) != want {
				t.Errorf("the routes are %v, want %d", routes, want)
			}
		}
		count(5)
		usd.teach("test.xrp-ledger") // 81
		count(6)
		usd.teach("without", "test.xrp-ledger")
		count(5)
		u := usd.update() // 82, 83, and what the reference takes wrongly
		for prefix, path := range map[string]string{
			"peer.do.not.add.me":  "test.usd-ledger",
			"test.xrp-ledger":     "test.usd-ledger test.connie",
			"test1.bar":           "test.usd-ledger",
			"test":                "test.usd-ledger",
			"test.connie":         "test.usd-ledger",
			"test.connie.child.x": "test.usd-ledger",
		} {
			route := &ccp.Route{Prefix: prefix}
			for hop := range strings.FieldsSeq(path) {
				route.Path = append(route.Path, ilp.MustParseAddress(hop))
			}
			u.NewRoutes = append(u.NewRoutes, route)
		}
		usd.tell(u)
		count(5)
		status := n.c.Router().Exchange()
		i := slices.IndexFunc(status, func(s connector.ExchangeStatus) bool { return s.Account == "test.usd-ledger" })
		if refused := status[i].Receiver.Refused; refused.Total() != 6 {
			t.Errorf("%v were counted as refused, want 6", refused)
		}
	})
}

// js 11.2, 15: without an exchange of routes there are routes all the same.
func TestExchangeOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{
			Exchange: connector.ExchangeOptions{Off: true},
			Routes:   []connector.Route{{Prefix: "test.x", NextHop: "peer"}},
		})
		p := n.addSpeaker(peer("peer"))
		n.add(connector.Account{ID: "child", Relation: connector.Child})
		n.add(connector.Account{ID: "parent", Relation: connector.Parent})
		n.run()
		time.Sleep(time.Hour)
		n.wantNextHop("test.x.y", "peer")
		n.wantNextHop("test.connie.child", "child")
		n.wantNextHop("test.z", "parent")
		if p.asked() > 0 || len(p.told()) > 0 || len(n.c.Router().Exchange()) > 0 {
			t.Error("routes are exchanged")
		}
		control := ccp.Control{Mode: ccp.Sync}
		n.send("peer", must(control.Prepare(time.Now().Add(time.Minute)))).
			wantReject(t, ilp.F00BadRequest, "cannot process route control messages from non-peers.")
	})
}

// What a neighbor has told goes when its link goes, and a route that was
// behind it is used; both are told to others.
func TestLinkGoesAndComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		near, far, listener := n.addSpeaker(peer("test.a")), n.addSpeaker(peer("test.b")), n.addSpeaker(peer("test.c"))
		n.run()
		synctest.Wait()
		listener.listen()
		near.teach("test.z")
		u := far.update()
		u.NewRoutes = []*ccp.Route{{Prefix: "test.z", Path: []ilp.Address{far.address(), ilp.MustParseAddress("test.y")}}}
		far.tell(u)
		time.Sleep(time.Second)
		n.wantNextHop("test.z.bob", "test.a")
		if got := len(listener.told()["test.z"].Path); got != 2 {
			t.Errorf("the path that is told has %d hops, want 2", got)
		}

		near.link.handler.HandleState(false, nil)
		time.Sleep(time.Second)
		n.wantNextHop("test.z.bob", "test.b")
		if got := len(listener.told()["test.z"].Path); got != 3 {
			t.Errorf("the path that is told has %d hops, want 3: it is another way", got)
		}
		far.link.handler.HandleState(false, nil)
		time.Sleep(time.Second)
		n.wantNextHop("test.z.bob", "none")
		listener.wantTold("test.connie")

		controls := near.asked()
		near.link.handler.HandleState(true, nil)
		time.Sleep(time.Minute) // less what damping takes
		if near.asked() == controls {
			t.Error("a neighbor that is back is not asked for its routes")
		}
		near.table, near.epoch = ccp.TableID{15: 2}, 0
		near.teach("test.z")
		time.Sleep(time.Second)
		n.wantNextHop("test.z.bob", "test.a")
	})
}

// js 11.2, 16: a neighbor that falls silent loses its routes when their time
// is over.
func TestSilentNeighborLosesItsRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.addSpeaker(peer("test.a")).teachAfterRun("test.z")
		time.Sleep(44 * time.Second)
		n.wantNextHop("test.z.bob", "test.a")
		time.Sleep(2 * time.Second)
		n.wantNextHop("test.z.bob", "none")
	})
}

// teachAfterRun runs the network, and teaches.
func (s *speaker) teachAfterRun(prefixes ...string) {
	s.n.run()
	synctest.Wait()
	s.teach(prefixes...)
	time.Sleep(time.Millisecond)
}

// js 11.2, 21: an account that goes takes its routes along, whatever its
// relation, and one of the same id that comes later is a neighbor like the
// first.
func TestAccountsComeAndGoWithTheirRoutes(t *testing.T) {
	for _, relation := range []connector.Relation{connector.Child, connector.Peer, connector.Parent} {
		t.Run(relation.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t, connector.Config{Routes: []connector.Route{{Prefix: "test.static", NextHop: "test.a"}}})
				n.run()
				before := n.c.Router().Routes()
				for range 3 {
					a := connector.Account{ID: "test.a", Relation: relation, SendRoutes: new(true), ReceiveRoutes: new(true)}
					if relation == connector.Child {
						a.AddressSegment = "a"
					}
					s := n.addSpeaker(a)
					synctest.Wait()
					s.listen()
					s.teach("test.z")
					time.Sleep(40 * time.Second)
					n.wantNextHop("test.z.bob", "test.a")
					n.wantNextHop("test.static", "test.a")
					s.wantTold("test.connie") // the other route leads to itself
					if err := n.c.RemoveAccount(context.Background(), "test.a"); err != nil {
						t.Fatal(err)
					}
					if after := n.c.Router().Routes(); !slices.Equal(after, before) {
						t.Fatalf("the routes are %v, want %v as before", after, before)
					}
					time.Sleep(5 * time.Minute) // not so often that it is damped
				}
			})
		})
	}
}

func TestExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{Routes: []connector.Route{{Prefix: "test.z.x", NextHop: "test.b"}}})
		a, b := n.addSpeaker(peer("test.a")), n.addSpeaker(peer("test.b"))
		n.add(connector.Account{ID: "parent", Relation: connector.Parent})
		n.run()
		synctest.Wait()
		a.teach("test.z")
		b.teach("test.z")
		a.teach("test.z.x")
		time.Sleep(time.Second)
		e := n.c.Router().Explain(ilp.MustParseAddress("test.z.x.bob"))
		const want = `test.z.x.bob: test.z.x (configured) to account "test.b": the longest prefix
test.z.x.bob: test.z.x (learned) to account "test.a": a configured route comes before a learned one
test.z.x.bob: test.z (learned) to account "test.a": test.z.x is longer
test.z.x.bob: test.z (learned) to account "test.b": the account id "test.a" comes before
test.z.x.bob: test (default) to account "parent": test.z.x is longer
`
		if got := e.String(); got != want {
			t.Errorf("it says\n%s\nwant\n%s", got, want)
		}
		if c, ok := e.Used(); !ok || c.NextHop != "test.b" || c.Relation != account.Peer || !c.Connected {
			t.Errorf("used is %+v, %t", c, ok)
		}
		e = n.c.Router().Explain(ilp.MustParseAddress("g.a"))
		if _, ok := e.Used(); ok || e.String() != "g.a: no route\n" {
			t.Errorf("without a route it says %q", e)
		}
	})
}

func TestSubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		a, b := n.addSpeaker(peer("test.a")), n.addSpeaker(peer("test.b"))
		n.run()
		synctest.Wait()
		var mu sync.Mutex
		var got []string
		cancel := n.c.Router().Subscribe(func(changes []connector.RouteChange) {
			mu.Lock()
			defer mu.Unlock()
			for _, c := range changes {
				if route, _ := n.c.Router().Lookup(ilp.MustParseAddress(c.Route.Prefix)); !c.Withdrawn && route != c.Route {
					t.Errorf("told of %v, but packets take %v", c.Route, route)
				}
				got = append(got, fmt.Sprintf("%s %s %t", c.Route.Prefix, c.Route.NextHop, c.Withdrawn))
			}
		})
		want := func(changes ...string) {
			t.Helper()
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(got, changes) {
				t.Errorf("told of %v, want %v", got, changes)
			}
			got = nil
		}
		b.teach("test.z")
		want("test.z test.b false")
		a.teach("test.z")
		want("test.z test.a false")
		b.teach("test.z") // behind the other
		want()
		a.teach("without", "test.z")
		want("test.z test.b false")
		b.teach("without", "test.z")
		want("test.z test.b true")
		cancel()
		a.teach("test.z")
		want()
	})
}

// Whoever subscribes is told of what changes from then on, and nothing once
// cancel has returned, whatever waits to be told at that moment.
func TestSubscribeFromNowOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		router := n.c.Router()
		told := make(map[string][]string)
		subscribe := func(name string) (cancel func()) {
			return router.Subscribe(func(changes []connector.RouteChange) {
				for _, c := range changes {
					told[name] = append(told[name], c.Route.Prefix)
				}
			})
		}
		var cancelLater func()
		subscribe("first")
		cancelled := subscribe("cancelled")
		router.Subscribe(func([]connector.RouteChange) { cancelLater() })
		cancelLater = subscribe("cancelled by another")
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		subscribe("second")
		n.add(connector.Account{ID: "two", Relation: connector.Child})
		cancelled()
		n.run()
		synctest.Wait()
		n.stop()
		for name, want := range map[string][]string{
			"first": {"test.connie.one", "test.connie.two"}, "second": {"test.connie.two"}, "cancelled": nil, "cancelled by another": nil,
		} {
			if !slices.Equal(told[name], want) {
				t.Errorf("%s was told of %v, want %v", name, told[name], want)
			}
		}
	})
}

// A neighbor that is gone does not keep the table from forgetting what was
// withdrawn.
func TestTableForgetsRemovedNeighbors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		gone := n.addSpeaker(peer("test.gone"))
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		n.run()
		gone.listen()
		time.Sleep(time.Second)
		if err := n.c.RemoveAccount(t.Context(), "test.gone"); err != nil {
			t.Fatal(err)
		}
		told := n.c.Router().TableEpoch()
		routes := make([]connector.Route, 3000)
		for i := range routes {
			routes[i] = connector.Route{Prefix: fmt.Sprintf("test.x%d", i), NextHop: "one"}
		}
		for range 5 {
			if err := errors.Join(n.c.Router().SetRoutes(routes), n.c.Router().SetRoutes(nil)); err != nil {
				t.Fatal(err)
			}
		}
		if floor := n.c.Router().TableFloor(); floor <= told {
			t.Errorf("withdrawals are remembered from epoch %d on, for a neighbor that left at %d", floor, told)
		}
	})
}

// Messages that are none of the protocol, or not for this account, change
// nothing (CCP-12, CCP-31).
func TestRefusesBadRouteMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		a := n.addSpeaker(peer("test.a"))
		n.addSpeaker(connector.Account{ID: "child", Relation: connector.Child})
		n.run()
		synctest.Wait()
		good := a.update()
		good.NewRoutes = []*ccp.Route{{Prefix: "test.z", Path: []ilp.Address{a.address()}}}
		for name, c := range map[string]struct {
			from   string
			change func(p *ilp.Prepare)
			code   ilp.Code
		}{
			"not allowed":     {"child", func(*ilp.Prepare) {}, ilp.F00BadRequest},
			"wrong condition": {"test.a", func(p *ilp.Prepare) { p.Condition = condition1 }, ilp.F01InvalidPacket},
			"expired":         {"test.a", func(p *ilp.Prepare) { p.ExpiresAt = time.Now().Add(-time.Second) }, ilp.F00BadRequest},
			"cut short":       {"test.a", func(p *ilp.Prepare) { p.Data = p.Data[:len(p.Data)-1] }, ilp.F00BadRequest},
			"empty":           {"test.a", func(p *ilp.Prepare) { p.Data = nil }, ilp.F00BadRequest},
			"unknown":         {"test.a", func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("peer.route.x") }, ilp.F00BadRequest},
		} {
			p := must(good.Prepare(time.Now().Add(time.Minute)))
			c.change(&p)
			o := n.send(c.from, p)
			time.Sleep(time.Second)
			if o.pending() || o.reject == nil || o.reject.Code != c.code || o.reject.TriggeredBy != n.c.Address() {
				t.Errorf("%s: the answer is %v, want %s", name, o.reject, c.code)
			}
			n.wantNextHop("test.z", "none")
		}
	})
}

// A neighbor whose account is removed and added again and again is damped like
// one whose link goes up and down.
func TestAccountThatComesAndGoesIsDamped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.run()
		for i := range 4 {
			s := n.addSpeaker(peer("test.a"))
			synctest.Wait()
			if asked, want := s.asked() > 0, i < 2; asked != want {
				t.Errorf("after %d removals it is asked for its routes: %t, want %t", i, asked, want)
			}
			if err := n.c.RemoveAccount(context.Background(), "test.a"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Minute)
		s := n.addSpeaker(peer("test.a"))
		synctest.Wait()
		if s.asked() == 0 {
			t.Error("a neighbor that comes after a long time is not asked for its routes")
		}
	})
}

// The table does not keep withdrawals for a neighbor whose account is gone: one
// that was taught something long ago starts over.
func TestRemovedNeighborIsNotAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		gone, late, source := n.addSpeaker(peer("test.gone")), n.addSpeaker(peer("test.late")), n.addSpeaker(peer("test.source"))
		n.run()
		synctest.Wait()
		gone.listen()
		late.listen()
		time.Sleep(time.Second)
		if err := n.c.RemoveAccount(context.Background(), "test.gone"); err != nil {
			t.Fatal(err)
		}
		late.link.handler.HandleState(false, nil) // it knows the table, and is not awaited either
		for i := range 10 {
			prefixes := make([]string, 300)
			for j := range prefixes {
				prefixes[j] = fmt.Sprintf("test.x%d-%d", i, j)
			}
			source.teach(prefixes...)
			time.Sleep(time.Second)
			source.teach(append([]string{"without"}, prefixes...)...)
			time.Sleep(time.Second)
		}
		late.link.handler.HandleState(true, nil)
		for _, s := range n.c.Router().Exchange() {
			if s.Account == "test.late" {
				control := ccp.Control{Mode: ccp.Sync, TableID: s.Sender.TableID, Epoch: 1}
				n.send("test.late", must(control.Prepare(time.Now().Add(time.Minute)))).wantFulfill(t, ilp.Fulfillment{})
			}
		}
		for _, s := range n.c.Router().Exchange() {
			if s.Account == "test.late" && s.Sender.Restarts == 0 {
				t.Error("thousands of withdrawals are kept for a neighbor that was removed")
			}
		}
	})
}
