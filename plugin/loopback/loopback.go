// Package loopback is a link without a counterparty: it answers every packet
// that is sent to it by itself, at once or after a while, always in the same
// way. An operator tests limits, balances and rates with it, and sees what a
// connector does when a counterparty refuses.
package loopback

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Options say how packets are answered. The zero value fulfils them at once
// with 32 zero bytes, as the peer protocols do: packets under the condition of
// these, [ilp.PeerCondition], are fulfilled, and of others a connector says
// that the fulfillment is wrong.
type Options struct {
	// Fulfillment is what every packet is fulfilled with. The data of the packet
	// comes back with it.
	Fulfillment ilp.Fulfillment

	// Reject, if it is set, is the code that every packet is refused with
	// instead; ilp.T02PeerBusy, for example, or one of the sender's own.
	Reject ilp.Code

	// Delay is how long an answer takes.
	Delay time.Duration
}

// maxOutstanding bounds the packets that wait for their delay.
const maxOutstanding = 10_000

// Link is the link. Make one with New. All methods may be called concurrently.
type Link struct {
	options Options
	waiting *plugin.Async
	state   atomic.Int32 // changed with mu held

	mu      sync.Mutex // held while HandleState is called, for the order
	handler plugin.Handler
}

// A link is new, open, closed, in this order.
const (
	stateNew int32 = iota
	stateOpen
	stateClosed
)

var _ plugin.Plugin = (*Link)(nil)

// New makes a link that answers as o says.
func New(o Options) (*Link, error) {
	if o.Reject != "" && !isCode(o.Reject) {
		return nil, fmt.Errorf("loopback: Options.Reject is %q: it must be a code of three characters, such as T02", o.Reject)
	}
	if o.Delay < 0 {
		return nil, fmt.Errorf("loopback: Options.Delay is %v: it must be 0 or more", o.Delay)
	}
	l := &Link{options: o}
	l.waiting = plugin.NewAsync(maxOutstanding, l.answerLater)
	return l, nil
}

// isCode reports whether a Reject can carry c: three ASCII characters (OER-20),
// the first of them a class.
func isCode(c ilp.Code) bool {
	_, err := (&ilp.Reject{Code: c}).AppendBinary(nil)
	return err == nil && (c.Final() || c.Temporary() || c.Relative())
}

// Open says that the link is up. Nothing ever comes from it.
func (l *Link) Open(_ context.Context, h plugin.Handler) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.state.CompareAndSwap(stateNew, stateOpen) {
		return fmt.Errorf("loopback: opened twice, or after Close: %w", net.ErrClosed)
	}
	l.handler = h
	h.HandleState(true, nil)
	return nil
}

// Connected reports whether the link is open.
func (l *Link) Connected() bool { return l.state.Load() == stateOpen }

// SendPrepare answers p.
func (l *Link) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	switch l.state.Load() {
	case stateNew:
		r.Fail(ctx, plugin.ErrNotConnected)
	case stateClosed:
		r.Fail(ctx, fmt.Errorf("loopback: %w: %w", plugin.ErrNotSent, net.ErrClosed))
	default:
		if l.options.Delay > 0 {
			l.waiting.SendPrepare(ctx, p, r)
			return
		}
		r.Reply(ctx, l.answer(p))
	}
}

func (l *Link) answer(p *ilp.Prepare) ilp.Reply {
	if l.options.Reject != "" {
		return ilp.Rejectf(l.options.Reject, "refused by a loopback link.")
	}
	return &ilp.Fulfill{Fulfillment: l.options.Fulfillment, Data: p.Data}
}

// answerLater answers p after the delay, unless ctx ends before: with the
// packet, or with the link.
func (l *Link) answerLater(ctx context.Context, p *ilp.Prepare) (ilp.Reply, error) {
	delay := time.NewTimer(l.options.Delay)
	defer delay.Stop()
	select {
	case <-delay.C:
		return l.answer(p), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("loopback: %w", context.Cause(ctx))
	}
}

// Close answers what waits with an error.
func (l *Link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	former := l.state.Swap(stateClosed)
	l.waiting.Close()
	if former == stateOpen {
		l.handler.HandleState(false, nil)
	}
	return nil
}
