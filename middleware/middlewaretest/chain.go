package middlewaretest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// Direction says which stages of an account a packet goes through.
type Direction int

const (
	// Incoming: from the counterparty to the core.
	Incoming Direction = iota + 1
	// Outgoing: from the core to the counterparty.
	Outgoing
)

// String gives "incoming" or "outgoing".
func (d Direction) String() string {
	switch d {
	case Incoming:
		return "incoming"
	case Outgoing:
		return "outgoing"
	}
	return fmt.Sprintf("Direction(%d)", int(d))
}

// Chain is the middleware of one account, attached, without a connector. It
// stands in for the core and for the next hop. It is safe for concurrent use,
// save Close.
type Chain struct {
	host      middleware.Host
	account   *account.Account
	neighbour *account.Account // at the other end of every packet
	pipelines *middleware.Pipelines
}

// Attach makes the chain of a, as a connector does when an account is added.
// The first of list is the outermost.
func Attach(host middleware.Host, a *account.Account, list ...middleware.Middleware) (*Chain, error) {
	pipelines, err := middleware.Attach(list, host, a)
	if err != nil {
		return nil, err
	}
	return &Chain{
		host:      host,
		account:   a,
		neighbour: &account.Account{ID: "neighbour", Relation: account.Peer, Asset: a.Asset},
		pipelines: pipelines,
	}, nil
}

// Close closes the stages. It is called after the last packet.
func (c *Chain) Close() { c.pipelines.Close() }

// Money gives the way of settlements through the stages to end, which stands
// for the books (Incoming) or the link (Outgoing).
func (c *Chain) Money(d Direction, end middleware.MoneyFunc) middleware.MoneyFunc {
	if d == Outgoing {
		return c.pipelines.OutgoingMoney(end)
	}
	return c.pipelines.IncomingMoney(end)
}

// Outcome is what became of a packet.
type Outcome struct {
	// Reply is the answer that came out of the chain. It is nil if there is
	// none: the next hop was silent and no stage had set a deadline.
	Reply ilp.Reply
	// Relayed says that Reply is the very answer of the next hop, not one that
	// a stage or the connector made.
	Relayed bool
	// Sent is the packet as the last stage let it pass; nil if a stage
	// answered it.
	Sent *ilp.Prepare
	// Deadline is when a connector would stop to wait for the next hop; zero
	// means never.
	Deadline time.Time

	packet *middleware.Packet
}

// Late tells the stages of an answer of the next hop that came after an
// outgoing packet had been answered.
func (o *Outcome) Late(reply ilp.Reply) { o.packet.Late(reply) }

// Send sends p through the stages. If they all let it pass, the next hop
// answers it with a copy of reply. A nil reply stands for a next hop that is
// silent: if a stage has set a deadline, the answer is R00 then, as it is when
// the clock of a connector gets there.
//
// The error is that of ctx, which ended before a stage that holds the packet
// had let go of it.
func (c *Chain) Send(ctx context.Context, d Direction, p ilp.Prepare, reply ilp.Reply) (Outcome, error) {
	switch r := reply.(type) {
	case *ilp.Fulfill:
		kept := *r
		reply = &kept
	case *ilp.Reject:
		kept := *r
		reply = &kept
	}
	return c.run(ctx, &run{direction: d, nextHop: reply}, p)
}

// Refuse is Send where the packet never gets to the next hop: behind the last
// stage the connector itself answers it with reject.
func (c *Chain) Refuse(ctx context.Context, d Direction, p ilp.Prepare, reject *ilp.Reject) (Outcome, error) {
	return c.run(ctx, &run{direction: d, refusal: reject}, p)
}

func (c *Chain) run(ctx context.Context, r *run, p ilp.Prepare) (Outcome, error) {
	r.neighbour, r.done = c.neighbour, make(chan struct{})
	r.packet.Prepare, r.packet.Received = p, c.host.Now()
	stages := c.pipelines.Incoming
	r.packet.Source = c.account
	if r.direction == Outgoing {
		stages = c.pipelines.Outgoing
		r.packet.Source, r.packet.Destination = c.neighbour, c.account
	}
	r.packet.Run(ctx, stages, r)
	select {
	case <-r.done:
	default:
		select {
		case <-r.done:
		case <-ctx.Done():
			return Outcome{}, fmt.Errorf("middlewaretest: a stage holds the packet: %w", context.Cause(ctx))
		}
	}
	return r.outcome, nil
}

// run is one packet. It stands behind the last stage.
type run struct {
	packet    middleware.Packet
	direction Direction
	neighbour *account.Account
	nextHop   ilp.Reply   // what the next hop answers
	refusal   *ilp.Reject // what the connector answers in its place

	answered atomic.Bool   // whoever sets it owns the outcome
	done     chan struct{} // closed once the outcome is complete
	outcome  Outcome
}

var _ middleware.Terminal = (*run)(nil)

// Pass is the core, or the link.
func (r *run) Pass(ctx context.Context, p *middleware.Packet) {
	sent := p.Prepare
	r.outcome.Sent = &sent
	if r.refusal != nil {
		p.Answer(ctx, r.refusal)
		return
	}
	if r.direction == Incoming {
		p.Destination, p.DestinationAmount, p.NextHopReply = r.neighbour, p.Prepare.Amount, r.nextHop
	}
	switch {
	case r.nextHop != nil:
		p.Answer(ctx, r.nextHop)
	case !p.Deadline.IsZero():
		p.Answer(ctx, &ilp.Reject{Code: ilp.R00TransferTimedOut, Message: "packet expired."})
	default:
		r.finish(nil)
	}
}

// Done takes the reply.
func (r *run) Done(_ context.Context, _ *middleware.Packet, reply ilp.Reply) { r.finish(reply) }

// finish completes the outcome. A chain that answers twice is not heard the
// second time.
func (r *run) finish(reply ilp.Reply) {
	if !r.answered.CompareAndSwap(false, true) {
		return
	}
	r.outcome.Reply = reply
	r.outcome.Relayed = reply != nil && reply == r.nextHop
	r.outcome.Deadline = r.packet.Deadline
	r.outcome.packet = &r.packet
	close(r.done)
}
