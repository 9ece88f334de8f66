package miniaccounts_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/internal/pipenet"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
)

// network is a server behind a listener, on a real loopback socket or, in a
// synctest bubble, on pipes.
type network struct {
	*miniaccounts.Server
	parent   *parent
	listener net.Listener
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
}

// newServer makes a server whose options must be good.
func newServer(t testing.TB, o miniaccounts.Options) *miniaccounts.Server {
	t.Helper()
	srv, err := miniaccounts.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

// start serves o on pipes, behind a parent that gives the address
// test.connie.mini.
func start(t testing.TB, o miniaccounts.Options) *network {
	t.Helper()
	n := serve(t, newServer(t, o))
	n.open(t)
	return n
}

// serve serves srv, which is not open yet, on pipes.
func serve(t testing.TB, srv *miniaccounts.Server) *network {
	l := pipenet.Listen()
	return serveOn(t, srv, l, l.Dial)
}

func serveOn(t testing.TB, srv *miniaccounts.Server, l net.Listener, dial func(context.Context, string, string) (net.Conn, error)) *network {
	n := &network{Server: srv, parent: newParent(), listener: l, dial: dial}
	server := &http.Server{Handler: srv, ReadHeaderTimeout: 5 * time.Second}
	var served sync.WaitGroup
	served.Go(func() { server.Serve(l) })
	t.Cleanup(func() {
		server.Close()
		srv.Close()
		served.Wait()
	})
	return n
}

func (n *network) open(t testing.TB) {
	t.Helper()
	if err := n.Open(t.Context(), n.parent); err != nil {
		t.Fatal(err)
	}
}

// parent is the connector of a test: it gives an address, and answers all
// else by what the test says.
type parent struct {
	mu      sync.Mutex
	reply   func(p *ilp.Prepare) ilp.Reply // nil: the packet is held
	config  func() ilp.Reply               // to peer.config
	posts   bool                           // before it answers peer.config
	states  []bool
	packets []ilp.Prepare // all but those to peer.config
	asked   int           // packets to peer.config
	held    chan held
}

type held struct {
	prepare   ilp.Prepare
	responder plugin.Responder
}

var asset = ilp.Asset{Code: "XRP", Scale: 9}

func newParent() *parent {
	return &parent{
		held:   make(chan held, 10_000),
		config: gives("test.connie.mini"),
		reply:  func(*ilp.Prepare) ilp.Reply { return fulfill },
	}
}

// gives is a parent's answer with an address.
func gives(address string) func() ilp.Reply {
	return func() ilp.Reply {
		return ildcp.Response{Address: ilp.MustParseAddress(address), Asset: asset}.Fulfill()
	}
}

func (p *parent) HandlePrepare(ctx context.Context, prepare *ilp.Prepare, r plugin.Responder) {
	p.mu.Lock()
	reply, config, posts := p.reply, p.config, p.posts
	if prepare.Destination.String() == ildcp.Destination {
		p.asked++
		p.mu.Unlock()
		if posts {
			r.Post(ctx)
		}
		r.Reply(ctx, config())
		return
	}
	p.packets = append(p.packets, *prepare)
	p.mu.Unlock()
	if reply == nil {
		p.held <- held{*prepare, r}
		return
	}
	r.Reply(ctx, reply(prepare))
}

func (p *parent) HandleMalformed(ctx context.Context, err error, r plugin.Responder) {
	r.Fail(ctx, errors.New("malformed packets are not the connector's business"))
}

func (p *parent) HandleMoney(context.Context, plugin.Money) error { return errors.New("no money") }

func (p *parent) HandleState(connected bool, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states = append(p.states, connected)
}

// hold leaves the answers to the test.
func (p *parent) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reply = nil
}

// answer sets the answer to peer.config.
func (p *parent) answer(config func() ilp.Reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.config = config
}

// raw connects to the server without authentication.
func (n *network) raw(t testing.TB) *btptest.Conn {
	t.Helper()
	return btptest.Dial(t, "ws://"+n.listener.Addr().String()+"/ilp", wsconn.Options{NetDial: n.dial})
}

// login shows credentials and gives the answer.
func (n *network) login(t testing.TB, username, token string) (*btptest.Conn, btp.Packet) {
	t.Helper()
	r := n.raw(t)
	r.Send(btptest.Auth(1, username, token))
	return r, r.Read()
}

