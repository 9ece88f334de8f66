package connectortest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/connectortest"
)

// bubble runs a test with a network of seed 1.
func bubble(t *testing.T, f func(t *testing.T, w *connectortest.Network)) {
	synctest.Test(t, func(t *testing.T) { f(t, connectortest.New(t, 1, connectortest.Options{})) })
}

// js 10, at the end: the network that the reference ships. Everybody pays
// everybody, and u6 has the address that its first parent gives it.
func TestSixNodes(t *testing.T) {
	bubble(t, func(t *testing.T, w *connectortest.Network) {
		w.Build(connectortest.SixNodes(), connectortest.Faults{})
		w.Converge()
		if got := w.Nodes()[5].Address().String(); got != "test.u4.u6" {
			t.Errorf("u6 has the address %s, want test.u4.u6", got)
		}
		w.Check()
	})
}

// A change is known three hops away within a second.
func TestChangeTravels(t *testing.T) {
	bubble(t, func(t *testing.T, w *connectortest.Network) {
		w.Build(connectortest.Line(4), connectortest.Faults{})
		w.Converge()
		nodes := w.Nodes()
		added := w.Node("new")
		w.Link(nodes[0], added, connector.Peer, connectortest.Faults{})
		time.Sleep(time.Second)
		if err := nodes[3].Pay(added, 1000); err != nil {
			t.Errorf("after a second: %v", err)
		}
	})
}

// Routes outlive two heartbeats that are lost in a row, and not a link that
// carries nothing any more.
func TestLostHeartbeats(t *testing.T) {
	for _, c := range []struct {
		silence time.Duration // from just before the heartbeat
		keeps   bool
	}{{7 * time.Second, true}, {time.Minute, false}} {
		bubble(t, func(t *testing.T, w *connectortest.Network) {
			a, b := w.Node("a"), w.Node("b")
			l := w.Link(a, b, connector.Peer, connectortest.Faults{})
			w.Converge()
			lost := 0
			defer a.Connector().Router().Subscribe(func(changes []connector.RouteChange) {
				for _, change := range changes {
					if change.Withdrawn {
						lost++
					}
				}
			})()
			time.Sleep(29 * time.Second)
			l.SetFaults(connectortest.Faults{Loss: 1})
			time.Sleep(c.silence)
			l.SetFaults(connectortest.Faults{})
			time.Sleep(5 * time.Minute)
			if kept := lost == 0; kept != c.keeps {
				t.Errorf("after a silence of %v the routes were kept: %t, want %t", c.silence, kept, c.keeps)
			}
			w.Converge()
			w.Check()
		})
	}
}

// An heir with heirs of its own takes the address of its second parent when the
// first goes, and so do they; it keeps that one when the first comes back.
func TestHeirOfAnotherParent(t *testing.T) {
	bubble(t, func(t *testing.T, w *connectortest.Network) {
		first, second := w.Node("first"), w.Node("second")
		w.Link(first, second, connector.Peer, slow)
		heir, below, last := w.Heir("heir"), w.Heir("below"), w.Heir("last")
		l := w.Link(first, heir, connector.Child, slow)
		w.LinkExchanging(second, heir, connector.Child, slow)
		w.Link(heir, below, connector.Child, slow)
		w.Link(below, last, connector.Child, slow)
		w.Converge()
		want := func(address string) {
			t.Helper()
			if got := last.Address().String(); got != address {
				t.Errorf("the last heir has the address %s, want %s", got, address)
			}
			w.Check()
		}
		want("test.first.heir.below.last")
		stop := pays(w)
		l.Remove()
		w.Converge()
		stop()
		want("test.second.heir.below.last")
		l.Restore()
		w.Converge()
		want("test.second.heir.below.last")
	})
}

// A parent that crashes, or whose link is cut, leaves its heir the address.
func TestParentGoesAndComesBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *connectortest.Network) {
		parent, heir := w.Node("parent"), w.Heir("heir")
		l := w.Link(parent, heir, connector.Child, slow)
		w.Converge()
		for _, away := range []struct{ leave, back func() }{{l.Cut, l.Heal}, {parent.Crash, parent.Restart}} {
			away.leave()
			time.Sleep(10 * time.Minute)
			if got := heir.Address().String(); got != "test.parent.heir" {
				t.Errorf("the heir has the address %s, want test.parent.heir", got)
			}
			w.CheckRoutes()
			away.back()
			w.Converge()
			w.Check()
		}
	})
}

// Fulfillments that come late are booked by nobody but who gave them: the books
// of neighbors differ by exactly those.
func TestLateFulfillments(t *testing.T) {
	bubble(t, func(t *testing.T, w *connectortest.Network) {
		w.Build(connectortest.Line(4), slow)
		w.Converge()
		for _, l := range w.Links() {
			l.SetFaults(connectortest.Faults{Jitter: 20 * time.Second, Duplication: 0.2})
		}
		stop := pays(w)
		time.Sleep(30 * time.Second) // before routes expire
		stop()
		w.Drain()
		w.CheckBooks()
		late := uint64(0)
		for _, n := range w.Nodes() {
			late += n.Connector().Counters().LateFulfills
		}
		if late == 0 {
			t.Error("no fulfillment was late")
		}
		for _, l := range w.Links() {
			l.SetFaults(slow)
		}
		w.Converge()
		w.Check()
	})
}
