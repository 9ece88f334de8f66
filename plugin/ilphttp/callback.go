package ilphttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

var (
	errNoRequestID = errors.New(headerCallbackURL + " needs a " + headerRequestID)
	errCallback    = errors.New("replies are not sent to this " + headerCallbackURL)
)

// replyTarget says where the reply to a request goes: nil for the same
// exchange. With an error comes the status to refuse the request with.
func (p *Peer) replyTarget(h http.Header, id string) (*url.URL, int, error) {
	values := h[headerCallbackURL]
	switch {
	case len(values) == 0 && id == "":
		return nil, 0, nil
	case len(values) == 0:
		return p.replyURL, 0, nil
	case len(values) > 1 || id == "":
		return nil, http.StatusBadRequest, errNoRequestID
	}
	u, err := parseURL(values[0])
	if err != nil {
		return nil, http.StatusBadRequest, errCallback
	}
	if p.out == nil || !(p.replyURL != nil && sameOrigin(u, p.replyURL) || p.out.target != nil && sameOrigin(u, p.out.target)) {
		return nil, http.StatusForbidden, errCallback
	}
	return u, 0, nil
}

// serveAsync takes a packet whose reply is a request of ours.
func (p *Peer) serveAsync(w http.ResponseWriter, r *http.Request, id *identity, packet []byte, request string, target *url.URL) {
	switch fresh, err := p.requests.add(id, request, time.Now()); {
	case err != nil:
		refuse(w, http.StatusTooManyRequests, err)
		return
	case !fresh: // sent again, since our 202 was lost: the packet is taken once
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if p.inFlight.Load() >= int64(p.limits.MaxInFlight) {
		p.requests.remove(id, request)
		refuse(w, http.StatusTooManyRequests, errTooMany)
		return
	}
	c := &callback{peer: p, target: target, request: request}
	due, taken := p.hand(context.WithoutCancel(r.Context()), id, packet, plugin.NewResponder(c, 0))
	if !taken {
		p.requests.remove(id, request)
		refuse(w, http.StatusServiceUnavailable, errNotOpen)
		return
	}
	c.expectUntil(due)
	w.WriteHeader(http.StatusAccepted)
}

// callback takes the answer to an asynchronous request, and delivers it.
type callback struct {
	peer    *Peer
	target  *url.URL
	request string

	answered atomic.Bool // or given up: whoever sets it goes on

	mu    sync.Mutex
	due   time.Time
	timer *time.Timer
}

var _ plugin.Replier = (*callback)(nil)

// expectUntil gives up an answer that has not come by then, so that the packet
// does not count as in flight for ever.
func (c *callback) expectUntil(due time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = due
	if c.answered.Load() {
		return
	}
	c.timer = time.AfterFunc(time.Until(due), func() {
		if c.answered.CompareAndSwap(false, true) {
			c.peer.abandoned.Add(1)
			c.peer.inFlight.Add(-1)
		}
	})
}

// Reply takes the answer. It implements plugin.Replier.
func (c *callback) Reply(_ context.Context, _ uint64, reply ilp.Reply, err error) {
	if !c.answered.CompareAndSwap(false, true) {
		return
	}
	c.mu.Lock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	packet, err := encodeReply(nil, reply, err)
	if err != nil {
		packet, _ = (&ilp.Reject{Code: ilp.T00InternalError, Message: errNoAnswer.Error()}).AppendBinary(nil) // a valid packet
	}
	if !c.peer.out.run(func() { c.deliver(packet) }) {
		c.peer.inFlight.Add(-1)
	}
}

// The times between attempts to deliver a reply, and for one of them.
const (
	firstRetry     = 100 * time.Millisecond
	maxRetry       = 2 * time.Second
	deliverTimeout = 5 * time.Second
)

// deliver sends the reply until somebody has taken it (HTTP-09), or the link
// is closed, or for as long as a reply can be of use.
func (c *callback) deliver(packet []byte) {
	s := c.peer.out
	defer c.peer.inFlight.Add(-1)
	c.mu.Lock()
	due := c.due
	c.mu.Unlock()
	if due.IsZero() { // answered at once
		due = s.due(time.Now().Add(deliverTimeout))
	}
	ctx, cancel := context.WithDeadline(s.ctx, due)
	defer cancel()
	for pause := firstRetry; ; pause = min(2*pause, maxRetry) {
		status, err := c.post(ctx, packet)
		switch {
		case err == nil && status >= 200 && status < 300:
			return
		case err == nil && status < 500: // they do not want it (HTTP-09)
			s.event(&s.undelivered, "a reply was refused", statusAttr(status))
			return
		}
		timer := time.NewTimer(jitter(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			s.event(&s.undelivered, "a reply could not be delivered")
			return
		}
	}
}

// post makes one attempt.
func (c *callback) post(ctx context.Context, packet []byte) (status int, err error) {
	s := c.peer.out
	ctx, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	headers, err := s.headers.get()
	if err != nil {
		return 0, err
	}
	req := s.request.WithContext(ctx)
	req.URL, req.Host, req.Header = c.target, c.target.Host, headers.header.Clone()
	req.Header[headerRequestID] = []string{c.request}
	req.ContentLength = int64(len(packet))
	req.GetBody = func() (io.ReadCloser, error) { return &body{packet: packet, ended: func() {}}, nil }
	req.Body, _ = req.GetBody()
	resp, err := s.transport.roundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxPassedOver)
	return resp.StatusCode, nil
}
