// Package inproc is a link inside one program: a pair of ends, as net.Pipe
// gives. What is sent into one end arrives at the other, as a call, without
// bytes, buffers or goroutines in between.
//
// Give one end to a connector as an account's plugin, and use the other one
// from the program itself, which thereby has an account:
//
//	app, end := inproc.Pipe()
//	err := c.AddAccount(ctx, connector.Account{ID: "wallet", Relation: connector.Child, Plugin: end, ...})
//	fulfill, err := app.Send(ctx, &ilp.Prepare{...})
//
// Or give each end to a connector of its own, and the two are neighbours.
package inproc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// End is one end of a pipe. It is a plugin.Plugin and a plugin.MoneySender,
// and all its methods may be called concurrently. A packet is handed over on
// the goroutine that sends it, and a reply on the one that answers.
type End struct {
	pipe     *pipe
	peer     *End
	handler  atomic.Pointer[plugin.Handler] // nil unless open
	calls    gate                           // of the other end, into handler
	ready    chan struct{}                  // closed by Open
	gone     chan struct{}                  // closed when Close begins
	over     chan struct{}                  // closed when it ends
	requests requests

	// guarded by pipe.mu
	opened, closed bool
	told           bool // the state that the handler was told last
}

// pipe is what the two ends share.
type pipe struct {
	mu sync.Mutex // held while handlers are told of a change, so that these calls are in order
}

var (
	_ plugin.Plugin      = (*End)(nil)
	_ plugin.MoneySender = (*End)(nil)
	_ plugin.Replier     = (*End)(nil)
)

// Pipe makes two ends that are joined. Neither is open yet.
func Pipe() (*End, *End) {
	p := &pipe{}
	a, b := newEnd(p), newEnd(p)
	a.peer, b.peer = b, a
	return a, b
}

func newEnd(p *pipe) *End {
	return &End{pipe: p, calls: newGate(), ready: make(chan struct{}), gone: make(chan struct{}), over: make(chan struct{})}
}

// Handle opens the end for a program that answers prepares itself; see
// plugin.HandlerFunc. An end that only sends needs neither Handle nor Open.
func (e *End) Handle(f plugin.HandlerFunc) error { return e.Open(context.Background(), f) }

// Open gives what the other end sends to h. The ends are connected when both
// are open.
func (e *End) Open(_ context.Context, h plugin.Handler) error {
	e.pipe.mu.Lock()
	defer e.pipe.mu.Unlock()
	switch {
	case e.closed:
		return fmt.Errorf("inproc: open: %w", net.ErrClosed)
	case e.opened:
		return errors.New("inproc: open: the end is open: an end serves one account")
	}
	e.opened = true
	e.handler.Store(&h)
	close(e.ready)
	e.tell()
	e.peer.tell()
	return nil
}

// tell tells the handler of e whether it can reach the other end, if that
// has changed. The caller holds pipe.mu.
func (e *End) tell() {
	connected := e.opened && !e.closed && e.peer.opened && !e.peer.closed
	h := e.handler.Load()
	if h == nil || connected == e.told {
		return
	}
	e.told = connected
	var reason error
	if !connected {
		reason = net.ErrClosed
	}
	(*h).HandleState(connected, reason)
}

// Connected reports whether a prepare sent now reaches somebody: whether the
// other end is open, and neither is closed.
func (e *End) Connected() bool {
	return ended(e.peer.ready) && !ended(e.peer.gone) && !ended(e.gone)
}

func ended(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// SendPrepare hands p to the handler of the other end.
func (e *End) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	token, ok := e.requests.add(r)
	if !ok {
		r.Fail(ctx, fmt.Errorf("inproc: %w: %w", plugin.ErrNotSent, net.ErrClosed))
		return
	}
	h, ok := e.peer.enter()
	if !ok {
		if r, ok := e.requests.take(token); ok { // not so if Close was faster
			r.Fail(ctx, plugin.ErrNotConnected)
		}
		return
	}
	defer e.peer.calls.leave()
	h.HandlePrepare(ctx, p, plugin.NewResponder(e, token))
}

