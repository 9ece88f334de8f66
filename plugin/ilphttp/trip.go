package ilphttp

import (
	"context"
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
	headers, err := s.headers.get()
	if err != nil {
		return nil, notSent(err)
	}
	header := headers.header
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
	return s.readReply(resp, &t.fulfill, &t.reject)
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
	if t.current.revoke() {
		return t.s.notSent(err)
	}
	return t.s.lost(err)
}
