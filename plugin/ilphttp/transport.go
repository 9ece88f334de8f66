package ilphttp

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// streamsPerConnection is how many requests an HTTP/2 connection is taken to
// carry at once: most servers allow 100 or more.
const streamsPerConnection = 100

// transport is how the requests of a sender travel. The two versions of HTTP
// want different numbers of connections, and which one it is going to be is
// not known before the first: HTTP/2 shares a few, and a thousand packets
// that come at once must not begin a thousand handshakes; HTTP/1.1 has one for
// each request.
//
// Packets that go to one URL and are answered in the response travel over
// HTTP/1.1 by carriers; everything else by net/http.
type transport struct {
	negotiating *http.Transport // either version; nil: HTTP/1.1 was asked for
	http1       *http.Transport
	carriers    carriers
	old         atomic.Bool // the server has chosen HTTP/1.1, or there is no choice
	conns       connections
}

func (t *transport) init(s *sender, secure bool) {
	o := &s.options
	known := t.conns.dialer(o.dialer())
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := known(ctx, network, addr)
		if err != nil {
			return nil, err // no *connection that is nil
		}
		return c, nil
	}
	t.carriers = carriers{
		s: s, dial: known, tls: o.TLS, dialTimeout: o.DialTimeout, idleTimeout: o.IdleTimeout,
		maxResponse: int64(maxHeaderBytes + s.limits.MaxBody + maxPassedOver),
	}
	t.http1 = newTransport(o, dial, s.limits.MaxInFlight, false)
	if secure && !o.HTTP1 {
		t.negotiating = newTransport(o, dial, s.limits.MaxInFlight/streamsPerConnection+2, true)
	} else {
		t.old.Store(true)
	}
}

// newTransport makes a transport with at most so many connections to a host.
// It asks no proxy of the environment, follows nothing, and unpacks nothing.
func newTransport(o *ClientOptions, dial dialFunc, connections int, http2 bool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(http2)
	t := &http.Transport{
		DialContext:            dial,
		TLSHandshakeTimeout:    o.DialTimeout,
		MaxConnsPerHost:        connections,
		MaxIdleConns:           connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        o.IdleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
		Protocols:              protocols,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	if o.TLS != nil {
		t.TLSClientConfig = o.TLS.Clone()
	}
	return t
}

// roundTrip sends a request. It is never sent a second time, but for one that
// the http.Transport knows not to have been sent: see trip.nextBody.
func (t *transport) roundTrip(req *http.Request) (*http.Response, error) {
	if t.old.Load() {
		return t.http1.RoundTrip(req)
	}
	resp, err := t.negotiating.RoundTrip(req)
	if err == nil && resp.ProtoMajor < 2 {
		t.old.Store(true)
	}
	return resp, err
}

// close closes all connections, and so ends all requests. No new ones are made.
func (t *transport) close() {
	t.conns.close()
	t.carriers.stop()
	t.http1.CloseIdleConnections()
	if t.negotiating != nil {
		t.negotiating.CloseIdleConnections()
	}
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// connections are those that a transport has open. It keeps no list that could
// be asked, and its idle ones are not all.
type connections struct {
	mu     sync.Mutex
	open   map[*connection]struct{}
	closed bool
}

type connection struct {
	net.Conn
	of     *connections
	socket *socket // nil: it is none of the system's
	// atOnce has writes fail that would have to wait. They are made by one
	// goroutine at a time.
	atOnce atomic.Bool
}

func (c *connection) Write(p []byte) (int, error) {
	if c.atOnce.Load() {
		return c.socket.write(p)
	}
	return c.Conn.Write(p)
}

// isBare reports whether writes can be at once.
func (c *connection) isBare() bool { return c.socket != nil && c.socket.isBare() }

// isAlive reports whether a packet may be sent after a while without use.
func (c *connection) isAlive() bool { return c.socket == nil || c.socket.isAlive() }

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// dialer gives dial, with connections that are known.
func (s *connections) dialer(dial dialFunc) func(ctx context.Context, network, addr string) (*connection, error) {
	return func(ctx context.Context, network, addr string) (*connection, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c := &connection{Conn: conn, of: s, socket: newSocket(conn)}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			conn.Close()
			return nil, net.ErrClosed
		}
		if s.open == nil {
			s.open = make(map[*connection]struct{})
		}
		s.open[c] = struct{}{}
		return c, nil
	}
}

// close closes all.
func (s *connections) close() {
	s.mu.Lock()
	s.closed = true
	open := s.open
	s.open = nil
	s.mu.Unlock()
	for c := range open {
		c.Conn.Close()
	}
}
