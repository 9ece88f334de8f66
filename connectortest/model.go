package connectortest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ccp"
)

// model is what the rules say of a network: which routes each node has when
// all is at rest. It is written from the rules (CCP-27, CCP-29, CCP-32), in the
// plainest way, and shares nothing with the packages that it judges but a policy
// of export that it does not know.
type model struct {
	export ccp.ExportPolicy
	nodes  []*modelNode
	byName map[string]*modelNode
}

type modelNode struct {
	name      string
	address   string
	neighbors []*modelNeighbor // by account id
	parent    string           // the account of the first parent
	routes    map[string]modelRoute
}

// modelNeighbor is an account of a node, but for that of its app.
type modelNeighbor struct {
	account  string
	relation connector.Relation
	node     *modelNode     // whose account it is
	back     *modelNeighbor // the account of node that is us
	segment  string         // of a child
	up       bool           // the link
	told     bool           // routes are exchanged
}

// modelRoute is the best route for a prefix. The zero value is none.
type modelRoute struct {
	origin connector.RouteOrigin
	via    string // account; empty: here
	rel    connector.Relation
	path   string // addresses behind it, with blanks between
}

func (r modelRoute) String() string {
	return fmt.Sprintf("%s to %q by [%s]", r.origin, r.via, r.path)
}

func (r modelRoute) hops() int { return len(strings.Fields(r.path)) }

// better orders routes for one prefix, the better first.
func (r modelRoute) better(o modelRoute) bool {
	return cmp.Or(
		cmp.Compare(r.origin, o.origin),
		cmp.Compare(o.worth(), r.worth()),
		cmp.Compare(r.hops(), o.hops()),
		cmp.Compare(r.via, o.via),
	) < 0
}

// worth is how much a route is worth by who it leads to.
func (r modelRoute) worth() int {
	if r.via == "" {
		return 3
	}
	switch r.rel {
	case connector.Child:
		return 2
	case connector.Peer:
		return 1
	}
	return 0
}

// inside reports whether an address is a prefix or continues it.
func inside(address, prefix string) bool {
	rest, ok := strings.CutPrefix(address, prefix)
	return ok && (rest == "" || rest[0] == '.')
}

// local gives the routes that a node has by itself.
func (n *modelNode) local() map[string]modelRoute {
	routes := make(map[string]modelRoute)
	if n.address == "" {
		return routes
	}
	routes[n.address] = modelRoute{origin: connector.RouteLocal}
	routes[n.address+"."+appID] = modelRoute{origin: connector.RouteLocal, via: appID, rel: connector.Child}
	for _, to := range n.neighbors {
		if to.relation == connector.Child {
			routes[n.address+"."+to.segment] = modelRoute{origin: connector.RouteLocal, via: to.account, rel: to.relation}
		}
	}
	if n.parent != "" {
		scheme, _, _ := strings.Cut(n.address, ".")
		routes[scheme] = modelRoute{origin: connector.RouteDefault, via: n.parent, rel: connector.Parent}
	}
	return routes
}

// tells gives what a node tells one neighbor, with the paths as they are told.
func (m *model) tells(n *modelNode, to *modelNeighbor) map[string]string {
	told := make(map[string]string)
	for prefix, route := range n.routes {
		from := ccp.Neighbor{ID: route.via, Relation: route.rel}
		switch {
		case route.via == to.account, !tellable(n, prefix, route), !m.export(ccp.Neighbor{ID: to.account, Relation: to.relation}, from):
		case superfluous(n, prefix, route):
		default:
			told[prefix] = strings.TrimSpace(n.address + " " + route.path)
		}
	}
	return told
}

// tellable reports whether a route is one for others at all: not the default,
// and not a child of ours, which our own address covers.
func tellable(n *modelNode, prefix string, route modelRoute) bool {
	return strings.Contains(prefix, ".") && (route.path != "" || prefix == n.address || !inside(prefix, n.address))
}

// superfluous is the DRAGON rule: a shorter prefix leads to one who is as good.
func superfluous(n *modelNode, prefix string, route modelRoute) bool {
	for i := strings.LastIndexByte(prefix, '.'); i >= 0; i = strings.LastIndexByte(prefix[:i], '.') {
		shorter := prefix[:i]
		if cover, ok := n.routes[shorter]; ok && tellable(n, shorter, cover) && cover.via != "" && cover.worth() >= route.worth() {
			return true
		}
	}
	return false
}