// enter gives the handler for one call, which ends with calls.leave. It
// reports false while the end is not open.
func (e *End) enter() (plugin.Handler, bool) {
	if !e.calls.enter() {
		return nil, false
	}
	h := e.handler.Load()
	if h == nil {
		e.calls.leave()
		return nil, false
	}
	return *h, true
}

// Reply takes the other end's answer. It implements plugin.Replier. What the
// answer says of the other end's own affairs stays there, as it would on any
// other link: the Cause of a Reject, and whether the other end has sent the
// packet on.
func (e *End) Reply(ctx context.Context, token uint64, reply ilp.Reply, err error) {
	r, ok := e.requests.take(token)
	if !ok { // answered before
		return
	}
	if reply == nil {
		r.Fail(ctx, fmt.Errorf("inproc: %w: the other end failed: %v", plugin.ErrUnknownOutcome, err))
		return
	}
	if reject, ok := reply.(*ilp.Reject); ok && reject.Cause != nil {
		public := *reject
		public.Cause = nil
		reply = &public
	}
	r.Reply(ctx, reply)
}

// Send sends p and waits for the reply; see plugin.Call. While the other end
// is not open yet it waits for that too, up to ctx and the packet's expiry;
// the error wraps plugin.ErrNotSent if that was in vain.
func (e *End) Send(ctx context.Context, p *ilp.Prepare) (*ilp.Fulfill, error) {
	if err := e.await(ctx, p); err != nil {
		return nil, fmt.Errorf("inproc: send: %w: %w", plugin.ErrNotSent, err)
	}
	return plugin.Call(ctx, e, p)
}

// await waits until the other end has been opened.
func (e *End) await(ctx context.Context, p *ilp.Prepare) error {
	if ended(e.peer.ready) {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, p.ExpiresAt)
	defer cancel()
	select {
	case <-e.peer.ready:
		return nil
	case <-e.gone:
		return net.ErrClosed
	case <-e.peer.gone:
		return fmt.Errorf("the other end: %w", net.ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("the other end is not open: %w", context.Cause(ctx))
	}
}

// SendMoney has the other end's handler book m, and gives its error.
func (e *End) SendMoney(ctx context.Context, m plugin.Money) error {
	if ended(e.gone) {
		return fmt.Errorf("inproc: sending money: %w: %w", plugin.ErrNotSent, net.ErrClosed)
	}
	h, ok := e.peer.enter()
	if !ok {
		return fmt.Errorf("inproc: sending money: %w", plugin.ErrNotConnected)
	}
	defer e.peer.calls.leave()
	if err := h.HandleMoney(ctx, m); err != nil {
		return fmt.Errorf("inproc: %w: the other end has not booked it: %v", plugin.ErrUnknownOutcome, err)
	}
	return nil
}

// Close ends the pipe for both ends. What this end has sent, and is not
// answered, fails; what the other end has sent may still be answered. Calls
// into the handler that are under way come to their end first, so the handler
// must not call Close. It is idempotent; the error is always nil.
func (e *End) Close() error {
	if !e.disconnect() {
		<-e.over // whoever comes second waits for the first
		return nil
	}
	e.calls.close()
	for _, r := range e.requests.close() {
		r.Fail(context.Background(), fmt.Errorf("inproc: %w: %w", plugin.ErrUnknownOutcome, net.ErrClosed))
	}
	close(e.over)
	return nil
}

// disconnect tells both ends that e is closed. It reports false if it is
// already.
func (e *End) disconnect() bool {
	e.pipe.mu.Lock()
	defer e.pipe.mu.Unlock()
	if e.closed {
		return false
	}
	e.closed = true
	close(e.gone)
	e.tell()
	e.peer.tell()
	e.handler.Store(nil) // the program may forget it now
	return true
}
