package wsconn

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Shutdown begins the closing handshake: it sends a Close frame with code and
// reason (cut to the 123 bytes that fit), and from now on nothing else can be
// sent. It returns at once. ReadMessage no longer returns messages; it fails
// when the peer has closed too, or after CloseTimeout, and then Close ends
// the connection. A second call does nothing.
func (c *Conn) Shutdown(code int, reason string) {
	c.mu.Lock()
	if c.closed.Load() || c.cause != nil {
		c.mu.Unlock()
		return
	}
	c.appendControl(ws.OpClose, closePayload(code, reason))
	c.conn.SetReadDeadline(c.closeDeadline())
	c.mu.Unlock()
	c.Flush()
}

// violate ends the reading half because of fault, and tells the peer.
func (c *Conn) violate(fault *ViolationError) {
	c.readErr = fault
	c.writeControl(ws.OpClose, closePayload(fault.Code, fault.Reason))
}

// closedByPeer answers the peer's Close frame, unless it is an answer itself.
func (c *Conn) closedByPeer(payload []byte) {
	if len(payload) == 0 {
		c.readErr = &CloseError{Code: CodeNone}
		c.writeControl(ws.OpClose, nil)
		return
	}
	if len(payload) == 1 {
		c.violate(&ViolationError{CodeProtocolError, "Close frame with one byte"})
		return
	}
	code, reason := binary.BigEndian.Uint16(payload), string(payload[2:])
	if err := ws.CheckCloseFrameData(ws.StatusCode(code), reason); err != nil {
		c.violate(&ViolationError{CodeProtocolError, err.Error()})
		return
	}
	c.readErr = &CloseError{Code: int(code), Reason: reason}
	c.writeControl(ws.OpClose, payload[:2])
}

// closePayload is the body of a Close frame.
func closePayload(code int, reason string) []byte {
	const most = ws.MaxControlFramePayloadSize - 2
	for len(reason) > most || !utf8.ValidString(reason) {
		if len(reason) > most {
			reason = reason[:most]
			continue
		}
		reason = reason[:len(reason)-1]
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// awaitCloseFrame waits until a Close frame has left that the flusher still
// has to write, which Shutdown's deadline bounds.
func (c *Conn) awaitCloseFrame() {
	c.mu.Lock()
	wait := c.closed.Load() && c.writing && c.cause == nil
	c.mu.Unlock()
	if wait {
		c.background.Wait()
	}
}
