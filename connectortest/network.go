package connectortest

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ccp"
)

// Options are what the connectors of a network have in common. The zero value
// is fine.
type Options struct {
	// Export says which routes are told to whom; nil is ccp.ReferenceExport.
	Export ccp.ExportPolicy
	// Spread is what each connector keeps of what it forwards, as
	// onetoone.Options has it. Empty means nothing.
	Spread string
	// Logger takes what the connectors log, each with the attribute node; nil
	// discards it.
	Logger *slog.Logger
	// Config and Account may change what a connector and its accounts are made
	// from, each time that they are: Store, Backend and Plugin are best left
	// alone. nil changes nothing.
	Config  func(node string, c *connector.Config)
	Account func(node string, a *connector.Account)
}

// Network is some connectors and the links between them. Make one with New.
type Network struct {
	// Rand is for the choices of the test itself, so that they follow from the
	// seed too. It is not safe for concurrent use.
	Rand *rand.Rand

	t       testing.TB
	seed    uint64
	options Options
	changed atomic.Int64 // when some route was changed last, in Unix nanoseconds

	mu    sync.Mutex
	nodes []*Node
	links []*Link
}

// New makes an empty network. It must be called in a bubble of
// testing/synctest, whose clock is that of the network. All that happens by
// chance follows from the seed; a test that fails prints it. When the test ends
// the connectors are stopped, each in good order.
func New(t testing.TB, seed uint64, o Options) *Network {
	t.Helper()
	w := &Network{t: t, seed: seed, options: o, Rand: rand.New(rand.NewPCG(seed, 0))}
	w.changed.Store(time.Now().UnixNano())
	t.Cleanup(func() {
		w.stop()
		if t.Failed() {
			t.Logf("this was the network of seed %d", seed)
		}
	})
	return w
}

// Node adds a connector with the address test.name, and runs it.
func (w *Network) Node(name string) *Node {
	w.t.Helper()
	return w.add(name, "test."+name)
}

// Heir adds a connector that inherits its address from the first parent that
// it is linked to, and runs it.
func (w *Network) Heir(name string) *Node {
	w.t.Helper()
	return w.add(name, "")
}

func (w *Network) add(name, address string) *Node {
	w.t.Helper()
	w.mu.Lock()
	n := &Node{network: w, name: name, address: address, disk: newDisk(w.derive(name))}
	w.nodes = append(w.nodes, n)
	w.mu.Unlock()
	n.start()
	return n
}

// derive gives a seed for what has this name.
func (w *Network) derive(name string) uint64 {
	return rand.NewPCG(w.seed, digest([]byte(name))).Uint64()
}

// Link joins two connectors, by an account of each with the name of the other.
// relation is what b is to a. Between parent and child no routes are exchanged:
// see LinkExchanging.
func (w *Network) Link(a, b *Node, relation connector.Relation, f Faults) *Link {
	w.t.Helper()
	return w.join(a, b, relation, f, false)
}

// LinkExchanging is Link for parents and children that tell each other their
// routes, as peers do in any case.
func (w *Network) LinkExchanging(a, b *Node, relation connector.Relation, f Faults) *Link {
	w.t.Helper()
	return w.join(a, b, relation, f, true)
}

func (w *Network) join(a, b *Node, relation connector.Relation, f Faults, exchange bool) *Link {
	w.t.Helper()
	l := newLink(w.derive(a.name+"–"+b.name), f)
	l.exchange = exchange
	l.sides = [2]linkSide{{node: a, account: b.name, relation: relation}, {node: b, account: a.name, relation: opposite(relation)}}
	w.mu.Lock()
	w.links = append(w.links, l)
	w.mu.Unlock()
	l.Restore()
	return l
}

// opposite is what we are to somebody of this relation to us.
func opposite(r connector.Relation) connector.Relation {
	switch r {
	case connector.Child:
		return connector.Parent
	case connector.Parent:
		return connector.Child
	}
	return r
}

// Nodes gives the connectors in the order that they were added.
func (w *Network) Nodes() []*Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.nodes)
}

// Links gives the links in the order that they were made.
func (w *Network) Links() []*Link {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.links)
}

// Traffic is what was sent over all links.
func (w *Network) Traffic() (sum Traffic) {
	for _, l := range w.Links() {
		t := l.Traffic()
		sum.Packets += t.Packets
		sum.Routes += t.Routes
		sum.Others += t.Others
		sum.Responses += t.Responses
	}
	return sum
}

func (w *Network) stop() {
	for _, n := range w.Nodes() {
		n.stop()
	}
}

// patience is how long a network may take to come to rest: longer than a link
// that flaps is damped, and several times as long as an address takes to be
// inherited.
const patience = 20 * time.Minute

// Converge lets time pass until all routes are told to everybody, all addresses
// are inherited, and nothing has changed for a second. It gives how long it was
// from the call to the last change; that it never comes to rest fails the test.
// Frames must not be lost at a rate that routes expire by.
func (w *Network) Converge() time.Duration {
	w.t.Helper()
	began := time.Now()
	var reason string
	for time.Since(began) < patience {
		time.Sleep(100 * time.Millisecond)
		last := time.Unix(0, w.changed.Load())
		if time.Since(last) < time.Second {
			reason = "routes change all the time"
			continue
		}
		if reason = w.unsettled(); reason == "" {
			return max(last.Sub(began), 0)
		}
	}
	w.t.Fatalf("the network has not come to rest in %v: %s", patience, reason)
	return 0
}

// unsettled says what is still to come; empty: nothing.
func (w *Network) unsettled() string {
	for _, n := range w.Nodes() {
		if reason := n.unsettled(); reason != "" {
			return reason
		}
	}
	for _, l := range w.Links() {
		if !l.Connected() {
			continue
		}
		for i := range l.sides {
			if reason := l.untold(i); reason != "" {
				return reason
			}
		}
	}
	return ""
}

// untold says which routes of one side the other has not learned yet.
func (l *Link) untold(side int) string {
	from, to := l.sides[side], l.sides[1-side]
	teaches, learns := from.exchange().Sender, to.exchange().Receiver
	if teaches == nil || learns == nil {
		return ""
	}
	if teaches.Mode != ccp.Sync || teaches.Epoch != teaches.CurrentEpoch ||
		teaches.TableID != learns.TableID || teaches.CurrentEpoch != learns.Epoch {
		return fmt.Sprintf("%s has yet to learn from %s: it is at epoch %d of %v, and told of %d of %d of %v (%v)",
			to.node, from.node, learns.Epoch, learns.TableID, teaches.Epoch, teaches.CurrentEpoch, teaches.TableID, teaches.Mode)
	}
	return ""
}

// exchange is what the connector says of the exchange of routes with one
// account.
func (s linkSide) exchange() connector.ExchangeStatus {
	c := s.node.Connector()
	if c == nil {
		return connector.ExchangeStatus{}
	}
	all := c.Router().Exchange()
	i := slices.IndexFunc(all, func(e connector.ExchangeStatus) bool { return e.Account == s.account })
	if i < 0 {
		return connector.ExchangeStatus{}
	}
	return all[i]
}
