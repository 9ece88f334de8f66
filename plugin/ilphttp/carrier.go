package ilphttp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// carrier is a connection that carries one packet at a time. Two have to do
// with a packet: whoever sends it writes the request, and the goroutine of the
// carrier reads the response. Whichever of them takes the packet from open
// says what has become of it: the one that writes, if the connection did not
// take the whole request, so that the server has no packet; the one that
// reads, if there is a response, or if there was a whole request and will be
// no response.
type carrier struct {
	k      *carriers
	raw    *connection // nil before run has connected
	conn   net.Conn    // raw, with TLS if there is any
	reader *bufio.Reader
	left   int64 // bytes that may still be read of a response

	state  carrierState // guarded by k.mu
	since  time.Time    // when it was used last
	reused bool

	// The packet. It is set while nobody else knows of it.
	ctx       context.Context // of whoever takes the answer
	responder plugin.Responder
	due       time.Time
	packet    []byte // encoded; its memory is kept
	out       []byte // the request; so is this
	open      atomic.Bool

	writing sync.Mutex // held while the request is written
	sent    bool       // guarded by writing: the connection has taken all of it

	fulfill ilp.Fulfill
	reject  ilp.Reject
}

type carrierState int

const (
	carrierIdle carrierState = iota
	carrierBusy
	carrierEnded
)

// maxInline is the longest request that is written by whoever sends the
// packet: what was written before has arrived, since it was answered, and a
// socket takes as much as this at once. If it does not, since its server answers
// what it has not read, the connection is at its end: nobody waits.
const maxInline = 4 << 10

var (
	errResponseTooLarge = errors.New("ilphttp: the response is too large")
	errInformational    = errors.New("ilphttp: too many informational responses")
)

// load makes the request of a packet.
func (c *carrier) load(ctx context.Context, p *ilp.Prepare, r plugin.Responder, due time.Time) error {
	s := c.k.s
	var err error
	if c.packet, err = p.AppendBinary(c.packet[:0]); err != nil {
		return fmt.Errorf("ilphttp: %w: %w", plugin.ErrNotSent, err)
	}
	headers, err := s.headers.get()
	if err != nil {
		return notSent(err)
	}
	b := append(append(c.out[:0], s.requestLine...), headers.lines...)
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(c.packet)), 10)
	c.out = append(append(b, "\r\n\r\n"...), c.packet...)
	c.ctx, c.responder, c.due = plugin.Detach(ctx), r, due
	c.open.Store(true)
	return nil
}

// run is the goroutine of the carrier: it connects, sends the packet that it
// was made for, and reads responses until the connection ends.
func (c *carrier) run() {
	s := c.k.s
	defer s.running.Done()
	var err error
	if c.raw, c.conn, err = c.k.connect(c.due); err != nil {
		c.open.Store(false)
		c.answer(nil, s.notSent(err))
		return
	}
	c.reader = bufio.NewReaderSize((*limitedConn)(c), directBuffer)
	c.left = c.k.maxResponse
	written := make(chan struct{})
	go func() { // a server may answer before it has read everything
		defer close(written)
		c.write()
	}()
	for c.read() {
	}
	<-written
}

// write sends the request. A packet that certainly did not leave is sent over
// another connection if this one has been in use before: the server may have
// closed it.
func (c *carrier) write() {
	sent, err := c.writeOut()
	if sent || !c.open.CompareAndSwap(true, false) {
		return
	}
	c.k.end(c)
	s := c.k.s
	if !c.reused || s.ctx.Err() != nil || !time.Now().Before(c.due) {
		c.answer(nil, s.notSent(err))
		return
	}
	again := &carrier{
		k: c.k, state: carrierBusy, ctx: c.ctx, responder: c.responder, due: c.due, out: c.out,
	}
	again.open.Store(true)
	s.running.Add(1) // it is above zero: this packet is counted
	go again.run()
}

// isQuick reports whether the request is written at once.
func (c *carrier) isQuick() bool { return c.raw.isBare() && len(c.out) <= maxInline }

// writeOut writes the request, and reports whether the connection has taken
// all of it.
func (c *carrier) writeOut() (bool, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.conn.SetReadDeadline(c.due); err != nil {
		return false, err
	}
	if c.isQuick() {
		c.raw.atOnce.Store(true)
		n, err := c.conn.Write(c.out)
		c.raw.atOnce.Store(false)
		c.sent = n == len(c.out)
		return c.sent, err
	}
	if err := c.conn.SetWriteDeadline(c.due); err != nil {
		return false, err
	}
	n, err := c.conn.Write(c.out)
	c.sent = n == len(c.out)
	_ = c.conn.SetWriteDeadline(time.Time{})
	return c.sent, err
}

// written ends the writing of a request that has a response, and reports
// whether the connection has taken all of it.
func (c *carrier) written() bool {
	if !c.writing.TryLock() {
		// The server did not wait for all of it; or it has it, and the goroutine
		// that wrote it is not yet back from there.
		_ = c.conn.SetWriteDeadline(time.Unix(1, 0))
		c.writing.Lock()
		_ = c.conn.SetWriteDeadline(time.Time{})
	}
	defer c.writing.Unlock()
	sent := c.sent
	c.sent = false // for the next one
	return sent
}

