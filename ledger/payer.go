package ledger

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/interledger-go/connector/plugin"
)

const (
	minBackoff = time.Second
	maxBackoff = 15 * time.Minute // RFC 38 allows an hour (SE-52)
)

// pays says that all that was made up to the durable epoch may be paid, and
// reports whether somebody has to begin: pay must be run then, with the
// context that is returned, which is derived from ctx.
func (b *book) pays(ctx context.Context, durable uint64) (context.Context, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.durable = durable
	switch {
	case !b.settles || b.terms.pay == nil || !b.payable():
		return nil, false
	case b.paying:
		select {
		case b.wake <- struct{}{}: // it may be resting
		default:
		}
		return nil, false
	}
	b.paying = true
	ctx, b.stop = context.WithCancel(ctx)
	return ctx, true
}

// payable reports whether the oldest settlement is durable. The caller holds
// mu.
func (b *book) payable() bool {
	return len(b.settlements) > 0 && b.settlements[0].epoch <= b.durable
}

// stopPaying tells the payer to end, if there is one. The caller holds mu.
func (b *book) stopPaying() {
	if b.paying {
		b.stop()
	}
}

// pay pays what is in the outbox, the oldest first, until it is empty or ctx
// is done. What is not paid then is in the store.
func (b *book) pay(ctx context.Context) {
	var rest <-chan time.Time // after a definite no
	for {
		s, pay, end := b.nextToPay(ctx)
		switch {
		case end:
			return
		case s == nil:
			select {
			case <-rest:
				b.rested()
			case <-b.wake: // somebody has asked for one meanwhile
			case <-ctx.Done():
			}
			continue
		}
		switch err := pay(ctx, plugin.Money{Amount: s.Amount, Key: s.Key}); {
		case err == nil:
			b.paid(s)
		case isNo(err) && b.refund(s, err):
			rest = time.After(b.longer())
		case ctx.Err() == nil:
			b.failing(s, err)
			select {
			case <-time.After(b.longer()):
			case <-ctx.Done():
			}
		}
	}
}

// isNo reports whether err says that a settlement was not paid and never will
// be. A link that is down or busy says that of this attempt alone: an earlier
// one, perhaps of a former process, may have reached the counterparty.
func isNo(err error) bool {
	return errors.Is(err, plugin.ErrNotSent) && !errors.Is(err, plugin.ErrNotConnected) && !errors.Is(err, plugin.ErrBusy)
}

// nextToPay gives the oldest settlement and the way to pay it; neither while
// the payer has to wait; or says that it is to end.
func (b *book) nextToPay(ctx context.Context) (s *settlement, pay func(context.Context, plugin.Money) error, end bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		b.touch() // the committer forgets the book, or starts another payer
		b.resting = false
	case b.payable():
		return b.settlements[0], b.terms.pay, false
	case b.resting:
		return nil, nil, false
	}
	b.paying = false
	b.stop()
	return nil, nil, true
}

// longer is how long to wait before the next attempt: twice as long as before,
// less up to a half that chance decides.
func (b *book) longer() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backoff = min(max(2*b.backoff, minBackoff), maxBackoff)
	return b.backoff/2 + rand.N(b.backoff/2+1)
}

// rested ends the rest after a definite no: what the threshold asks for is
// made again, under another key.
func (b *book) rested() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.resting = false
	if b.below() {
		b.settle(b.touch())
	}
}

// paid takes a settlement out of the books: it is done.
func (b *book) paid(s *settlement) {
	b.mu.Lock()
	defer b.mu.Unlock()
	epoch := b.touch()
	b.without(epoch, s)
	b.backoff = 0
	if b.resting { // what had been refused may be taken now
		b.resting = false
		b.settle(epoch)
	}
}

// refund puts the amount of a settlement that will never be paid back into
// the balance, whatever the minimum. The threshold makes no other until the
// payer has rested: the answer would be the same. It reports false if the
// amount does not fit into 64 bits with what is in flight; the settlement is
// kept then.
func (b *book) refund(s *settlement, reason error) bool {
	if !b.takeBack(s) {
		return false
	}
	b.l.options.Logger.Error("settlement refused", slog.String("account", b.account),
		slog.Uint64("amount", s.Amount), slog.String("key", s.Key), slog.Any("error", reason))
	b.l.event(Event{Account: b.account, Kind: SettlementRefused, Amount: s.Amount, Err: reason})
	return true
}

func (b *book) takeBack(s *settlement) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	after, ok := b.figures.lower(s.Amount)
	if !ok {
		return false
	}
	epoch := b.touch()
	b.figures = after
	b.without(epoch, s)
	b.resting = true
	return true
}

// failing notes an attempt whose outcome is not known.
func (b *book) failing(s *settlement, err error) {
	b.mu.Lock()
	s.Attempts++
	s.LastError = err
	first := s.Attempts == 1
	b.mu.Unlock()
	if first {
		b.l.options.Logger.Warn("settlement is tried again", slog.String("account", b.account),
			slog.Uint64("amount", s.Amount), slog.String("key", s.Key), slog.Any("error", err))
	}
	b.l.event(Event{Account: b.account, Kind: SettlementFailing, Amount: s.Amount, Err: err})
}