// takes reports whether a node learns a route that it is told.
func takes(n *modelNode, from *modelNeighbor, prefix, path string) bool {
	scheme, _, _ := strings.Cut(n.address, ".")
	own := inside(prefix, n.address)
	if own && from.relation == connector.Child {
		own = !inside(prefix, n.address+"."+from.segment)
	}
	return prefix != scheme && inside(prefix, scheme) && !own && !slices.Contains(strings.Fields(path), n.address)
}

// best gives what the routes of a node have to be, by what its neighbors have
// now.
func (m *model) best(n *modelNode) map[string]modelRoute {
	routes := n.local()
	if n.address == "" {
		return routes
	}
	for _, from := range n.neighbors {
		if !from.up || !from.told || from.node.address == "" {
			continue
		}
		for prefix, path := range m.tells(from.node, from.back) {
			if !takes(n, from, prefix, path) {
				continue
			}
			route := modelRoute{origin: connector.RouteLearned, via: from.account, rel: from.relation, path: path}
			if present, ok := routes[prefix]; !ok || route.better(present) {
				routes[prefix] = route
			}
		}
	}
	return routes
}

// solve finds the routes of all nodes from nothing, one node after the other
// until nobody changes anything. It reports false if that does not happen.
func (m *model) solve() bool {
	for _, n := range m.nodes {
		n.routes = n.local()
	}
	for range 4*len(m.nodes) + 10 {
		changed := false
		for _, n := range m.nodes {
			routes := m.best(n)
			changed = changed || !maps.Equal(routes, n.routes)
			n.routes = routes
		}
		if !changed {
			return true
		}
	}
	return false
}

// next is where a node sends packets for an address.
func (n *modelNode) next(address string) (prefix string, route modelRoute, ok bool) {
	for {
		if route, ok := n.routes[address]; ok {
			return address, route, true
		}
		i := strings.LastIndexByte(address, '.')
		if i < 0 {
			return "", modelRoute{}, false
		}
		address = address[:i]
	}
}

// hop is one step of a walk.
type hop struct {
	relation connector.Relation // of who comes next
	prefix   string             // that the step was made by
}

// walk follows the routes from a node to the app of another. It gives the hops,
// and why it did not arrive.
func (m *model) walk(from, to *modelNode) (hops []hop, fault string) {
	address := to.address + "." + appID
	trail := []string{from.name}
	for n := from; ; {
		prefix, route, ok := n.next(address)
		switch {
		case !ok:
			return hops, fmt.Sprintf("%s knows no way (%s)", n.name, strings.Join(trail, " "))
		case route.via == "":
			return hops, fmt.Sprintf("%s takes it for its own (%s)", n.name, strings.Join(trail, " "))
		case route.via == appID && n == to:
			return hops, ""
		case route.via == appID:
			return hops, fmt.Sprintf("the app of %s gets it (%s)", n.name, strings.Join(trail, " "))
		}
		i := slices.IndexFunc(n.neighbors, func(a *modelNeighbor) bool { return a.account == route.via })
		if i < 0 || !n.neighbors[i].up {
			return hops, fmt.Sprintf("the link of %s to %s is not up (%s)", n.name, route.via, strings.Join(trail, " "))
		}
		n = n.neighbors[i].node
		hops = append(hops, hop{route.rel, prefix})
		if slices.Contains(trail, n.name) {
			return hops, fmt.Sprintf("a loop (%s %s)", strings.Join(trail, " "), n.name)
		}
		trail = append(trail, n.name)
	}
}

// clone gives the same network without routes.
func (m *model) clone() *model {
	c := &model{export: m.export, byName: make(map[string]*modelNode)}
	for _, n := range m.nodes {
		copied := *n
		copied.routes = nil
		copied.neighbors = nil
		c.nodes = append(c.nodes, &copied)
		c.byName[n.name] = &copied
	}
	for i, n := range m.nodes {
		for _, a := range n.neighbors {
			copied := *a
			if copied.node = c.byName[a.node.name]; copied.node == nil { // crashed
				copied.node = a.node
			}
			c.nodes[i].neighbors = append(c.nodes[i].neighbors, &copied)
		}
	}
	for _, n := range c.nodes {
		n.pair()
	}
	return c
}

// pair finds for each account of n the one at the other side.
func (n *modelNode) pair() {
	for _, a := range n.neighbors {
		i := slices.IndexFunc(a.node.neighbors, func(back *modelNeighbor) bool { return back.account == n.name })
		if i >= 0 {
			a.back = a.node.neighbors[i]
		} else {
			a.up = false // the other side has no account
		}
	}
}