// read waits for a response and answers the packet with it. It reports whether
// another may come.
func (c *carrier) read() bool {
	_, err := c.reader.Peek(1)
	if err != nil {
		c.lose(err)
		return false
	}
	reply, again, err := c.response()
	c.left = c.k.maxResponse
	if errors.Is(err, errBroken) {
		c.lose(err)
		return false
	}
	if !c.open.CompareAndSwap(true, false) { // nobody has asked
		c.k.end(c)
		return false
	}
	if again = c.written() && again; !again {
		c.k.end(c)
	}
	c.deliver(reply, err, again)
	return again
}

// deliver answers the packet, and makes room for the next one first: whoever
// gets the answer may send it at once.
func (c *carrier) deliver(reply ilp.Reply, err error, again bool) {
	ctx, r, s := c.ctx, c.responder, c.k.s
	s.leave()
	if again {
		c.ctx, c.responder = nil, plugin.Responder{}
		c.k.put(c)
	}
	if err != nil {
		r.Fail(ctx, err)
	} else {
		r.Reply(ctx, reply)
	}
	c.fulfill, c.reject = ilp.Fulfill{}, ilp.Reject{}
	s.running.Done()
}

// answer is deliver for a packet whose connection is not used again.
func (c *carrier) answer(reply ilp.Reply, err error) { c.deliver(reply, err, false) }

// lose is the end of the connection, before a response.
func (c *carrier) lose(err error) {
	if !c.k.end(c) {
		return
	}
	c.writing.Lock() // until the request is written, or not
	sent := c.sent
	c.writing.Unlock()
	if !sent || !c.open.CompareAndSwap(true, false) {
		return // whoever writes it says so
	}
	c.answer(nil, c.k.s.lost(err))
}

// errBroken is wrapped by errors about what is no response.
var errBroken = errors.New("ilphttp: reading the response")

// response reads a response. again says whether the connection can be used
// once more. An error that does not wrap errBroken is what the response means.
func (c *carrier) response() (reply ilp.Reply, again bool, err error) {
	var h responseHead
	for {
		b, _ := c.reader.Peek(c.reader.Buffered()) // what is there
		v := h.parse(b)
		if v == headPlain && h.length <= c.k.s.limits.MaxBody {
			return c.plain(&h)
		}
		if v != headShort || len(b) == directBuffer {
			return c.other()
		}
		if _, err := c.reader.Peek(len(b) + 1); err != nil {
			return nil, false, fmt.Errorf("%w: %w", errBroken, err)
		}
	}
}

// plain reads the packet after a plain head.
func (c *carrier) plain(h *responseHead) (ilp.Reply, bool, error) {
	_, _ = c.reader.Discard(h.size) // it is there
	packet := make([]byte, h.length)
	if _, err := io.ReadFull(c.reader, packet); err != nil {
		return nil, false, fmt.Errorf("%w: %w", errBroken, err)
	}
	// What a server has sent beyond its response is no answer to anything.
	again := !h.last && c.reader.Buffered() == 0
	reply, err := ilp.DecodeReply(packet, &c.fulfill, &c.reject)
	if err != nil {
		return nil, again, c.k.s.unreadable(err)
	}
	return reply, again, nil
}

// other has net/http read a response that is not plain.
func (c *carrier) other() (ilp.Reply, bool, error) {
	for range 5 {
		resp, err := http.ReadResponse(c.reader, c.k.s.request)
		if err != nil {
			return nil, false, fmt.Errorf("%w: %w", errBroken, err)
		}
		if resp.StatusCode >= 200 {
			reply, err := c.k.s.readReply(resp, &c.fulfill, &c.reject)
			_, rest := resp.Body.Read(make([]byte, 1))
			resp.Body.Close()
			return reply, rest == io.EOF && !resp.Close && c.reader.Buffered() == 0, err
		}
	}
	return nil, false, fmt.Errorf("%w: %w", errBroken, errInformational)
}

// limitedConn reads what may be read of a response.
type limitedConn carrier

func (l *limitedConn) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errResponseTooLarge
	}
	n, err := l.conn.Read(p)
	l.left -= int64(n)
	return n, err
}

// responseHead is the head of a response with a packet.
type responseHead struct {
	length, size int
	last         bool // the server closes the connection
}

var okLine = []byte("HTTP/1.1 200 ")

// parse reads a head that says 200, with one Content-Length, and nothing else
// about where the response ends. All else is headOther.
func (h *responseHead) parse(b []byte) verdict {
	*h = responseHead{}
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return headShort
	}
	h.size = end + len(headEnd)
	line, rest, _ := bytes.Cut(b[:end+len(crlf)], crlf)
	if !bytes.HasPrefix(line, okLine) || !all(line, isValueByte) {
		return headOther
	}
	lengths := 0
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, crlf)
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !all(line[:colon], isNameByte) || !all(line[colon:], isValueByte) {
			return headOther
		}
		name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
		ok := true
		switch {
		case is(name, "content-length"):
			lengths++
			h.length, ok = decimal(value)
		case is(name, "connection"):
			h.last = h.last || is(value, "close")
			ok = h.last || is(value, "keep-alive")
		case is(name, "transfer-encoding"), is(name, "content-encoding"), is(name, "trailer"), is(name, "upgrade"):
			ok = false
		}
		if !ok {
			return headOther
		}
	}
	if lengths != 1 {
		return headOther
	}
	return headPlain
}
