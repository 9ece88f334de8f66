package wsconn

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Defaults of [Options].
const (
	DefaultMaxMessage   = 64 << 10
	DefaultMaxPending   = 4 << 20
	DefaultPingInterval = 20 * time.Second
	DefaultPongTimeout  = 10 * time.Second
	DefaultWriteTimeout = 10 * time.Second
	DefaultCloseTimeout = time.Second
)

// Options of a connection. The zero value is useful.
type Options struct {
	// MaxMessage is the longest message taken, in bytes; a longer one ends
	// the connection with close code 1009. 0 means DefaultMaxMessage, which
	// holds the largest ILP packet in a BTP message and some more.
	MaxMessage int

	// MaxPending bounds the bytes that wait to be written. 0 means
	// DefaultMaxPending.
	MaxPending int

	// PingInterval is the time between pings. 0 means DefaultPingInterval,
	// a negative value sends none.
	PingInterval time.Duration

	// PongTimeout is how long the peer may be silent after a ping. Whatever
	// it sends counts. 0 means DefaultPongTimeout.
	PongTimeout time.Duration

	// WriteTimeout is how long the peer may take no byte while some wait to
	// be written. 0 means DefaultWriteTimeout.
	WriteTimeout time.Duration

	// CloseTimeout is how long a closing handshake may take. 0 means
	// DefaultCloseTimeout.
	CloseTimeout time.Duration

	// OnIdle is called by ReadMessage, on its goroutine, each time before it
	// has to read from the network. While it blocks nothing is read, and no
	// ping answered. nil is fine.
	OnIdle func()

	// TLS is used by Dial for wss URLs; nil means the zero configuration.
	TLS *tls.Config

	// NetDial is used by Dial instead of a net.Dialer if it is not nil.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	orInt(&o.MaxMessage, DefaultMaxMessage)
	orInt(&o.MaxPending, DefaultMaxPending)
	orDuration(&o.PingInterval, DefaultPingInterval)
	orDuration(&o.PongTimeout, DefaultPongTimeout)
	orDuration(&o.WriteTimeout, DefaultWriteTimeout)
	orDuration(&o.CloseTimeout, DefaultCloseTimeout)
	return o
}

func orInt(v *int, def int) {
	if *v <= 0 {
		*v = def
	}
}

func orDuration(v *time.Duration, def time.Duration) {
	if *v == 0 {
		*v = def
	}
}
