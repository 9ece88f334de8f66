package account

import (
	"fmt"
	"math"
)

// BalanceLimits bounds the balance of an account, and says when we settle.
// Amounts are in the account's unit; positive is owed to us.
type BalanceLimits struct {
	// Maximum is the most that the counterparty may owe us, packets in flight
	// included. NoMaximum sets no bound.
	Maximum int64
	// Minimum is the least that the balance may fall to: the negative of what
	// we may come to owe, packets in flight included. NoMinimum sets no bound.
	Minimum int64
	// SettleThreshold makes us settle when the balance falls below it; nil
	// never does. Above zero it asks for money to be sent ahead.
	SettleThreshold *int64
	// SettleTo is the balance that a settlement brings about.
	SettleTo int64
}

// The limits that set no bound.
const (
	NoMaximum = math.MaxInt64
	NoMinimum = math.MinInt64
)

// check calls fault with everything that contradicts itself in l.
func (l *BalanceLimits) check(fault func(field, format string, args ...any)) {
	if l.Minimum > l.Maximum {
		fault("Balance.Minimum", "is %d, above Balance.Maximum, %d: it must not be", l.Minimum, l.Maximum)
	}
	if l.SettleThreshold == nil {
		return
	}
	if *l.SettleThreshold > l.SettleTo {
		fault("Balance.SettleThreshold", "is %d, above Balance.SettleTo, %d: a settlement would take money back", *l.SettleThreshold, l.SettleTo)
	}
	if l.SettleTo < l.Minimum {
		fault("Balance.SettleTo", "is %d, below Balance.Minimum, %d: it must not be", l.SettleTo, l.Minimum)
	}
	if l.SettleTo > l.Maximum {
		fault("Balance.SettleTo", "is %d, above Balance.Maximum, %d: it must not be", l.SettleTo, l.Maximum)
	}
}

// String gives the limits as an operator reads them.
func (l *BalanceLimits) String() string {
	bound := func(n int64) string {
		switch n {
		case NoMaximum:
			return "Infinity"
		case NoMinimum:
			return "-Infinity"
		}
		return fmt.Sprint(n)
	}
	s := fmt.Sprintf("%s to %s", bound(l.Minimum), bound(l.Maximum))
	if l.SettleThreshold != nil {
		s += fmt.Sprintf(", below %d settle to %d", *l.SettleThreshold, l.SettleTo)
	}
	return s
}
