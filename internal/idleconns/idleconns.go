// Package idleconns bounds the connections of an http.Server on which no
// request is being handled. The server's timeouts bound how long there is
// such a one, and not how many: who opens connections and sends nothing takes
// all descriptors of the process, and then nobody can connect, not even to
// another port.
package idleconns

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// Bounds of a server that was told no others.
const (
	DefaultMaxFresh = 1000
	DefaultMaxIdle  = 10_000
)

// Bound is for one http.Server. All methods may be called concurrently.
type Bound struct {
	mu    sync.Mutex
	fresh queue // those that have not sent a whole request
	idle  queue // those that wait for their next one
}

// queue is connections in the order in which they came.
type queue struct {
	max   int
	order list.List // of net.Conn
	place map[net.Conn]*list.Element
}

// New makes a Bound. Past maxFresh connections that have not sent their first
// request, and past maxIdle ones that wait between two, the one that has waited
// for longest is closed: newcomers are never refused, so a flood has to be
// quicker than a client's request. 0 stands for the defaults.
func New(maxFresh, maxIdle int) *Bound {
	if maxFresh <= 0 {
		maxFresh = DefaultMaxFresh
	}
	if maxIdle <= 0 {
		maxIdle = DefaultMaxIdle
	}
	return &Bound{
		fresh: queue{max: maxFresh, place: make(map[net.Conn]*list.Element)},
		idle:  queue{max: maxIdle, place: make(map[net.Conn]*list.Element)},
	}
}

// ConnState is for http.Server.ConnState.
func (b *Bound) ConnState(c net.Conn, state http.ConnState) {
	if out := b.note(c, state); out != nil {
		// Closing a TLS connection may wait for a peer that does not read.
		if t, ok := out.(*tls.Conn); ok {
			out = t.NetConn()
		}
		out.Close() // the server notices, and it is StateClosed
	}
}

// note gives the connection that has to go because of c.
func (b *Bound) note(c net.Conn, state http.ConnState) (out net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh.remove(c)
	b.idle.remove(c)
	switch state {
	case http.StateNew:
		return b.fresh.add(c)
	case http.StateIdle:
		return b.idle.add(c)
	}
	return nil
}

func (q *queue) add(c net.Conn) (out net.Conn) {
	q.place[c] = q.order.PushBack(c)
	if q.order.Len() <= q.max {
		return nil
	}
	out = q.order.Front().Value.(net.Conn)
	q.remove(out)
	return out
}

func (q *queue) remove(c net.Conn) {
	if e := q.place[c]; e != nil {
		q.order.Remove(e)
		delete(q.place, c)
	}
}
