package ilphttp

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// maxPassedOver is how much of a page that is no packet is read.
const maxPassedOver = 64 << 10

// readReply gives the reply of a response, which is in f or r, or says why
// there is none.
func (s *sender) readReply(resp *http.Response, f *ilp.Fulfill, r *ilp.Reject) (ilp.Reply, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, s.noPacket(resp)
	}
	packet, err := readPacket(resp.Body, resp.ContentLength, s.limits.MaxBody)
	if err != nil {
		return nil, s.unreadable(err)
	}
	reply, err := ilp.DecodeReply(packet, f, r)
	if err != nil {
		return nil, s.unreadable(err)
	}
	return reply, nil
}

// noPacket says what a status means that brings no reply.
func (s *sender) noPacket(resp *http.Response) error {
	_, _ = io.CopyN(io.Discard, resp.Body, maxPassedOver) // so that the connection can be used again
	if resp.StatusCode < 300 {
		s.event(&s.unknown, "a status of success without a packet", statusAttr(resp.StatusCode))
		return unknownOutcome(errMovedAway)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		s.headers.anew()
	}
	s.event(&s.refused, "a packet was answered with a status of refusal", statusAttr(resp.StatusCode))
	return refusal(resp.StatusCode)
}

// unreadable is what is known of a packet whose reply cannot be read.
func (s *sender) unreadable(err error) error {
	if s.ctx.Err() != nil {
		return errClosing
	}
	s.event(&s.unknown, "the reply to a packet cannot be read", errAttr(err))
	return unknownOutcome(err)
}

// lost is what is known of a packet that was sent and brought no response.
func (s *sender) lost(err error) error {
	if s.ctx.Err() != nil {
		return errClosing
	}
	s.event(&s.unknown, "no reply to a packet that may have arrived", errAttr(err))
	return unknownOutcome(err)
}

// notSent is what is known of a packet that certainly was not sent.
func (s *sender) notSent(err error) error {
	if s.ctx.Err() != nil {
		return errClosed
	}
	return notSent(err)
}

func notSent(err error) error {
	if errors.Is(err, plugin.ErrNotSent) {
		return err
	}
	return fmt.Errorf("ilphttp: %w: %w", plugin.ErrNotSent, err)
}

func unknownOutcome(err error) error {
	return fmt.Errorf("ilphttp: %w: %w", plugin.ErrUnknownOutcome, err)
}
