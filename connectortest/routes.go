package connectortest

import (
	"maps"
	"slices"
	"strings"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

// CheckRoutes fails the test where the routes of a network that has come to
// rest are not what the rules of preference, of export and of import make them:
//
//   - Each connector has just the routes that follow from what its neighbors
//     have, the best of them for each prefix, and no others.
//   - Packets from everybody to everybody arrive where a model of the rules, made
//     from nothing, says that they can, and never go in a loop.
//   - Where all are peers they take a shortest way. Under ccp.ValleyFree they
//     never go up again, by one prefix, after they went down or to a peer.
func (w *Network) CheckRoutes() {
	w.t.Helper()
	actual := w.observe()
	for _, n := range actual.nodes {
		w.compare(n, actual.best(n))
	}
	ideal := actual.clone()
	if !ideal.solve() {
		w.t.Errorf("the model of the network finds no stable routes: the relations are in a circle")
		return
	}
	for i, from := range actual.nodes {
		distances := from.distances()
		for j, to := range actual.nodes {
			if i == j || from.address == "" || to.address == "" {
				continue
			}
			hops, fault := actual.walk(from, to)
			_, none := ideal.walk(ideal.nodes[i], ideal.nodes[j])
			switch {
			case strings.HasPrefix(fault, "a loop"):
				w.t.Errorf("packets from %s to %s go in %s", from.name, to.name, fault)
			case fault != "" && none == "":
				w.t.Errorf("packets from %s to %s should arrive: %s", from.name, to.name, fault)
			case fault == "" && none != "":
				w.t.Errorf("packets from %s to %s arrive, but the rules say: %s", from.name, to.name, none)
			case fault == "" && w.allPeers() && !w.options.valleyFree() && len(hops) != distances[to]:
				w.t.Errorf("packets from %s to %s take %d hops, and there is a way of %d", from.name, to.name, len(hops), distances[to])
			case fault == "" && w.options.valleyFree() && valley(hops):
				w.t.Errorf("packets from %s to %s go through a valley: %v", from.name, to.name, hops)
			}
		}
	}
}

// compare compares the routes that a node has with those that it should have.
func (w *Network) compare(n *modelNode, want map[string]modelRoute) {
	w.t.Helper()
	for _, prefix := range slices.Sorted(maps.Keys(want)) {
		if got, ok := n.routes[prefix]; !ok {
			w.t.Errorf("%s has no route for %s: want %v", n.name, prefix, want[prefix])
		} else if got != want[prefix] {
			w.t.Errorf("%s has for %s the route %v: want %v", n.name, prefix, got, want[prefix])
		}
	}
	for _, prefix := range slices.Sorted(maps.Keys(n.routes)) {
		if _, ok := want[prefix]; !ok {
			w.t.Errorf("%s has for %s the route %v: want none", n.name, prefix, n.routes[prefix])
		}
	}
}

// valley reports whether a way goes up, or to a peer, after it has gone down or
// to a peer, by one prefix. Where a connector knows a longer prefix than the one
// before it did, a new way begins: the policy is about prefixes, each for itself.
func valley(hops []hop) bool {
	crossed := false
	for i, hop := range hops {
		if i > 0 && hop.prefix != hops[i-1].prefix {
			crossed = false
		}
		if crossed && hop.relation != connector.Child {
			return true
		}
		crossed = crossed || hop.relation != connector.Parent
	}
	return false
}

// valleyFree reports whether the policy is ccp.ValleyFree, or is as strict.
func (o *Options) valleyFree() bool {
	peer, parent := ccp.Neighbor{ID: "a", Relation: connector.Peer}, ccp.Neighbor{ID: "b", Relation: connector.Parent}
	return o.Export != nil && !o.Export(peer, parent) && !o.Export(parent, peer) && !o.Export(peer, ccp.Neighbor{ID: "c", Relation: connector.Peer})
}

// rule is the policy as the model has it: the two usual ones in words of its
// own.
func (o *Options) rule() ccp.ExportPolicy {
	paying := func(from ccp.Neighbor) bool { return from.ID == "" || from.Relation == connector.Child }
	switch {
	case o.Export == nil: // CCP-29
		return func(to, from ccp.Neighbor) bool { return paying(from) || to.Relation != connector.Parent }
	case o.valleyFree():
		return func(to, from ccp.Neighbor) bool { return paying(from) || to.Relation == connector.Child }
	}
	return o.Export
}

func (w *Network) allPeers() bool {
	return !slices.ContainsFunc(w.Links(), func(l *Link) bool { return l.sides[0].relation != connector.Peer })
}

// distances gives how many hops each node is away over links that are up.
func (n *modelNode) distances() map[*modelNode]int {
	distance := map[*modelNode]int{n: 0}
	for queue := []*modelNode{n}; len(queue) > 0; queue = queue[1:] {
		for _, a := range queue[0].neighbors {
			if _, seen := distance[a.node]; a.up && !seen {
				distance[a.node] = distance[queue[0]] + 1
				queue = append(queue, a.node)
			}
		}
	}
	return distance
}

// observe makes a model of the network with the routes that the connectors
// have. Those that have crashed are not in it.
func (w *Network) observe() *model {
	w.t.Helper()
	m := &model{export: w.options.rule(), byName: make(map[string]*modelNode)}
	for _, n := range w.Nodes() {
		if n.Connector() != nil {
			o := &modelNode{name: n.name, address: n.Address().String(), routes: w.routesOf(n)}
			m.nodes = append(m.nodes, o)
			m.byName[n.name] = o
		}
	}
	for _, n := range w.Nodes() {
		if o := m.byName[n.name]; o != nil {
			o.neighbors, o.parent = n.neighbors(m.byName)
		}
	}
	for _, n := range m.nodes {
		n.pair()
	}
	return m
}

// neighbors gives the accounts of a node as they are, and the first parent.
func (n *Node) neighbors(byName map[string]*modelNode) (all []*modelNeighbor, parent string) {
	for _, j := range n.joints() {
		s, other := j.link.sides[j.side], j.link.sides[1-j.side]
		if s.relation == connector.Parent && parent == "" {
			parent = s.account
		}
		if byName[other.node.name] == nil {
			// The node has crashed. Its account is there, and leads nowhere.
			down := &modelNode{name: other.node.name}
			all = append(all, &modelNeighbor{account: s.account, relation: s.relation, node: down, segment: s.account})
			continue
		}
		ours, theirs := s.exchange(), other.exchange()
		all = append(all, &modelNeighbor{
			account: s.account, relation: s.relation, node: byName[other.node.name], segment: s.account,
			up: j.link.Connected(), told: ours.Receiver != nil && theirs.Sender != nil,
		})
	}
	return all, parent
}

// routesOf gives the routes that a connector has, each with its path.
func (w *Network) routesOf(n *Node) map[string]modelRoute {
	w.t.Helper()
	router := n.Connector().Router()
	relations := map[string]connector.Relation{appID: connector.Child}
	for _, a := range n.Connector().Accounts() {
		relations[a.ID] = a.Relation
	}
	routes := make(map[string]modelRoute)
	for _, r := range router.Routes() {
		route := modelRoute{origin: r.Origin, via: r.NextHop, rel: relations[r.NextHop]}
		if strings.Contains(r.Prefix, ".") {
			route.path = pathOf(router, r)
			if found, ok := router.Lookup(ilp.MustParseAddress(r.Prefix)); !ok || found != r {
				w.t.Errorf("%s: the route for %s is %+v, and packets take %+v", n, r.Prefix, r, found)
			}
		}
		routes[r.Prefix] = route
	}
	return routes
}

// pathOf gives the path of a route as the connector explains it.
func pathOf(router *connector.Router, r connector.Route) string {
	used, ok := router.Explain(ilp.MustParseAddress(r.Prefix)).Used()
	if !ok || used.Route != r {
		return "unexplained"
	}
	path := make([]string, len(used.Path))
	for i, hop := range used.Path {
		path[i] = hop.String()
	}
	return strings.Join(path, " ")
}
