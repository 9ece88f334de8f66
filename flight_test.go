package connector_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
)

// Reference test 45, ILP4-32: R00 at the expiry of the outgoing packet, a
// message window before the source's own clock runs out.
func TestNoReplyInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		o := n.send("one", prepare("test.two.bob"))
		time.Sleep(time.Second - time.Nanosecond)
		synctest.Wait()
		if !o.pending() {
			t.Fatal("answered before the packet expired")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		o.wantReject(t, ilp.R00TransferTimedOut, "packet expired.")
	})
}

// A fulfillment after R00 is counted and never relayed; the same one again,
// or a wrong one, is not counted.
func TestLateFulfill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		var outcomes []*outcome
		for range 3 {
			outcomes = append(outcomes, n.send("one", prepare("test.two.bob")))
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		first, second, third := n.links["two"].take(t), n.links["two"].take(t), n.links["two"].take(t)
		first.reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		first.reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		second.reply(&ilp.Fulfill{})
		third.reply(&ilp.Reject{Code: ilp.F99ApplicationError})
		for _, o := range outcomes {
			o.wantReject(t, ilp.R00TransferTimedOut, "packet expired.")
		}
		if got, want := n.c.Counters(), (connector.Counters{LateFulfills: 1, UnexpectedReplies: 1}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
		stats := n.c.Stats()[1]
		if stats.Account != "two" || stats.Outgoing.Late.Count != 1 || stats.Outgoing.Late.Amount.Uint64() != 94 || stats.Outgoing.Fulfilled.Count != 0 {
			t.Errorf("stats of the next hop: %+v", stats.Outgoing)
		}
	})
}

// A link that answers twice changes nothing, not even for the packet that
// uses the same memory next.
func TestSecondAnswerIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		o := n.send("one", prepare("test.two.bob"))
		first := n.links["two"].take(t)
		first.reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		o.wantFulfill(t, fulfillment1)

		for range 10 { // the next packets are likely to be given the memory of the first
			next := n.send("one", prepare("test.two.bob"))
			first.reply(&ilp.Fulfill{Fulfillment: fulfillment1})
			first.responder.Fail(context.Background(), plugin.ErrUnknownOutcome)
			if !next.pending() {
				t.Fatal("the answer to one packet answered another")
			}
			n.links["two"].take(t).reply(&ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: ilp.MustParseAddress("test.connie")})
			next.wantReject(t, ilp.F99ApplicationError, "")
		}
		o.wantFulfill(t, fulfillment1)
		if got := n.c.Counters().UnexpectedReplies; got != 20 {
			t.Errorf("%d unexpected replies counted, want 20", got)
		}
	})
}

// The reply, a second reply and the clock at the same instant: one wins.
func TestOneOutcomeWhenReplyMeetsExpiry(t *testing.T) {
	for i := range 200 {
		synctest.Test(t, func(t *testing.T) {
			n := pair(t, connector.Config{})
			o := n.send("one", prepare("test.two.bob"))
			sent := n.links["two"].take(t)
			var race sync.WaitGroup
			for range 2 {
				race.Go(func() {
					time.Sleep(time.Second)
					sent.reply(&ilp.Fulfill{Fulfillment: fulfillment1})
				})
			}
			race.Wait()
			synctest.Wait()
			if o.answers != 1 {
				t.Fatalf("round %d: %d answers", i, o.answers)
			}
			stats, counters := n.c.Stats()[1].Outgoing, n.c.Counters()
			late := uint64(0)
			if o.fulfill == nil {
				late = 1
			}
			if counters.LateFulfills != late || stats.Late.Count != late || stats.Fulfilled.Count != 1-late {
				t.Fatalf("round %d: fulfilled %v, late fulfills %d, stats %+v", i, o.fulfill != nil, counters.LateFulfills, stats)
			}
			for _, a := range n.c.Accounts() {
				if a.InFlight != 0 || a.Outstanding != 0 {
					t.Fatalf("round %d: %+v still counts packets", i, a)
				}
			}
		})
	}
}

