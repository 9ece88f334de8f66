package ilphttp

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/internal/replay"
)

// directBuffer is how much of a connection is read at once. A plain head is
// not longer, and most packets come with it.
const directBuffer = 4 << 10

// directConn is a connection that a Listener serves, on a goroutine of its
// own: one request after the other, of which each is read whole, handed to its
// account, and answered in one write.
//
// Deadlines are moved on when half of their time is over, not for each
// request: they bound a time, and do not measure it.
type directConn struct {
	l    *Listener
	raw  net.Conn
	conn net.Conn // with TLS, if there is any
	// idleSince is when it began to wait for a request, in seconds since 1970;
	// 0 while there is one.
	idleSince atomic.Int64
	ending    atomic.Bool

	told        bool // what tell says
	buf         []byte
	begin, end  int // of what was read and not used, in buf
	out         []byte
	patience    time.Duration // with who reads the response
	readBy      time.Time     // the deadlines that are set; zero: none
	writeBy     time.Time
	date        []byte // as of second
	second      int64
	path, token string // of the last request, so that the same again takes no memory
	certificate certificate
}

func newDirectConn(l *Listener, conn net.Conn) *directConn {
	c := &directConn{l: l, raw: conn, conn: conn}
	c.idleSince.Store(time.Now().Unix())
	return c
}

// retire closes the connection as soon as it has no request: one that comes at
// this moment is answered.
func (c *directConn) retire() {
	c.ending.Store(true)
	c.rouse()
}

// ends reports whether there is to be no further request.
func (c *directConn) ends() bool { return c.ending.Load() || c.l.closing.Load() }

// rouse ends the wait for a request.
func (c *directConn) rouse() {
	if c.idleSince.Load() != 0 {
		_ = c.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// cut closes the connection without a word of TLS, for which a client that
// does not read would have us wait.
func (c *directConn) cut() { c.raw.Close() }

// serve is the goroutine of the connection.
func (c *directConn) serve() {
	if c.l.tls != nil && !c.handshake() {
		return
	}
	c.buf = make([]byte, directBuffer)
	for {
		var h head
		v := c.next(&h)
		if v == headShort {
			c.close()
			return
		}
		c.tell(http.StateHijacked)
		var id *identity
		if v == headPlain {
			id = c.identify(&h)
		}
		if id == nil {
			c.handOver(replay.New(c.conn, c.buf[c.begin:c.end]))
			return
		}
		if !c.exchange(id, &h) {
			c.close()
			return
		}
	}
}

func (c *directConn) close() {
	c.conn.Close()
	c.l.leave(c)
	c.tell(http.StateClosed)
}

// tell says once what has become of a new connection.
func (c *directConn) tell(state http.ConnState) {
	if !c.told {
		c.told = true
		c.l.state(c.raw, state)
	}
}

// handOver gives the connection to the http.Server, for which it is a new one.
func (c *directConn) handOver(conn net.Conn) {
	c.l.leave(c)
	c.tell(http.StateHijacked)
	c.l.hand(conn)
}

// handshake begins TLS. It reports false if there is nothing more to do here:
// the connection is closed, or the client has chosen HTTP/2.
func (c *directConn) handshake() bool {
	secure := tls.Server(c.conn, c.l.tls)
	c.conn = secure
	ctx := context.Background()
	if c.l.times.handshake > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.l.times.handshake)
		defer cancel()
	}
	if secure.HandshakeContext(ctx) != nil {
		c.close()
		return false
	}
	state := secure.ConnectionState()
	if c.certificate.state = &state; state.NegotiatedProtocol == "h2" {
		c.handOver(secure)
		return false
	}
	return true
}

// next waits for the head of a request. headShort says that there is none
// any more.
func (c *directConn) next(h *head) verdict {
	if c.second != 0 {
		c.idleSince.Store(c.second) // of the last response
	}
	for begun := false; ; {
		if c.end > c.begin {
			if v := h.parse(c.buf[c.begin:c.end]); v != headShort {
				c.idleSince.Store(0)
				return v
			}
			if !c.room() {
				return headOther
			}
		}
		ok := true
		switch {
		case c.end == c.begin:
			c.begin, c.end = 0, 0
			ok = c.deadline(&c.readBy, c.l.times.idle, c.conn.SetReadDeadline)
		case !begun: // from now on it has this time to come whole
			begun, c.readBy = true, time.Time{}
			ok = c.l.times.head <= 0 || c.conn.SetReadDeadline(time.Now().Add(c.l.times.head)) == nil
		}
		if !ok || c.ends() {
			return headShort
		}
		n, err := c.conn.Read(c.buf[c.end:])
		if c.end += n; n == 0 && err != nil {
			return headShort
		}
	}
}

