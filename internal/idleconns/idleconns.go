// Package idleconns bounds the connections of an http.Server, above all those
// on which no request is being handled. The server's timeouts bound how long
// there is such a one, and not how many: who opens connections and sends
// nothing takes all descriptors of the process, and then nobody can connect,
// not even to another port.
package idleconns

import (
	"cmp"
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of a server that was told no others.
const (
	DefaultMaxFresh = 1000
	DefaultMaxOpen  = 10_000
)

// Bound is for one http.Server. All methods may be called concurrently.
type Bound struct {
	maxFresh, maxOpen int

	mu    sync.Mutex
	open  map[net.Conn]place
	fresh list.List // those that have not sent a whole request, the oldest first
	idle  list.List // those that wait for their next one
}

// place is where a connection waits; the zero one: it does not.
type place struct {
	in *list.List
	at *list.Element
}

// New makes a Bound. Past maxFresh connections that have not sent their first
// request, the one that has waited for longest is closed; and so is, past
// maxOpen of all, the oldest of those, or else of those that wait between two
// requests. So newcomers are refused only where all others have a request that
// is being handled, and a flood has to be quicker than a client's request. 0
// stands for the defaults.
func New(maxFresh, maxOpen int) *Bound {
	return &Bound{
		maxFresh: cmp.Or(max(maxFresh, 0), DefaultMaxFresh), maxOpen: cmp.Or(max(maxOpen, 0), DefaultMaxOpen),
		open: make(map[net.Conn]place),
	}
}

// ConnState is for http.Server.ConnState.
func (b *Bound) ConnState(c net.Conn, state http.ConnState) {
	out, used := b.note(c, state)
	switch {
	case out == nil:
	case used:
		// The wait for a request ends. If one comes at this moment it is answered,
		// where the answer would be lost if the connection were closed.
		_ = out.SetReadDeadline(time.Unix(1, 0))
	default:
		// Closing a TLS connection may wait for a peer that does not read.
		if t, ok := out.(*tls.Conn); ok {
			out = t.NetConn()
		}
		out.Close() // the server notices, and it is StateClosed
	}
}

// note gives the connection that has to go because of c, and whether it has
// been used.
func (b *Bound) note(c net.Conn, state http.ConnState) (out net.Conn, used bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.open[c]
	if p.in != nil {
		p.in.Remove(p.at)
	}
	switch state {
	case http.StateNew:
		return b.enter(c)
	case http.StateIdle:
		b.wait(c, &b.idle)
	case http.StateActive:
		b.open[c] = place{}
	default:
		delete(b.open, c)
	}
	return nil, false
}

// enter lets c in, and gives the connection that has to go for it, which may be
// c itself, and whether that has been used.
func (b *Bound) enter(c net.Conn) (out net.Conn, used bool) {
	switch {
	case b.fresh.Len() >= b.maxFresh, len(b.open) >= b.maxOpen && b.fresh.Len() > 0:
		out = b.drop(&b.fresh)
	case len(b.open) < b.maxOpen:
	case b.idle.Len() > 0:
		out, used = b.drop(&b.idle), true
	default:
		return c, false
	}
	b.wait(c, &b.fresh)
	return out, used
}

func (b *Bound) wait(c net.Conn, in *list.List) { b.open[c] = place{in, in.PushBack(c)} }

// drop takes out the one that has waited for longest.
func (b *Bound) drop(from *list.List) net.Conn {
	out := from.Remove(from.Front()).(net.Conn)
	delete(b.open, out)
	return out
}
