package ledgertest_test

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

// naiveReceived is a settlement that was received.
type naiveReceived struct {
	money plugin.Money
	used  time.Time
}

func (b *naiveBook) Receive(_ context.Context, m plugin.Money) error {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	key, p := m.Key, b.page
	switch {
	case b.closed && b.l.fault != closedTakes || b.l.stopped && b.l.fault != goesOn:
		return ledger.ErrClosed
	case key == "" && b.l.fault != receivesUnnamed || len(key) > 200:
		return errors.New("key")
	case m.Fraction >= plugin.FractionsPerUnit && b.l.fault != takesAnyFraction:
		return errors.New("fraction")
	case m.Amount|m.Fraction == 0 && b.l.fault == refusesZero:
		return errors.New("amount")
	case m.Amount|m.Fraction == 0 && b.l.fault == forgetsZero:
		return nil
	case b.l.fault == foldsKeys:
		key = strings.ToLower(key)
	case b.l.fault == cutsKeys:
		key = key[:min(len(key), 199)]
	}
	known := p.received
	if b.l.fault == receivesElsewhere {
		known = b.l.keys
	}
	first, again := known[key]
	again = again && time.Since(first.used) <= 24*time.Hour && b.l.fault != receivesTwice
	reused := again && (first.money.Amount != m.Amount || first.money.Fraction != m.Fraction)
	switch {
	case !again:
		first = naiveReceived{m, time.Now()}
	case b.l.fault != keysOfFirstUse && (!reused || b.l.fault != keysOfGoodUse):
		first.used = time.Now()
	}
	known[key] = first
	switch {
	case !reused || b.l.fault == keysAlone:
	case b.l.fault == saysReusedAlone:
		return plugin.ErrKeyReused
	case b.l.fault == saysLast:
		return &plugin.KeyReusedError{First: m}
	default:
		return &plugin.KeyReusedError{First: first.money}
	}
	if again && b.l.fault == fractionsTwice {
		m.Amount = 0
	} else if again {
		return nil
	}
	return b.book(m)
}

// book books a settlement of the counterparty. The caller holds the ledger's
// mu.
func (b *naiveBook) book(m plugin.Money) error {
	p, amount := b.page, m.Amount
	fraction := p.fraction + m.Fraction
	switch {
	case b.l.fault == dropsFractions:
		fraction = 0
	case b.l.fault == roundsFractions && m.Fraction > 0:
		fraction = 0
		amount++
	case fraction >= plugin.FractionsPerUnit:
		fraction -= plugin.FractionsPerUnit
		amount++
	}
	switch {
	case b.l.fault == receiveHasLimits && b.over(-1, b.limits().Minimum, p.balance, amount), b.over(-1, account.NoMinimum, p.balance, p.out, amount):
		return ledger.ErrLimit
	case b.l.fault == receiveAdds:
		p.balance += int64(amount)
	default:
		p.balance -= int64(amount)
	}
	p.fraction = fraction
	return nil
}
