package ilphttp

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// carriers are the HTTP/1.1 connections of a sender whose packets all go to
// one URL. There are no more of them than packets were in flight at once, and
// the one that was in use last is used again first.
//
// An http.Transport has two goroutines for each connection and a dozen objects
// for each request; here a packet is written by whoever sends it, and its
// answer told by the goroutine that reads the connection.
type carriers struct {
	s           *sender
	dial        func(ctx context.Context, network, addr string) (*connection, error)
	tls         *tls.Config // for https; nil means the zero configuration
	dialTimeout time.Duration
	idleTimeout time.Duration
	maxResponse int64 // bytes, the headers included

	mu    sync.Mutex // guards what follows, and the states of carriers
	idle  []*carrier // the newest last
	sweep *time.Timer
}

// checkAfter is how long a connection has to have been idle for it to be asked
// whether it is alive before a packet is written to it. The goroutine that
// reads it knows that, too, but a moment later.
const checkAfter = 50 * time.Millisecond

// send sends p, or answers that it does not.
func (k *carriers) send(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	s := k.s
	if err := s.enter(); err != nil {
		r.Fail(ctx, err)
		return
	}
	now := time.Now()
	c := k.take(now)
	if c == nil {
		c = &carrier{k: k, state: carrierBusy}
	}
	if err := c.load(ctx, p, r, s.limits.due(now, p.ExpiresAt)); err != nil {
		if c.conn != nil {
			k.put(c)
		}
		s.leave()
		r.Fail(ctx, err)
		s.running.Done()
		return
	}
	switch {
	case c.conn == nil:
		s.running.Add(1) // it is above zero: this packet is counted
		go c.run()
	case c.isQuick():
		c.write()
	default:
		go c.write()
	}
}

// take gives the idle connection that was used last, or nil.
func (k *carriers) take(now time.Time) *carrier {
	for {
		c := k.pop()
		if c == nil {
			return nil
		}
		unused := now.Sub(c.since)
		if unused < checkAfter || unused < k.idleTimeout && c.raw.isAlive() {
			c.reused = true
			return c
		}
		k.end(c)
	}
}

func (k *carriers) pop() *carrier {
	k.mu.Lock()
	defer k.mu.Unlock()
	last := len(k.idle) - 1
	if last < 0 {
		return nil
	}
	c := k.idle[last]
	k.idle[last] = nil
	k.idle = k.idle[:last]
	c.state = carrierBusy
	return c
}

// put keeps a connection that has brought the answer to its packet.
func (k *carriers) put(c *carrier) {
	c.since = time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	c.state = carrierIdle
	k.idle = append(k.idle, c)
	if k.sweep == nil {
		k.sweep = time.AfterFunc(k.idleTimeout, k.closeIdle)
	}
}

// end closes a connection. It reports whether it has carried a packet.
func (k *carriers) end(c *carrier) (carried bool) {
	k.mu.Lock()
	carried = c.state == carrierBusy
	if c.state == carrierIdle {
		i := slices.Index(k.idle, c)
		k.idle = slices.Delete(k.idle, i, i+1)
	}
	c.state = carrierEnded
	k.mu.Unlock()
	c.conn.Close()
	return carried
}

// closeIdle closes what has been idle for too long, and looks again later as
// long as there is something left.
func (k *carriers) closeIdle() {
	now := time.Now()
	k.mu.Lock()
	n := 0
	for n < len(k.idle) && now.Sub(k.idle[n].since) >= k.idleTimeout {
		k.idle[n].state = carrierEnded
		n++
	}
	old := slices.Clone(k.idle[:n])
	k.idle = slices.Delete(k.idle, 0, n)
	if k.sweep = nil; len(k.idle) > 0 {
		k.sweep = time.AfterFunc(k.idleTimeout/2, k.closeIdle)
	}
	k.mu.Unlock()
	for _, c := range old {
		c.conn.Close()
	}
}

// stop is called when all connections have been closed.
func (k *carriers) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sweep != nil {
		k.sweep.Stop()
	}
}

// connect makes a connection, which is given up when a packet that waits for
// it is.
func (k *carriers) connect(due time.Time) (raw *connection, conn net.Conn, err error) {
	ctx, cancel := context.WithDeadline(k.s.ctx, due)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, k.dialTimeout)
	defer cancel()
	target := k.s.target
	if raw, err = k.dial(ctx, "tcp", canonicalHost(target)); err != nil {
		return nil, nil, err
	}
	if target.Scheme != "https" {
		return raw, raw, nil
	}
	config := &tls.Config{}
	if k.tls != nil {
		config = k.tls.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = target.Hostname()
	}
	config.NextProtos = []string{"http/1.1"}
	secure := tls.Client(raw, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, nil, err
	}
	return raw, secure, nil
}
