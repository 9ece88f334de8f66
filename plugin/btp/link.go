package btp

import (
	"time"

	"github.com/interledger-go/connector/internal/btplink"
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

// Defaults of [Limits].
const (
	DefaultMaxMessage     = btplink.DefaultMaxMessage
	DefaultMaxPending     = btplink.DefaultMaxPending
	DefaultMaxOutstanding = btplink.DefaultMaxOutstanding
	DefaultLateWindow     = btplink.DefaultLateWindow
	DefaultAuthTimeout    = btplink.DefaultAuthTimeout
	DefaultPingInterval   = btplink.DefaultPingInterval
	DefaultPongTimeout    = btplink.DefaultPongTimeout
	DefaultWriteTimeout   = btplink.DefaultWriteTimeout
)

// Stats counts what happened on a link since it was made.
type Stats struct {
	Outstanding int // requests that the counterparty has not answered
	Unanswered  int // requests of the counterparty that are not answered

	LateReplies     uint64 // replies to requests that were given up
	UnknownReplies  uint64 // replies to requests that were not pending, second replies included
	DroppedReplies  uint64 // our replies whose socket had gone
	RepeatedReplies uint64 // our replies to requests that had been answered
	Unreadable      uint64 // sockets ended because of bytes that are no BTP packet
}

// RequestHandler takes the requests of a counterparty that carry no ILP
// packet: Transfers, and Messages of other sub-protocols (BTP-09). It is
// called on the goroutine that reads the socket, so it must not block; r may
// be answered later, and must be answered once. *p is the caller's again when
// the call returns (use Packet.Clone to keep it).
//
// Without a handler Messages are acknowledged with an empty Response, and
// Transfers refused.
type RequestHandler = btplink.RequestHandler

// Request is a request of the counterparty that waits for its answer. It is a
// small value and may be used from any goroutine. A second answer has no
// effect. Respond answers with a Response, which to a Transfer says that the
// amount has been applied (BTP-36); Refuse answers with an Error: the request
// has had no effect (BTP-35).
//
//	func (r Request) Respond(ctx context.Context, entries ...Entry) error
//	func (r Request) Refuse(ctx context.Context, e *Error) error
type Request = btplink.Request
