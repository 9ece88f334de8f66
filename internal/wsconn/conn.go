package wsconn

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is one WebSocket connection.
//
// One goroutine at a time may call ReadMessage and SetReadLimit; all other
// methods may be called concurrently. The caller must go on calling
// ReadMessage until it fails: that is what answers pings and what takes part
// in the closing handshake. And it must call Close, whatever else happened.
type Conn struct {
	conn   net.Conn
	client bool
	opts   Options // no zero values

	// For calls that do not wait; nil where the net.Conn has none.
	raw       syscall.RawConn
	readOnce  func(fd uintptr) bool // bound once, so that no call allocates
	writeOnce func(fd uintptr) bool

	// Of the goroutine that reads.
	limit    int    // on the length of a message
	joined   []byte // the fragments so far of a message in several frames
	partial  bool   // between the first and the last fragment
	pong     []byte // payload of the last ping, not answered yet
	pinged   bool   // whether there is one
	readErr  error  // what ReadMessage failed with, for good
	rn       int    // results of readOnce
	rerr     error
	received atomic.Uint64 // bytes

	// The slab is the reader's, and while waiting is set, which happens
	// between two calls of readOnce, whoever holds waitMu may drop it.
	in      slab
	waitMu  sync.Mutex
	waiting bool

	mu sync.Mutex // guards what follows
	writer
	cause    error // why the connection ended; nil while it has not
	stopping bool  // Close was called: no goroutine or timer starts any more
	timer    *time.Timer
	pulse    pulse

	background sync.WaitGroup // the flusher, and the timer while it is set
}

// New makes a connection on top of conn, which has been through the handshake
// and now belongs to the Conn. client says which side this is: a client masks
// what it sends.
func New(conn net.Conn, client bool, o Options) *Conn {
	return newConn(conn, client, o, nil)
}

// newConn is New with bytes that were read behind the handshake.
func newConn(conn net.Conn, client bool, o Options, rest []byte) *Conn {
	o = o.withDefaults()
	c := &Conn{conn: conn, client: client, opts: o, limit: o.MaxMessage}
	c.in = slab{size: minSlab, max: maxStreamSlab}
	if raw := rawConn(conn); raw != nil {
		c.raw, c.readOnce, c.writeOnce = raw, c.readNow, c.writeNow
		c.in.max = maxSlab
	}
	if len(rest) > 0 {
		c.in.reserve(len(rest))
		c.in.filled(copy(c.in.room(), rest))
	}
	c.mu.Lock()
	c.armTimer(c.tickInterval())
	c.mu.Unlock()
	return c
}

// rawConn gives the descriptor of conn if that is a socket of the kernel's
// whose bytes are the stream itself. Types that merely embed one may count,
// limit or encrypt what passes, so they do not qualify.
func rawConn(conn net.Conn) syscall.RawConn {
	if !canNonblock {
		return nil
	}
	var raw syscall.RawConn
	switch s := conn.(type) {
	case *net.TCPConn:
		raw, _ = s.SyscallConn()
	case *net.UnixConn:
		raw, _ = s.SyscallConn()
	}
	return raw
}

// RemoteAddr is the address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// SetReadDeadline makes ReadMessage fail at t, for good, with an error that
// wraps os.ErrDeadlineExceeded. The zero time is no deadline. After Shutdown,
// which sets one of its own, it has no effect.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return nil
	}
	return c.conn.SetReadDeadline(t)
}

// SetReadLimit replaces Options.MaxMessage, for messages whose frames have
// not been parsed yet.
func (c *Conn) SetReadLimit(n int) { c.limit = n }

// Err is why the connection ended on this side, or nil while it has not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// fail ends the connection with cause, unless it has ended before. It does
// not wait for anybody.
func (c *Conn) fail(cause error) {
	c.mu.Lock()
	first := c.cause == nil
	if first {
		c.cause = cause
		c.discard()
	}
	c.mu.Unlock()
	if !first {
		return
	}
	// Closing a TLS connection writes an alert, and waits for a peer that
	// does not read.
	if t, ok := c.conn.(*tls.Conn); ok {
		t.NetConn().Close()
		return
	}
	c.conn.Close()
}

// Abort ends the connection because of cause, without a closing handshake, and
// does not wait: ReadMessage fails with cause. Close is still to be called.
func (c *Conn) Abort(cause error) { c.fail(cause) }

// Close ends the connection and waits for the goroutines of the Conn. A Close
// frame that is on its way (see Shutdown) is given CloseTimeout to leave.
// Close is idempotent; it always returns nil.
func (c *Conn) Close() error {
	c.mu.Lock()
	if !c.stopping {
		c.stopping = true
		if c.timer.Stop() {
			c.background.Done()
		}
	}
	c.mu.Unlock()
	c.awaitCloseFrame()
	c.fail(errClosed)
	c.background.Wait()
	return nil
}
