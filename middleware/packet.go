package middleware

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Packet is one prepare on its way through the stages of one account. A
// forwarded packet is two of them: incoming, as the source sent it, and
// outgoing, with the amount and expiry for the next hop.
//
// It belongs to the stage that is being called, until the call returns.
type Packet struct {
	// Prepare is the packet in the unit of the account whose stages it
	// passes. What its fields point to never changes.
	Prepare ilp.Prepare

	// Source is the account the packet came from.
	Source *account.Account

	// Destination is the account it goes to; nil in incoming stages until
	// the core has chosen one, and for packets that the connector answers
	// itself.
	Destination *account.Account

	// DestinationAmount is what goes to Destination, in its unit; 0 as long as
	// that is nil. For the stages of the source.
	DestinationAmount uint64

	// Received is when the packet reached the connector, by its clock.
	Received time.Time

	// Deadline is when the connector stops waiting for the next hop and
	// answers R00. Set by outgoing stages ([Expire]); zero means never.
	Deadline time.Time

	// NextHopReply is what the next hop answered, for the stages of the
	// source, as a mark: a reply that is this very one is relayed, any other
	// is the connector's own. nil when the connector answers itself.
	NextHopReply ilp.Reply

	// Responder takes the reply of a packet that a link has brought, when all
	// stages have seen it. Whoever posts the packet to the book of its source
	// says so to it before: see [plugin.Poster].
	Responder plugin.Responder

	// Latency is how long it took until the answer came, if a stage has asked;
	// otherwise 0. See Took.
	Latency time.Duration

	chain  *Chain
	passed int // how many stages have let the packet pass and not seen its reply
	end    Terminal
	holds  atomic.Uint32 // odd while held; see Hold. Never reset: a used Hold stays used
	held   bool          // since the last Reset
	values []value
}

type value struct{ key, value any }

// Terminal is what stands behind the last stage: the core for incoming
// packets, the link for outgoing ones.
type Terminal interface {
	// Pass takes a packet that all stages let pass. Its answer goes to
	// p.Answer, exactly once.
	Pass(ctx context.Context, p *Packet)
	// Done takes the reply after all stages have seen it.
	Done(ctx context.Context, p *Packet, reply ilp.Reply)
}

// Run sends p through the stages of chain, of which there are none if it is
// nil, and then to end.
func (p *Packet) Run(ctx context.Context, chain *Chain, end Terminal) {
	if chain == nil {
		chain = NewChain()
	}
	p.chain, p.passed, p.end = chain, 0, end
	p.forward(ctx)
}

// forward calls Prepare of the stages from p.passed on. Once a stage has
// given Held the packet may be anywhere: nothing of it is touched then.
func (p *Packet) forward(ctx context.Context) {
	c := p.chain
	for p.passed = c.prepares[p.passed]; p.passed < len(c.stages); p.passed = c.prepares[p.passed+1] {
		reply := c.stages[p.passed].Prepare(ctx, p)
		if reply == Held {
			return
		}
		p.voidHold()
		if reply != nil {
			p.Answer(ctx, reply)
			return
		}
	}
	p.end.Pass(ctx, p)
}

// Answer sends reply back through the stages that p has passed and to its
// Terminal. It is called by the Terminal that was given the packet; a stage
// answers by what it returns.
func (p *Packet) Answer(ctx context.Context, reply ilp.Reply) {
	c := p.chain
	for p.passed = c.replies[p.passed]; p.passed > 0; p.passed = c.replies[p.passed] {
		p.passed--
		next := c.stages[p.passed].Reply(ctx, p, reply)
		if next == Held {
			return
		}
		p.voidHold()
		if next != nil {
			reply = next
		}
	}
	p.end.Done(ctx, p, reply)
}

// Post tells the stages that the packet is fulfilled, and that its amount is
// being posted elsewhere, innermost first. It is called by the Terminal, if at
// all, after it was given the packet and before it answers.
func (p *Packet) Post(ctx context.Context) {
	for _, i := range p.chain.posting {
		if i < p.passed {
			p.chain.stages[i].(PostingStage).Post(ctx, p)
		}
	}
}

