package interop_test

import (
	"slices"
	"testing"

	"github.com/interledger-go/connector"
)

// The network of six connectors that comes with the JavaScript one: u1 and u2
// are peers, u5 and u6 have two parents each, and u6 its address from one of
// them. All tell their neighbors their routes.
var (
	sixNodes = []nodeOptions{
		{Name: "u1", Address: "test.u1"},
		{Name: "u2", Address: "test.u2"},
		{Name: "u3", Address: "test.u3"},
		{Name: "u4", Address: "test.u4"},
		{Name: "u5", Address: "test.u5"},
		{Name: "u6", InheritFrom: "u4"},
	}
	sixNodesEdges = []edge{
		{A: "u1", B: "u2", Relation: connector.Peer},
		{A: "u1", B: "u5", Relation: connector.Child, Exchange: true},
		{A: "u2", B: "u3", Relation: connector.Child, Exchange: true},
		{A: "u2", B: "u4", Relation: connector.Child, Exchange: true},
		{A: "u3", B: "u5", Relation: connector.Child, Exchange: true},
		{A: "u3", B: "u6", Relation: connector.Child, Exchange: true},
		{A: "u4", B: "u6", Relation: connector.Child, Exchange: true},
	}
	// sixNodesRoutes are the same, whoever is what.
	sixNodesRoutes = map[string]routes{
		"u1": {"test.u1": "", "test.u2": "u2", "test.u3": "u2", "test.u4": "u2", "test.u5": "u5"},
		"u2": {"test.u1": "u1", "test.u2": "", "test.u3": "u3", "test.u4": "u4", "test.u5": "u3"},
		"u3": {"test.u1": "u2", "test.u2": "u2", "test.u3": "", "test.u4": "u2", "test.u5": "u5"},
		"u4": {"test.u1": "u2", "test.u2": "u2", "test.u3": "u2", "test.u4": "", "test.u5": "u2"},
		"u5": {"test.u1": "u1", "test.u2": "u1", "test.u3": "u3", "test.u4": "u1", "test.u5": ""},
		"u6": {"test.u1": "u3", "test.u2": "u3", "test.u3": "u3", "test.u4": "u4", "test.u5": "u3", "test.u4.u6": ""},
	}
)

// awaitSixNodes waits until all of them have their routes.
func (n *nodes) awaitSixNodes() {
	n.t.Helper()
	for _, options := range sixNodes {
		n.awaitRoutes(options.Name, sixNodesRoutes[options.Name])
	}
}

// Three JavaScript connectors and three of ours make one network, in which
// everybody pays everybody. Each link is between the two kinds, and in the
// second network the other way round: two JavaScript connectors may not listen
// to each other's question for routes while they connect, and ask again half a
// minute later.
func TestSixNodes(t *testing.T) {
	t.Parallel()
	for _, javaScript := range [][]string{{"u1", "u3", "u4"}, {"u2", "u5", "u6"}} {
		t.Run("JavaScript "+javaScript[0]+" "+javaScript[1]+" "+javaScript[2], func(t *testing.T) {
			t.Parallel()
			options := slices.Clone(sixNodes)
			var names []string
			for i := range options {
				options[i].JavaScript = slices.Contains(javaScript, options[i].Name)
				options[i].Programs = []string{"app"}
				names = append(names, options[i].Name)
			}
			options[4].Programs = []string{"app", "wallet"}
			options[5].Programs = []string{"app", "wallet"}
			n := startNodes(t, options, sixNodesEdges)
			n.awaitSixNodes()
			n.payAll(names...)
			n.stream("u5", "u6")
		})
	}
}

// The same network out of programs, each with the environment that comes with
// the JavaScript one: six times ours, and with three of theirs.
func TestSixPrograms(t *testing.T) {
	t.Parallel()
	ours := buildProgram(t)
	t.Run("all ours", func(t *testing.T) {
		t.Parallel()
		testSixPrograms(t, func(string) []string { return []string{ours} })
	})
	t.Run("JavaScript u1 u3 u4", func(t *testing.T) {
		t.Parallel()
		theirs := javaScriptProgram(t)
		testSixPrograms(t, func(name string) []string {
			if slices.Contains([]string{"u1", "u3", "u4"}, name) {
				return theirs
			}
			return []string{ours}
		})
	})
}

func testSixPrograms(t *testing.T, command func(name string) []string) {
	options := slices.Clone(sixNodes)
	var names []string
	for i := range options {
		options[i].Command = command(options[i].Name)
		options[i].Programs = []string{"app"}
		names = append(names, options[i].Name)
	}
	n := startNodes(t, options, sixNodesEdges)
	n.awaitSixNodes()
	if got := n.app("u6").address.String(); got != "test.u4.u6.app" {
		t.Errorf("the app of u6 has the address %s: u6 has not inherited its own from u4", got)
	}
	n.payAll(names...)
	for _, name := range names { // all at once, as when a machine is shut down
		n.byName[name].(*program).terminate()
	}
	for _, name := range names {
		n.byName[name].(*program).checkEnd()
	}
}
