package miniaccounts

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
)

// direction of a packet, as the user's account sees it.
type direction uint8

const (
	incoming direction = iota // from the user, to the connector
	outgoing                  // from the connector, to the user
)

// flight is one packet between a user and the connector, from the moment it
// is taken until its reply is handed back. It goes through the stages of the
// user, in one direction, and back.
//
// As in the connector, this is the one place where the outcome of a packet is
// decided: the answer, the clock and a second answer race for one
// compare-and-swap of state, and the winner owns the flight. The generation
// in state, which is also the token of the responder given away, tells the
// packets of one flight apart. A flight that expired is not used again, so
// that its late answer is known for what it is; and none is used again before
// the call has returned that the packet was given away by, since the packet is
// the callee's until then, though the answer may have come.
type flight struct {
	srv       *Server
	user      *user
	direction direction
	config    bool // asks for the user's address; the connector is asked for the account's
	responder plugin.Responder

	packet middleware.Packet

	// What was answered, here so that it stays in place until it is handed on.
	fulfill ilp.Fulfill
	reject  ilp.Reject
	failure error // why there is no answer; reject stands for it on its way through the stages

	state   atomic.Uint64
	holders atomic.Int32 // of the packet: until its answer, and a call that it is given away by
	timer   *time.Timer  // runs expire; nil until first needed
	armed   bool
	expired bool // set by the winner, for the end of the flight
}

var (
	_ middleware.Terminal = (*flight)(nil)
	_ plugin.Poster       = (*flight)(nil)
)

// Where a packet is.
const (
	flightHere     uint64 = iota // with us
	flightSent                   // with the connector, or the user
	flightAnswered               // answered, by whatever won
	flightExpired                // answered R00 by the clock; the user has not spoken

	flightBits = 2
	flightMask = 1<<flightBits - 1
)

// flightState is the state of a flight: which of its packets is where.
func flightState(generation, where uint64) uint64 { return generation<<flightBits | where }

func (srv *Server) newFlight(u *user, d direction, p *ilp.Prepare, r plugin.Responder) *flight {
	f := srv.flights.Get().(*flight)
	f.user, f.direction, f.responder = u, d, r
	f.holders.Store(1)
	f.packet.Prepare, f.packet.Received = *p, srv.now()
	if d == incoming {
		f.packet.Source = &u.account
	} else {
		f.packet.Destination = &u.account
	}
	return f
}

// Pass takes the packet where the last stage lets it go.
func (f *flight) Pass(ctx context.Context, p *middleware.Packet) {
	if f.direction == outgoing {
		f.toUser(ctx)
		return
	}
	if p.Prepare.Destination.Scheme() != "peer" {
		f.toConnector(ctx, &p.Prepare)
		return
	}
	if reject := f.checkPeer(); reject != nil {
		p.Answer(ctx, reject)
		return
	}
	// The connector is asked the same of the account; see configureUser.
	f.config = true
	request := ildcp.Request(p.Prepare.ExpiresAt)
	request.Amount = p.Prepare.Amount
	f.toConnector(ctx, &request)
}

// checkPeer says why a packet to peer.* is not answered. Such packets are for
// us, the user's parent, and go no further: what the connector took from the
// account as said by a child of its own, a user could say (routes, say).
func (f *flight) checkPeer() *ilp.Reject {
	p := &f.packet.Prepare
	switch destination := p.Destination.String(); {
	case p.Condition != ilp.PeerCondition:
		return ilp.Rejectf(ilp.F01InvalidPacket, "condition must be peer protocol condition.")
	case destination == ildcp.Destination:
		if err := ildcp.CheckRequest(p, f.packet.Received); err != nil {
			return ilp.Rejectf(ilp.F00BadRequest, "%v", err)
		}
		return nil
	case strings.HasPrefix(destination, "peer.route."):
		return ilp.Rejectf(ilp.F00BadRequest, "cannot process route control messages from non-peers.")
	}
	return ilp.Rejectf(ilp.F01InvalidPacket, "unknown peer protocol.")
}

// toConnector gives p to the connector, which answers every packet. From the
// moment that state says so, the flight belongs to whoever answers it.
func (f *flight) toConnector(ctx context.Context, p *ilp.Prepare) {
	generation := f.state.Load() >> flightBits
	f.holders.Add(1)
	f.state.Store(flightState(generation, flightSent))
	f.srv.handler.HandlePrepare(ctx, p, plugin.NewResponder(f, generation))
	f.letGo()
}

// toUser sends the packet to the user, who may not answer.
func (f *flight) toUser(ctx context.Context) {
	now := f.packet.Received
	if f.packet.WasHeld() {
		now = f.srv.now()
	}
	if f.packet.Deadline.IsZero() || f.packet.Prepare.ExpiresAt.Before(f.packet.Deadline) {
		f.packet.Deadline = f.packet.Prepare.ExpiresAt
	}
	wait := f.packet.Deadline.Sub(now)
	if wait <= 0 {
		f.packet.Answer(ctx, ilp.Rejectf(ilp.R02InsufficientTimeout, "packet expires too soon to reach the client."))
		return
	}
	u, generation := f.user, f.state.Load()>>flightBits
	f.holders.Add(1)
	f.state.Store(flightState(generation, flightSent))
	f.arm(wait)
	u.group.SendPrepare(ctx, &f.packet.Prepare, plugin.NewResponder(f, generation))
	f.letGo()
}