// A packet whose fulfillment is claimed in time does not expire until the reply
// has come; one that has expired cannot be claimed, nor one that was answered.
func TestClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		o := n.send("one", prepare("test.two.bob"))
		sent := n.links["two"].take(t)
		if !sent.responder.Claim() || sent.responder.Claim() {
			t.Error("it must be claimed once")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if !o.pending() {
			t.Fatal("it has expired")
		}
		sent.reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		o.wantFulfill(t, fulfillment1)
		if sent.responder.Claim() {
			t.Error("claimed after the reply")
		}

		o = n.send("one", prepare("test.two.bob"))
		sent = n.links["two"].take(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		if sent.responder.Claim() {
			t.Error("claimed after it has expired")
		}
		sent.reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		o.wantReject(t, ilp.R00TransferTimedOut, "packet expired.")
		if got, want := n.c.Counters(), (connector.Counters{LateFulfills: 1}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
		for _, a := range n.c.Accounts() {
			if a.InFlight != 0 || a.Outstanding != 0 {
				t.Errorf("%+v still counts packets", a)
			}
		}
	})
}

// Past the bound the answer is T03 at once, and a place that becomes free is
// used again.
func TestBoundOfPacketsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "one", Relation: connector.Child, MaxInFlight: 3})
		n.add(connector.Account{ID: "two", Relation: connector.Child})
		n.run()
		var outcomes []*outcome
		for range 3 {
			outcomes = append(outcomes, n.send("one", prepare("test.connie.two")))
		}
		n.send("one", prepare("test.connie.two")).wantReject(t, ilp.T03ConnectorBusy, "too many packets in flight.")
		if n.links["two"].count() != 3 {
			t.Fatalf("%d packets were forwarded, want 3", n.links["two"].count())
		}
		n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		outcomes[0].wantFulfill(t, fulfillment1)
		if o := n.send("one", prepare("test.connie.two")); !o.pending() {
			t.Errorf("the free place was not used: %+v", o.reject)
		}
		if got := n.c.Accounts(); got[0].InFlight != 3 || got[1].Outstanding != 3 {
			t.Errorf("status %+v", got)
		}
	})
}

// The standard bound is a thousand.
func TestStandardBoundOfPacketsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		for range account.DefaultMaxInFlight {
			n.send("one", prepare("test.two.bob"))
		}
		n.send("one", prepare("test.two.bob")).wantReject(t, ilp.T03ConnectorBusy, "too many packets in flight.")
	})
}

// holder is a middleware that holds every packet, where it is told to, until
// the test lets it go.
type holder struct {
	prepares, replies bool
	held              chan middleware.Hold
	reply             ilp.Reply
}

func (h *holder) Name() string { return "holder" }

func (h *holder) Attach(middleware.Host, *account.Account) (middleware.Stages, error) {
	return middleware.Stages{Outgoing: h}, nil
}

func (h *holder) Prepare(_ context.Context, p *middleware.Packet) ilp.Reply {
	if !h.prepares {
		return nil
	}
	h.held <- p.Hold()
	return middleware.Held
}

func (h *holder) Reply(_ context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
	if !h.replies {
		return reply
	}
	hold := p.Hold()
	h.reply = reply
	h.held <- hold
	return middleware.Held
}

// A packet that a stage holds goes on where it was, and its expiry is
// reckoned from the time it goes on.
func TestHeldPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &holder{prepares: true, held: make(chan middleware.Hold, 1)}
		n := pair(t, connector.Config{Middleware: append(middleware.Standard(), h)})
		p := prepare("test.two.bob")
		p.ExpiresAt = time.Now().Add(10 * time.Second)
		o := n.send("one", p)
		time.Sleep(4 * time.Second)
		(<-h.held).Pass(context.Background())
		time.Sleep(5*time.Second - time.Nanosecond)
		synctest.Wait()
		if !o.pending() {
			t.Fatal("expired too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		o.wantReject(t, ilp.R00TransferTimedOut, "packet expired.")
	})
	synctest.Test(t, func(t *testing.T) {
		h := &holder{replies: true, held: make(chan middleware.Hold, 1)}
		n := pair(t, connector.Config{Middleware: append(middleware.Standard(), h)})
		o := n.send("one", prepare("test.two.bob"))
		n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1, Data: []byte("kept")})
		time.Sleep(time.Minute) // answered in time: what we do with it takes the time it takes
		synctest.Wait()
		if !o.pending() {
			t.Fatal("a packet that its stage holds was answered")
		}
		hold := <-h.held
		hold.Answer(context.Background(), h.reply)
		o.wantFulfill(t, fulfillment1)
		if string(o.fulfill.Data) != "kept" {
			t.Errorf("data %q", o.fulfill.Data)
		}
		if hold.Answer(context.Background(), h.reply) {
			t.Error("a hold was used twice")
		}
	})
}

