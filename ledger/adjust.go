package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// Adjust adds diff, which may be negative, to the balance of a book, and
// returns nil when that is durable. To the book it is a packet that was
// fulfilled: it must fit between the limits with all that is in flight, or the
// error wraps ErrLimit and nothing has changed; and what takes the balance
// below its threshold makes a settlement.
//
// There is no key, and a second call adjusts a second time. Where an error
// says that the adjustment is booked and may not be durable, it becomes so
// unless the process ends first: look at the balance before trying again.
func Adjust(ctx context.Context, b Book, diff int64) error {
	side, amount := Incoming, uint64(diff)
	if diff < 0 {
		side, amount = Outgoing, -uint64(diff)
	}
	if err := reserve(ctx, b, side, amount); err != nil {
		return err
	}
	if err := post(ctx, b, side, amount); err != nil {
		return fmt.Errorf("it is booked, and may not be durable: %w", err)
	}
	return nil
}

// reserve reserves amount and waits for the answer. Where ctx ends first, what
// is reserved later is given back.
func reserve(ctx context.Context, b Book, side Side, amount uint64) error {
	w := newAnswer(func(err error) {
		if err == nil {
			b.Release(side, amount)
		}
	})
	err := b.Reserve(ctx, side, amount, w)
	if errors.Is(err, ErrPending) {
		return w.wait(ctx)
	}
	return err
}

// post posts amount and waits until that is durable.
func post(ctx context.Context, b Book, side Side, amount uint64) error {
	w := newAnswer(func(error) {})
	err := b.Post(ctx, side, amount, w)
	if errors.Is(err, ErrPending) {
		return w.wait(ctx)
	}
	return err
}

// answer is what a call of a book comes to that gave ErrPending.
type answer struct {
	come    chan error
	taken   atomic.Bool // it has come, or nobody waits for it any more
	tooLate func(error) // takes it then
}

func newAnswer(tooLate func(error)) *answer {
	return &answer{come: make(chan error, 1), tooLate: tooLate}
}

// Done implements Waiter.
func (a *answer) Done(_ context.Context, err error) {
	if a.taken.CompareAndSwap(false, true) {
		a.come <- err
		return
	}
	a.tooLate(err)
}

// wait gives the answer, or the error of ctx if that ends first.
func (a *answer) wait(ctx context.Context) error {
	select {
	case err := <-a.come:
		return err
	case <-ctx.Done():
	}
	if a.taken.CompareAndSwap(false, true) {
		return context.Cause(ctx)
	}
	return <-a.come
}
