package interop_test

import (
	"slices"
	"testing"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
)

// The JavaScript connector is our parent: our address comes from it, and
// everything that we do not know goes there.
func TestJavaScriptParent(t *testing.T) {
	t.Parallel()
	testBothDialers(t, []nodeOptions{
		{Name: "parent", Address: "test.parent", JavaScript: true, Programs: []string{"wallet", "app"}},
		{Name: "we", InheritFrom: "parent", Programs: []string{"wallet", "app"}},
	}, func(n *nodes) {
		n.awaitRoutes("we", routes{
			"test": "parent", "test.parent.we": "", "test.parent.we.wallet": "wallet", "test.parent.we.app": "app",
		})
		n.awaitRoutes("parent", routes{"test.parent": "", "test.parent.we": "we", "test": "-"})
	})
}

// The JavaScript connector is our child, and has its address from us.
func TestJavaScriptChild(t *testing.T) {
	t.Parallel()
	testBothDialers(t, []nodeOptions{
		{Name: "we", Address: "test.we", Programs: []string{"wallet", "app"}},
		{Name: "kid", InheritFrom: "we", JavaScript: true, Programs: []string{"wallet", "app"}},
	}, func(n *nodes) {
		n.awaitRoutes("kid", routes{
			"test": "we", "test.we.kid": "", "test.we.kid.wallet": "wallet", "test.we.kid.app": "app",
		})
		n.awaitRoutes("we", routes{"test.we": "", "test.we.kid": "kid", "test": "-"})
	})
}

// The JavaScript connector asks for our routes as soon as the link is there, and
// not again for half a minute if it is refused. We have no address by then.
func TestJavaScriptParentAsksEarly(t *testing.T) {
	t.Parallel()
	for _, listens := range []string{"parent", "we"} {
		t.Run(listens+" listens", func(t *testing.T) {
			t.Parallel()
			order := []nodeOptions{
				{Name: "parent", Address: "test.parent", JavaScript: true, Programs: []string{"app"}},
				{Name: "we", InheritFrom: "parent"},
				{Name: "behind", Address: "test.behind", Programs: []string{"app"}},
			}
			if listens == "we" {
				order[0], order[1] = order[1], order[0]
			}
			n := startNodes(t, order, []edge{
				{A: "parent", B: "we", Relation: connector.Child, Exchange: true},
				{A: "we", B: "behind", Relation: connector.Child, Exchange: true},
			})
			n.awaitRoutes("parent", routes{"test.parent.we": "we", "test.behind": "we"})
			n.awaitRoutes("behind", routes{"test.parent": "we", "test.parent.we": "we"})
			n.payAll("parent", "behind")
		})
	}
}

// testBothDialers has a parent and a child pay one another, whichever of them
// dials.
func testBothDialers(t *testing.T, family []nodeOptions, await func(*nodes)) {
	parent, kid := family[0].Name, family[1].Name
	for _, first := range family {
		t.Run(first.Name+" listens", func(t *testing.T) {
			t.Parallel()
			order := slices.Clone(family)
			if first.Name == kid {
				slices.Reverse(order)
			}
			n := startNodes(t, order, []edge{{A: parent, B: kid, Relation: connector.Child}})
			await(n)
			n.awaitConnected(parent, kid, true)
			n.payAll(parent, kid)
			n.stream(parent, kid)
		})
	}
}

// Between two JavaScript connectors, which know of one another by us, routes
// are told in both directions, and payments follow them.
func TestJavaScriptPeers(t *testing.T) {
	t.Parallel()
	n := startNodes(t, []nodeOptions{
		{Name: "west", Address: "test.west", JavaScript: true, Programs: []string{"wallet", "app"}},
		{Name: "we", Address: "test.we", Programs: []string{"app"}},
		{Name: "east", Address: "test.east", JavaScript: true, Programs: []string{"wallet", "app"}},
		{Name: "behind", Address: "test.behind", Programs: []string{"app"}},
	}, []edge{
		{A: "west", B: "we", Relation: connector.Peer}, // we dial
		{A: "we", B: "east", Relation: connector.Peer}, // it dials
		{A: "east", B: "behind", Relation: connector.Peer},
	})
	n.awaitRoutes("we", routes{
		"test.we": "", "test.we.app": "app", "test.west": "west", "test.east": "east", "test.behind": "east",
		"test": "-", "test.west.app": "-", "test.east.app": "-", // those are for them to know
	})
	n.awaitRoutes("west", routes{
		"test.west": "", "test.west.app": "app", "test.we": "we", "test.east": "we", "test.behind": "we",
		"test": "-", "test.we.app": "-",
	})
	n.awaitRoutes("east", routes{"test.we": "we", "test.west": "we", "test.behind": "behind"})
	n.awaitRoutes("behind", routes{"test.we": "east", "test.west": "east", "test.east": "east"})

	n.checkPaths("west", map[string]string{
		"test.west": "", "test.we": "test.we", "test.east": "test.we test.east", "test.behind": "test.we test.east test.behind",
	})
	n.checkPaths("behind", map[string]string{"test.west": "test.east test.we test.west"})

	n.stream("west", "east")
	n.payAll("west", "we", "east", "behind")

	nobody := ilp.MustParseAddress("test.nobody")
	if err := n.app("we").send(t.Context(), nobody, 1); code(err) != ilp.F02Unreachable {
		t.Errorf("a packet to nobody is answered %v, want F02", err)
	}
}
