package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
)

// Sent is what is known of a packet that Send has sent.
type Sent struct {
	// Account is the id of the account that it left by; empty if it left by
	// none: it was refused here, or was for the connector itself.
	Account string
	// Paid is what was posted to that account: the amount of a packet that was
	// fulfilled, in the unit of the account, and 0 for any other.
	Paid uint64
	// Fulfill is the answer; nil where it was not fulfilled, or is not known to
	// be.
	Fulfill *ilp.Fulfill
	// RoundTrip is how long the answer took, and its booking.
	RoundTrip time.Duration
}

// Send sends a packet of the connector's own, and waits for what becomes of
// it. Its amount is in the unit of the account that it leaves by, whose book
// and limits are as for any packet to it; it is ours to bear. It leaves with
// an earlier expiry, as one that is forwarded does: Config.MinMessageWindow
// before its own, and Config.MaxHoldTime from now at most.
//
//   - No error: it was fulfilled, by a fulfillment that fits its condition, and
//     that is booked and durable.
//   - An error that is a *ilp.Reject, whatever it wraps: nothing was paid, by
//     our books. It names who has refused the packet, and why: a connector
//     that takes no packets any more answers T03, one that has no way to the
//     destination F02, and R00 says that it expired. An address of our own, or
//     below it where no child is, is F02, too, but for a ping.
//   - An error that wraps plugin.ErrNotSent: the packet is none that can be
//     sent, or ctx had ended before. Nothing was paid.
//   - An error that wraps plugin.ErrUnknownOutcome: ctx has ended while the
//     packet was on its way. It may be fulfilled until it expires, and nobody
//     can take it back; Sent.Account is where its amount is reserved. The log
//     is told what has become of it.
//   - Any other error: it was fulfilled, as Sent.Fulfill says, and Sent.Paid is
//     booked, but may not be durable, as ctx or the ledger have ended. A
//     process that ends now may find the book without it.
//
// Whoever sends the same packet again pays again, or has it refused as a
// duplicate: see middleware.Deduplicate.
func (c *Connector) Send(ctx context.Context, p *ilp.Prepare) (Sent, error) {
	fail := func(err error) error { return fmt.Errorf("connector: send to %s: %w", p.Destination, err) }
	if err := checkSend(p); err != nil {
		return Sent{}, fail(fmt.Errorf("%w: %w", plugin.ErrNotSent, err))
	}
	if ctx.Err() != nil {
		return Sent{}, fail(fmt.Errorf("%w: %w", plugin.ErrNotSent, context.Cause(ctx)))
	}
	s := &sending{c: c, prepare: p.Clone(), began: c.now(), done: make(chan struct{})}
	s.prepare.ExpiresAt = s.prepare.ExpiresAt.UTC().Truncate(time.Millisecond)
	c.self.HandlePrepare(context.WithValue(ctx, sendingKey{}, s), &s.prepare, plugin.NewResponder(s, 0))
	select {
	case <-s.done:
	case <-ctx.Done():
	}
	sent, err := s.take(ctx)
	if err != nil {
		err = fail(err)
	}
	return sent, err
}

// checkSend says why a packet cannot be sent.
func checkSend(p *ilp.Prepare) error {
	if scheme := p.Destination.Scheme(); scheme == "peer" || scheme == "self" {
		return fmt.Errorf("packets to the scheme %s are not routed: choose another destination", scheme)
	}
	_, err := p.AppendBinary(nil)
	return err
}

// sending is a packet of Send's. It is the Replier of its answer.
type sending struct {
	c       *Connector
	prepare ilp.Prepare
	began   time.Time
	done    chan struct{} // closed when it is answered

	mu        sync.Mutex // guards what follows
	sent      Sent
	err       error // with the answer: a *ilp.Reject, or what became of the booking
	answered  bool
	abandoned bool // nobody waits for the answer
}

type sendingKey struct{}

// noteSending keeps with a packet of Send's whose it is. It is the one stage
// that packets of the connector's own pass.
type noteSending struct{}

func (noteSending) Prepare(ctx context.Context, p *middleware.Packet) ilp.Reply {
	if s, ok := ctx.Value(sendingKey{}).(*sending); ok {
		p.Set(sendingKey{}, s)
	}
	return nil
}

func (noteSending) Reply(_ context.Context, _ *middleware.Packet, reply ilp.Reply) ilp.Reply {
	return reply
}

