package middleware_test

import (
	"context"
	"encoding/base64"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

// The directions, in few letters.
const (
	incoming = middlewaretest.Incoming
	outgoing = middlewaretest.Outgoing
)

// start is when the reference's tests begin.
var start = time.Date(2015, 6, 16, 0, 0, 0, 0, time.UTC)

// The fulfillment and condition of the reference's tests.
var (
	fulfillment1 = fromBase64("HS8e5Ew02XKAglyus2dh2Ohabuqmy3HDM8EXMLz22ok")
	condition1   = ilp.Condition(fromBase64("uzoYx3K6u+Nt6kZjbN6KmH0yARfhkj9e17eQfpSeB7U"))
)

func fromBase64(s string) ilp.Fulfillment {
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return ilp.Fulfillment(b)
}

// newHost is a connector test.connie whose clock stands at start, with its
// books in memory.
func newHost() *middlewaretest.Host {
	h := new(middlewaretest.Host)
	h.SetAddress(ilp.MustParseAddress("test.connie"))
	h.SetNow(start)
	h.SetBooks(middlewaretest.MemoryBooks())
	return h
}

// child is the account of the reference's middleware tests.
func child() *account.Account {
	return &account.Account{ID: "mock.test3", Relation: account.Child, Asset: ilp.Asset{Code: "USD", Scale: 4}}
}

func attach(t testing.TB, host middleware.Host, a *account.Account, list ...middleware.Middleware) *middlewaretest.Chain {
	t.Helper()
	c, err := middlewaretest.Attach(host, a, list...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// send sends a packet of amount under condition1 through c.
func send(t testing.TB, c *middlewaretest.Chain, d middlewaretest.Direction, amount uint64, reply ilp.Reply) middlewaretest.Outcome {
	t.Helper()
	return sendPrepare(t, c, d, prepare(amount), reply)
}

func sendPrepare(t testing.TB, c *middlewaretest.Chain, d middlewaretest.Direction, p ilp.Prepare, reply ilp.Reply) middlewaretest.Outcome {
	t.Helper()
	out, err := c.Send(t.Context(), d, p, reply)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func prepare(amount uint64) ilp.Prepare {
	return ilp.Prepare{
		Amount: amount, ExpiresAt: start.Add(2 * time.Second),
		Condition: condition1, Destination: ilp.MustParseAddress("test.mock.test1.bob"),
	}
}

func fulfill1() *ilp.Fulfill { return &ilp.Fulfill{Fulfillment: fulfillment1} }

// wantFulfill fails the test unless the packet was fulfilled.
func wantFulfill(t testing.TB, out middlewaretest.Outcome) {
	t.Helper()
	if f, ok := out.Reply.(*ilp.Fulfill); !ok || f.Fulfillment != fulfillment1 {
		t.Fatalf("the answer is %v, want the fulfill", out.Reply)
	}
}

// wantReject fails the test unless the packet was rejected so.
func wantReject(t testing.TB, out middlewaretest.Outcome, code ilp.Code, message string) *ilp.Reject {
	t.Helper()
	r, ok := out.Reply.(*ilp.Reject)
	if !ok {
		t.Fatalf("the answer is %v, want a reject %s", out.Reply, code)
	}
	if r.Code != code || r.Message != message {
		t.Fatalf("the answer is %v, want %s with the message %q", r, code, message)
	}
	return r
}

// custom is a middleware of a name and its stages.
type custom struct {
	name   string
	stages middleware.Stages
	err    error
}

func (c custom) Name() string { return c.name }

func (c custom) Attach(middleware.Host, *account.Account) (middleware.Stages, error) {
	return c.stages, c.err
}

// diary is what has happened, in its order.
type diary struct {
	mu     sync.Mutex
	events []string
}

func (d *diary) note(event string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, event)
}

func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	events := d.events
	d.events = nil
	return events
}

// stage is a stage that writes a diary. prepare and reply, if set, are what
// its hooks do then.
type stage struct {
	name    string
	diary   *diary
	prepare func(ctx context.Context, p *middleware.Packet) ilp.Reply
	reply   func(ctx context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply
}

func (s *stage) Prepare(ctx context.Context, p *middleware.Packet) ilp.Reply {
	s.diary.note(s.name + " prepare")
	if s.prepare == nil {
		return nil
	}
	return s.prepare(ctx, p)
}

func (s *stage) Reply(ctx context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
	s.diary.note(s.name + " reply")
	if s.reply == nil {
		return reply
	}
	return s.reply(ctx, p, reply)
}

// observer is a stage that hears of late answers too.
type observer struct{ stage }

func (o *observer) Late(_ *middleware.Packet, reply ilp.Reply) { o.diary.note(o.name + " late") }

// end stands behind the last stage, and answers at once if it has an answer.
type end struct {
	diary  *diary
	answer ilp.Reply
	got    ilp.Reply
	done   chan struct{} // if not nil, closed when the reply is there
}

func (e *end) Pass(ctx context.Context, p *middleware.Packet) {
	e.diary.note("end")
	if e.answer != nil {
		p.Answer(ctx, e.answer)
	}
}

func (e *end) Done(_ context.Context, _ *middleware.Packet, reply ilp.Reply) {
	e.diary.note("done")
	e.got = reply
	if e.done != nil {
		close(e.done)
	}
}
