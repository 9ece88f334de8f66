package connector_test

import (
	"maps"
	"testing"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// wantCounts fails the test unless the counts are those of the routes.
func wantCounts(t *testing.T, r *connector.Router) {
	t.Helper()
	want := make(map[connector.RouteOrigin]int)
	for _, origin := range connector.RouteOrigins() {
		want[origin] = 0
	}
	for _, route := range r.Routes() {
		want[route.Origin]++
	}
	if got := r.Counts(); !maps.Equal(got, want) {
		t.Errorf("the counts are %v, want %v", got, want)
	}
}

// Routes are counted by origin whatever replaces what.
func TestRouterCountsItsRoutes(t *testing.T) {
	n := newNetwork(t, connector.Config{Routes: []connector.Route{{Prefix: "test.far", NextHop: "bob"}}})
	r := n.c.Router()
	wantCounts(t, r)
	n.add(connector.Account{ID: "bob", Relation: connector.Parent})
	n.add(connector.Account{ID: "kid", Relation: connector.Child})
	wantCounts(t, r)
	if got := r.Counts(); got[connector.RouteConfigured] != 1 || got[connector.RouteLocal] != 2 || got[connector.RouteDefault] != 1 {
		t.Errorf("the counts are %v, want 1 configured, 2 local, 1 default", got)
	}
	// A configured route takes the place of the child's, and gives it back.
	if err := r.SetRoutes([]connector.Route{{Prefix: "test.connie.kid", NextHop: "bob"}, {Prefix: "test", NextHop: "bob"}}); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, r)
	if err := r.SetRoutes(nil); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, r)
	if err := n.c.RemoveAccount(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, r)
}

// What a connector shows of a chain that has nothing to show.
func TestStatusWithoutMiddleware(t *testing.T) {
	n := newNetwork(t, connector.Config{Middleware: []middleware.Middleware{}})
	if n.c.Stats() != nil || n.c.Meters() != nil || n.c.PacketLog() != nil || n.c.Alerts() != nil || n.c.Feeds() != nil {
		t.Error("there is something")
	}
	if _, ok := n.c.Commits(); !ok {
		t.Error("the connector's own ledger does not say how it commits")
	}
}

// A packet that was forwarded is measured on both sides, and logged with what
// went to the next hop.
func TestForwardedPacketsAreMeasuredAndLogged(t *testing.T) {
	log := middleware.NewPacketLog(middleware.PacketLogOptions{})
	chain := append([]middleware.Middleware{log}, middleware.NewMeter().Around(middleware.Standard())...)
	n := newNetwork(t, connector.Config{Middleware: chain})
	n.add(connector.Account{ID: "alice", Relation: connector.Child, Asset: usd9})
	bob := n.add(connector.Account{ID: "bob", Relation: connector.Child, Asset: connector.Asset{Code: "USD", Scale: 6}})
	bob.answer = func(*ilp.Prepare) ilp.Reply { return &ilp.Fulfill{Fulfillment: fulfillment1} }
	n.run()
	p := newPackets(1).next()
	p.Amount = 5000
	n.send("alice", *p).wantFulfill(t, fulfillment1)
	meters := n.c.Meters()
	if len(meters) != 2 || meters[0].Asset != usd9 {
		t.Fatalf("the meters are %+v", meters)
	}
	in, out := meters[0].Incoming[middleware.OutcomeFulfilled], meters[1].Outgoing[middleware.OutcomeFulfilled]
	if in.Count() != 1 || out.Count() != 1 || in.Sum < out.Sum {
		t.Errorf("measured %d packets in %d ns from alice, %d in %d ns to bob", in.Count(), in.Sum, out.Count(), out.Sum)
	}
	packets := n.c.PacketLog().Packets(middleware.PacketFilter{}, 0)
	if len(packets) != 1 || packets[0].Account != "alice" || packets[0].Amount != 5000 || packets[0].NextHop != "bob" || packets[0].NextHopAmount != 5 {
		t.Errorf("the log has %+v, want 5000 from alice and 5 to bob", packets)
	}
}
