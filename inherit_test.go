package connector_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// parentAnswers makes l a parent that gives the address that is in it, or none
// while there is nothing in it, and counts how often it was asked.
func parentAnswers(l *fakeLink, address *atomic.Value, asset connector.Asset) *atomic.Int64 {
	asked := new(atomic.Int64)
	l.protocol = func(p *ilp.Prepare) ilp.Reply {
		if p.Destination.String() != ildcp.Destination {
			return &ilp.Fulfill{}
		}
		asked.Add(1)
		a, _ := address.Load().(string)
		if a == "" {
			return ilp.Rejectf(ilp.T00InternalError, "not now.")
		}
		return ildcp.Response{Address: ilp.MustParseAddress(a), Asset: asset}.Fulfill()
	}
	return asked
}

// DCP-04: the address is that which the parent gives. Children and routes
// follow it.
func TestInheritsItsAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetworkWithout(t, connector.Config{})
		n.add(connector.Account{ID: "child", Relation: connector.Child})
		parent := n.add(connector.Account{ID: "parent", Relation: connector.Parent})
		var address atomic.Value
		address.Store("test.parent.us")
		parentAnswers(parent, &address, usd9)

		if got := n.c.Address(); !got.IsZero() {
			t.Fatalf("before it runs the address is %s", got)
		}
		n.run()
		synctest.Wait()
		if got := n.c.Address().String(); got != "test.parent.us" {
			t.Fatalf("the address is %q, want test.parent.us", got)
		}
		if parent.mu.Lock(); parent.spoiled != "" {
			t.Error(parent.spoiled)
		}
		parent.mu.Unlock()
		for address, want := range map[string]string{
			"test.parent.us.child.x": "child", "test.far.away": "parent", "test.parent.us": "",
		} {
			route, ok := n.c.Router().Lookup(ilp.MustParseAddress(address))
			if !ok || route.NextHop != want {
				t.Errorf("%s goes to %+v, %t, want %q", address, route, ok, want)
			}
		}
	})
}

// The reference hangs for ever where the parent cannot be asked (js 11.3, 28).
func TestAsksForAnAddressAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetworkWithout(t, connector.Config{})
		parent := n.add(connector.Account{ID: "parent", Relation: connector.Parent})
		var address atomic.Value
		asked := parentAnswers(parent, &address, usd9)
		n.run()
		synctest.Wait()
		if !n.c.Address().IsZero() || asked.Load() == 0 {
			t.Fatalf("the address is %s after %d questions", n.c.Address(), asked.Load())
		}
		o := n.send("parent", prepare("test.somebody"))
		o.mu.Lock()
		if o.reject == nil || o.reject.Code != ilp.T01PeerUnreachable {
			t.Errorf("a packet is answered %v, want T01: there will be an address", o.reject)
		}
		o.mu.Unlock()
		time.Sleep(5 * time.Minute)
		if n := asked.Load(); n < 5 || n > 50 {
			t.Errorf("asked %d times in five minutes, want it again and again but not in a rush", n)
		}
		address.Store("test.parent.us")
		time.Sleep(time.Minute)
		if got := n.c.Address().String(); got != "test.parent.us" {
			t.Errorf("the address is %q a minute after the parent would give it", got)
		}
	})
}

// A parent that never answers does not hold up the accounts that need none.
func TestSilentParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetworkWithout(t, connector.Config{Routes: []connector.Route{{Prefix: "test.peer", NextHop: "peer"}}})
		parent := n.add(connector.Account{ID: "parent", Relation: connector.Parent})
		peer := n.add(connector.Account{ID: "peer", Relation: connector.Peer})
		var asked atomic.Int64
		parent.protocol = func(p *ilp.Prepare) ilp.Reply {
			if p.Destination.String() == ildcp.Destination {
				asked.Add(1)
			}
			return nil
		}
		n.run()
		time.Sleep(time.Minute)
		if asked.Load() < 3 {
			t.Errorf("the silent parent was asked %d times in a minute", asked.Load())
		}
		n.send("parent", prepare("test.peer.bob"))
		if peer.take(t).prepare.Destination.String() != "test.peer.bob" {
			t.Error("another packet was sent to the peer")
		}
	})
}

