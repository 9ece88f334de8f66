package btplink

import (
	"fmt"
	"log/slog"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
)

// handle handles one message of the counterparty. An error ends the socket.
func (s *Socket) handle(message []byte) error {
	if t, id, data, ok := ParseILP(message); ok && t == TypeMessage {
		s.handlePrepare(id, data)
		return nil
	} else if ok {
		if e, found := s.awaited(id); found {
			s.answerILP(&e, id, data)
		}
		return nil
	}
	p := &s.packet
	if err := p.Decode(message); err != nil {
		return s.unreadable(err)
	}
	switch p.Type {
	case TypeMessage:
		if e, ok := p.Entry(protocolILP); ok {
			s.handlePrepare(p.RequestID, e.Data)
			return nil
		}
		s.handleRequest(p)
	case TypeTransfer:
		s.handleRequest(p)
	default:
		if e, found := s.awaited(p.RequestID); found {
			s.answer(&e, p)
		}
	}
	return nil
}

// unreadable ends the socket, because of a packet that is not answered
// (BTP-33).
func (s *Socket) unreadable(err error) error {
	s.link.count(&s.link.counters.unreadable, "unreadable packet", slog.Any("error", err))
	s.conn.Shutdown(wsconn.CodeInvalidPayload, "unreadable BTP packet")
	return err
}

// handlePrepare handles a Message with an ILP packet, which should be a
// Prepare.
func (s *Socket) handlePrepare(id uint32, data []byte) {
	ctx, r := s.burst.Context(), plugin.NewResponder(s, s.incoming.open(id))
	if err := s.prepare.Decode(data); err != nil {
		s.link.Handler.HandleMalformed(ctx, err, r)
		return
	}
	s.link.Handler.HandlePrepare(ctx, &s.prepare, r)
}

// awaited takes out the request that a reply is for. Replies that nobody waits
// for are counted.
func (s *Socket) awaited(id uint32) (entry, bool) {
	e, v := s.pending.take(id)
	switch v {
	case late:
		s.link.count(&s.link.counters.late, "reply after its request was given up", slog.Uint64("request", uint64(id)))
	case unknown:
		s.link.count(&s.link.counters.unknown, "reply that nobody waits for", slog.Uint64("request", uint64(id)))
	}
	return e, v == found
}

// answer hands on a reply of any kind.
func (s *Socket) answer(e *entry, p *Packet) {
	if e.call != nil {
		e.call.finish(p)
		return
	}
	ilpEntry, ok := p.Entry(protocolILP)
	switch {
	case p.Type == TypeError:
		e.responder.Fail(s.burst.Context(), p.Error.reject())
	case !ok:
		e.responder.Fail(s.burst.Context(), errNoReply)
	default:
		s.answerILP(e, p.RequestID, ilpEntry.Data)
	}
}

// answerILP hands on a Response with an ILP packet, which should be a Fulfill
// or a Reject.
func (s *Socket) answerILP(e *entry, id uint32, data []byte) {
	if e.call != nil {
		e.call.finish(&Packet{Type: TypeResponse, RequestID: id, Entries: []Entry{{Name: protocolILP, Data: data}}})
		return
	}
	reply, err := ilp.DecodeReply(data, &s.fulfill, &s.reject)
	if err != nil {
		e.responder.Fail(s.burst.Context(), fmt.Errorf("btp: %w: response: %w", plugin.ErrUnknownOutcome, err))
		return
	}
	e.responder.Reply(s.burst.Context(), reply)
}

var errNoReply = fmt.Errorf("btp: %w: response without an ILP packet", plugin.ErrUnknownOutcome)
