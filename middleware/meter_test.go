package middleware_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/histogram"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

// slow is a stage whose packets take a while, on the clock of host.
func slow(host *middlewaretest.Host, took time.Duration) middleware.Middleware {
	s := middleware.ReplyFunc(func(_ context.Context, _ *middleware.Packet, reply ilp.Reply) ilp.Reply {
		host.Advance(took)
		return reply
	})
	return custom{name: "slow", stages: middleware.Stages{Incoming: s, Outgoing: s}}
}

// wantLatencies fails the test unless all of these and no others were
// measured, once each, for exactly so long.
func wantLatencies(t *testing.T, what string, got map[middleware.Outcome]histogram.Snapshot, want map[middleware.Outcome]time.Duration) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: measured %d outcomes, want %d", what, len(got), len(want))
	}
	for outcome, took := range want {
		if s := got[outcome]; s.Count() != 1 || s.Sum != uint64(took) {
			t.Errorf("%s %v: measured %d packets of %d ns together, want one of %d", what, outcome, s.Count(), s.Sum, took)
		}
	}
}

// Each outcome of an incoming packet is measured for itself: what the next hop
// says, what the connector says itself, and what it takes for itself.
func TestMeterTellsOutcomesApart(t *testing.T) {
	host, meter := newHost(), middleware.NewMeter()
	refuse := func(code ilp.Code) middleware.Middleware {
		return custom{name: string(code), stages: middleware.Stages{Incoming: middleware.PrepareFunc(
			func(_ context.Context, p *middleware.Packet) ilp.Reply {
				if p.Prepare.Amount != 5 {
					return nil
				}
				return &ilp.Reject{Code: code}
			})}}
	}
	answer := custom{name: "answer", stages: middleware.Stages{Incoming: middleware.PrepareFunc(
		func(_ context.Context, p *middleware.Packet) ilp.Reply {
			if p.Prepare.Amount != 6 {
				return nil
			}
			return fulfill1()
		})}}
	deadline := custom{name: "deadline", stages: middleware.Stages{Incoming: middleware.PrepareFunc(
		func(_ context.Context, p *middleware.Packet) ilp.Reply {
			p.Deadline = p.Prepare.ExpiresAt
			return nil
		})}}
	chain := meter.Around([]middleware.Middleware{slow(host, 3*time.Millisecond), refuse("T04"), answer, deadline})
	c := attach(t, host, child(), chain...)
	send(t, c, incoming, 1, fulfill1())
	send(t, c, incoming, 2, &ilp.Reject{Code: ilp.R00TransferTimedOut}) // theirs
	send(t, c, incoming, 3, nil)                                        // ours
	send(t, c, incoming, 5, fulfill1())
	send(t, c, incoming, 6, nil)

	all := meter.Snapshot()
	if len(all) != 1 || all[0].Account != "mock.test3" {
		t.Fatalf("the snapshot is %+v, want one account", all)
	}
	const took = 3 * time.Millisecond
	wantLatencies(t, "incoming", all[0].Incoming, map[middleware.Outcome]time.Duration{
		middleware.OutcomeFulfilled: took, middleware.OutcomeRejected: took, middleware.OutcomeExpired: took,
		middleware.OutcomeRefused: took, middleware.OutcomeAnswered: took,
	})
	wantLatencies(t, "outgoing", all[0].Outgoing, nil)
	if r := all[0].Refused; len(r) != 2 || r["T04"] != 1 || r["R00"] != 1 {
		t.Errorf("refused %v, want T04 and R00 once each: what the next hop says is not ours", r)
	}
}

// What goes to an account is measured inside of everything: packets that our
// own limits refuse were not with the next hop.
func TestMeterMeasuresTheNextHop(t *testing.T) {
	host, meter := newHost(), middleware.NewMeter()
	limit := custom{name: "limit", stages: middleware.Stages{Outgoing: middleware.PrepareFunc(
		func(_ context.Context, p *middleware.Packet) ilp.Reply {
			if p.Prepare.Amount < 10 {
				return nil
			}
			return &ilp.Reject{Code: ilp.T04InsufficientLiquidity}
		})}}
	c := attach(t, host, child(), meter.Around([]middleware.Middleware{slow(host, time.Hour), limit, middleware.Expire()})...)
	send(t, c, outgoing, 10, fulfill1())
	send(t, c, outgoing, 1, fulfill1())
	send(t, c, outgoing, 2, &ilp.Reject{Code: ilp.R00TransferTimedOut, TriggeredBy: ilp.MustParseAddress("test.other")})
	send(t, c, outgoing, 3, nil)
	if _, err := c.Refuse(t.Context(), outgoing, prepare(4), &ilp.Reject{Code: ilp.T01PeerUnreachable, Cause: context.Canceled}); err != nil {
		t.Fatal(err)
	}
	got := meter.Snapshot()[0]
	wantLatencies(t, "outgoing", got.Outgoing, map[middleware.Outcome]time.Duration{
		middleware.OutcomeFulfilled: 0, middleware.OutcomeRejected: 0, middleware.OutcomeExpired: 0, middleware.OutcomeRefused: 0,
	})
	wantLatencies(t, "incoming", got.Incoming, nil)
}