// An address that the parent changes is taken when the link comes back, or
// within the time of a refresh.
func TestFollowsAnAddressThatChanges(t *testing.T) {
	for name, tell := range map[string]func(parent *fakeLink){
		"the link comes back": func(parent *fakeLink) {
			parent.handler.HandleState(false, nil)
			parent.handler.HandleState(true, nil)
			synctest.Wait()
		},
		"in time": func(*fakeLink) { time.Sleep(time.Minute + time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetworkWithout(t, connector.Config{})
				child := n.add(connector.Account{ID: "child", Relation: connector.Child})
				parent := n.add(connector.Account{ID: "parent", Relation: connector.Parent})
				var address atomic.Value
				address.Store("test.old")
				parentAnswers(parent, &address, usd9)
				n.run()
				synctest.Wait()
				address.Store("test.new")
				tell(parent)

				if got := n.c.Address().String(); got != "test.new" {
					t.Fatalf("the address is %q, want test.new", got)
				}
				if got, _ := n.c.Router().Lookup(ilp.MustParseAddress("test.old.child.x")); got.NextHop != "parent" {
					t.Errorf("the child's former address goes to %+v, want the way to the rest of the network", got)
				}
				n.send("parent", prepare("test.new.child.x"))
				child.take(t)
				request := ildcp.Request(time.Now().Add(time.Minute))
				o := n.send("child", request)
				o.mu.Lock()
				defer o.mu.Unlock()
				if o.fulfill == nil {
					t.Fatalf("the child is told %v", o.reject)
				}
				if response, err := ildcp.ParseFulfill(o.fulfill); err != nil || response.Address.String() != "test.new.child" {
					t.Errorf("the child is told %v, %v, want test.new.child", response, err)
				}
			})
		})
	}
}

func TestInheritsFromTheAccountThatIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetworkWithout(t, connector.Config{InheritFrom: "second"})
		var one, two atomic.Value
		one.Store("test.one.us")
		two.Store("test.two.us")
		first := n.add(connector.Account{ID: "first", Relation: connector.Parent})
		if asked := parentAnswers(first, &one, usd9); asked.Load() != 0 {
			t.Error("the first parent was asked")
		}
		parentAnswers(n.add(connector.Account{ID: "second", Relation: connector.Parent}), &two, usd9)
		n.run()
		synctest.Wait()
		if got := n.c.Address().String(); got != "test.two.us" {
			t.Errorf("the address is %q, want the one of the second parent", got)
		}
	})
}

// A parent that is added while the connector runs gives it its address.
func TestInheritsFromAParentThatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetworkWithout(t, connector.Config{})
		n.run()
		time.Sleep(time.Second)
		l := newFakeLink()
		var address atomic.Value
		address.Store("test.parent.us")
		parentAnswers(l, &address, usd9)
		err := n.c.AddAccount(context.Background(), connector.Account{ID: "parent", Relation: connector.Parent, Asset: usd9, Plugin: l})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := n.c.Address().String(); got != "test.parent.us" {
			t.Errorf("the address is %q, want test.parent.us at once", got)
		}
	})
}

// The reference ignores it when the parent counts in another unit.
func TestSaysThatTheParentCountsInAnotherUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		n := newNetworkWithout(t, connector.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		parent := n.add(connector.Account{ID: "parent", Relation: connector.Parent})
		var address atomic.Value
		address.Store("test.parent.us")
		parentAnswers(parent, &address, connector.Asset{Code: "EUR", Scale: 2})
		stop := n.run()
		time.Sleep(10 * time.Minute)
		stop()
		if got := strings.Count(log.String(), "amounts mean different things"); got != 1 {
			t.Errorf("it was said %d times, want once:\n%s", got, log.String())
		}
		alerts := n.c.Alerts()
		if len(alerts) != 1 || alerts[0].Kind != middleware.AlertAssetMismatch || alerts[0].Account != "parent" || alerts[0].Count != 1 {
			t.Errorf("the alerts are %+v, want one about the parent's asset", alerts)
		}
	})
}

// An heir whose parent is removed asks the next one at once.
func TestInheritsFromTheNextParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetworkWithout(t, connector.Config{})
		var one, two atomic.Value
		one.Store("test.one.us")
		two.Store("test.two.us")
		parentAnswers(n.add(connector.Account{ID: "first", Relation: connector.Parent}), &one, usd9)
		parentAnswers(n.add(connector.Account{ID: "second", Relation: connector.Parent}), &two, usd9)
		n.run()
		synctest.Wait()
		if err := n.c.RemoveAccount(context.Background(), "first"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := n.c.Address().String(); got != "test.two.us" {
			t.Errorf("the address is %q, want the one of the parent that is left", got)
		}
	})
}

// While an heir has an address that is not the one its parent has for it any
// more, packets do not go to and fro between the two.
func TestDefaultRouteDoesNotReturnPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		parent := n.add(connector.Account{ID: "parent", Relation: connector.Parent})
		n.add(connector.Account{ID: "child", Relation: connector.Child})
		n.run()
		n.send("parent", prepare("test.elsewhere.child.bob")).
			wantReject(t, ilp.F02Unreachable, "no route found. source=parent destination=test.elsewhere.child.bob")
		if parent.count() > 0 {
			t.Error("the packet went back to the parent")
		}
		n.send("child", prepare("test.elsewhere.bob"))
		parent.take(t)
	})
}
