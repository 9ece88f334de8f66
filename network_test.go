package connector_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/memstore"
)

var usd9 = connector.Asset{Code: "USD", Scale: 9}

// The fulfillment and conditions of the reference's tests.
var (
	fulfillment1 = ilp.Fulfillment(must(base64.RawStdEncoding.DecodeString("HS8e5Ew02XKAglyus2dh2Ohabuqmy3HDM8EXMLz22ok")))
	condition1   = fulfillment1.Condition()
	condition2   = ilp.Condition(must(base64.RawURLEncoding.DecodeString("I3TZF5S3n0-07JWH0s8ArsxPmVP6s-0d0SqxR6C3Ifk")))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// network is a connector with a fake link for each account.
type network struct {
	t     testing.TB
	c     *connector.Connector
	links map[string]*fakeLink
	stop  func() // set by run
}

// newNetwork makes a connector of config, its gaps filled: test.connie, a
// rate of one, the standard middleware, a store in memory.
func newNetwork(t testing.TB, config connector.Config) *network {
	t.Helper()
	if config.Address == "" {
		config.Address = "test.connie"
	}
	return newNetworkWithout(t, config)
}

// newNetworkWithout is newNetwork for a connector that may have no address of
// its own.
func newNetworkWithout(t testing.TB, config connector.Config) *network {
	t.Helper()
	if config.Store == nil {
		config.Store = memstore.New()
	}
	if config.Backend == nil {
		config.Backend = parity(t)
	}
	if config.Middleware == nil {
		config.Middleware = middleware.Standard()
	}
	c, err := connector.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return &network{t: t, c: c, links: make(map[string]*fakeLink)}
}

func parity(t testing.TB) backend.Backend {
	b, err := onetoone.New(onetoone.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// add adds a with a fake link, which it gives: that which a has, or a new one.
func (n *network) add(a connector.Account) *fakeLink {
	n.t.Helper()
	l, ok := a.Plugin.(*fakeLink)
	if !ok {
		l = newFakeLink()
		a.Plugin = l
	}
	if a.Asset.Code == "" {
		a.Asset = usd9
	}
	if err := n.c.AddAccount(context.Background(), a); err != nil {
		n.t.Fatal(err)
	}
	n.links[a.ID] = l
	return l
}

// run runs the connector until the test ends, or until stop is called.
func (n *network) run() (stop func()) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			n.t.Errorf("Run: %v", err)
		}
	})
	n.stop = stop
	n.t.Cleanup(stop)
	for _, l := range n.links {
		<-l.opened
	}
	return stop
}

// send sends p into the connector as the counterparty of account from, and
// gives where its outcome appears.
func (n *network) send(from string, p ilp.Prepare) *outcome {
	o := &outcome{}
	n.links[from].handler.HandlePrepare(context.Background(), &p, plugin.NewResponder(o, 0))
	return o
}

// outcome records the answers to one packet. There must be exactly one.
type outcome struct {
	mu      sync.Mutex
	answers int
	fulfill *ilp.Fulfill
	reject  *ilp.Reject
	err     error
}

func (o *outcome) Reply(_ context.Context, _ uint64, reply ilp.Reply, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers++
	o.err = err
	switch r := reply.(type) {
	case *ilp.Fulfill:
		kept := r.Clone()
		o.fulfill = &kept
	case *ilp.Reject:
		kept := r.Clone()
		o.reject = &kept
	}
}

// pending reports whether the packet has not been answered.
func (o *outcome) pending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.answers == 0
}

// wantFulfill fails the test unless the packet was fulfilled with f, once.
func (o *outcome) wantFulfill(t testing.TB, f ilp.Fulfillment) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.answers != 1 || o.fulfill == nil || o.fulfill.Fulfillment != f {
		t.Fatalf("got %d answers, fulfill %v, reject %v, error %v; want one fulfill", o.answers, o.fulfill, o.reject, o.err)
	}
}

// wantReject fails the test unless the packet was rejected with code and
// message by the connector, once.
func (o *outcome) wantReject(t testing.TB, code ilp.Code, message string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.answers != 1 || o.reject == nil {
		t.Fatalf("got %d answers, fulfill %v, error %v; want one reject %s", o.answers, o.fulfill, o.err, code)
	}
	if o.reject.Code != code || o.reject.Message != message {
		t.Fatalf("got reject %s %q; want %s %q", o.reject.Code, o.reject.Message, code, message)
	}
	if got := o.reject.TriggeredBy.String(); got != "test.connie" {
		t.Fatalf("the reject was triggered by %q; want test.connie", got)
	}
}