// Late tells the stages of an answer that came too late, innermost first.
// It is called by the Terminal.
func (p *Packet) Late(reply ilp.Reply) {
	if p.chain == nil { // it has passed none
		return
	}
	for i := len(p.chain.stages) - 1; i >= 0; i-- {
		if o, ok := p.chain.stages[i].(LateObserver); ok {
			o.Late(p, reply)
		}
	}
}

// Took is how long it took until the answer to p came, for hooks that see
// replies; never less than 0. since is that of [Since]. It looks at the clock
// once for each packet, however many stages ask and on whichever side; and
// again after one of them has held the reply, since time has passed then.
func (p *Packet) Took(since func(time.Time) time.Duration) time.Duration {
	if p.Latency == 0 {
		p.Latency = max(since(p.Received), 0) // a clock may be put back
	}
	return p.Latency
}

// Reset empties p for its next use, so that it keeps nothing alive.
func (p *Packet) Reset() {
	p.Prepare = ilp.Prepare{}
	p.Source, p.Destination, p.DestinationAmount = nil, nil, 0
	p.Received, p.Deadline, p.Latency = time.Time{}, time.Time{}, 0
	p.NextHopReply, p.Responder = nil, plugin.Responder{}
	p.chain, p.end, p.held = nil, nil, false
	clear(p.values)
	p.values = p.values[:0]
}

// Set keeps v with the packet under key until it is answered, for the
// Reply of the stage that sets it. Keys are compared as in context.
func (p *Packet) Set(key, v any) {
	for i := range p.values {
		if p.values[i].key == key {
			p.values[i].value = v
			return
		}
	}
	p.values = append(p.values, value{key, v})
}

// Value gives what Set has kept under key, or nil.
func (p *Packet) Value(key any) any {
	for i := range p.values {
		if p.values[i].key == key {
			return p.values[i].value
		}
	}
	return nil
}

// Held is what a hook returns after it has taken a [Hold]. It is a mark, not
// an answer.
var Held ilp.Reply = new(ilp.Reject)

// Hold is the right to let a held packet go on, once.
//
//	func (s *stage) Reply(ctx context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
//		hold := p.Hold()
//		s.whenDurable(func(ctx context.Context) { hold.Answer(ctx, reply) })
//		return middleware.Held
//	}
//
// From the call of Hold on the packet belongs to whoever uses the Hold: the
// hook returns Held without another look at it.
type Hold struct {
	p    *Packet
	turn uint32
}

// Hold takes the packet out of the hands of the hook that is being called. A
// second call in the same hook gives the same Hold. A hook that changes its
// mind, because there is no room where it would wait, say, drops the Hold and
// returns something else than Held: the Hold is void then.
func (p *Packet) Hold() Hold {
	p.held = true
	turn := p.holds.Load()
	if turn&1 == 0 {
		turn = p.holds.Add(1)
	}
	return Hold{p: p, turn: turn}
}

// voidHold uses up the Hold that a hook took and did not return Held for.
func (p *Packet) voidHold() {
	if turn := p.holds.Load(); turn&1 == 1 {
		p.holds.CompareAndSwap(turn, turn+1)
	}
}

// WasHeld reports whether a stage has held the packet, so that time may have
// passed since it was received.
func (p *Packet) WasHeld() bool { return p.held }

// release reports whether h is still good, and uses it up.
func (h Hold) release() bool {
	if h.turn&1 == 0 || !h.p.holds.CompareAndSwap(h.turn, h.turn+1) {
		return false
	}
	h.p.Latency = 0
	return true
}

// Pass lets a packet that was held in Prepare go on to the next stage. It
// reports false, and does nothing, when the hold was used before.
func (h Hold) Pass(ctx context.Context) bool {
	if !h.release() {
		return false
	}
	h.p.passed++
	h.p.forward(ctx)
	return true
}

// Answer goes on with reply: as the answer of the stage, if the packet was
// held in Prepare, and as the reply to pass on, if it was held in Reply. It
// reports false, and does nothing, when the hold was used before. ctx must
// not carry the burst of the call in which the hold was taken.
func (h Hold) Answer(ctx context.Context, reply ilp.Reply) bool {
	if !h.release() {
		return false
	}
	h.p.Answer(ctx, reply)
	return true
}
