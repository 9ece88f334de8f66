package wsconn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

const (
	minBuffer = 512
	// keepBuffer is the largest buffer that is used again; together with the
	// timer, which lets go of buffers that are not used, it bounds what a
	// connection keeps.
	keepBuffer = 256 << 10
	// maxInline bounds how often one call of Flush writes what other
	// goroutines have added meanwhile.
	maxInline = 8
	// chunkSize is what the flusher writes under one deadline, so that
	// WriteTimeout is about a peer that takes nothing, not about a slow one.
	chunkSize = 64 << 10
)

// writer is the writing half of a Conn, guarded by its mutex.
type writer struct {
	out   []byte // whole frames that wait, and between Begin and End a begun one
	spare []byte // a buffer to change with; nil while it is being written
	start int    // of the begun frame's header in out
	body  int    // of its payload
	want  int    // length of its payload
	mask  [4]byte

	writing  bool        // somebody writes: others append and leave
	again    bool        // and were asked to be written
	inflight int         // bytes that the flusher has taken and not written
	closed   atomic.Bool // a Close frame is in out or gone: nothing may follow it; set under the mutex

	frames, calls uint64 // frames appended, writes made

	// Of whoever writes.
	chunk []byte
	wn    int // results of writeOnce
	werr  error
}

// Begin starts a message of exactly n bytes. It locks the writing half, and
// returns an empty slice with room for n bytes, to which the caller appends
// the message without delay; End or Cancel unlocks.
//
// The error is ErrBacklog when too much waits already, or, when nothing can
// be sent any more, one that wraps net.ErrClosed or says what ended the
// connection. Nothing is locked then.
func (c *Conn) Begin(n int) ([]byte, error) { return c.BeginBelow(n, c.opts.MaxPending) }

// BeginBelow is Begin for a message that is not to fill more than limit bytes
// of those that may wait, so that there is room left for others.
func (c *Conn) BeginBelow(n, limit int) ([]byte, error) {
	c.mu.Lock()
	switch {
	case c.cause != nil:
		err := c.cause
		c.mu.Unlock()
		return nil, err
	case c.closed.Load():
		c.mu.Unlock()
		return nil, errClosed
	case len(c.out)+c.inflight+n+maxHeader > limit:
		c.mu.Unlock()
		return nil, ErrBacklog
	}
	c.header(ws.OpBinary, n)
	return c.out[c.body : c.body : c.body+n], nil
}

// End finishes the message that Begin started. message is the slice that
// Begin returned, with the n bytes appended; otherwise the message is dropped
// and the error is ErrLength. The message waits for Flush.
func (c *Conn) End(message []byte) error {
	defer c.mu.Unlock()
	if len(message) != c.want {
		c.out = c.out[:c.start]
		return fmt.Errorf("%w: %d bytes, announced %d", ErrLength, len(message), c.want)
	}
	c.out = c.out[:c.body+c.want]
	if c.client {
		ws.Cipher(c.out[c.body:], c.mask, 0)
	}
	c.frames++
	return nil
}

// Cancel drops the message that Begin started.
func (c *Conn) Cancel() {
	c.out = c.out[:c.start]
	c.mu.Unlock()
}

// header appends a frame header and makes room for the payload.
func (c *Conn) header(op ws.OpCode, n int) {
	c.out = grow(c.out, n+maxHeader)
	c.start, c.want = len(c.out), n
	var mask *[4]byte
	if c.client {
		binary.NativeEndian.PutUint32(c.mask[:], rand.Uint32())
		mask = &c.mask
	}
	c.out = appendHeader(c.out, op, n, mask)
	c.body = len(c.out)
}

// writeControl writes a control frame, if it is still possible to.
func (c *Conn) writeControl(op ws.OpCode, payload []byte) {
	c.mu.Lock()
	c.appendControl(op, payload)
	c.mu.Unlock()
	c.Flush()
}

