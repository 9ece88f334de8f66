package interop_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin/btp"
)

// node is one connector of several, ours or the JavaScript one. Its account
// with another node has the name of that one for its id.
type node interface {
	// endpoint is where the counterparty of an account dials.
	endpoint(account string) endpoint
	// state is what there is to see of the node.
	state() (nodeState, error)
}

// nodeState is how a node stands in its network.
type nodeState struct {
	// Routes are the next hops for all prefixes; empty for the node itself.
	Routes map[string]string
	// Paths are what lies on the way, as it was told, in one text with spaces.
	Paths map[string]string
	// Connected says of all accounts whether their links are up.
	Connected map[string]bool
	// Taught are the accounts that have asked to be told the routes.
	Taught map[string]bool
}

// nodeOptions describe a node.
type nodeOptions struct {
	Name       string
	JavaScript bool
	// Command, if set, runs the node: a program that reads the environment
	// which the JavaScript connector and ours have in common.
	Command []string
	// Address is configured; empty means that it is inherited from the
	// account InheritFrom.
	Address, InheritFrom string
	// Programs are further accounts, children that dial.
	Programs []string
}

// edge is a link between two nodes. The one that is started later dials.
type edge struct {
	A, B string
	// Relation is what B is to A: a child, or a peer.
	Relation connector.Relation
	// Exchange has routes exchanged between parent and child, too.
	Exchange bool
	// Through, if set, carries the connection.
	Through *proxy
}

// end is one end of an edge.
type end struct {
	account  string
	relation connector.Relation
	exchange bool
	dials    *endpoint // nil: it is dialled
	// record, if set, is how a program is told of the account, in the place of
	// all that.
	record map[string]any
}

func (e *end) exchanges() bool { return e.exchange || e.relation == connector.Peer }

// nodes are those of a network, with the programs behind them.
type nodes struct {
	t      *testing.T
	byName map[string]node
	apps   map[string]*app // by node, of its account "app"
}

// startNodes starts nodes, in this order. It does not wait until they are
// connected.
func startNodes(t *testing.T, all []nodeOptions, edges []edge) *nodes {
	t.Helper()
	n := &nodes{t: t, byName: make(map[string]node), apps: make(map[string]*app)}
	for _, options := range all {
		var ends []end
		for _, e := range edges {
			switch options.Name {
			case e.A:
				ends = append(ends, n.end(e, e.A, e.B, e.Relation))
			case e.B:
				ends = append(ends, n.end(e, e.B, e.A, inverse(e.Relation)))
			}
		}
		switch {
		case options.Command != nil:
			n.byName[options.Name] = startProgram(t, options, ends)
		case options.JavaScript:
			n.byName[options.Name] = startJavaScript(t, options, ends)
		default:
			n.byName[options.Name] = startOwn(t, options, ends)
		}
	}
	return n
}

// end is that of e at the node here, of which the other one is there.
func (n *nodes) end(e edge, here, there string, relation connector.Relation) end {
	result := end{account: there, relation: relation, exchange: e.Exchange}
	other, started := n.byName[there]
	if !started {
		return result
	}
	to := other.endpoint(here)
	if e.Through != nil {
		to.addr = e.Through.start(to.addr)
	}
	result.dials = &to
	return result
}

func inverse(r connector.Relation) connector.Relation {
	switch r {
	case connector.Child:
		return connector.Parent
	case connector.Parent:
		return connector.Child
	}
	return r
}

// ownNode is a connector of ours.
type ownNode struct{ *network }

func startOwn(t *testing.T, options nodeOptions, ends []end) *ownNode {
	t.Helper()
	var accounts []connector.Account
	for _, e := range ends {
		a := child(e.account)
		a.Relation = e.relation
		a.SendRoutes, a.ReceiveRoutes = new(e.exchanges()), new(e.exchanges())
		if e.dials != nil {
			a.Plugin = btp.NewClient(e.dials.client())
		}
		accounts = append(accounts, a)
	}
	for _, id := range options.Programs {
		accounts = append(accounts, child(id))
	}
	return &ownNode{startNetwork(t, networkOptions{
		Address:     options.Address,
		InheritFrom: options.InheritFrom,
		Accounts:    accounts,
	})}
}

