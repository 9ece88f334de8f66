package ilphttp

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/plugin"
)

// lifecycle is what a Client and a Peer have in common: that they are opened
// once and closed once, and when their handler may be called.
type lifecycle struct {
	closing chan struct{} // closed when Close begins
	over    chan struct{} // closed when it ends
	up      atomic.Bool   // what Connected says

	stateMu sync.Mutex // held while HandleState is called, for the order; before mu

	mu      sync.Mutex // guards what follows
	handler plugin.Handler
	closed  bool
	calls   sync.WaitGroup // into the handler
}

func newLifecycle() lifecycle {
	return lifecycle{closing: make(chan struct{}), over: make(chan struct{})}
}

// open gives what arrives to h. connected says whether packets can be sent.
func (l *lifecycle) open(h plugin.Handler, connected bool) error {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		return errClosed
	case l.handler != nil:
		l.mu.Unlock()
		return errOpenedBefore
	}
	l.handler = h
	l.mu.Unlock()
	if connected {
		l.up.Store(true)
		h.HandleState(true, nil)
	}
	return nil
}

// shut is the beginning of Close. It reports false if there has been another,
// whose end it has waited for.
func (l *lifecycle) shut() bool {
	if !l.disconnect() {
		<-l.over
		return false
	}
	return true
}

// disconnect lets nothing in any more, and tells the handler so.
func (l *lifecycle) disconnect() bool {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.mu.Lock()
	closed, h := l.closed, l.handler
	l.closed = true
	l.mu.Unlock()
	if closed {
		return false
	}
	close(l.closing)
	if l.up.Swap(false) {
		h.HandleState(false, net.ErrClosed)
	}
	return true
}

// finish is the end of Close: no call into the handler is under way, nor will
// be.
func (l *lifecycle) finish() {
	l.calls.Wait()
	close(l.over)
}

// enter gives the handler for one call, which ends with leave. It reports
// false while the link is not open.
func (l *lifecycle) enter() (plugin.Handler, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.handler == nil || l.closed {
		return nil, false
	}
	l.calls.Add(1)
	return l.handler, true
}

func (l *lifecycle) leave() { l.calls.Done() }

var (
	errOpenedBefore = errors.New("ilphttp: Open was called before")

	// errClosed is what calls after Close get.
	errClosed error = &closedError{"ilphttp: closed", plugin.ErrNotSent}
	// errClosing is what Close answers outstanding requests with.
	errClosing error = &closedError{"ilphttp: closed while the reply was outstanding", plugin.ErrUnknownOutcome}
)

// closedError wraps net.ErrClosed and what is known about the request.
type closedError struct {
	text    string
	outcome error
}

func (e *closedError) Error() string   { return e.text }
func (e *closedError) Unwrap() []error { return []error{net.ErrClosed, e.outcome} }
