package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/interledger-go/connector/plugin"
)

// received is a settlement that a book has received.
type received struct {
	money plugin.Money
	used  time.Time // its key, the last time
}

// Receive books a settlement of the counterparty.
func (b *book) Receive(ctx context.Context, m plugin.Money) error {
	done := newWaiting()
	if err := b.receive(m, done); err != nil {
		return fmt.Errorf("ledger: account %q: settlement %.*q: %w", b.account, maxKey, m.Key, err)
	}
	if err := done.wait(ctx); err != nil {
		return fmt.Errorf("ledger: account %q: settlement %q is not durable: %w", b.account, m.Key, err)
	}
	return nil
}

func (b *book) receive(m plugin.Money, w waiting) error {
	if m.Key == "" || len(m.Key) > maxKey {
		return fmt.Errorf("its key has %d bytes: it must have 1 to %d", len(m.Key), maxKey)
	}
	if m.Fraction >= plugin.FractionsPerUnit {
		return fmt.Errorf("its fraction is %d: it must be below %d, which is a unit", m.Fraction, uint64(plugin.FractionsPerUnit))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.opened || b.l.closed.Load() {
		return ErrClosed
	}
	first, again := b.received[m.Key]
	after := b.figures
	if !again {
		first.money = m
		var ok bool
		if after, ok = b.figures.receive(m.Amount, m.Fraction); !ok {
			return fmt.Errorf("%d does not fit into the balance of %d: %w", m.Amount, b.figures.balance, ErrLimit)
		}
	}
	first.used = b.l.options.Now() // counts from the last time that the key was used, for whatever
	epoch := b.touch()
	b.figures = after
	b.received[m.Key] = first
	b.record(epoch, receivedRecord(b.account, first.money, first.used))
	b.purge(epoch, first.used)
	if first.money != m {
		return fmt.Errorf("%w: first it was %v, now it is %v", plugin.ErrKeyReused, first.money, m)
	}
	b.tell(epoch, w)
	return nil
}

// keepReceived is how long a key is known at least, since it was last used
// (SE-54).
const keepReceived = 24 * time.Hour

// purge forgets keys that are older, once an hour. The caller holds mu.
func (b *book) purge(epoch uint64, now time.Time) {
	if now.Sub(b.purged) < time.Hour {
		return
	}
	b.purged = now
	for key, r := range b.received {
		if now.Sub(r.used) > keepReceived {
			delete(b.received, key)
			b.record(epoch, record{key: receivedKey(b.account, key), delete: true})
		}
	}
}