func (o *ownNode) endpoint(account string) endpoint {
	return endpoint{o.addr, account, tokenOf(account)}
}

func (o *ownNode) state() (nodeState, error) {
	s := nodeState{
		Routes:    make(map[string]string),
		Paths:     make(map[string]string),
		Connected: make(map[string]bool),
		Taught:    make(map[string]bool),
	}
	for _, r := range o.connector.Router().Routes() {
		s.Routes[r.Prefix] = r.NextHop
		if address, err := ilp.ParseAddress(r.Prefix); err == nil {
			used, _ := o.connector.Router().Explain(address).Used()
			s.Paths[r.Prefix] = strings.Trim(fmt.Sprint(used.Path), "[]")
		}
	}
	for _, a := range o.connector.Accounts() {
		s.Connected[a.ID] = a.Connected
	}
	for _, x := range o.connector.Router().Exchange() {
		s.Taught[x.Account] = x.Sender != nil && x.Sender.Mode == ccp.Sync
	}
	return s, nil
}

// routes asks for next hops, by prefix; "-" wants none.
type routes map[string]string

// differ says what is otherwise in s, or nil.
func (want routes) differ(s nodeState) error {
	var faults []string
	for prefix, hop := range want {
		got, ok := s.Routes[prefix]
		if !ok {
			got = "-"
		}
		if got != hop {
			faults = append(faults, fmt.Sprintf("%s goes to %q, want %q", prefix, got, hop))
		}
	}
	if faults == nil {
		return nil
	}
	slices.Sort(faults)
	return fmt.Errorf("%q, of %v", faults, s.Routes)
}

// awaitRoutes waits until a node has the routes.
func (n *nodes) awaitRoutes(name string, want routes) {
	n.t.Helper()
	n.await(name, want.differ)
}

// checkPaths compares the paths that a node has been told with want, for the
// prefixes in there.
func (n *nodes) checkPaths(name string, want map[string]string) {
	n.t.Helper()
	s, err := n.byName[name].state()
	if err != nil {
		n.t.Fatal(err)
	}
	for prefix, path := range want {
		if got := s.Paths[prefix]; got != path {
			n.t.Errorf("%s knows the path %q to %s, want %q", name, got, prefix, path)
		}
	}
}

// await waits until check is content with the state of a node.
func (n *nodes) await(name string, check func(nodeState) error) {
	n.t.Helper()
	eventually(n.t, func() error {
		s, err := n.byName[name].state()
		if err == nil {
			err = check(s)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// awaitConnected waits until the link of a node to another is up, or down.
func (n *nodes) awaitConnected(name, other string, up bool) {
	n.t.Helper()
	n.await(name, func(s nodeState) error {
		if s.Connected[other] != up {
			return fmt.Errorf("that the account %s is connected is %t", other, !up)
		}
		return nil
	})
}

// app is the program of the account "app" of a node, when it is connected.
func (n *nodes) app(name string) *app {
	n.t.Helper()
	a := n.apps[name]
	if a == nil {
		a = startApp(n.t, name, n.byName[name].endpoint("app"))
		n.apps[name] = a
	} else {
		a.awaitReady(n.t)
	}
	return a
}

// payAll has the programs of nodes pay one another, each every other one.
func (n *nodes) payAll(names ...string) {
	n.t.Helper()
	amount := uint64(oddAmount)
	for _, from := range names {
		for _, to := range names {
			if from != to {
				n.app(from).pay(n.t, n.app(to), amount)
				amount++
			}
		}
	}
}

// stream has two programs that speak STREAM pay one another, those of the
// accounts "wallet" of two nodes.
func (n *nodes) stream(a, b string) {
	n.t.Helper()
	var wallets []*peer
	for _, name := range []string{a, b} {
		p := startPeer(n.t, "the wallet of "+name, pluginOptions{Server: n.byName[name].endpoint("wallet").url()})
		if err := p.connect(n.t.Context()); err != nil {
			n.t.Fatal(err)
		}
		wallets = append(wallets, p)
	}
	receive(n.t, wallets...)
	pay(n.t, wallets[0], wallets[1], 1_000_000, 1_000_000)
	pay(n.t, wallets[1], wallets[0], 300_001, 300_001)
	checkReceived(n.t, wallets[1], 1_000_000)
	checkReceived(n.t, wallets[0], 300_001)
}
