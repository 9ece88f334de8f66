package ilphttp

import (
	"time"

	"github.com/interledger-go/connector/ilp"
)

// Defaults of [Limits].
const (
	DefaultMaxBody     = ilp.MaxPacketSize
	DefaultMaxInFlight = 1000
	DefaultLateWindow  = 10 * time.Second
	DefaultMaxHold     = 5 * time.Minute
	DefaultBodyTimeout = 10 * time.Second
)

// Limits bounds what one account may cost, in one direction. A zero field
// stands for the default of its name.
type Limits struct {
	// MaxBody is the longest packet taken, in bytes. The default is the
	// longest that there is, a Reject with all its fields at their limits
	// (ILP4-08).
	MaxBody int
	// MaxInFlight is how many packets may be unanswered. Beyond it, those to
	// the counterparty are not sent (plugin.ErrBusy), and those from it are
	// answered T03. Each one occupies a goroutine and, over HTTP/1.1, a
	// connection.
	MaxInFlight int
	// LateWindow is how long after a packet's expiry its reply is still
	// waited for, so that a late fulfillment is seen to be late.
	LateWindow time.Duration
	// MaxHold is how long from now an expiry is believed: a packet that
	// expires later is given up as if it expired then.
	MaxHold time.Duration
	// BodyTimeout bounds the time in which a body is read, once its request
	// is authenticated, and that in which the client takes the answer. It is
	// for incoming requests only: see NewHTTPServer for the time before.
	BodyTimeout time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.MaxBody <= 0 {
		l.MaxBody = DefaultMaxBody
	}
	if l.MaxInFlight <= 0 {
		l.MaxInFlight = DefaultMaxInFlight
	}
	orDefault(&l.LateWindow, DefaultLateWindow)
	orDefault(&l.MaxHold, DefaultMaxHold)
	orDefault(&l.BodyTimeout, DefaultBodyTimeout)
	return l
}

// due is when a packet with this expiry is given up.
func (l *Limits) due(now, expiry time.Time) time.Time {
	if latest := now.Add(l.MaxHold); expiry.After(latest) {
		expiry = latest
	}
	if expiry.Before(now) {
		expiry = now
	}
	return expiry.Add(l.LateWindow)
}

func orDefault(d *time.Duration, def time.Duration) {
	if *d <= 0 {
		*d = def
	}
}
