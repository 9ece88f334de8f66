package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/interledger-go/connector/ilp"
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
	first, err := b.receive(m, done)
	if err == nil {
		if err := done.wait(ctx); err != nil {
			return fmt.Errorf("ledger: account %q: settlement %q is not durable: %w", b.account, m.Key, err)
		}
		if first != m { // who hears that relies on the first one as well
			err = fmt.Errorf("%w, now it is %v", &plugin.KeyReusedError{First: first}, m)
		}
	}
	if err != nil {
		return fmt.Errorf("ledger: account %q: settlement %.*q: %w", b.account, maxKey, m.Key, err)
	}
	return nil
}

// receive gives the settlement that the key stands for, which is m unless it
// was used for another one. w is told when that is durable.
func (b *book) receive(m plugin.Money, w waiting) (plugin.Money, error) {
	if m.Key == "" || len(m.Key) > maxKey {
		return m, fmt.Errorf("its key has %d bytes: it must have 1 to %d", len(m.Key), maxKey)
	}
	if m.Fraction >= plugin.FractionsPerUnit {
		return m, fmt.Errorf("its fraction is %d: it must be below %d, which is a unit", m.Fraction, uint64(plugin.FractionsPerUnit))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.opened || b.l.closed.Load() {
		return m, ErrClosed
	}
	first, again := b.received[m.Key]
	after := b.figures
	if !again {
		first.money = m
		var ok bool
		if after, ok = b.figures.receive(m.Amount, m.Fraction); !ok {
			return m, fmt.Errorf("%d does not fit into the balance of %d: %w", m.Amount, b.figures.balance, ErrLimit)
		}
	}
	first.used = b.l.options.Now() // counts from the last time that the key was used, for whatever
	epoch := b.touch()
	b.figures = after
	b.received[m.Key] = first
	b.record(epoch, receivedRecord(b.account, first.money, first.used))
	b.purge(epoch, first.used)
	b.tell(epoch, w)
	return first.money, nil
}

// keepReceived is how long a key is known at least, since it was last used
// (SE-54).
const keepReceived = 24 * time.Hour

// recount has the keys that are known stand for the same value as before in
// another asset, so that a settlement that comes again is the same. It changes
// nothing where one of them cannot. The caller holds mu.
func (b *book) recount(asset ilp.Asset) error {
	if b.asset == (ilp.Asset{}) || b.asset.Scale == asset.Scale {
		return nil
	}
	now, counted := b.l.options.Now(), make(map[string]received, len(b.received))
	for key, r := range b.received {
		if now.Sub(r.used) > keepReceived {
			continue
		}
		amount, scale, err := r.money.Quantity(b.asset)
		if err == nil {
			r.money, err = plugin.NewMoney(key, amount, scale, asset)
		}
		if err != nil {
			return fmt.Errorf("%w: a settlement under the key %q was received in %v, and may come again: wait until the key has not been used for %v, or use another account id: %w",
				ErrAsset, key, b.asset, keepReceived, err)
		}
		counted[key] = r
	}
	epoch := b.touch()
	for key := range b.received {
		if r, known := counted[key]; known {
			b.record(epoch, receivedRecord(b.account, r.money, r.used))
		} else {
			b.record(epoch, record{key: receivedKey(b.account, key), delete: true})
		}
	}
	b.received = counted
	return nil
}

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
