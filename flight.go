package connector

import (
	"context"
	"errors"
	"log/slog"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
)

// flight is one packet of a counterparty from the moment it is taken until
// its reply is handed back. It goes through the stages of its source (in),
// the core, and the stages of its destination (out), and back.
//
// This is the one place where the outcome of a packet is decided. Once it is
// sent to the next hop, the reply, the clock, the closing link and a link
// that answers twice all race for one compare-and-swap of state. The winner
// owns the flight; the others learn from state what they were: late, or
// unknown.
//
// Flights are used again and again. The generation in state, which is also
// the token of the responder given to the plugin, tells the packets of one
// flight apart, so that an answer to a former packet cannot touch the present
// one. A flight that expired is not used again: its late answer may yet come,
// and is told apart from all others by finding the packet still in place.
type flight struct {
	c           *Connector
	source      *link
	destination *link // nil until the core has chosen

	in, out middleware.Packet

	// What the next hop answered, here so that it stays in place until the
	// source has it.
	fulfill ilp.Fulfill
	reject  ilp.Reject

	state   atomic.Uint64 // see flightState
	users   atomic.Int32  // the packet, until it is answered, and the call that sends it; see release
	timer   *time.Timer   // runs expire; nil until first needed
	expired bool          // set by the winner, for the end of the flight
	armed   bool
}

var (
	_ middleware.Terminal = (*flight)(nil)
	_ plugin.Claimer      = (*flight)(nil)
)

// Where a packet is.
const (
	flightHere     uint64 = iota // with us
	flightSent                   // with the next hop
	flightClaimed                // with the next hop's link, which has the fulfillment in time
	flightAnswered               // answered, by whatever won
	flightExpired                // answered R00 by the clock; the next hop has not spoken

	flightBits = 3
	flightMask = 1<<flightBits - 1
)

// flightState is the state of a flight: which of its packets is where.
func flightState(generation, where uint64) uint64 { return generation<<flightBits | where }

func (c *Connector) newFlight(source *link, r plugin.Responder) *flight {
	f := c.flights.Get().(*flight)
	f.source, f.in.Responder = source, r
	f.users.Store(1)
	now := c.now()
	f.in.Source, f.in.Received = &source.account, now
	f.out.Source, f.out.Received = &source.account, now
	return f
}

// Pass takes the packet where the last stage lets it go.
func (f *flight) Pass(ctx context.Context, p *middleware.Packet) {
	if p == &f.out {
		f.send(ctx)
		return
	}
	if reply := f.forward(ctx); reply != nil {
		f.in.Answer(ctx, reply)
		return
	}
	if s := f.sending(); s != nil {
		s.leaves(f.destination)
	}
	f.out.Run(ctx, f.destination.pipelines.Outgoing, f)
}

// Done takes the reply where the last stage gives it back.
func (f *flight) Done(ctx context.Context, p *middleware.Packet, reply ilp.Reply) {
	if p == &f.out {
		if s := f.sending(); s == nil || !s.booked(ctx, f, reply) {
			f.returned(ctx, reply)
		}
		return
	}
	f.in.Responder.Reply(ctx, reply)
	f.source.leave()
	f.release()
}

// returned goes on with the reply of the next hop when the stages of that have
// seen it.
func (f *flight) returned(ctx context.Context, reply ilp.Reply) {
	f.destination.answered()
	f.observe(reply)
	f.in.Latency = f.out.Latency
	f.in.Answer(ctx, reply)
}

// release makes the flight ready for its next packet when the last of its
// users lets go of it: the answer may be through while the call that sent the
// packet still reads it.
func (f *flight) release() {
	if f.users.Add(-1) > 0 || f.expired {
		return
	}
	generation := f.state.Load()>>flightBits + 1
	f.source, f.destination = nil, nil
	f.in.Reset()
	f.out.Reset()
	f.fulfill, f.reject = ilp.Fulfill{}, ilp.Reject{}
	f.armed = false
	f.state.Store(flightState(generation, flightHere))
	f.c.flights.Put(f)
}

// send gives the packet to the next hop, unless a stage has held it until it
// expired. From the moment that state says so, the flight belongs to whoever
// answers it.
func (f *flight) send(ctx context.Context) {
	wait, expires := f.out.Deadline.Sub(f.now()), !f.out.Deadline.IsZero()
	if expires && wait <= 0 {
		f.out.Answer(ctx, timedOut())
		return
	}
	destination, generation := f.destination, f.state.Load()>>flightBits
	f.users.Add(1)
	f.state.Store(flightState(generation, flightSent))
	if expires {
		f.arm(wait)
	}
	destination.plugin.SendPrepare(ctx, &f.out.Prepare, plugin.NewResponder(f, generation))
	f.release()
}