// room makes room for more of a head. It reports whether there is any.
func (c *directConn) room() bool {
	if c.begin > 0 {
		c.end = copy(c.buf, c.buf[c.begin:c.end])
		c.begin = 0
	}
	return c.end < len(c.buf)
}

// deadline sees to it that a deadline is set: by is when it is, and is moved
// on to the limit from now when half of that is over.
func (c *directConn) deadline(by *time.Time, limit time.Duration, set func(time.Time) error) bool {
	if limit <= 0 {
		return true
	}
	now := time.Now()
	if left := by.Sub(now); left >= limit/2 && left <= limit {
		return true
	}
	*by = now.Add(limit)
	return set(*by) == nil
}

// identify gives whose request it is, if a packet of that length is to be
// taken from it.
func (c *directConn) identify(h *head) *identity {
	if string(h.path) != c.path {
		c.path = string(h.path)
	}
	srv, account := c.l.find(c.path)
	if srv == nil || srv.named || h.length > srv.limits.MaxBody {
		return nil
	}
	if len(h.authorization) == 0 {
		return srv.registry.byCertificate(&c.certificate, account)
	}
	if string(h.authorization) != c.token {
		c.token = string(h.authorization)
	}
	return srv.registry.byAuthorization(c.token, account, &c.certificate)
}

// exchange takes the packet of a request and answers it. It reports whether
// the connection goes on.
func (c *directConn) exchange(id *identity, h *head) bool {
	c.patience = id.peer.limits.BodyTimeout
	packet := make([]byte, h.length)
	n := copy(packet, c.buf[c.begin+h.size:c.end])
	c.begin += h.size + n
	if n < len(packet) {
		if err := c.readBody(id.peer, packet[n:]); err != nil {
			status, err := unread(err)
			c.refuse(status, err, true)
			return false
		}
	}
	answer, status, err := id.peer.exchange(context.Background(), id, packet, nil)
	if err != nil {
		return c.refuse(status, err, false)
	}
	defer id.peer.waiters.put(answer)
	if !id.peer.beginAnswering() { // so many that it does not read
		return false
	}
	defer id.peer.endAnswering()
	c.respond(http.StatusOK, packetHeader, len(answer.packet), false)
	c.out = append(c.out, answer.packet...)
	return c.write()
}

// readBody reads what has not come with the head.
func (c *directConn) readBody(p *Peer, rest []byte) error {
	if !p.beginReading() {
		return errReading
	}
	defer p.endReading()
	c.readBy = time.Time{}
	if err := c.conn.SetReadDeadline(time.Now().Add(p.limits.BodyTimeout)); err != nil {
		return err
	}
	_, err := io.ReadFull(c.conn, rest)
	return err
}

// What stands in the header of a response, with a packet and, as http.Error
// has it, without.
const (
	packetHeader  = "Content-Type: " + mediaType
	refusalHeader = "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff"
)

// refuse answers with a status that brings no packet, as refuse does for
// net/http. last says that the connection ends.
func (c *directConn) refuse(status int, err error, last bool) bool {
	text := err.Error() + "\n"
	c.respond(status, refusalHeader, len(text), last)
	c.out = append(c.out, text...)
	return c.write()
}

// respond begins a response.
func (c *directConn) respond(status int, header string, length int, last bool) {
	now := time.Now()
	if second := now.Unix(); second != c.second || c.date == nil {
		c.second, c.date = second, now.UTC().AppendFormat(c.date[:0], http.TimeFormat)
	}
	b := append(c.out[:0], "HTTP/1.1 "...)
	b = append(append(strconv.AppendInt(b, int64(status), 10), ' '), http.StatusText(status)...)
	b = append(append(b, crlf...), header...)
	b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), int64(length), 10)
	b = append(append(b, "\r\nDate: "...), c.date...)
	if last || c.ends() {
		b = append(b, "\r\nConnection: close"...)
	}
	c.out = append(b, headEnd...)
}

// write sends a response. It reports whether the connection goes on.
func (c *directConn) write() bool {
	if !c.deadline(&c.writeBy, c.patience, c.conn.SetWriteDeadline) {
		return false
	}
	_, err := c.conn.Write(c.out)
	return err == nil && !c.ends()
}
