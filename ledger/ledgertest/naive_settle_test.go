package ledgertest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

func (b *naiveBook) Settle() {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	if b.closed {
		return
	}
	b.settles = true
	if b.l.fault != settlesLate {
		b.settle()
	}
	b.l.kick()
}

func (b *naiveBook) Send(_ context.Context, amount uint64) (string, error) {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	inFlight := b.page.in
	if b.l.fault == sendsInFlight {
		inFlight = 0
	}
	maximum := b.limits().Maximum
	if b.l.fault == sendsPast {
		maximum = account.NoMaximum
	}
	switch {
	case b.closed && b.l.fault != closedTakes || b.l.stopped && b.l.fault != goesOn:
		return "", ledger.ErrClosed
	case b.terms.Pay == nil && b.l.fault != sendsUnpaid, amount == 0 && b.l.fault != sendsNothing:
		return "", errors.New("nothing to pay, or with")
	case b.over(1, maximum, b.page.balance, inFlight, amount):
		return "", ledger.ErrLimit
	}
	return b.make(amount), nil
}

// settle makes the settlement that the threshold asks for. The caller holds
// the ledger's mu.
func (b *naiveBook) settle() {
	limits, p, f := b.limits(), b.page, b.l.fault
	b.due = false
	if f == settlesUnasked && limits.SettleThreshold == nil && p.balance < 0 {
		b.make(uint64(-p.balance))
		return
	}
	switch {
	case limits.SettleThreshold == nil, b.terms.Pay == nil && f != settlesUnpaid, !b.settles && f != settlesEarly, b.rests:
		return
	case p.balance > *limits.SettleThreshold, p.balance == *limits.SettleThreshold && f != settlesAtThreshold:
		return
	}
	amount := uint64(limits.SettleTo) - uint64(p.balance)
	if f == settlesAll {
		amount = -uint64(p.balance)
	}
	if f != settlesPast && b.over(1, limits.Maximum, p.balance, p.in, amount) {
		needed := uint64(*limits.SettleThreshold) - uint64(p.balance)
		if b.over(1, limits.Maximum, p.balance, p.in, needed) {
			b.due = f != settlesOnce
			return
		}
		amount = uint64(limits.Maximum) - uint64(p.balance) - p.in
	}
	before := p.balance
	b.make(amount)
	if f == settlesTwice {
		p.balance = before
	}
}

// make makes a settlement. The caller holds the ledger's mu.
func (b *naiveBook) make(amount uint64) string {
	key := rand.Text()
	if b.l.fault == oneKey {
		key = "key"
	}
	b.page.balance += int64(amount)
	b.page.outbox = append(b.page.outbox, ledger.Settlement{Key: key, Amount: amount, Created: time.Now()})
	b.l.kick()
	return key
}

// startPaying pays what is in the outbox, if nobody does. The caller holds the
// ledger's mu.
func (b *naiveBook) startPaying(ctx context.Context, payers *sync.WaitGroup) {
	if b.paying && b.l.fault != paysTogether || !b.settles && b.l.fault != paysEarly || b.terms.Pay == nil || len(b.page.outbox) == 0 {
		return
	}
	b.paying = true
	ctx, b.stop = context.WithCancel(ctx)
	payers.Go(func() {
		for b.payOne(ctx) {
		}
	})
}

// payOne pays one settlement, and reports whether there may be more to do.
func (b *naiveBook) payOne(ctx context.Context) bool {
	s, ok := b.next(ctx)
	if !ok {
		return false
	}
	m := plugin.Money{Amount: s.Amount, Key: s.Key}
	if b.l.fault == newKeys {
		m.Key = rand.Text()
	}
	err := b.terms.Pay(ctx, m)
	f := b.l.fault
	no := errors.Is(err, plugin.ErrNotSent) && (f == refundsDown || !errors.Is(err, plugin.ErrNotConnected)) && (f == refundsBusy || !errors.Is(err, plugin.ErrBusy))
	switch {
	case err == nil:
		b.done(s.Key, 0)
		return true
	case no && f == losesRefused:
		b.done(s.Key, 0)
		return true
	case no && f != neverRefunds, f == refundsUnknown:
		b.done(s.Key, s.Amount)
		b.rest(ctx)
		return true
	}
	b.failed(s.Key, err)
	if f == givesUp {
		<-ctx.Done()
	}
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	return true
}

func (b *naiveBook) next(ctx context.Context) (ledger.Settlement, bool) {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	n := len(b.page.outbox)
	if ctx.Err() != nil || n == 0 {
		b.paying = false
		b.l.kick()
		return ledger.Settlement{}, false
	}
	if b.l.fault == paysNewest {
		return b.page.outbox[n-1], true
	}
	return b.page.outbox[0], true
}

// done takes a settlement out of the outbox, and puts refund back.
func (b *naiveBook) done(key string, refund uint64) {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	p := b.page
	p.outbox = slices.DeleteFunc(p.outbox, func(s ledger.Settlement) bool {
		if s.Key == key {
			p.paid = append(p.paid, s)
		}
		return s.Key == key
	})
	p.balance -= int64(refund)
	b.rests = refund > 0 && b.l.fault != storms
}

func (b *naiveBook) failed(key string, err error) {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	for i := range b.page.outbox {
		if s := &b.page.outbox[i]; s.Key == key {
			s.Attempts++
			s.LastError = err
		}
	}
}

// rest makes the threshold wait for a minute, while others ask for what they
// like.
func (b *naiveBook) rest(ctx context.Context) {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	if b.l.fault == restsForever || b.l.fault == storms {
		return
	}
	time.AfterFunc(time.Minute, func() {
		b.l.mu.Lock()
		defer b.l.mu.Unlock()
		if b.rests = false; ctx.Err() == nil {
			b.settle()
		}
	})
}
