package btplink

import (
	"context"
	"fmt"

	"github.com/interledger-go/connector/plugin"
)

// RequestHandler takes the requests of a counterparty that carry no ILP
// packet: Transfers, and Messages of other sub-protocols (BTP-09). It is
// called on the goroutine that reads the socket, so it must not block; r may
// be answered later, and must be answered once. *p is the caller's again when
// the call returns (use Packet.Clone to keep it).
//
// Without a handler Messages are acknowledged with an empty Response, and
// Transfers refused.
type RequestHandler func(ctx context.Context, p *Packet, r Request)

// Request is a request of the counterparty that waits for its answer. It is a
// small value and may be used from any goroutine. A second answer has no
// effect.
type Request struct {
	s     *Socket
	token uint64
}

// Respond answers with a Response. To a Transfer that says that the amount
// has been applied (BTP-36). Entries that make no valid packet are an error,
// and the request is then answered with an Error.
func (r Request) Respond(ctx context.Context, entries ...Entry) error {
	return r.answer(ctx, &Packet{Type: TypeResponse, Entries: entries})
}

// Refuse answers with an Error: the request has had no effect (BTP-35,
// BTP-36).
func (r Request) Refuse(ctx context.Context, e *Error) error {
	return r.answer(ctx, &Packet{Type: TypeError, Error: *e})
}

func (r Request) answer(ctx context.Context, p *Packet) error {
	id, ok := r.s.incoming.take(r.token)
	if !ok {
		r.s.link.count(&r.s.link.counters.repeated, "a request was answered twice")
		return nil
	}
	p.RequestID = id
	invalid := p.check()
	if invalid != nil {
		p = &Packet{Type: TypeError, RequestID: id, Error: *failure(nil)}
	}
	r.s.replied(ctx, r.s.write(p))
	return invalid
}

// handleRequest handles a Message without an ILP packet, or a Transfer.
func (s *Socket) handleRequest(p *Packet) {
	ctx, r := s.burst.Context(), Request{s, s.incoming.open(p.RequestID)}
	if s.link.Requests != nil {
		s.link.Requests(ctx, p, r)
		return
	}
	// The answers are valid packets, so there is no error.
	if p.Type == TypeTransfer {
		_ = r.Refuse(ctx, Errorf(F00NotAcceptedError, "this link moves no money"))
		return
	}
	_ = r.Respond(ctx)
}

// call is a request that a goroutine waits for.
type call struct {
	done  chan struct{} // closed when the rest is set
	reply Packet
	err   error
}

func (c *call) fail(err error) {
	c.err = err
	close(c.done)
}

func (c *call) finish(p *Packet) {
	c.reply = p.Clone()
	if p.Type == TypeError {
		c.err = &c.reply.Error
	}
	close(c.done)
}

// Request sends a Message or Transfer and waits for its reply, or until ctx
// ends.
func (s *Socket) Request(ctx context.Context, p *Packet) (Packet, error) {
	if p.Type != TypeMessage && p.Type != TypeTransfer {
		return Packet{}, fmt.Errorf("btp: a %v is no request: send a message or a transfer", p.Type)
	}
	c := &call{done: make(chan struct{})}
	id, err := s.pending.add(entry{call: c, due: never})
	if err != nil {
		return Packet{}, err
	}
	out := *p
	out.RequestID = id
	if err := s.write(&out); err != nil {
		if _, v := s.pending.take(id); v == found {
			return Packet{}, notSent(err)
		}
	}
	s.conn.Flush()
	select {
	case <-c.done:
	case <-ctx.Done():
		if s.pending.giveUp(id) {
			return Packet{}, fmt.Errorf("btp: waiting for the reply: %w: %w", plugin.ErrUnknownOutcome, context.Cause(ctx))
		}
		<-c.done // it has come at the same moment
	}
	if c.err != nil {
		return Packet{}, c.err
	}
	return c.reply, nil
}
