package connectortest

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// Node is a connector of a network, with an account named "app" for a program
// that pays, and fulfills what it is sent.
type Node struct {
	network *Network
	name    string
	address string // configured; empty: inherited
	disk    *disk
	app     app

	mu     sync.Mutex
	life   *life   // nil: crashed
	joined []joint // accounts, in the order that they were added
	lost   uint64  // amounts in flight at crashes
	former []*life
	lives  int // until now; only start uses it
}

// joint is one side of a link.
type joint struct {
	link *Link
	side int
}

// life is a connector from its start to its crash, or to the end of the test.
type life struct {
	connector *connector.Connector
	store     *mount
	end       appEnd
	cancel    context.CancelFunc
	done      chan error
}

// Asset is that of all accounts.
var Asset = connector.Asset{Code: "USD", Scale: 9}

// String gives the name of the node.
func (n *Node) String() string { return n.name }

// Connector is the one that runs; nil after a crash. A restart makes another.
func (n *Node) Connector() *connector.Connector {
	if l := n.now(); l != nil {
		return l.connector
	}
	return nil
}

func (n *Node) now() *life {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.life
}

// joints gives the accounts of the node for its links, in the order that they
// were added.
func (n *Node) joints() []joint {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.joined)
}

// Address is that of the connector; zero while it has none.
func (n *Node) Address() ilp.Address {
	if c := n.Connector(); c != nil {
		return c.Address()
	}
	return ilp.Address{}
}

// start makes a connector from what is on the disk, and runs it.
func (n *Node) start() {
	t := n.network.t
	t.Helper()
	l := &life{store: n.disk.mount(), done: make(chan error, 1)}
	c, err := connector.New(n.config(l.store))
	if err != nil {
		t.Fatalf("node %s: %v", n, err)
	}
	l.connector = c
	c.Router().Subscribe(func([]connector.RouteChange) { n.network.changed.Store(time.Now().UnixNano()) })
	l.end = n.app.open()
	n.mu.Lock()
	n.life = l
	joined := slices.Clone(n.joined)
	n.mu.Unlock()
	n.addAccount(l, connector.Account{ID: appID, Relation: connector.Child, Asset: Asset, Plugin: l.end.plugin})
	for _, j := range joined {
		n.addAccount(l, n.account(j))
	}
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(context.Background())
	go func() { l.done <- c.Run(ctx) }()
	settle()
}

// settle lets goroutines do all that they have to do now: the fake clock moves
// only then. So the steps of a test do not race with what they bring about.
func settle() { time.Sleep(time.Nanosecond) }

func (n *Node) config(store *mount) connector.Config {
	o := &n.network.options
	rates, err := onetoone.New(onetoone.Options{Spread: o.Spread})
	if err != nil {
		n.network.t.Fatalf("connectortest: Options.Spread: %v", err)
	}
	secret := make([]byte, 32)
	binary.BigEndian.PutUint64(secret, n.network.derive(n.name+" secret"))
	config := connector.Config{
		Address: n.address, Store: store, Backend: rates, Middleware: middleware.Standard(),
		Exchange: connector.ExchangeOptions{Export: o.Export}, RoutingSecret: secret,
		Random: rand.NewPCG(n.network.derive(n.name), uint64(n.lives)),
	}
	n.lives++
	if o.Logger != nil {
		config.Logger = o.Logger.With(slog.String("node", n.name))
	}
	if o.Config != nil {
		o.Config(n.name, &config)
	}
	return config
}

// account describes one side of a link, with a new end of it.
func (n *Node) account(j joint) connector.Account {
	s := j.link.sides[j.side]
	a := connector.Account{ID: s.account, Relation: s.relation, Asset: Asset, Plugin: j.link.join(j.side)}
	if j.link.exchange && s.relation == connector.Child {
		a.SendRoutes, a.ReceiveRoutes = new(true), new(true)
	}
	return a
}

// addAccount adds an account. One that was removed a moment ago may have its
// last packets in flight.
func (n *Node) addAccount(l *life, a connector.Account) {
	t := n.network.t
	t.Helper()
	if o := &n.network.options; o.Account != nil {
		o.Account(n.name, &a)
	}
	var err error
	for range 60 {
		if err = l.connector.AddAccount(context.Background(), a); err == nil {
			settle()
			return
		}
		time.Sleep(time.Second)
	}
	t.Fatalf("node %s: %v", n, err)
}

// Restore adds the two accounts of a link that were removed.
func (l *Link) Restore() {
	for i, s := range l.sides {
		s.node.network.t.Helper()
		s.node.addJoint(joint{l, i})
	}
}

// Remove removes the two accounts of a link, each as a host does: it waits for
// what is in flight.
func (l *Link) Remove() {
	var both sync.WaitGroup
	for i, s := range l.sides {
		both.Go(func() { s.node.removeJoint(joint{l, i}) })
	}
	both.Wait()
}

func (n *Node) addJoint(j joint) {
	n.network.t.Helper()
	n.mu.Lock()
	n.joined = append(n.joined, j)
	l := n.life
	n.mu.Unlock()
	if l != nil {
		n.addAccount(l, n.account(j))
	}
}

func (n *Node) removeJoint(j joint) {
	n.mu.Lock()
	n.joined = slices.DeleteFunc(n.joined, func(other joint) bool { return other == j })
	l := n.life
	n.mu.Unlock()
	if l == nil {
		return
	}
	if err := l.connector.RemoveAccount(context.Background(), j.link.sides[j.side].account); err != nil {
		n.network.t.Errorf("node %s: %v", n, err)
	}
}

// Crash ends the connector as a loss of power does: nothing that it does after
// this instant reaches its store or a link. Its neighbors see the links go down.
func (n *Node) Crash() {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.life
	if l == nil {
		return
	}
	n.life = nil
	n.former = append(n.former, l)
	l.store.crash()
	n.lost += n.app.close(l.end)
	for _, j := range n.joined {
		n.lost += j.link.kill(j.side)
	}
	l.cancel()
}

// Restart makes a connector from what was durable at the crash.
func (n *Node) Restart() {
	n.network.t.Helper()
	if n.now() == nil {
		n.start()
	}
}

// stop ends all that there was of the node.
func (n *Node) stop() {
	n.mu.Lock()
	l, former := n.life, n.former
	n.life, n.former = nil, nil
	n.mu.Unlock()
	for _, f := range former {
		<-f.done // with an error, or not: nobody hears of it
	}
	if l == nil {
		return
	}
	l.cancel()
	if err := <-l.done; err != nil {
		n.network.t.Errorf("node %s: %v", n, err)
	}
	n.app.close(l.end)
	l.store.Close()
}

// unsettled says what the node waits for; empty: nothing.
func (n *Node) unsettled() string {
	c := n.Connector()
	if c == nil || n.address != "" {
		return ""
	}
	for _, j := range n.joints() {
		s := j.link.sides[j.side]
		if s.relation != connector.Parent {
			continue
		}
		parent := j.link.sides[1-j.side]
		if !j.link.Connected() || parent.node.Address().IsZero() {
			return ""
		}
		if want, err := parent.node.Address().Child(parent.account); err != nil || c.Address() != want {
			return fmt.Sprintf("%s has yet to inherit the address %s", n, want)
		}
		return ""
	}
	return ""
}