// sending gives whose packet f is; nil unless it is one of Send's.
func (f *flight) sending() *sending {
	if f.source != f.c.self {
		return nil
	}
	s, _ := f.in.Value(sendingKey{}).(*sending)
	return s
}

// leaves notes the account that the packet leaves by.
func (s *sending) leaves(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent.Account = l.account.ID
}

// booked waits until the book of the next hop is durable, if that has fulfilled
// the packet, and lets f go on with reply then. It reports false where there is
// nothing to wait for.
func (s *sending) booked(ctx context.Context, f *flight, reply ilp.Reply) bool {
	fulfill, ok := f.in.NextHopReply.(*ilp.Fulfill)
	if !ok || fulfill.Fulfillment.Condition() != s.prepare.Condition {
		return false
	}
	s.fulfilled(fulfill, reply)
	if s.prepare.Amount == 0 {
		return false
	}
	// What was posted to a book before is durable when this is.
	w := &bookingWait{s, f, reply}
	err := f.destination.book.Post(ctx, ledger.Outgoing, 0, w)
	if errors.Is(err, ledger.ErrPending) {
		return true
	}
	s.bookingEnded(err)
	return false
}

// fulfilled takes what the next hop has answered; reply is what the stages have
// made of it, which is a reject where it could not be booked.
func (s *sending) fulfilled(fulfill *ilp.Fulfill, reply ilp.Reply) {
	kept := fulfill.Clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent.Fulfill = &kept
	if _, ok := reply.(*ilp.Fulfill); ok {
		s.sent.Paid = s.prepare.Amount
	}
}

func (s *sending) bookingEnded(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// bookingWait is a packet that waits for its booking.
type bookingWait struct {
	s     *sending
	f     *flight
	reply ilp.Reply
}

var _ ledger.Waiter = (*bookingWait)(nil)

// Done lets the packet go on.
func (w *bookingWait) Done(ctx context.Context, err error) {
	w.s.bookingEnded(err)
	w.f.returned(ctx, w.reply)
}

// Reply takes the answer.
func (s *sending) Reply(_ context.Context, _ uint64, reply ilp.Reply, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answered {
		return
	}
	s.answered, s.sent.RoundTrip = true, s.c.now().Sub(s.began)
	switch r := reply.(type) {
	case *ilp.Fulfill:
		if s.sent.Fulfill == nil { // the connector's own
			kept := r.Clone()
			s.sent.Fulfill = &kept
		}
	case *ilp.Reject:
		s.refused(r)
	default:
		s.refused(failed(err))
	}
	if s.abandoned {
		s.log()
	}
	close(s.done)
}

// refused takes a reject. Where the next hop has fulfilled the packet all the
// same, it is the books that could not be kept. The caller holds mu.
func (s *sending) refused(r *ilp.Reject) {
	if s.sent.Fulfill != nil {
		s.err = errors.Join(s.err, r)
		return
	}
	kept := r.Clone()
	if kept.TriggeredBy.IsZero() {
		kept.TriggeredBy = s.c.Address()
	}
	s.err = &kept
}

// take gives what is known now. ctx has ended if there is no answer.
func (s *sending) take(ctx context.Context) (Sent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fulfilled := s.sent.Fulfill != nil
	switch {
	case s.answered && fulfilled && s.err != nil:
		return s.sent, fmt.Errorf("it was fulfilled, and that may not be durable in the books: %w", s.err)
	case s.answered:
		return s.sent, s.err
	}
	s.abandoned, s.sent.RoundTrip = true, s.c.now().Sub(s.began)
	if fulfilled {
		return s.sent, fmt.Errorf("it was fulfilled, and that is not durable in the books yet: %w", context.Cause(ctx))
	}
	return s.sent, fmt.Errorf("the packet is on its way, and may be fulfilled until it expires, at %s: %w: %w",
		iso(s.prepare.ExpiresAt), plugin.ErrUnknownOutcome, context.Cause(ctx))
}

// log says what has become of a packet that nobody waits for. The caller holds
// mu.
func (s *sending) log() {
	attrs := []slog.Attr{
		slog.String("destination", s.prepare.Destination.String()), slog.Uint64("amount", s.prepare.Amount),
		slog.String("condition", s.prepare.Condition.String()), slog.String("account", s.sent.Account), slog.Uint64("paid", s.sent.Paid),
	}
	if s.err != nil {
		attrs = append(attrs, slog.Any("error", s.err))
	}
	s.c.logger.LogAttrs(context.Background(), slog.LevelWarn, "a packet of our own was answered when nobody waited for it", attrs...)
}
