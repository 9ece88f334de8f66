package wsconn

import (
	"errors"
	"fmt"
	"net"
	"net/http"
)

// Close codes of RFC 6455, section 7.4.1.
const (
	CodeNormal         = 1000
	CodeGoingAway      = 1001
	CodeProtocolError  = 1002
	CodeUnsupported    = 1003
	CodeNone           = 1005 // no code in the Close frame; never sent
	CodeInvalidPayload = 1007
	CodePolicy         = 1008
	CodeTooBig         = 1009
	CodeInternal       = 1011
)

var (
	// ErrBacklog is returned by [Conn.Begin] when as much waits to be written
	// as Options.MaxPending allows: the peer does not read.
	ErrBacklog = errors.New("websocket: too much waits to be written")

	// ErrPingTimeout is the end of a connection whose peer was silent after
	// a ping.
	ErrPingTimeout = errors.New("websocket: the peer was silent after a ping")

	// ErrWriteTimeout is the end of a connection whose peer stopped reading.
	ErrWriteTimeout = errors.New("websocket: the peer stopped reading")

	// ErrLength is returned by [Conn.End] when the payload is not as long as
	// Begin was told. The frame is dropped.
	ErrLength = errors.New("websocket: payload does not have the announced length")

	// errClosed wraps net.ErrClosed.
	errClosed error = &closedError{}
)

type closedError struct{}

func (*closedError) Error() string { return "websocket: connection closed" }
func (*closedError) Unwrap() error { return net.ErrClosed }

// CloseError is the end of a connection that the peer closed as the protocol
// asks for.
type CloseError struct {
	Code   int    // CodeNone if the peer gave none
	Reason string // valid UTF-8, at most 123 bytes, chosen by the peer
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("websocket: closed by the peer with code %d", e.Code)
	}
	return fmt.Sprintf("websocket: closed by the peer with code %d: %q", e.Code, e.Reason)
}

// ViolationError is the end of a connection whose peer broke the protocol or
// passed a limit. The peer has been sent the code.
type ViolationError struct {
	Code   int // CodeProtocolError, CodeUnsupported or CodeTooBig
	Reason string
}

func (e *ViolationError) Error() string {
	return fmt.Sprintf("websocket: violation by the peer (code %d): %s", e.Code, e.Reason)
}

// StatusError is returned by [Dial] when the server answered the handshake
// with another status than 101.
type StatusError int

func (e StatusError) Error() string {
	return fmt.Sprintf("websocket: the server answered with HTTP status %d %s", int(e), http.StatusText(int(e)))
}
