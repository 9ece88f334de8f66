package middlewaretest

import (
	"log/slog"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// Host is a middleware.Host that a test sets. The zero value has no address,
// as a connector that has not got one from its parent yet, the time of
// time.Now, and a log that is discarded. It is safe for concurrent use and
// must not be copied.
type Host struct {
	mu      sync.Mutex
	address ilp.Address
	now     time.Time // zero: that of time.Now
	logger  *slog.Logger
}

var _ middleware.Host = (*Host)(nil)

// SetAddress makes a the own address of the connector.
func (h *Host) SetAddress(a ilp.Address) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.address = a
}

// SetNow stops the clock at now. The zero time lets it run again with
// time.Now.
func (h *Host) SetNow(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = now
}

// Advance puts the clock forward by d, or back where d is negative, and stops
// it there.
func (h *Host) Advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.clock().Add(d)
}

// SetLogger makes l take the log. nil discards it.
func (h *Host) SetLogger(l *slog.Logger) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.logger = l
}

// Address gives what SetAddress has set.
func (h *Host) Address() ilp.Address {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.address
}

// Now gives the time at which the clock stands.
func (h *Host) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock()
}

// clock is Now for a caller that holds mu.
func (h *Host) clock() time.Time {
	if h.now.IsZero() {
		return time.Now()
	}
	return h.now
}

// Logger gives what SetLogger has set. It is never nil.
func (h *Host) Logger() *slog.Logger {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.logger
}
