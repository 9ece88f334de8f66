package ilphttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"

	"github.com/interledger-go/connector/ilp"
)

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
		reply, err := s.readReply(resp, &t.fulfill, &t.reject)
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

var (
	errReply   = errors.New("the reply cannot be read")
	errUnasked = errors.New("nobody waits for this reply")
)

// takeReply takes the reply to a packet of ours (HTTP-06 to HTTP-08).
func (p *Peer) takeReply(w http.ResponseWriter, id string, packet []byte) {
	var fulfill ilp.Fulfill
	var reject ilp.Reject
	reply, err := ilp.DecodeReply(packet, &fulfill, &reject)
	if err != nil {
		refuse(w, http.StatusBadRequest, errReply)
		return
	}
	if p.out == nil || !p.out.replies.deliver(id, reply) {
		p.requests.unexpected.Add(1)
		refuse(w, http.StatusBadRequest, errUnasked)
		return
	}
	w.WriteHeader(http.StatusOK)
}
