// Package pipenet is a network of pipes for the tests of links: a server and
// its clients without sockets fit into a bubble of testing/synctest.
package pipenet

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Listener hands the far ends of pipes to a server. Make one with Listen. All
// methods may be called concurrently.
type Listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen makes a listener, which only its own Dial reaches.
func Listen() *Listener {
	return &Listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for a Dial. After Close it returns net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses those who dial from now on.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is a name for URLs: what it says is of no consequence.
func (l *Listener) Addr() net.Addr { return addr{} }

// ErrRefused is what Dial says after Close, as a socket says it of a port
// without a listener.
var ErrRefused = errors.New("pipenet: connection refused")

// Dial gives the near end of a new pipe when the server has accepted the far
// one, whatever network and address are.
func (l *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, ErrRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type addr struct{}

func (addr) Network() string { return "pipe" }
func (addr) String() string  { return "server.example" }
