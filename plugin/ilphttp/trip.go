package ilphttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// trip is one packet on its way to the counterparty, and its reply on the way
// back. Its memory is used again when it has been answered and the transport
// is done with the bytes of the packet, which may be later.
type trip struct {
	s           *sender
	ctx         context.Context // of whoever takes the answer
	responder   plugin.Responder
	packet      []byte // encoded; only ever written here
	expiry      time.Time
	destination ilp.Address

	users   atomic.Int32                  // the goroutine of the trip, and the bodies
	current *body                         // of the last attempt
	again   func() (io.ReadCloser, error) // GetBody
	drop    func()                        // t.unuse

	fulfill ilp.Fulfill
	reject  ilp.Reject
}

func newTrip(s *sender) *trip {
	t := &trip{s: s}
	t.again, t.drop = t.nextBody, t.unuse
	return t
}

func (t *trip) unuse() {
	if t.users.Add(-1) > 0 {
		return
	}
	t.ctx, t.responder, t.destination, t.current = nil, plugin.Responder{}, ilp.Address{}, nil
	t.fulfill, t.reject = ilp.Fulfill{}, ilp.Reject{}
	t.s.trips.Put(t)
}

// nextBody gives the body of an attempt. After the first, it is called by the
// transport, before RoundTrip returns, to try again what it knows not to have
// been taken: nothing was written to the connection, or an HTTP/2 server has
// said that it did not process the stream. A POST is not repeated for any other
// reason.
func (t *trip) nextBody() (io.ReadCloser, error) {
	t.users.Add(1)
	b := &body{packet: t.packet, ended: t.drop}
	t.current = b
	return b, nil
}

// run is the goroutine of the trip.
func (t *trip) run() {
	s := t.s
	defer s.running.Done()
	t.users.Store(1)
	defer t.unuse()
	reply, err := t.exchange()
	s.leave() // first: whoever gets the answer may send the next packet at once
	if err != nil {
		t.responder.Fail(t.ctx, err)
		return
	}
	t.responder.Reply(t.ctx, reply)
}

// exchange sends the packet and gives the reply, or says why there is none.
func (t *trip) exchange() (ilp.Reply, error) {
	s := t.s
	ctx, cancel := context.WithDeadline(s.ctx, s.due(t.expiry))
	defer cancel()
	header, err := s.headers.get()
	if err != nil {
		return nil, notSent(err)
	}
	target := s.target
	if target == nil {
		if target, err = s.segmentURL(ctx, t.destination); err != nil {
			return nil, notSent(err)
		}
	}
	if s.options.Async {
		return t.exchangeAsync(ctx, target, header)
	}
	resp, err := t.post(ctx, target, header)
	if err != nil {
		return nil, t.failed(err)
	}
	defer resp.Body.Close()
	return t.read(resp)
}

// post sends the packet.
func (t *trip) post(ctx context.Context, target *url.URL, header http.Header) (*http.Response, error) {
	req := t.s.request.WithContext(ctx)
	req.URL, req.Host, req.Header = target, target.Host, header
	req.ContentLength = int64(len(t.packet))
	req.Body, _ = t.nextBody() // its error is for GetBody, and always nil
	req.GetBody = t.again
	return t.s.transport.roundTrip(req)
}

// failed says what is known of a request that has brought no response.
func (t *trip) failed(err error) error {
	revoked := t.current.revoke()
	switch closed := t.s.ctx.Err() != nil; {
	case closed && revoked:
		return errClosed
	case closed:
		return errClosing
	case revoked:
		return notSent(err)
	}
	t.s.event(&t.s.unknown, "no reply to a packet that may have arrived", errAttr(err))
	return unknownOutcome(err)
}

// read gives the reply of a response.
func (t *trip) read(resp *http.Response) (ilp.Reply, error) {
	s := t.s
	if resp.StatusCode != http.StatusOK {
		return nil, t.noPacket(resp)
	}
	packet, err := readPacket(resp.Body, resp.ContentLength, s.limits.MaxBody)
	if err == nil {
		var reply ilp.Reply
		if reply, err = ilp.DecodeReply(packet, &t.fulfill, &t.reject); err == nil {
			return reply, nil
		}
	}
	if s.ctx.Err() != nil {
		return nil, errClosing
	}
	s.event(&s.unknown, "the reply to a packet cannot be read", errAttr(err))
	return nil, unknownOutcome(err)
}

// noPacket says what a status means that brings no reply.
func (t *trip) noPacket(resp *http.Response) error {
	s := t.s
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

// maxPassedOver is how much of a page that is no packet is read.
const maxPassedOver = 64 << 10

func notSent(err error) error {
	if errors.Is(err, plugin.ErrNotSent) {
		return err
	}
	return fmt.Errorf("ilphttp: %w: %w", plugin.ErrNotSent, err)
}

func unknownOutcome(err error) error {
	return fmt.Errorf("ilphttp: %w: %w", plugin.ErrUnknownOutcome, err)
}