// Many sources and destinations at once, every packet with a condition of its
// own: each gets the answer that is its own. Run under -race.
func TestConcurrentPacketsDoNotMix(t *testing.T) {
	const accounts, packets = 8, 500
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		for i := range accounts {
			l := n.add(connector.Account{ID: fmt.Sprint("a", i), Relation: connector.Child})
			if i%2 == 0 { // answers on the goroutine that sends; the others on one of their own
				l.answer = func(p *ilp.Prepare) ilp.Reply { return fulfillFromData(p) }
			}
		}
		n.run()
		var running sync.WaitGroup
		for i := range accounts {
			l := n.links[fmt.Sprint("a", i)]
			if l.answer == nil {
				running.Go(func() {
					for range packets {
						for l.untaken() == 0 {
							time.Sleep(time.Microsecond)
						}
						s := l.take(t)
						s.reply(fulfillFromData(&s.prepare))
					}
				})
			}
			running.Go(func() {
				for k := range packets {
					f := ilp.Fulfillment{byte(i), byte(k), byte(k >> 8)}
					p := prepare(fmt.Sprintf("test.connie.a%d.x", (i+k)%accounts))
					p.Condition, p.Data = f.Condition(), f[:]
					o := n.send(fmt.Sprint("a", i), p)
					for o.pending() {
						time.Sleep(time.Microsecond)
					}
					o.wantFulfill(t, f)
				}
			})
		}
		running.Wait()
	})
}

// fulfillFromData answers a packet whose data is its fulfillment.
func fulfillFromData(p *ilp.Prepare) *ilp.Fulfill {
	return &ilp.Fulfill{Fulfillment: ilp.Fulfillment(p.Data), Data: p.Data}
}

// lingering is a link that answers a packet and goes on reading it: until
// SendPrepare returns the packet is the link's to read.
type lingering struct {
	*fakeLink
	again func() // sends another packet through the connector
}

func (l *lingering) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	if p.Destination.Scheme() == "peer" {
		l.fakeLink.SendPrepare(ctx, p, r)
		return
	}
	before := *p
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		r.Reply(context.Background(), &ilp.Fulfill{Fulfillment: fulfillment1})
	}()
	<-answered
	l.again()
	if p.Amount != before.Amount || p.Destination != before.Destination || p.Condition != before.Condition {
		l.fakeLink.mu.Lock()
		defer l.fakeLink.mu.Unlock()
		l.fakeLink.spoiled = fmt.Sprintf("%+v became %+v", before, *p)
	}
}

func TestPacketStaysWhileItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		three := &lingering{fakeLink: newFakeLink()}
		three.again = func() {
			for range 10 {
				n.send("one", prepare("test.two.bob"))
			}
		}
		err := n.c.AddAccount(context.Background(), connector.Account{
			ID: "three", Relation: connector.Child, Asset: usd9, Plugin: three,
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			n.send("one", prepare("test.connie.three.x")).wantFulfill(t, fulfillment1)
			if three.spoiled != "" {
				t.Fatalf("the packet changed while it was sent: %s", three.spoiled)
			}
		}
	})
}

// A packet that a stage has held for too long is not sent: whoever gets it
// might fulfill it, and its source would not pay.
func TestHeldPacketThatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &holder{prepares: true, held: make(chan middleware.Hold, 1)}
		n := pair(t, connector.Config{Middleware: append(middleware.Standard(), h)})
		o := n.send("one", prepare("test.two.bob"))
		time.Sleep(time.Second) // the next hop's is the shorter expiry
		(<-h.held).Pass(context.Background())
		synctest.Wait()
		o.wantReject(t, ilp.R00TransferTimedOut, "packet expired.")
		if n.links["two"].count() != 0 {
			t.Error("a packet was sent that had expired")
		}
	})
}