func (f *flight) arm(wait time.Duration) {
	f.armed = true
	if f.timer == nil {
		f.timer = time.AfterFunc(wait, f.expire)
		return
	}
	f.timer.Reset(wait)
}

// Reply takes the answer, or the news that there is none.
func (f *flight) Reply(ctx context.Context, generation uint64, reply ilp.Reply, err error) {
	sent := flightState(generation, flightSent)
	if !f.state.CompareAndSwap(sent, flightState(generation, flightAnswered)) {
		f.late(generation, reply)
		return
	}
	// A timer that cannot be stopped may still call expire. The flight is not
	// used again then, so that the call finds nothing to expire.
	f.expired = f.armed && !f.timer.Stop()
	if fulfill, ok := reply.(*ilp.Fulfill); ok && f.direction == outgoing && !f.responder.Claim() {
		// The connector's clock was faster than ours: what it has not paid for,
		// the user is not paid.
		f.tooLate(fulfill)
		f.packet.Answer(ctx, timedOut())
		return
	}
	if f.config {
		f.packet.Answer(ctx, f.srv.configureUser(f.user, f.packet.Prepare.Amount, reply, err))
		return
	}
	f.packet.Answer(ctx, f.keep(reply, err))
}

// Post books a packet of the user: it is fulfilled, and about to be booked
// with the account. That holds for one that asks for an address, too: it stays
// booked if there is none to tell the user, since the account has paid for it.
func (f *flight) Post(ctx context.Context, generation uint64) {
	if f.state.Load() == flightState(generation, flightSent) {
		f.packet.Post(ctx)
	}
}

// keep copies the answer to where it stays.
func (f *flight) keep(reply ilp.Reply, err error) ilp.Reply {
	switch r := reply.(type) {
	case *ilp.Fulfill:
		f.fulfill = *r
		f.packet.NextHopReply = &f.fulfill
	case *ilp.Reject:
		f.reject = *r
		f.packet.NextHopReply = &f.reject
	default:
		// Whoever has sent the packet is told err, and knows better than we
		// what it means. The stages need to know that nothing was fulfilled.
		f.failure = err
		f.reject = ilp.Reject{Code: ilp.T01PeerUnreachable, Cause: err}
		f.packet.NextHopReply = &f.reject
	}
	return f.packet.NextHopReply
}

// expire answers R00 if the packet is still with the user.
func (f *flight) expire() {
	state := f.state.Load()
	if state&flightMask != flightSent || !f.state.CompareAndSwap(state, state&^flightMask|flightExpired) {
		return
	}
	f.expired = true
	f.packet.Answer(context.Background(), timedOut())
}

func timedOut() *ilp.Reject {
	return &ilp.Reject{Code: ilp.R00TransferTimedOut, Message: "Packet expired"}
}

// late takes an answer that lost the race.
func (f *flight) late(generation uint64, reply ilp.Reply) {
	expired := flightState(generation, flightExpired)
	if !f.state.CompareAndSwap(expired, flightState(generation, flightAnswered)) {
		f.srv.counts.unexpected.Add(1)
		return
	}
	if fulfill, ok := reply.(*ilp.Fulfill); ok {
		f.tooLate(fulfill)
	}
}

// tooLate takes a fulfillment of a packet that has expired. One that would have
// been good means that the user believes it was paid.
func (f *flight) tooLate(fulfill *ilp.Fulfill) {
	if fulfill.Fulfillment.Condition() != f.packet.Prepare.Condition {
		return
	}
	f.packet.Late(fulfill)
	f.srv.rarely(&f.srv.counts.late, slog.LevelWarn, "miniaccounts: fulfilled after the packet had expired",
		slog.String("user", f.user.name), slog.Uint64("amount", f.packet.Prepare.Amount),
		slog.String("condition", f.packet.Prepare.Condition.String()))
}

// Done takes the reply where the last stage gives it back.
func (f *flight) Done(ctx context.Context, _ *middleware.Packet, reply ilp.Reply) {
	if reject, ok := reply.(*ilp.Reject); ok && f.failure != nil && reject == &f.reject {
		f.responder.Fail(ctx, f.failure)
	} else {
		f.responder.Reply(ctx, reply)
	}
	u, d := f.user, f.direction
	f.letGo()
	if d == outgoing {
		u.leave()
		return
	}
	u.incoming.Add(-1)
	u.release()
}

// letGo makes the flight ready for its next packet when nobody holds the
// present one any more.
func (f *flight) letGo() {
	if f.holders.Add(-1) > 0 || f.expired {
		return
	}
	generation := f.state.Load()>>flightBits + 1
	f.user, f.config, f.responder = nil, false, plugin.Responder{}
	f.packet.Reset()
	f.fulfill, f.reject, f.failure = ilp.Fulfill{}, ilp.Reject{}, nil
	f.armed = false
	f.state.Store(flightState(generation, flightHere))
	f.srv.flights.Put(f)
}
