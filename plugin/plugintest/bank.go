package plugintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/interledger-go/connector/plugin"
)

// Bank is a settlement system for tests: it pays what it is asked to, each key
// once, and fails as such systems do. What it has really paid is told by key,
// so that a test can assert that every settlement in the books was paid, and
// nothing else was, however often it was asked and whatever it answered.
//
// A bank outlives those who use it: a test that ends a connector and starts
// another one gives both the same bank. [Settler] lets a link settle through
// it. The fields are set before it is first used; all methods may be called
// concurrently. The zero value pays everything at once.
type Bank struct {
	// Decide says how the bank conducts itself when it is asked to pay m.
	// attempt counts the times it was asked under this key, from 1. A bank is
	// slow if Decide waits; it decides all the same when ctx has ended. nil
	// stands for Pays.
	Decide func(ctx context.Context, m plugin.Money, attempt int) Conduct

	// Record is called once for each payment, when it is made and nobody has
	// been told: this is where to note it in a file that a crash leaves, and
	// where to kill the process that asked. With an error it is not made. nil
	// notes nothing.
	Record func(m plugin.Money) error

	mu       sync.Mutex
	orders   map[string]*order
	calls    []plugin.Money
	payments []plugin.Money
	faults   []error
}

// order is what the bank knows of a key.
type order struct {
	turn     chan struct{} // holds a token while nobody works on it
	amount   uint64        // that it was first asked for
	attempts int
	paid     bool
	refused  bool
}

// Conduct is how a bank deals with one call.
type Conduct int

const (
	// Pays: it pays and says so.
	Pays Conduct = iota
	// Refuses: it says no with plugin.ErrNotSent, now and whenever it is asked
	// again under this key. What it has paid it cannot refuse any more.
	Refuses
	// LosesRequest: nothing is paid, and the caller cannot know.
	LosesRequest
	// LosesAnswer: it pays, and the caller cannot know.
	LosesAnswer
	// Hangs: it pays, and there is no answer until the caller's context ends.
	// So a crash between the payment and its answer looks from inside.
	Hangs
	// PaysAndTellsTwice: it pays and says so, and tells the counterparty twice.
	PaysAndTellsTwice
)

// Pay pays m, or does what Decide says instead. Its error is what
// plugin.MoneySender asks for.
func (b *Bank) Pay(ctx context.Context, m plugin.Money) error {
	return b.pay(ctx, m, func(context.Context, plugin.Money) error { return nil })
}

// pay is Pay with a way to tell the counterparty of a payment. It is not paid
// if the counterparty does not take it.
func (b *Bank) pay(ctx context.Context, m plugin.Money, tell func(context.Context, plugin.Money) error) error {
	o, attempt := b.asked(m)
	conduct := Pays
	if b.Decide != nil {
		conduct = b.Decide(ctx, m, attempt)
	}
	if conduct == LosesRequest {
		return fmt.Errorf("plugintest: paying %d: %w: the request is lost", m.Amount, plugin.ErrUnknownOutcome)
	}
	select {
	case <-o.turn:
	case <-ctx.Done():
		return fmt.Errorf("plugintest: paying %d: %w: %w", m.Amount, plugin.ErrUnknownOutcome, ctx.Err())
	}
	err := b.execute(ctx, o, m, conduct, tell)
	o.turn <- struct{}{}
	switch {
	case err != nil:
		return err
	case conduct == LosesAnswer:
		return fmt.Errorf("plugintest: paying %d: %w: the answer is lost", m.Amount, plugin.ErrUnknownOutcome)
	case conduct == Hangs:
		<-ctx.Done()
		return fmt.Errorf("plugintest: paying %d: %w: %w", m.Amount, plugin.ErrUnknownOutcome, ctx.Err())
	}
	return nil
}

// asked notes a call.
func (b *Bank) asked(m plugin.Money) (o *order, attempt int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, m)
	o = b.orders[m.Key]
	if o == nil {
		o = &order{amount: m.Amount, turn: make(chan struct{}, 1)}
		o.turn <- struct{}{}
		if b.orders == nil {
			b.orders = make(map[string]*order)
		}
		b.orders[m.Key] = o
	}
	o.attempts++
	switch {
	case m.Key == "":
		b.faults = append(b.faults, fmt.Errorf("plugintest: the bank was asked to pay %d without a key", m.Amount))
	case m.Amount != o.amount:
		b.faults = append(b.faults, fmt.Errorf("plugintest: the bank was asked to pay %d under the key %q, which names a settlement of %d", m.Amount, m.Key, o.amount))
	}
	return o, o.attempts
}

// execute settles the order for ever, unless it was before. The caller has its
// turn.
func (b *Bank) execute(ctx context.Context, o *order, m plugin.Money, conduct Conduct, tell func(context.Context, plugin.Money) error) error {
	if !o.paid && (o.refused || conduct == Refuses) {
		b.mu.Lock()
		defer b.mu.Unlock()
		o.refused = true
		return fmt.Errorf("plugintest: paying %d: %w: the bank refuses", m.Amount, plugin.ErrNotSent)
	}
	if !o.paid {
		if err := tell(ctx, m); err != nil {
			return err
		}
		if b.Record != nil {
			if err := b.Record(m); err != nil {
				return fmt.Errorf("plugintest: paying %d: %w: %w", m.Amount, plugin.ErrUnknownOutcome, err)
			}
		}
		b.mu.Lock()
		o.paid = true
		b.payments = append(b.payments, m)
		b.mu.Unlock()
	}
	if conduct == PaysAndTellsTwice {
		return tell(ctx, m)
	}
	return nil
}

// Paid gives the amounts that were really paid, by key. The map is the
// caller's.
func (b *Bank) Paid() map[string]uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	paid := make(map[string]uint64, len(b.payments))
	for _, m := range b.payments {
		paid[m.Key] = m.Amount
	}
	return paid
}

// Refused gives the amounts that were refused, by key: they never will be
// paid. The map is the caller's.
func (b *Bank) Refused() map[string]uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	refused := make(map[string]uint64)
	for key, o := range b.orders {
		if o.refused {
			refused[key] = o.amount
		}
	}
	return refused
}

// Payments gives what was really paid, in order.
func (b *Bank) Payments() []plugin.Money {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.payments)
}

// Calls gives what the bank was asked to pay, in order, whatever came of it.
func (b *Bank) Calls() []plugin.Money {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

// Err says what callers have done that none may: ask without a key, or for two
// amounts under one.
func (b *Bank) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(b.faults...)
}
