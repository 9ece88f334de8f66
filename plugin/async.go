package plugin

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/interledger-go/connector/ilp"
)

// RoundTrip sends one prepare and waits for its reply, or says why there is
// none; see [Responder.Fail]. ctx ends at the packet's expiry, or when the
// link is closed.
type RoundTrip func(ctx context.Context, p *ilp.Prepare) (ilp.Reply, error)

// Async makes a SendPrepare out of a RoundTrip, for links that are blocking
// by nature: each packet runs on a goroutine of its own, at most limit of
// them at once, and past that the answer is ErrBusy at once.
//
// A plugin embeds an *Async for its SendPrepare, and calls Close in its own.
// All methods may be called concurrently.
type Async struct {
	roundTrip RoundTrip
	limit     int

	mu       sync.Mutex // orders Add against Wait
	closed   bool
	underway map[*trip]context.CancelFunc
	running  sync.WaitGroup
}

// trip is one packet on its way.
type trip struct {
	prepare   ilp.Prepare // a copy: the caller's is the caller's again
	responder Responder
}

// NewAsync makes an Async of at most limit concurrent round trips. A limit
// below 1 is taken as 1.
func NewAsync(limit int, roundTrip RoundTrip) *Async {
	return &Async{
		roundTrip: roundTrip,
		limit:     max(limit, 1),
		underway:  make(map[*trip]context.CancelFunc),
	}
}

// SendPrepare implements the method of [Plugin].
func (a *Async) SendPrepare(ctx context.Context, p *ilp.Prepare, r Responder) {
	t := &trip{prepare: *p, responder: r}
	detached := Detach(ctx)
	bounded, err := a.begin(detached, t)
	if err != nil {
		r.Fail(ctx, err)
		return
	}
	go a.run(detached, bounded, t)
}

// begin takes t among those under way and gives the context of its round
// trip, or says why there is none.
func (a *Async) begin(ctx context.Context, t *trip) (context.Context, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, net.ErrClosed)
	}
	if len(a.underway) >= a.limit {
		return nil, ErrBusy
	}
	bounded, cancel := context.WithDeadline(ctx, t.prepare.ExpiresAt)
	a.underway[t] = cancel
	a.running.Add(1)
	return bounded, nil
}

// run makes the round trip within bounded and answers with ctx, which does
// not end.
func (a *Async) run(ctx, bounded context.Context, t *trip) {
	defer a.running.Done()
	reply, err := a.roundTrip(bounded, &t.prepare)
	a.end(t) // first: whoever gets the answer may send the next packet at once
	if err != nil {
		t.responder.Fail(ctx, err)
		return
	}
	t.responder.Reply(ctx, reply)
}

// end makes room for another round trip.
func (a *Async) end(t *trip) {
	a.mu.Lock()
	cancel := a.underway[t]
	delete(a.underway, t)
	a.mu.Unlock()
	cancel()
}

// Close makes new round trips fail, cancels those under way and waits until
// they have ended and are answered. It is idempotent. It must not be called
// by a round trip, nor by whoever takes the answer of one.
func (a *Async) Close() {
	a.mu.Lock()
	a.closed = true
	for _, cancel := range a.underway {
		cancel()
	}
	a.mu.Unlock()
	a.running.Wait()
}
