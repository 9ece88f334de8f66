package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/interledger-go/connector/plugin"
)

// outbox holds the settlements that a book is making. It is guarded by the
// book's mu.
type outbox struct {
	settlements []*settlement // oldest first
	settles     bool          // Settle was called
	due         bool          // one was due and had no room

	paying  bool          // a goroutine pays them
	stop    func()        // ends it
	resting bool          // after a definite no: the threshold makes no other
	wake    chan struct{} // tells the payer, if it waits for that rest to end, to look again
	durable uint64        // what was made up to this epoch is durable
	backoff time.Duration // of the last failure; 0 after a success
}

// settlement is one that we are making. It is paid once its record is durable,
// and not before.
type settlement struct {
	Settlement
	epoch uint64 // in which it was made; 0 if that was another process
}

// Settle begins to settle.
func (b *book) Settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.opened {
		return
	}
	b.settles = true
	if b.below() || len(b.settlements) > 0 {
		b.settle(b.touch()) // the committer starts a payer
	}
}

// Send makes a settlement that somebody asks for.
func (b *book) Send(ctx context.Context, amount uint64) (string, error) {
	done := newWaiting()
	key, err := b.send(amount, done)
	if err != nil {
		return "", fmt.Errorf("ledger: account %q: a settlement of %d: %w", b.account, amount, err)
	}
	if err := done.wait(ctx); err != nil {
		return key, fmt.Errorf("ledger: account %q: settlement %q is not durable: %w", b.account, key, err)
	}
	return key, nil
}

func (b *book) send(amount uint64, w waiting) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.opened || b.l.closed.Load():
		return "", ErrClosed
	case b.terms.pay == nil:
		return "", errors.New("the account's link cannot send money: open its book with Terms.Pay")
	case amount == 0:
		return "", errors.New("there is nothing to send: it must be at least 1")
	case amount > b.figures.roomIn(b.terms.maximum):
		return "", fmt.Errorf("%w: the balance would pass %d", ErrLimit, b.terms.maximum)
	}
	epoch := b.touch()
	s := b.make(epoch, amount)
	b.tell(epoch, w)
	return s.Key, nil
}

// below reports whether the threshold asks for a settlement. The caller holds
// mu.
func (b *book) below() bool {
	return b.settles && b.terms.settles && !b.resting && b.figures.balance < b.terms.threshold
}

// settle makes the settlement that the threshold asks for, if it does. The
// caller holds mu and has touched the book.
//
// Packets in flight from the counterparty may leave less room below the
// maximum than SettleTo asks for. A part will do if it reaches the threshold;
// if it does not, the settlement is due when there is more room.
func (b *book) settle(epoch uint64) {
	b.due = false
	if !b.below() {
		return
	}
	wanted := uint64(b.terms.settleTo) - uint64(b.figures.balance)
	needed := uint64(b.terms.threshold) - uint64(b.figures.balance)
	amount := min(wanted, b.figures.roomIn(b.terms.maximum))
	if amount < needed {
		b.due = true
		return
	}
	b.make(epoch, amount)
}

// make puts a settlement of amount, for which there is room, into the outbox:
// the balance and the record are in the batch of epoch. The caller holds mu
// and has touched the book.
func (b *book) make(epoch, amount uint64) *settlement {
	created := b.l.options.Now().Round(0) // as the store will give it back
	if n := len(b.settlements); n > 0 && !created.After(b.settlements[n-1].Created) {
		created = b.settlements[n-1].Created.Add(1) // the store keeps the order by this
	}
	s := &settlement{Settlement: Settlement{Key: newKey(), Amount: amount, Created: created}, epoch: epoch}
	b.figures, _ = b.figures.raise(amount)
	b.settlements = append(b.settlements, s)
	b.record(epoch, record{key: outKey(b.account, s.Key), value: settlementValue(plugin.Money{Amount: amount}, created)})
	return s
}

// without removes a settlement from the outbox, and from the store in the
// batch of epoch. The caller holds mu and has touched the book.
func (b *book) without(epoch uint64, s *settlement) {
	b.settlements = slices.DeleteFunc(b.settlements, func(other *settlement) bool { return other == s })
	b.record(epoch, record{key: outKey(b.account, s.Key), delete: true})
}
