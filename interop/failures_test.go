package interop_test

import (
	"fmt"
	"testing"

	"github.com/interledger-go/connector"
)

// threeNodes are a JavaScript connector, ours, and another one of ours.
var threeNodes = map[string][]nodeOptions{
	"we dial": {
		{Name: "west", Address: "test.west", JavaScript: true, Programs: []string{"app"}},
		{Name: "we", Address: "test.we", Programs: []string{"app"}},
		{Name: "east", Address: "test.east", Programs: []string{"app"}},
	},
	"it dials": {
		{Name: "we", Address: "test.we", Programs: []string{"app"}},
		{Name: "west", Address: "test.west", JavaScript: true, Programs: []string{"app"}},
		{Name: "east", Address: "test.east", Programs: []string{"app"}},
	},
}

// startThree starts them in a row, of which we are the one in the middle, and
// has them pay one another.
func startThree(t *testing.T, options []nodeOptions, wire *proxy) *nodes {
	t.Helper()
	n := startNodes(t, options, []edge{
		{A: "west", B: "we", Relation: connector.Peer, Through: wire},
		{A: "we", B: "east", Relation: connector.Peer},
	})
	awaitThree(n)
	return n
}

func awaitThree(n *nodes) {
	n.t.Helper()
	n.awaitRoutes("we", routes{"test.west": "west", "test.east": "east"})
	n.awaitRoutes("west", routes{"test.we": "we", "test.east": "we"})
	n.awaitRoutes("east", routes{"test.we": "we", "test.west": "we"})
	n.payAll("we", "west", "east")
}

// awaitLoss waits until nobody knows the way to the JavaScript connector, and
// has the others pay one another.
func awaitLoss(n *nodes) {
	n.t.Helper()
	n.awaitRoutes("we", routes{"test.west": "-", "test.east": "east"})
	n.awaitRoutes("east", routes{"test.west": "-", "test.we": "we"})
	n.payAll("we", "east")
}

// A link that is cut takes its routes along, on both sides, and brings them
// back.
func TestLinkToJavaScriptIsCut(t *testing.T) {
	t.Parallel()
	for name, options := range threeNodes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := newProxy(t)
			n := startThree(t, options, wire)
			wire.cut()
			awaitLoss(n)
			n.awaitRoutes("west", routes{"test.we": "-", "test.east": "-"})
			wire.heal()
			awaitThree(n)
		})
	}
}

// A JavaScript connector that crashes, and starts again with nothing in its
// memory, is lost and found.
func TestJavaScriptIsKilled(t *testing.T) {
	t.Parallel()
	for name, options := range threeNodes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startThree(t, options, nil)
			west := n.byName["west"].(*javaScript)
			west.stop()
			awaitLoss(n)
			n.byName["west"] = west.restart()
			awaitThree(n)
		})
	}
}

// The JavaScript connector loses its link and comes back over another one
// before we notice. It has forgotten what it was asked and told by then.
func TestJavaScriptLosesItsLinkAlone(t *testing.T) {
	t.Parallel()
	wire := newProxy(t)
	n := startThree(t, threeNodes["it dials"], wire)
	before := wire.connections()
	wire.abandon()
	eventually(t, func() error {
		if wire.connections() == before {
			return fmt.Errorf("it has not dialled again")
		}
		return nil
	})
	n.awaitConnected("west", "we", true)
	n.await("west", func(s nodeState) error {
		if !s.Taught["we"] {
			return fmt.Errorf("it has not been asked for its routes again")
		}
		return nil
	})
	awaitThree(n)
}

// A JavaScript connector that does not know the token of an account comes not
// in, and the one that does goes on.
func TestJavaScriptWithWrongToken(t *testing.T) {
	t.Parallel()
	n := startThree(t, threeNodes["it dials"], nil)
	server := n.byName["we"].(*ownNode).server
	wrong := n.byName["we"].endpoint("west")
	wrong.token = "wrong"
	startJavaScript(t, nodeOptions{Name: "mallory", Address: "test.mallory"}, []end{
		{account: "we", relation: connector.Peer, dials: &wrong},
	})
	eventually(t, func() error {
		if server.Refused() == 0 {
			return fmt.Errorf("nobody has been refused")
		}
		return nil
	})
	n.awaitConnected("west", "we", true)
	n.awaitRoutes("we", routes{"test.west": "west", "test.east": "east", "test.mallory": "-"})
	n.payAll("we", "west", "east")
}
