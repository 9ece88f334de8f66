package btplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"net"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Link is what the sockets of one counterparty share. The exported fields are
// set before there is a socket, and not changed from then on.
type Link struct {
	Name     string // of the counterparty, for logs
	Limits   Limits // no zero values
	Log      *slog.Logger
	Handler  plugin.Handler
	Requests RequestHandler // nil: the defaults
	counters counters

	stateMu   sync.Mutex // held while HandleState is called, for the order
	connected bool       // what the handler was told last
}

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

type counters struct {
	late, unknown, dropped, repeated, unreadable atomic.Uint64
}

// Stats counts what has happened, and what is open on sockets now.
func (l *Link) Stats(sockets ...*Socket) Stats {
	c := &l.counters
	s := Stats{
		LateReplies:     c.late.Load(),
		UnknownReplies:  c.unknown.Load(),
		DroppedReplies:  c.dropped.Load(),
		RepeatedReplies: c.repeated.Load(),
		Unreadable:      c.unreadable.Load(),
	}
	for _, socket := range sockets {
		s.Outstanding += socket.pending.outstanding()
		s.Unanswered += socket.incoming.unanswered()
	}
	return s
}

// count counts an event that goes to the log, the first time and each time
// that its number has doubled.
func (l *Link) count(n *atomic.Uint64, message string, attrs ...slog.Attr) {
	if times := n.Add(1); bits.OnesCount64(times) == 1 {
		attrs = append(attrs, slog.String("account", l.Name), slog.Uint64("times", times))
		l.Log.LogAttrs(context.Background(), slog.LevelWarn, "btp: "+message, attrs...)
	}
}

// Tell tells the handler what the state is now, if it has changed. state is
// called under the lock that puts the calls in order.
func (l *Link) Tell(state func() bool, err error) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	now := state()
	if now == l.connected {
		return
	}
	l.connected = now
	if now {
		err = nil
	}
	l.Handler.HandleState(now, err)
}

// SendPrepare sends p over s, which is nil while there is no socket.
func (l *Link) SendPrepare(ctx context.Context, s *Socket, p *ilp.Prepare, r plugin.Responder) {
	if s == nil {
		r.Fail(ctx, plugin.ErrNotConnected)
		return
	}
	s.SendPrepare(ctx, p, r)
}

// Request sends p over s and waits for the reply.
func (l *Link) Request(ctx context.Context, s *Socket, p *Packet) (Packet, error) {
	if s == nil {
		return Packet{}, plugin.ErrNotConnected
	}
	return s.Request(ctx, p)
}

var (
	// ErrOpenedBefore is what a second Open gets.
	ErrOpenedBefore = errors.New("btp: Open was called before")

	// ErrClosed is what calls after Close get, and what ends a socket then.
	ErrClosed error = &closedError{"btp: closed", plugin.ErrNotSent}
	// errClosing is what Close answers outstanding requests with.
	errClosing error = &closedError{"btp: closed while the reply was outstanding", plugin.ErrUnknownOutcome}
)

// closedError wraps net.ErrClosed and what is known about the request.
type closedError struct {
	text    string
	outcome error
}

func (e *closedError) Error() string   { return e.text }
func (e *closedError) Unwrap() []error { return []error{net.ErrClosed, e.outcome} }

// lostError is what requests get that are outstanding when a socket ends.
func lostError(cause error) error {
	return fmt.Errorf("btp: connection ended before the reply: %w: %w", plugin.ErrUnknownOutcome, cause)
}