// appendControl adds a control frame to what waits. It may pass the limit
// for that, since there is at most one ping and one pong for each read, and
// one Close frame. The lock is held.
func (c *Conn) appendControl(op ws.OpCode, payload []byte) {
	if c.cause != nil || c.closed.Load() {
		return
	}
	if op == ws.OpClose {
		c.closed.Store(true)
		if c.inflight > 0 { // the flusher has allowed itself more time
			c.conn.SetWriteDeadline(c.closeDeadline())
		}
	}
	if len(c.out)+c.inflight > c.opts.MaxPending+chunkSize {
		return
	}
	c.header(op, len(payload))
	c.out = append(c.out, payload...)
	if c.client {
		ws.Cipher(c.out[c.body:], c.mask, 0)
	}
	c.frames++
}

// Flush writes all messages that wait. It does not block: what the kernel
// does not take at once is written by a goroutine, and if somebody is writing
// already, he will write these too.
func (c *Conn) Flush() {
	c.mu.Lock()
	if c.writing {
		c.again = true
		c.mu.Unlock()
		return
	}
	c.again = len(c.out) > 0
	for round := 0; c.again && c.cause == nil; round++ {
		buf := c.swap()
		done := 0
		if c.raw != nil && round < maxInline {
			c.mu.Unlock()
			n, err := c.writeInline(buf)
			c.mu.Lock()
			if err != nil {
				c.writing = false
				c.mu.Unlock()
				c.fail(fmt.Errorf("websocket: connection lost: %w", err))
				return
			}
			done = n
		}
		if done < len(buf) {
			c.handOver(buf, done)
			break
		}
		c.recycle(buf)
		c.writing = false
	}
	c.mu.Unlock()
}

// swap takes everything that waits, to be written by the caller alone, and
// leaves the other buffer in its place. The lock is held.
func (c *Conn) swap() []byte {
	buf := c.out
	c.out, c.spare = c.spare[:0], nil
	c.writing, c.again = true, false
	return buf
}

// writeInline writes what the kernel takes at once.
func (c *Conn) writeInline(buf []byte) (int, error) {
	c.chunk = buf
	err := c.raw.Write(c.writeOnce)
	c.chunk = nil
	if err != nil {
		return 0, err
	}
	return c.wn, c.werr
}

// recycle takes a written buffer back. The lock is held.
func (c *Conn) recycle(buf []byte) {
	c.calls++
	if cap(buf) <= keepBuffer {
		c.spare = buf[:0]
	}
}

// handOver starts the flusher with what is left of buf, unless the connection
// is being closed. The lock is held, and writing stays set for the flusher.
func (c *Conn) handOver(buf []byte, done int) {
	if c.stopping {
		c.writing = false
		return
	}
	c.inflight = len(buf) - done
	c.background.Add(1)
	go c.flusher(buf, done)
}

// flusher writes until nothing waits any more.
func (c *Conn) flusher(buf []byte, done int) {
	defer c.background.Done()
	for {
		err := c.writeSlowly(buf[done:])
		c.mu.Lock()
		if err == nil && c.cause == nil && len(c.out) > 0 {
			c.recycle(buf)
			buf, done = c.swap(), 0
			c.inflight = len(buf)
			c.mu.Unlock()
			continue
		}
		c.inflight = 0
		if err == nil {
			c.recycle(buf)
			err = c.conn.SetWriteDeadline(time.Time{})
		}
		c.writing = false
		c.mu.Unlock()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.fail(ErrWriteTimeout)
		case err != nil:
			c.fail(fmt.Errorf("websocket: connection lost: %w", err))
		}
		return
	}
}

// writeSlowly writes b, in pieces that each have their own deadline.
func (c *Conn) writeSlowly(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), chunkSize)
		if err := c.setWriteDeadline(); err != nil {
			return err
		}
		if _, err := c.conn.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
		c.mu.Lock()
		c.inflight -= n
		c.mu.Unlock()
	}
	return nil
}

// setWriteDeadline gives the next piece its time. The lock keeps it in order
// with a Close frame, which shortens it.
func (c *Conn) setWriteDeadline() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return c.conn.SetWriteDeadline(c.closeDeadline())
	}
	return c.conn.SetWriteDeadline(time.Now().Add(c.opts.WriteTimeout))
}

// discard lets go of everything that waits. The lock is held.
func (c *Conn) discard() {
	c.out, c.spare = nil, nil
}

// grow makes room for n more bytes.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, max(2*cap(b), len(b)+n, minBuffer)), b...)
}
