package btplink

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
)

// DefaultMaxSockets is how many sockets of a counterparty are kept, unless the
// server is told otherwise.
const DefaultMaxSockets = 16

// Policy is what happens when a second socket is authenticated for a
// counterparty.
type Policy int

const (
	// Replace ends the older socket. Two clients that both come back, with
	// the credentials of one account, end each other's for ever.
	Replace Policy = iota
	// Newest keeps both, and sends packets over the newer one.
	Newest
	// RoundRobin keeps both, and sends packets over them in turn.
	RoundRobin
)

// Group is the sockets that one counterparty of a server has. A socket is in
// it from its authentication to its end, or until we end it. All methods may be
// called concurrently.
type Group struct {
	Link
	// Admits, unless it is nil, is asked once more when a socket joins, for
	// what may have changed since its Admission was given. Set with Init.
	Admits func(key any) bool

	policy Policy
	max    int // sockets

	sockets atomic.Pointer[[]*Socket] // the newest last; replaced, never changed
	turn    atomic.Uint32             // for RoundRobin

	mu     sync.Mutex // guards what follows, and changes of sockets
	opened bool
	closed bool
	ready  chan struct{} // closed by the first Open or Close

	serving sync.WaitGroup // the goroutines of the sockets
}

var errReplaced = errors.New("btp: replaced by a newer connection of the account")

// Init sets a new Group up. limits have no zero values. maxSockets is how many
// sockets there may be at once, where the policy keeps them; then the oldest
// is ended. 0 means DefaultMaxSockets.
func (g *Group) Init(name string, limits Limits, log *slog.Logger, policy Policy, maxSockets int) {
	g.Name, g.Limits, g.Log = name, limits, log
	g.policy, g.max = policy, maxSockets
	if g.max <= 0 {
		g.max = DefaultMaxSockets
	}
	if policy == Replace {
		g.max = 1
	}
	g.ready = make(chan struct{})
}

// Open lets sockets in. What they bring goes to h.
func (g *Group) Open(h plugin.Handler) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return ErrClosed
	case g.opened:
		return ErrOpenedBefore
	}
	g.Handler, g.opened = h, true
	close(g.ready)
	return nil
}

// Ready is closed when Open or Close has been called.
func (g *Group) Ready() <-chan struct{} { return g.ready }

// HandleRequests sets what takes requests without an ILP packet. It is called
// before Open.
func (g *Group) HandleRequests(h RequestHandler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Requests = h
}

// SendPrepare sends a packet over one of the sockets; see plugin.Plugin.
func (g *Group) SendPrepare(ctx context.Context, prepare *ilp.Prepare, r plugin.Responder) {
	s, err := g.pick()
	if err != nil {
		r.Fail(ctx, err)
		return
	}
	s.SendPrepare(ctx, prepare, r)
}

// Request sends a request over one of the sockets and waits for its reply.
func (g *Group) Request(ctx context.Context, packet *Packet) (Packet, error) {
	s, err := g.pick()
	if err != nil {
		return Packet{}, err
	}
	return s.Request(ctx, packet)
}

// pick chooses the socket for a request.
func (g *Group) pick() (*Socket, error) {
	sockets := g.live()
	switch n := len(sockets); {
	case n == 0 && g.isClosed():
		return nil, ErrClosed
	case n == 0:
		return nil, plugin.ErrNotConnected
	case n > 1 && g.policy == RoundRobin:
		return sockets[int(g.turn.Add(1)%uint32(n))], nil
	default:
		return sockets[n-1], nil
	}
}

func (g *Group) live() []*Socket {
	if sockets := g.sockets.Load(); sockets != nil {
		return *sockets
	}
	return nil
}

func (g *Group) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// Connected reports whether there is a socket.
func (g *Group) Connected() bool { return len(g.live()) > 0 }

// Sockets is how many there are.
func (g *Group) Sockets() int { return len(g.live()) }

// Stats counts what has happened.
func (g *Group) Stats() Stats { return g.Link.Stats(g.live()...) }

// Close ends all sockets, takes no new ones and waits for their goroutines.
// What is outstanding is answered with an error that wraps net.ErrClosed. It
// is idempotent and must not be called from a Handler.
func (g *Group) Close() {
	g.BeginClose()
	g.serving.Wait()
}

// BeginClose is Close without the wait, for whoever closes many groups.
func (g *Group) BeginClose() {
	g.mu.Lock()
	if !g.opened && !g.closed {
		close(g.ready)
	}
	g.closed = true
	sockets := g.live()
	g.mu.Unlock()
	for _, s := range sockets {
		s.End(ErrClosed, wsconn.CodeNormal)
	}
}

// End ends the sockets whose key is ended, because of cause, and waits for
// nothing. One that is about to join is asked for by Admits after this.
func (g *Group) End(cause error, ended func(key any) bool) {
	g.mu.Lock()
	sockets := g.live()
	g.mu.Unlock()
	for _, s := range sockets {
		if ended(s.key) {
			s.End(cause, wsconn.CodePolicy)
		}
	}
}

// attach takes s in and tells the client so, which must be the first packet
// that it gets (BTP-22). It reports false if the group is not open, does not
// admit it, or nothing can be written.
func (g *Group) attach(s *Socket, authRequest uint32, key any) bool {
	g.mu.Lock()
	if g.closed || !g.opened || g.Admits != nil && !g.Admits(key) || s.write(&Packet{Type: TypeResponse, RequestID: authRequest}) != nil || !s.join(g, key) {
		g.mu.Unlock()
		return false
	}
	old := g.live()
	replaced := old[:max(len(old)+1-g.max, 0)]
	next := append(slices.Clone(old[len(replaced):]), s)
	g.sockets.Store(&next)
	g.serving.Add(1)
	g.mu.Unlock()
	s.conn.Flush()
	g.Tell(g.Connected, nil)
	for _, r := range replaced {
		r.End(errReplaced, wsconn.CodeNormal)
	}
	return true
}

// drop takes out a socket, if it is there still: no packets go to it from now
// on.
func (g *Group) drop(s *Socket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := slices.DeleteFunc(slices.Clone(g.live()), func(other *Socket) bool { return other == s })
	g.sockets.Store(&next)
}

// detach takes out a socket whose goroutine has ended. The handler is told as
// late as this, so that it is told nothing if another socket comes meanwhile.
func (g *Group) detach(s *Socket, cause error) {
	g.drop(s)
	g.Tell(g.Connected, cause)
	g.serving.Done()
}
