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
)

// Three JavaScript connectors and three of ours make one network, in which
// everybody pays everybody. Routes are the same, whoever is what. Each link is
// between the two kinds, and in the second network the other way round: two
// JavaScript connectors may not listen to each other's question for routes
// while they connect, and ask again half a minute later.
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
			for name, want := range map[string]routes{
				"u1": {"test.u1": "", "test.u2": "u2", "test.u3": "u2", "test.u4": "u2", "test.u5": "u5"},
				"u2": {"test.u1": "u1", "test.u2": "", "test.u3": "u3", "test.u4": "u4", "test.u5": "u3"},
				"u3": {"test.u1": "u2", "test.u2": "u2", "test.u3": "", "test.u4": "u2", "test.u5": "u5"},
				"u4": {"test.u1": "u2", "test.u2": "u2", "test.u3": "u2", "test.u4": "", "test.u5": "u2"},
				"u5": {"test.u1": "u1", "test.u2": "u1", "test.u3": "u3", "test.u4": "u1", "test.u5": ""},
				"u6": {"test.u1": "u3", "test.u2": "u3", "test.u3": "u3", "test.u4": "u4", "test.u5": "u3", "test.u4.u6": ""},
			} {
				n.awaitRoutes(name, want)
			}
			n.payAll(names...)
			n.stream("u5", "u6")
		})
	}
}