// timedOut is the reject for a packet that was not answered in time.
func timedOut() *ilp.Reject {
	return &ilp.Reject{Code: ilp.R00TransferTimedOut, Message: "packet expired."}
}

// now is the time, without another look at the clock for a packet that no
// stage has held.
func (f *flight) now() time.Time {
	if f.in.WasHeld() || f.out.WasHeld() {
		return f.c.now()
	}
	return f.in.Received
}

func (f *flight) arm(wait time.Duration) {
	f.armed = true
	if f.timer == nil {
		f.timer = time.AfterFunc(wait, f.expire)
		return
	}
	f.timer.Reset(wait)
}

// Reply takes the answer of the next hop, or the news that there is none.
func (f *flight) Reply(ctx context.Context, generation uint64, reply ilp.Reply, err error) {
	sent, claimed, answered := flightState(generation, flightSent), flightState(generation, flightClaimed), flightState(generation, flightAnswered)
	if !f.state.CompareAndSwap(sent, answered) && !f.state.CompareAndSwap(claimed, answered) {
		f.late(generation, reply)
		return
	}
	// A timer that cannot be stopped may still call expire. The flight is not
	// used again then, so that the call finds nothing to expire.
	f.expired = f.armed && !f.timer.Stop()
	f.out.Answer(ctx, f.keep(reply, err))
}

// Claim keeps a packet from expiring whose fulfillment has come: Reply is about
// to be called. It reports false for one that has expired, or is no more.
func (f *flight) Claim(generation uint64) bool {
	return f.state.CompareAndSwap(flightState(generation, flightSent), flightState(generation, flightClaimed))
}

// keep copies the answer to where it stays, or makes one of err.
func (f *flight) keep(reply ilp.Reply, err error) ilp.Reply {
	switch r := reply.(type) {
	case *ilp.Fulfill:
		f.fulfill = *r
		f.in.NextHopReply = &f.fulfill
	case *ilp.Reject:
		f.reject = *r
		f.in.NextHopReply = &f.reject
	default:
		return failed(err)
	}
	return f.in.NextHopReply
}

// failed is the reject for a packet that its link did not get an answer to.
func failed(err error) *ilp.Reject {
	if reject, ok := errors.AsType[*ilp.Reject](err); ok { // the link knows better
		return reject
	}
	reject := &ilp.Reject{Code: ilp.T01PeerUnreachable, Message: "connection to the next hop was lost.", Cause: err}
	switch {
	case errors.Is(err, plugin.ErrBusy):
		reject.Code, reject.Message = ilp.T03ConnectorBusy, "too many packets are outstanding at the next hop."
	case errors.Is(err, plugin.ErrNotSent):
		reject.Message = "the next hop cannot be reached."
	}
	return reject
}

// expire answers R00 if the packet is still with the next hop.
func (f *flight) expire() {
	state := f.state.Load()
	if state&flightMask != flightSent || !f.state.CompareAndSwap(state, state&^flightMask|flightExpired) {
		return
	}
	f.expired = true
	f.out.Answer(context.Background(), timedOut())
}

// late takes an answer that lost the race. A fulfillment that would have
// been good means that the next hop believes it is owed the amount.
func (f *flight) late(generation uint64, reply ilp.Reply) {
	expired := flightState(generation, flightExpired)
	if !f.state.CompareAndSwap(expired, flightState(generation, flightAnswered)) {
		f.c.unexpectedReplies.Add(1)
		return
	}
	fulfill, ok := reply.(*ilp.Fulfill)
	if !ok || fulfill.Fulfillment.Condition() != f.out.Prepare.Condition {
		return
	}
	f.out.Late(reply)
	if n := f.c.lateFulfills.Add(1); bits.OnesCount64(n) == 1 { // the first, and each time their number doubled
		f.c.logger.LogAttrs(context.Background(), slog.LevelWarn, "fulfilled after the packet had expired",
			slog.String("account", f.destination.account.ID),
			slog.Uint64("amount", f.out.Prepare.Amount),
			slog.String("condition", f.out.Prepare.Condition.String()),
			slog.Time("expired", f.out.Prepare.ExpiresAt),
			slog.Uint64("times", n))
	}
}

// observe tells the backend what became of a packet.
func (f *flight) observe(reply ilp.Reply) {
	if f.c.observer == nil || f.source == f.c.self {
		return
	}
	_, fulfilled := reply.(*ilp.Fulfill)
	f.c.observer.Observe(backend.Exchange{
		Source:            f.source.party,
		SourceAmount:      f.in.Prepare.Amount,
		Destination:       f.destination.party,
		DestinationAmount: f.out.Prepare.Amount,
		Fulfilled:         fulfilled,
	})
}
