package ilphttp

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// http1 is a client of HTTP/1.1 for small requests: one write for each, on the
// goroutine that makes it, which then reads the response. Responses are parsed
// by net/http. An http.Transport has two goroutines for each connection, and
// its work for a packet is three times as much.
//
// It makes no more connections than there are requests at once, and uses the
// one again that was in use last.
type http1 struct {
	dial        dialFunc
	tls         *tls.Config // for https; nil means the zero configuration
	dialTimeout time.Duration
	idleTimeout time.Duration
	maxResponse int64 // bytes, the headers included

	mu    sync.Mutex
	idle  map[string][]*http1Conn // by scheme and host; the newest last
	sweep *time.Timer             // closes those that are idle for too long; nil while there are none
}

// http1Conn is one connection. It is used by one request at a time.
type http1Conn struct {
	net.Conn          // with TLS, if there is any
	raw      net.Conn // without
	key      string
	since    time.Time // when it was used last
	reused   bool
	left     int64 // bytes that may still be read of this response
	reader   *bufio.Reader
	out      []byte
}

var (
	_ http.RoundTripper = (*http1)(nil)

	errResponseTooLarge = errors.New("ilphttp: the response is too large")
	errInformational    = errors.New("ilphttp: too many informational responses")
)

// RoundTrip sends a request and reads the head of the response. The deadline of
// the request's context holds up to the end of the body; nothing else of the
// context ends a request that is being sent.
//
// When a connection does not take the whole request, nothing was taken by the
// server, and where it had been in use before, another one is tried.
func (c *http1) RoundTrip(req *http.Request) (*http.Response, error) {
	for {
		conn, err := c.connect(req)
		if err != nil {
			req.Body.Close()
			return nil, err
		}
		sent, err := conn.send(req)
		if err == nil {
			return c.receive(req, conn)
		}
		conn.Close()
		if !sent {
			// Says that the attempt before has certainly failed.
			if req.Body, _ = req.GetBody(); !conn.reused || req.Context().Err() != nil {
				req.Body.Close()
				return nil, err
			}
			continue
		}
		return nil, err
	}
}

// connect gives a connection for a request: an idle one, or a new one.
func (c *http1) connect(req *http.Request) (*http1Conn, error) {
	key := req.URL.Scheme + "://" + req.URL.Host
	deadline, _ := req.Context().Deadline() // zero: none
	for conn := c.take(key); conn != nil; conn = c.take(key) {
		if time.Since(conn.since) < c.idleTimeout && isAlive(conn.raw) && conn.SetDeadline(deadline) == nil {
			conn.reused = true
			return conn, nil
		}
		conn.Close()
	}
	ctx, cancel := context.WithTimeout(req.Context(), c.dialTimeout)
	defer cancel()
	raw, err := c.dial(ctx, "tcp", canonicalHost(req.URL))
	if err != nil {
		return nil, err
	}
	conn := &http1Conn{Conn: raw, raw: raw, key: key}
	conn.reader = bufio.NewReader(conn.limited())
	if req.URL.Scheme == "https" {
		if conn.Conn, err = c.handshake(ctx, raw, req.URL.Hostname()); err != nil {
			raw.Close()
			return nil, err
		}
	}
	if err := conn.SetDeadline(deadline); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (c *http1) handshake(ctx context.Context, raw net.Conn, host string) (net.Conn, error) {
	config := &tls.Config{}
	if c.tls != nil {
		config = c.tls.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	config.NextProtos = []string{"http/1.1"}
	secure := tls.Client(raw, config)
	return secure, secure.HandshakeContext(ctx)
}

// take gives the connection that was used last, or nil.
func (c *http1) take(key string) *http1Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.idle[key]
	if len(all) == 0 {
		return nil
	}
	last := len(all) - 1
	conn := all[last]
	all[last] = nil
	c.idle[key] = all[:last]
	return conn
}

// put keeps a connection whose response has been read to its end.
func (c *http1) put(conn *http1Conn) {
	conn.since = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle == nil {
		c.idle = make(map[string][]*http1Conn)
	}
	c.idle[conn.key] = append(c.idle[conn.key], conn)
	if c.sweep == nil {
		c.sweep = time.AfterFunc(c.idleTimeout, c.closeIdle)
	}
}

// closeIdle closes what has been idle for too long, and looks again later as
// long as there is something left.
func (c *http1) closeIdle() {
	now := time.Now()
	var old []*http1Conn
	c.mu.Lock()
	for key, all := range c.idle {
		n := 0
		for n < len(all) && now.Sub(all[n].since) >= c.idleTimeout {
			n++
		}
		old = append(old, all[:n]...)
		if c.idle[key] = slices.Clone(all[n:]); n == len(all) {
			delete(c.idle, key)
		}
	}
	if c.sweep = nil; len(c.idle) > 0 {
		c.sweep = time.AfterFunc(c.idleTimeout/2, c.closeIdle)
	}
	c.mu.Unlock()
	for _, conn := range old {
		conn.Close()
	}
}

// stop is called when all connections have been closed.
func (c *http1) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sweep != nil {
		c.sweep.Stop()
	}
}

// send writes a request in one piece. After an error, sent reports whether all
// of it was written.
func (conn *http1Conn) send(req *http.Request) (sent bool, err error) {
	defer req.Body.Close()
	b := append(conn.out[:0], "POST "...)
	b = append(b, req.URL.RequestURI()...)
	b = append(append(b, " HTTP/1.1\r\nHost: "...), req.URL.Host...)
	b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), req.ContentLength, 10)
	for name, values := range req.Header {
		for _, value := range values {
			b = append(append(append(append(b, "\r\n"...), name...), ": "...), value...)
		}
	}
	b = append(b, "\r\n\r\n"...)
	start := len(b)
	b = append(b, make([]byte, req.ContentLength)...)
	conn.out = b
	if _, err := io.ReadFull(req.Body, b[start:]); err != nil {
		return false, err
	}
	n, err := conn.Write(b)
	return n == len(b), err
}

// receive reads the head of the response.
func (c *http1) receive(req *http.Request, conn *http1Conn) (*http.Response, error) {
	conn.left = c.maxResponse
	for range 5 {
		resp, err := http.ReadResponse(conn.reader, req)
		if err != nil {
			conn.Close()
			return nil, fmt.Errorf("ilphttp: reading the response: %w", err)
		}
		if resp.StatusCode >= 200 {
			resp.Body = &http1Body{body: resp.Body, client: c, conn: conn, last: resp.Close}
			return resp, nil
		}
	}
	conn.Close()
	return nil, errInformational
}

// limited reads what may be read of a response.
func (conn *http1Conn) limited() io.Reader { return (*limitedConn)(conn) }

type limitedConn http1Conn

func (l *limitedConn) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errResponseTooLarge
	}
	n, err := l.Conn.Read(p)
	l.left -= int64(n)
	return n, err
}

// http1Body is the body of a response. Its Close decides what becomes of the
// connection.
type http1Body struct {
	body   io.ReadCloser
	client *http1
	conn   *http1Conn // nil after Close
	last   bool       // the server closes the connection
	ended  bool
}

func (b *http1Body) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

func (b *http1Body) Close() error {
	conn := b.conn
	if b.conn = nil; conn == nil {
		return nil
	}
	// What a server has sent beyond its response is no answer to anything.
	if b.ended && !b.last && conn.reader.Buffered() == 0 {
		b.client.put(conn)
		return nil
	}
	return conn.Close()
}