// The latency of a packet has in it what it waited for the books.
func TestMeterMeasuresTheWaitForTheBooks(t *testing.T) {
	host, meter := newHost(), middleware.NewMeter()
	holds := make(chan func(), 1)
	hold := custom{name: "hold", stages: middleware.Stages{Incoming: middleware.ReplyFunc(
		func(_ context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
			p.Took(middleware.Since(host))
			h := p.Hold()
			holds <- func() { h.Answer(context.Background(), reply) }
			return middleware.Held
		})}}
	c := attach(t, host, child(), meter.Around([]middleware.Middleware{hold})...)
	var sent sync.WaitGroup
	sent.Go(func() { send(t, c, incoming, 1, fulfill1()) })
	release := <-holds
	host.Advance(time.Second)
	release()
	sent.Wait()
	wantLatencies(t, "incoming", meter.Snapshot()[0].Incoming, map[middleware.Outcome]time.Duration{middleware.OutcomeFulfilled: time.Second})
}

// The clock is looked at once for each packet, whoever asks.
func TestTookLooksOnceAtTheClock(t *testing.T) {
	looks := 0
	since := func(time.Time) time.Duration { looks++; return time.Second }
	var p middleware.Packet
	for range 3 {
		if got := p.Took(since); got != time.Second {
			t.Errorf("it took %v, want a second", got)
		}
	}
	if looks != 1 {
		t.Errorf("looked %d times, want once", looks)
	}
}

// A clock that is put back makes no packet take for ever.
func TestMeterAndAClockThatIsPutBack(t *testing.T) {
	host, meter := newHost(), middleware.NewMeter()
	c := attach(t, host, child(), meter.Around([]middleware.Middleware{slow(host, -time.Hour)})...)
	send(t, c, incoming, 1, fulfill1())
	wantLatencies(t, "incoming", meter.Snapshot()[0].Incoming, map[middleware.Outcome]time.Duration{middleware.OutcomeFulfilled: 0})
}

// An account that is removed and added again goes on where it was.
func TestMeterGoesOnAfterAccountCameBack(t *testing.T) {
	meter := middleware.NewMeter()
	for range 2 {
		c := attach(t, newHost(), child(), meter.Around(nil)...)
		send(t, c, incoming, 1, fulfill1())
		c.Close()
	}
	s := meter.Snapshot()[0].Incoming[middleware.OutcomeFulfilled]
	if s.Count() != 2 {
		t.Errorf("measured %d packets, want 2", s.Count())
	}
}

func TestMeterAroundLeavesListAlone(t *testing.T) {
	list := make([]middleware.Middleware, 1, 8)
	list[0] = middleware.Echo()
	chain := middleware.NewMeter().Around(list)
	if len(chain) != 3 || chain[0].Name() != "meter" || chain[1].Name() != "echo" || chain[2].Name() != "meterInside" {
		t.Errorf("the chain is %v", chain)
	}
	if full := list[:2]; full[1] != nil {
		t.Error("Around wrote behind the list it was given")
	}
	if err := middleware.Validate(chain); err != nil {
		t.Error(err)
	}
	if _, ok := middleware.Find[*middleware.Meter](chain); !ok {
		t.Error("the meter is not found in its chain")
	}
}

// An account that had another asset is another account to whoever adds up.
func TestStatsNeverAddsUpDifferentUnits(t *testing.T) {
	s := middleware.NewStats()
	for _, scale := range []uint8{9, 4, 9} {
		a := &account.Account{ID: "a", Relation: account.Peer, Asset: ilp.Asset{Code: "USD", Scale: scale}}
		c := attach(t, newHost(), a, s)
		send(t, c, incoming, 100, fulfill1())
		c.Close()
	}
	got := s.Snapshot()
	if len(got) != 2 || got[0].Asset.Scale != 4 || got[1].Asset.Scale != 9 ||
		got[0].Incoming.Fulfilled.Count != 1 || got[1].Incoming.Fulfilled.Count != 2 {
		t.Errorf("the snapshot is %+v, want one packet at scale 4 and two at scale 9", got)
	}
}

func TestOutcomesAsText(t *testing.T) {
	for _, o := range middleware.Outcomes() {
		text, err := o.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back middleware.Outcome
		if err := back.UnmarshalText(text); err != nil || back != o {
			t.Errorf("%v becomes %q and that %v, %v", uint8(o), text, back, err)
		}
	}
	var none middleware.Outcome
	if err := none.UnmarshalText([]byte("lost")); err == nil || none.String() != "Outcome(0)" {
		t.Errorf("an unknown name is taken, or none has the name %q", none)
	}
}

func BenchmarkMeter(b *testing.B) {
	p, err := middleware.Attach(middleware.NewMeter().Around(nil), systemClock{newHost()}, child())
	if err != nil {
		b.Fatal(err)
	}
	benchmarkIncoming(b, p.Incoming)
}

// benchmarkIncoming sends packets through incoming stages alone.
func benchmarkIncoming(b *testing.B, stages *middleware.Chain) {
	e := &quietEnd{reply: fulfill1()}
	ctx := context.Background()
	next := child()
	received := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		e.packet.Prepare, e.packet.Received, e.packet.Latency = prepare100, received, 0
		e.packet.Destination, e.packet.NextHopReply = next, e.reply
		e.packet.Run(ctx, stages, e)
	}
}

var prepare100 = prepare(100)
