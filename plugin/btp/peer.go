package btp

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
)

// Peer is an account of a Server: the side of a BTP link that is dialled. It
// implements plugin.Plugin. It is connected while at least one socket has
// been authenticated for it. All methods may be called concurrently.
type Peer struct {
	link
	server          *Server
	named           bool // has a user name
	username, token digest

	sockets atomic.Pointer[[]*socket] // authenticated, the newest last; replaced, never changed
	turn    atomic.Uint32             // for RoundRobin

	mu     sync.Mutex // guards what follows, and changes of sockets
	opened bool
	closed bool
	ready  chan struct{} // closed by the first Open or Close

	reading sync.WaitGroup // the goroutines of the sockets
}

var _ plugin.Plugin = (*Peer)(nil)

// Open lets clients in. It opens no connection.
func (p *Peer) Open(_ context.Context, h plugin.Handler) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return errClosed
	case p.opened:
		return errOpenedBefore
	}
	p.handler, p.opened = h, true
	close(p.ready)
	return nil
}

// SendPrepare sends a packet to the client; see plugin.Plugin.
func (p *Peer) SendPrepare(ctx context.Context, prepare *ilp.Prepare, r plugin.Responder) {
	s, err := p.pick()
	if err != nil {
		r.Fail(ctx, err)
		return
	}
	s.sendPrepare(ctx, prepare, r)
}

// Request sends a Message or a Transfer of packet's entries (its RequestID is
// chosen here) and waits for the Response. When the client answers with an
// Error, the error is an *Error. ctx ends the wait, with an error that wraps
// plugin.ErrUnknownOutcome. It must not be called from a Handler.
func (p *Peer) Request(ctx context.Context, packet *Packet) (Packet, error) {
	s, err := p.pick()
	if err != nil {
		return Packet{}, err
	}
	return s.request(ctx, packet)
}

// pick chooses the socket for a request.
func (p *Peer) pick() (*socket, error) {
	sockets := p.live()
	switch n := len(sockets); {
	case n == 0 && p.isClosed():
		return nil, errClosed
	case n == 0:
		return nil, plugin.ErrNotConnected
	case n > 1 && p.server.options.Sockets == RoundRobin:
		return sockets[int(p.turn.Add(1)%uint32(n))], nil
	default:
		return sockets[n-1], nil
	}
}

func (p *Peer) live() []*socket {
	if sockets := p.sockets.Load(); sockets != nil {
		return *sockets
	}
	return nil
}

func (p *Peer) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// HandleRequests sets what takes requests without an ILP packet. It is called
// before Open.
func (p *Peer) HandleRequests(h RequestHandler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = h
}

// Connected reports whether a client is connected.
func (p *Peer) Connected() bool { return len(p.live()) > 0 }

// Stats counts what has happened.
func (p *Peer) Stats() Stats { return p.counters.stats(p.live()...) }

// Close takes the account from the server, ends its sockets and waits for
// their goroutines. What is outstanding is answered with an error that wraps
// net.ErrClosed. An account with the same credentials may be added then.
// Close is idempotent and must not be called from a Handler.
func (p *Peer) Close() error {
	p.mu.Lock()
	if !p.opened && !p.closed {
		close(p.ready)
	}
	p.closed = true
	sockets := p.live()
	p.mu.Unlock()
	p.server.accounts.remove(p)
	for _, s := range sockets {
		s.end(errClosed, codeNormal)
	}
	p.reading.Wait()
	return nil
}

// attach makes s a socket of this account and tells the client so, which must
// be the first packet that it gets (BTP-22). It reports false if the account
// is not open, or nothing can be written.
func (p *Peer) attach(s *socket, authRequest uint32) bool {
	p.mu.Lock()
	if p.closed || !p.opened || s.write(&Packet{Type: TypeResponse, RequestID: authRequest}) != nil {
		p.mu.Unlock()
		return false
	}
	s.link = &p.link
	old, keep := p.live(), p.server.options.MaxSockets-1
	if p.server.options.Sockets == Replace {
		keep = 0
	}
	replaced := old[:max(len(old)-keep, 0)]
	next := append(slices.Clone(old[len(replaced):]), s)
	p.sockets.Store(&next)
	p.reading.Add(1)
	p.mu.Unlock()
	s.conn.Flush()
	p.tell(p.Connected, nil)
	for _, r := range replaced {
		r.end(errReplaced, wsconn.CodeNormal)
	}
	return true
}

// detach takes out a socket that has ended.
func (p *Peer) detach(s *socket, cause error) {
	p.mu.Lock()
	next := slices.DeleteFunc(slices.Clone(p.live()), func(other *socket) bool { return other == s })
	p.sockets.Store(&next)
	p.mu.Unlock()
	p.tell(p.Connected, cause)
	p.reading.Done()
}
