package wsconn

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gobwas/ws"
)

// ReadMessage returns the next binary message. It is never written to again,
// by anybody, and keeping it keeps the slab that it lies in.
//
// An error is final: a *CloseError when the peer closed, a *ViolationError
// when it broke the protocol, an error that wraps io.EOF when it is gone,
// otherwise what ended the connection on this side.
func (c *Conn) ReadMessage() ([]byte, error) {
	for c.readErr == nil {
		h, size := parseHeader(c.in.unread())
		if size == 0 {
			c.fill(maxHeader)
			continue
		}
		if fault := c.check(h); fault != nil {
			c.violate(fault)
			break
		}
		if size+int(h.Length) > len(c.in.unread()) {
			c.fill(size + int(h.Length))
			continue
		}
		payload := c.in.take(size + int(h.Length))[size:]
		if h.Masked {
			ws.Cipher(payload, h.Mask, 0)
		}
		if h.OpCode.IsControl() {
			c.control(h.OpCode, payload)
			continue
		}
		if message, whole := c.join(h, payload); whole && !c.closed.Load() {
			return message, nil
		}
	}
	return nil, c.readErr
}

// check finds what is wrong with a frame before its payload is waited for.
func (c *Conn) check(h ws.Header) *ViolationError {
	state := ws.StateServerSide
	if c.client {
		state = ws.StateClientSide
	}
	if c.partial {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return &ViolationError{CodeProtocolError, err.Error()}
	}
	switch {
	case h.Length < 0:
		return &ViolationError{CodeProtocolError, "length of more than 63 bits"}
	case h.OpCode == ws.OpText:
		return &ViolationError{CodeUnsupported, "text message"}
	case h.OpCode.IsData() && h.Length > int64(c.limit-len(c.joined)):
		return &ViolationError{CodeTooBig, fmt.Sprintf("message longer than %d bytes", c.limit)}
	}
	return nil
}

// join adds the payload of a data frame to its message. The common message,
// of one frame, stays where it is.
func (c *Conn) join(h ws.Header, payload []byte) (message []byte, whole bool) {
	if h.Fin && !c.partial {
		return payload, true
	}
	c.joined = append(c.joined, payload...)
	c.partial = !h.Fin
	if c.partial {
		return nil, false
	}
	message, c.joined = c.joined, nil
	return message, true
}

// control handles a control frame.
func (c *Conn) control(op ws.OpCode, payload []byte) {
	switch op {
	case ws.OpPing:
		// Only the last of several pings has to be answered (RFC 6455, 5.5.3),
		// which is done before the next read: a flood of them costs little.
		c.pong, c.pinged = payload, true
	case ws.OpClose:
		c.closedByPeer(payload)
	}
}

// fill reads once, after it has done what must be done before a wait. need is
// the length of the frame that is not there yet.
func (c *Conn) fill(need int) {
	if c.pinged {
		c.writeControl(ws.OpPong, c.pong)
		c.pong, c.pinged = nil, false
	}
	if c.opts.OnIdle != nil {
		c.opts.OnIdle()
	}
	c.in.reserve(need)
	n, err := c.read()
	if n > 0 {
		c.in.filled(n)
		c.received.Add(uint64(n))
		return // an error will come again
	}
	if err != nil {
		c.readErr = c.explain(err)
	}
}

// read puts bytes into the slab's room. It waits until there are some.
func (c *Conn) read() (int, error) {
	if c.raw == nil {
		return c.conn.Read(c.in.room())
	}
	c.rn, c.rerr = 0, nil
	if err := c.raw.Read(c.readOnce); err != nil {
		c.endWait() // it was interrupted
		return 0, err
	}
	return c.rn, c.rerr
}

// beginWait allows others to drop the slab.
func (c *Conn) beginWait() {
	c.waitMu.Lock()
	c.waiting = true
	c.waitMu.Unlock()
}

// endWait takes the slab back.
func (c *Conn) endWait() {
	if !c.waiting { // only this goroutine changes it
		return
	}
	c.waitMu.Lock()
	c.waiting = false
	c.waitMu.Unlock()
	if c.in.buf == nil {
		c.in.reserve(maxHeader)
	}
}

// dropIdleSlab lets go of the slab of a reader that waits.
func (c *Conn) dropIdleSlab() {
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	if c.waiting {
		c.in.drop()
	}
}

// explain gives the error of a failed read its cause.
func (c *Conn) explain(err error) error {
	if cause := c.Err(); cause != nil {
		return cause
	}
	switch {
	case errors.Is(err, io.EOF) && (len(c.in.unread()) > 0 || c.partial):
		return fmt.Errorf("websocket: connection lost in the middle of a message: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, net.ErrClosed):
		return errClosed
	}
	return fmt.Errorf("websocket: connection lost: %w", err)
}

// closeDeadline bounds a closing handshake that begins now.
func (c *Conn) closeDeadline() time.Time { return time.Now().Add(c.opts.CloseTimeout) }
