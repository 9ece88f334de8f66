package btplink

import (
	"time"

	"github.com/interledger-go/connector/internal/wsconn"
)

// Defaults of [Limits].
const (
	DefaultMaxMessage     = wsconn.DefaultMaxMessage
	DefaultMaxPending     = wsconn.DefaultMaxPending
	DefaultMaxOutstanding = 10_000
	DefaultLateWindow     = 10 * time.Second
	DefaultAuthTimeout    = 10 * time.Second
	DefaultPingInterval   = wsconn.DefaultPingInterval
	DefaultPongTimeout    = wsconn.DefaultPongTimeout
	DefaultWriteTimeout   = wsconn.DefaultWriteTimeout
)

// Limits bounds what one socket may cost. A zero field stands for the default
// of its name.
type Limits struct {
	// MaxMessage is the longest BTP packet taken, in bytes.
	MaxMessage int
	// MaxPending is how many bytes may wait for a counterparty that does not
	// read. Beyond half of it, packets are not sent (plugin.ErrBusy); a reply
	// that finds no room even in the other half ends the socket.
	MaxPending int
	// MaxOutstanding is how many requests may be unanswered by the
	// counterparty. Beyond it, packets are not sent (plugin.ErrBusy).
	MaxOutstanding int
	// LateWindow is how long after a packet's expiry its reply is still
	// waited for.
	LateWindow time.Duration
	// AuthTimeout bounds the time from the connection to the end of the
	// authentication.
	AuthTimeout time.Duration
	// PingInterval is the time between two WebSocket pings; negative: none.
	PingInterval time.Duration
	// PongTimeout is how long the counterparty may be silent after a ping.
	PongTimeout time.Duration
	// WriteTimeout is how long it may take no bytes while some wait.
	WriteTimeout time.Duration
}

// WithDefaults fills in the zero fields, but for those of the WebSocket, which
// knows them itself.
func (l Limits) WithDefaults() Limits {
	if l.MaxOutstanding <= 0 {
		l.MaxOutstanding = DefaultMaxOutstanding
	}
	if l.LateWindow <= 0 {
		l.LateWindow = DefaultLateWindow
	}
	if l.AuthTimeout <= 0 {
		l.AuthTimeout = DefaultAuthTimeout
	}
	if l.MaxPending <= 0 {
		l.MaxPending = DefaultMaxPending
	}
	if l.MaxMessage <= 0 {
		l.MaxMessage = DefaultMaxMessage
	}
	return l
}

// options completes those of the WebSocket under s. Its defaults are the same.
func (l Limits) options(s *Socket, o wsconn.Options) wsconn.Options {
	o.MaxMessage, o.MaxPending = l.MaxMessage, l.MaxPending
	o.PingInterval, o.PongTimeout, o.WriteTimeout = l.PingInterval, l.PongTimeout, l.WriteTimeout
	o.OnIdle = s.onIdle
	return o
}
