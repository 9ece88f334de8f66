package ilphttp

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// The headers of the asynchronous form.
const (
	headerRequestID   = "Request-Id"
	headerCallbackURL = "Callback-Url"
)

// maxRequestID is the longest id taken from a counterparty. A UUID has 36
// characters.
const maxRequestID = 64

var (
	errRequestID   = fmt.Errorf("%s must be one value of 1 to %d visible characters", headerRequestID, maxRequestID)
	errNoRequestID = errors.New(headerCallbackURL + " needs a " + headerRequestID)
	errCallback    = errors.New("replies are not sent to this " + headerCallbackURL)
)

// requestID gives the id of a request; empty: it has none.
func requestID(h http.Header) (string, error) {
	values := h[headerRequestID]
	if len(values) == 0 {
		return "", nil
	}
	id := values[0]
	if len(values) > 1 || id == "" || len(id) > maxRequestID {
		return "", errRequestID
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return "", errRequestID
		}
	}
	return id, nil
}

// newRequestID makes a UUID of version 4 (HTTP-03).
func newRequestID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	var text [36]byte
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// replies holds our asynchronous requests that are not answered. The first
// reply to each is taken, and no other (HTTP-11).
type replies struct {
	mu      sync.Mutex
	waiting map[string]chan ilp.Reply // with room for one
}

func (r *replies) add(id string) <-chan ilp.Reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.waiting = make(map[string]chan ilp.Reply)
	}
	c := make(chan ilp.Reply, 1)
	r.waiting[id] = c
	return c
}

func (r *replies) remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, id)
}

// deliver reports whether somebody was waiting for the reply.
func (r *replies) deliver(id string, reply ilp.Reply) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.waiting[id]
	if ok {
		delete(r.waiting, id)
		c <- reply
	}
	return ok
}

// exchangeAsync sends the packet and waits for the reply, which comes to our
// server. A counterparty that answers in the old form is as good (HTTP-22).
func (t *trip) exchangeAsync(ctx context.Context, target *url.URL, header http.Header) (ilp.Reply, error) {
	s, id := t.s, newRequestID()
	header = header.Clone()
	header[headerRequestID] = []string{id}
	if s.options.CallbackURL != "" {
		header[headerCallbackURL] = []string{s.options.CallbackURL}
	}
	callback := s.replies.add(id)
	defer s.replies.remove(id)
	resp, err := t.post(ctx, target, header)
	switch {
	case err != nil && (s.ctx.Err() != nil || t.current.revoke()):
		return t.prefer(callback, t.failed(err))
	case err != nil: // it may have arrived: then the reply comes
	case resp.StatusCode != http.StatusAccepted:
		defer resp.Body.Close()
		reply, err := t.read(resp)
		if err == nil {
			return reply, nil
		}
		return t.prefer(callback, err)
	default:
		_, _ = io.CopyN(io.Discard, resp.Body, maxPassedOver)
		resp.Body.Close()
	}
	select {
	case reply := <-callback:
		return reply, nil
	case <-ctx.Done():
		return t.prefer(callback, t.failed(context.Cause(ctx)))
	}
}

// prefer gives a reply that has come all the same instead of an error.
func (t *trip) prefer(callback <-chan ilp.Reply, err error) (ilp.Reply, error) {
	select {
	case reply := <-callback:
		return reply, nil
	default:
		return nil, err
	}
}

// takeReply takes the reply to a packet of ours (HTTP-06 to HTTP-08).
func (p *Peer) takeReply(w http.ResponseWriter, id string, packet []byte) {
	var fulfill ilp.Fulfill
	var reject ilp.Reject
	reply, err := ilp.DecodeReply(packet, &fulfill, &reject)
	if err != nil {
		refuse(w, http.StatusBadRequest, "the reply cannot be read")
		return
	}
	if p.out == nil || !p.out.replies.deliver(id, reply) {
		p.requests.unexpected.Add(1)
		refuse(w, http.StatusBadRequest, "nobody waits for this reply")
		return
	}
	w.WriteHeader(http.StatusOK)
}

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
		refuse(w, http.StatusTooManyRequests, err.Error())
		return
	case !fresh: // sent again, since our 202 was lost: the packet is taken once
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if p.inFlight.Load() >= int64(p.limits.MaxInFlight) {
		p.requests.remove(id, request)
		refuse(w, http.StatusTooManyRequests, tooMany.Message)
		return
	}
	c := &callback{peer: p, target: target, request: request}
	due, taken := p.hand(context.WithoutCancel(r.Context()), id, packet, plugin.NewResponder(c, 0))
	if !taken {
		p.requests.remove(id, request)
		refuse(w, http.StatusServiceUnavailable, errNotOpen.Error())
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
	header, err := s.headers.get()
	if err != nil {
		return 0, err
	}
	req := s.request.WithContext(ctx)
	req.URL, req.Host, req.Header = c.target, c.target.Host, header.Clone()
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

// maxRequestIDs is how many ids of asynchronous requests are remembered for
// one account, of each generation.
const maxRequestIDs = 1 << 17

// requestGeneration is for how long an id is remembered, at least.
const requestGeneration = time.Minute

var errTooManyIDs = errors.New("too many requests within a minute")

// requestIDs remembers the asynchronous requests of an account, so that a
// request that is sent again is not taken for another packet.
type requestIDs struct {
	unexpected atomic.Uint64

	mu           sync.Mutex
	now, earlier map[requestKey]struct{}
	since        time.Time
}

type requestKey struct {
	user, id string
}

// add reports whether the id is new.
func (r *requestIDs) add(id *identity, request string, now time.Time) (bool, error) {
	key := requestKey{id.user, request}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil || now.Sub(r.since) >= requestGeneration {
		r.now, r.earlier, r.since = make(map[requestKey]struct{}), r.now, now
	}
	if _, ok := r.now[key]; ok {
		return false, nil
	}
	if _, ok := r.earlier[key]; ok {
		return false, nil
	}
	if len(r.now) >= maxRequestIDs {
		return false, errTooManyIDs
	}
	r.now[key] = struct{}{}
	return true, nil
}

// remove forgets a request that was refused.
func (r *requestIDs) remove(id *identity, request string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.now, requestKey{id.user, request})
	delete(r.earlier, requestKey{id.user, request})
}