// user is a socket of a user who must be let in.
func (n *network) user(t testing.TB, username, token string) *btptest.Conn {
	t.Helper()
	r, p := n.login(t, username, token)
	if p.Type != btp.TypeResponse || p.RequestID != 1 {
		t.Fatalf("user %q is answered %+v", username, p)
	}
	return r
}

// refused checks that credentials are refused, with this code and text.
func (n *network) refused(t testing.TB, username, token string, code btp.Code, text string) {
	t.Helper()
	r, p := n.login(t, username, token)
	if p.Type != btp.TypeError || p.Error.Code != code || string(p.Error.Data) != text {
		t.Errorf("user %q is answered %v %q, want an error %s %q", username, p.Type, p.Error.Data, code, text)
		return
	}
	if p.Error.Name != code.Name() || p.RequestID != 1 {
		t.Errorf("the error is %+v", p)
	}
	if _, err := r.TryRead(); err == nil {
		t.Error("the socket of a refused client goes on")
	}
	r.Close()
}

// client opens a client of plugin/btp.
func (n *network) client(t testing.TB, username, token string, h plugin.Handler) *btp.Client {
	t.Helper()
	c := btp.NewClient(btp.ClientOptions{
		URL: "btp+ws://" + n.listener.Addr().String(), Username: username, Token: token, NetDial: n.dial,
		MinBackoff: 5 * time.Millisecond, MaxBackoff: 20 * time.Millisecond,
	})
	if err := c.Open(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// outcome is what a responder was told.
type outcome struct {
	fulfill *ilp.Fulfill
	reject  *ilp.Reject
	err     error
}

// ask sends p and gives the outcome, when there is one.
func ask(p plugin.Plugin, prepare *ilp.Prepare) <-chan outcome {
	c := make(chan outcome, 10) // room for answers that must not be there
	p.SendPrepare(context.Background(), prepare, plugin.NewResponder(plugin.ReplyFunc(
		func(_ context.Context, reply ilp.Reply, err error) { c <- newOutcome(reply, err) }), 0))
	return c
}

func newOutcome(reply ilp.Reply, err error) outcome {
	o := outcome{err: err}
	switch r := reply.(type) {
	case *ilp.Fulfill:
		kept := r.Clone()
		o.fulfill = &kept
	case *ilp.Reject:
		kept := r.Clone()
		o.reject = &kept
	}
	return o
}

// wantReject checks for a reject by the server.
func (o outcome) wantReject(t testing.TB, code ilp.Code, message string) {
	t.Helper()
	if reject, ok := errors.AsType[*ilp.Reject](o.err); ok && errors.Is(o.err, plugin.ErrNotConnected) {
		o.reject = reject
	}
	if o.reject == nil || o.reject.Code != code || o.reject.Message != message || o.reject.TriggeredBy.String() != "test.connie.mini" {
		t.Errorf("the outcome is %+v (reject %v), want %s %q by test.connie.mini", o, o.reject, code, message)
	}
}

func wantReject(t testing.TB, reply ilp.Reply, code ilp.Code, message string) {
	t.Helper()
	newOutcome(reply, nil).wantReject(t, code, message)
}

// get takes from a channel what must come.
func get[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Hour):
		t.Fatal("nothing comes")
		panic("not reached")
	}
}

var (
	fulfillment = ilp.Fulfillment{1, 2, 3}
	fulfill     = &ilp.Fulfill{Fulfillment: fulfillment, Data: []byte("done")}
)

// same compares the fields of two prepares.
func same(a, b ilp.Prepare) bool {
	return a.Amount == b.Amount && a.ExpiresAt.Equal(b.ExpiresAt) && a.Condition == b.Condition &&
		a.Destination == b.Destination && bytes.Equal(a.Data, b.Data)
}

// prepared counts packets: two alike would be taken for duplicates.
var prepared atomic.Uint64

// prepareTo is a packet of 100 units, unlike all others.
func prepareTo(destination string) *ilp.Prepare {
	return &ilp.Prepare{
		Amount:      100,
		ExpiresAt:   time.Now().Add(30 * time.Second).UTC().Truncate(time.Millisecond),
		Condition:   fulfillment.Condition(),
		Destination: ilp.MustParseAddress(destination),
		Data:        fmt.Append(nil, "data ", prepared.Add(1)),
	}
}
