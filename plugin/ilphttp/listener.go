package ilphttp

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Listener stands between an http.Server and the connections it serves, and
// answers by itself, on the goroutine of the connection, requests that are as
// clients of this protocol send them:
//
//	web := ilphttp.NewHTTPServer(mux)
//	l := ilphttp.NewListener(inner, web, func(path string) (*ilphttp.Server, string) { … })
//	err := web.Serve(l)
//
// That is what it is for: the work of net/http for a request is several times
// that for a packet. A request that is anything else, in its form or in what
// there is to say to it (a refusal, say), goes to the http.Server as if there
// were no Listener, and so does what follows on that connection, a WebSocket
// and HTTP/2 included.
//
// The http.Server's ConnState is told of each connection when it comes, and
// when its first request has come (StateHijacked): from then on it is the
// Listener's, or a new one of the http.Server's. There are as many connections
// of the Listener's as LimitConnections says.
//
// All methods may be called concurrently.
type Listener struct {
	inner net.Listener
	find  func(path string) (*Server, string)
	state func(net.Conn, http.ConnState)
	tls   *tls.Config
	times times
	most  int // connections, see LimitConnections

	begin    sync.Once
	others   chan net.Conn // for the http.Server
	failures chan error    // of the inner listener
	done     chan struct{} // closed when closing is set
	closing  atomic.Bool

	mu      sync.Mutex
	conns   map[*directConn]struct{}
	running sync.WaitGroup // of connections, and accept
}

var _ net.Listener = (*Listener)(nil)

// times are the limits of a connection; 0 or less: none.
type times struct {
	handshake, head, idle time.Duration
}

// NewListener makes a Listener over inner for web, whose ReadHeaderTimeout and
// IdleTimeout are its own; for bodies and answers see Limits.BodyTimeout. With
// a web.TLSConfig connections are secured here; use Serve all the same, not
// ServeTLS.
//
// find gives the Server that web would have serve a path, and the account that
// the path names, if it names one; a nil Server: web serves it. It is called
// for each request, concurrently, and must not block. Requests to a Server
// with an AccountName of its own are left to web.
func NewListener(inner net.Listener, web *http.Server, find func(path string) (server *Server, account string)) *Listener {
	l := &Listener{
		inner: inner, find: find, state: web.ConnState, most: DefaultMaxConnections,
		times:  times{handshake: web.ReadHeaderTimeout, head: web.ReadHeaderTimeout, idle: web.IdleTimeout},
		others: make(chan net.Conn), failures: make(chan error), done: make(chan struct{}),
		conns: make(map[*directConn]struct{}),
	}
	for _, t := range []*time.Duration{&l.times.handshake, &l.times.head, &l.times.idle} {
		if *t == 0 { // as net/http does
			*t = web.ReadTimeout
		}
	}
	if l.state == nil {
		l.state = func(net.Conn, http.ConnState) {}
	}
	if web.TLSConfig != nil {
		l.tls = web.TLSConfig.Clone()
		if len(l.tls.NextProtos) == 0 {
			l.tls.NextProtos = []string{"h2", "http/1.1"}
			if web.Protocols != nil && !web.Protocols.HTTP2() {
				l.tls.NextProtos = l.tls.NextProtos[1:]
			}
		}
		web.TLSConfig = l.tls // so that web knows of HTTP/2
	}
	return l
}

// Addr is the address of the inner listener.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Accept gives a connection that is for the http.Server.
func (l *Listener) Accept() (net.Conn, error) {
	l.begin.Do(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.closing.Load() {
			l.running.Go(l.accept)
		}
	})
	select {
	case conn := <-l.others:
		return conn, nil
	case err := <-l.failures:
		return nil, err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// accept takes connections. Of an error the http.Server is told, which waits
// a while and asks again if it may pass: too many open files, say.
func (l *Listener) accept() {
	for {
		conn, err := l.inner.Accept()
		if err != nil {
			select {
			case l.failures <- err:
				continue
			case <-l.done:
				return
			}
		}
		l.enter(conn)
	}
}

// LimitConnections bounds the connections that the Listener answers itself, so
// that somebody who is known cannot use up all descriptors either. Past it, one
// that has been idle for a while is closed; when none is idle, the one that
// comes is. It is called before the Listener is used; without, there are at most
// DefaultMaxConnections.
func (l *Listener) LimitConnections(most int) { l.most = cmp.Or(max(most, 0), DefaultMaxConnections) }

// enter begins to serve a connection.
func (l *Listener) enter(conn net.Conn) {
	c := newDirectConn(l, conn)
	l.state(conn, http.StateNew)
	old, ok := l.add(c)
	if old != nil {
		old.retire()
	}
	if !ok {
		c.cut()
		l.state(conn, http.StateClosed)
	}
}

// add begins to serve c, unless the Listener is closed, or there are too many
// connections. It gives another one that has to go because of it.
func (l *Listener) add(c *directConn) (old *directConn, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing.Load() {
		return nil, false
	}
	if len(l.conns) >= l.most {
		if old = l.oldest(); old == nil {
			return nil, false
		}
		delete(l.conns, old)
	}
	l.conns[c] = struct{}{}
	l.running.Go(c.serve)
	return old, true
}

// lookAt is how many idle connections are looked at for one that may go.
const lookAt = 16

// oldest gives, of some connections, the one that has been idle for longest,
// or nil if none is idle. The caller holds mu.
func (l *Listener) oldest() (old *directConn) {
	n := 0
	for c := range l.conns { // in an order that nobody knows
		since := c.idleSince.Load()
		if since == 0 {
			continue
		}
		if old == nil || since < old.idleSince.Load() {
			old = c
		}
		if n++; n == lookAt {
			break
		}
	}
	return old
}

// leave is the end of what the Listener has to do with a connection.
func (l *Listener) leave(c *directConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// hand gives a connection to the http.Server.
func (l *Listener) hand(conn net.Conn) {
	if conn.SetDeadline(time.Time{}) != nil {
		conn.Close()
		return
	}
	select {
	case l.others <- conn:
	case <-l.done:
		conn.Close()
	}
}

// Close closes the inner listener, and the connections that are idle; the
// http.Server calls it when it shuts down. Requests that are being answered
// are the last ones of their connections: see Shutdown.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing.Swap(true) {
		return nil
	}
	close(l.done)
	for c := range l.conns {
		c.rouse()
	}
	return l.inner.Close()
}

// Shutdown closes the Listener and waits until its requests are answered. When
// ctx is done their connections are closed, and its error is returned once they
// have ended. Packets that were taken have their effect.
func (l *Listener) Shutdown(ctx context.Context) error {
	err := l.Close()
	ended := make(chan struct{})
	go func() {
		l.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	for c := range l.conns {
		c.cut()
	}
	l.mu.Unlock()
	<-ended
	return ctx.Err()
}