// fakeLink is a plugin whose counterparty is the test.
type fakeLink struct {
	// answer, if set, answers a prepare at once; otherwise the test answers.
	answer func(p *ilp.Prepare) ilp.Reply
	// protocol answers what is sent to peer.*, which no test finds among the
	// packets sent; nil takes everything.
	protocol func(p *ilp.Prepare) ilp.Reply
	// openErr is what Open returns.
	openErr error
	// paid takes the settlements sent; nil accepts them all.
	paid func(m plugin.Money) error

	handler plugin.Handler // set when opened is closed
	opened  chan struct{}

	mu       sync.Mutex
	sent     []sentPrepare
	offline  bool
	closed   int
	answered int
	spoiled  string // what was done to the link that must not be done
}

type sentPrepare struct {
	prepare   ilp.Prepare
	responder plugin.Responder
}

var (
	_ plugin.Plugin      = (*fakeLink)(nil)
	_ plugin.MoneySender = (*fakeLink)(nil)
)

func newFakeLink() *fakeLink { return &fakeLink{opened: make(chan struct{})} }

func (l *fakeLink) Open(_ context.Context, h plugin.Handler) error {
	if l.openErr != nil {
		return l.openErr
	}
	l.handler = h
	close(l.opened)
	return nil
}

func (l *fakeLink) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	select {
	case <-l.opened:
	default:
		l.mu.Lock()
		l.spoiled = "a packet was sent before the link was open"
		l.mu.Unlock()
	}
	var answer func(p *ilp.Prepare) ilp.Reply
	switch {
	case p.Destination.Scheme() != "peer":
		answer = l.answer
	case l.protocol != nil:
		answer = l.protocol
	default:
		answer = fulfills(ilp.Fulfillment{})
	}
	if answer != nil {
		if reply := answer(p); reply != nil { // or else there never is one
			r.Reply(ctx, reply)
		}
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, sentPrepare{*p, r})
}

func (l *fakeLink) Connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.offline
}

func (l *fakeLink) setOffline() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offline = true
}

// Close answers what was not answered, as the contract asks.
func (l *fakeLink) Close() error {
	l.mu.Lock()
	l.closed++
	waiting := l.sent[l.answered:]
	l.answered = len(l.sent)
	l.mu.Unlock()
	for _, s := range waiting {
		s.responder.Fail(context.Background(), errors.Join(plugin.ErrUnknownOutcome, net.ErrClosed))
	}
	return nil
}

func (l *fakeLink) SendMoney(_ context.Context, m plugin.Money) error {
	if l.paid == nil {
		return nil
	}
	return l.paid(m)
}

// count is the number of prepares that were sent.
func (l *fakeLink) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sent)
}

// take gives the next prepare that was sent and not taken; it fails the test
// if there is none.
func (l *fakeLink) take(t testing.TB) sentPrepare {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answered == len(l.sent) {
		t.Fatal("no packet was sent to the next hop")
	}
	l.answered++
	return l.sent[l.answered-1]
}

func (s sentPrepare) reply(r ilp.Reply) { s.responder.Reply(context.Background(), r) }

// fulfills answers every packet with f.
func fulfills(f ilp.Fulfillment) func(*ilp.Prepare) ilp.Reply {
	return func(*ilp.Prepare) ilp.Reply { return &ilp.Fulfill{Fulfillment: f} }
}

// prepared counts the packets made by prepare.
var prepared atomic.Uint64

// prepare is a packet of 100 units under condition1, which expires in two
// seconds. Its data is a number, so that it is no duplicate of another.
func prepare(destination string) ilp.Prepare {
	return ilp.Prepare{
		Data:        binary.BigEndian.AppendUint64(nil, prepared.Add(1)),
		Amount:      100,
		ExpiresAt:   time.Now().Add(2 * time.Second).UTC(),
		Condition:   condition1,
		Destination: ilp.MustParseAddress(destination),
	}
}

// untaken is the number of prepares that were sent and not taken.
func (l *fakeLink) untaken() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sent) - l.answered
}
