package connectortest

import (
	"fmt"

	"github.com/interledger-go/connector"
)

// Topology says which connectors a network has, and how they are joined.
type Topology func(w *Network, f Faults)

// Build adds connectors and links to the network, with these faults.
func (w *Network) Build(shape Topology, f Faults) *Network {
	w.t.Helper()
	shape(w, f)
	return w
}

// peers adds n nodes, named n0, n1 and so on.
func (w *Network) peers(n int) []*Node {
	nodes := make([]*Node, n)
	for i := range nodes {
		nodes[i] = w.Node(fmt.Sprintf("n%d", i))
	}
	return nodes
}

// Line is n peers, each joined to the next.
func Line(n int) Topology {
	return func(w *Network, f Faults) {
		nodes := w.peers(n)
		for i := 1; i < n; i++ {
			w.Link(nodes[i-1], nodes[i], connector.Peer, f)
		}
	}
}

// Ring is n peers in a circle.
func Ring(n int) Topology {
	return func(w *Network, f Faults) {
		nodes := w.peers(n)
		for i := range n {
			w.Link(nodes[i], nodes[(i+1)%n], connector.Peer, f)
		}
	}
}

// Star is n peers of one in the middle.
func Star(n int) Topology {
	return func(w *Network, f Faults) {
		nodes := w.peers(n + 1)
		for _, node := range nodes[1:] {
			w.Link(nodes[0], node, connector.Peer, f)
		}
	}
}

// Mesh is n peers, each joined to every other.
func Mesh(n int) Topology {
	return func(w *Network, f Faults) {
		nodes := w.peers(n)
		for i, a := range nodes {
			for _, b := range nodes[:i] {
				w.Link(b, a, connector.Peer, f)
			}
		}
	}
}

// Tree is a binary tree of parents and children with n nodes. All but the root
// inherit their addresses.
func Tree(n int) Topology {
	return func(w *Network, f Faults) {
		nodes := []*Node{w.Node("n0")}
		for i := 1; i < n; i++ {
			nodes = append(nodes, w.Heir(fmt.Sprintf("n%d", i)))
			w.Link(nodes[(i-1)/2], nodes[i], connector.Child, f)
		}
	}
}

// SixNodes is the network that the JavaScript reference ships: two peers with
// children, one of which has two parents and inherits its address from one of
// them.
func SixNodes() Topology {
	return func(w *Network, f Faults) {
		var u [7]*Node
		for i := 1; i <= 5; i++ {
			u[i] = w.Node(fmt.Sprintf("u%d", i))
		}
		u[6] = w.Heir("u6")
		w.Link(u[1], u[2], connector.Peer, f)
		for _, l := range [...][2]int{{1, 5}, {2, 3}, {2, 4}, {3, 5}, {4, 6}, {3, 6}} {
			w.LinkExchanging(u[l[0]], u[l[1]], connector.Child, f)
		}
	}
}

// Economy is a random network of n nodes as money makes them: a few at the top
// who are each other's peers, below them customers with one or two providers
// each, who pay for what they send, and some peers among these. Some customers
// inherit the address of their first provider. Nobody is their own provider, so
// that routes are stable under ccp.ValleyFree, for which it is made.
func Economy(n int) Topology {
	return func(w *Network, f Faults) {
		top := min(n, 2+n/50)
		var nodes []*Node
		linked := make(map[[2]int]bool)
		link := func(a, b int, r connector.Relation) {
			if a != b && !linked[[2]int{a, b}] && !linked[[2]int{b, a}] {
				linked[[2]int{a, b}] = true
				w.LinkExchanging(nodes[a], nodes[b], r, f)
			}
		}
		for i := range n {
			name := fmt.Sprintf("n%d", i)
			if i >= top && w.Rand.IntN(3) == 0 {
				nodes = append(nodes, w.Heir(name))
			} else {
				nodes = append(nodes, w.Node(name))
			}
			if i < top {
				for j := range i {
					link(j, i, connector.Peer)
				}
				continue
			}
			for range 1 + w.Rand.IntN(2) {
				link(w.Rand.IntN(i), i, connector.Child)
			}
			if i > top && w.Rand.IntN(4) == 0 {
				link(top+w.Rand.IntN(i-top), i, connector.Peer)
			}
		}
	}
}
