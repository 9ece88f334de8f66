package ledger

import (
	"math"

	"github.com/interledger-go/connector/plugin"
)

// figures are what a book comes down to.
//
// They hold at all times: balance + in fits into 64 bits, and so does balance
// − out. Every change that could break this is refused when the amount is
// reserved, so that no posting can.
//
// What the counterparty has settled is what was taken from the balance and the
// remainder together, exactly.
type figures struct {
	balance   int64
	in, out   uint64 // reserved
	remainder uint64 // of settlements received, in fractions, and less than a unit of them
}

// roomIn is how much more the balance can rise to maximum, if all that is
// reserved for packets from the counterparty comes in.
func (f figures) roomIn(maximum int64) uint64 {
	if f.balance > maximum {
		return 0
	}
	room := uint64(maximum) - uint64(f.balance) // exact, though neither side need be
	return room - min(f.in, room)
}

// roomOut is how much further the balance can fall to minimum, if all that is
// reserved for packets to the counterparty goes out.
func (f figures) roomOut(minimum int64) uint64 {
	if f.balance < minimum {
		return 0
	}
	room := uint64(f.balance) - uint64(minimum)
	return room - min(f.out, room)
}

// addIn is f with amount more reserved for packets from the counterparty, if
// that fits below maximum.
func (f figures) addIn(amount uint64, maximum int64) (figures, bool) {
	if amount > f.roomIn(maximum) {
		return f, false
	}
	f.in += amount
	return f, true
}

// addOut is f with amount more reserved for packets to the counterparty, if
// that stays above minimum.
func (f figures) addOut(amount uint64, minimum int64) (figures, bool) {
	if amount > f.roomOut(minimum) {
		return f, false
	}
	f.out += amount
	return f, true
}

// raise adds amount to the balance, if that fits with all that is reserved.
func (f figures) raise(amount uint64) (figures, bool) {
	if amount > f.roomIn(math.MaxInt64) {
		return f, false
	}
	f.balance += int64(amount) // an amount beyond 2^63 wraps, and the sum wraps back
	return f, true
}

// lower takes amount from the balance, likewise.
func (f figures) lower(amount uint64) (figures, bool) {
	if amount > f.roomOut(math.MinInt64) {
		return f, false
	}
	f.balance -= int64(amount)
	return f, true
}

// receive takes amount and fraction, which is less than a unit, from the
// balance: as many units as they are with the remainder, which is what is left
// then.
func (f figures) receive(amount, fraction uint64) (figures, bool) {
	f.remainder += fraction // two parts of a unit are within 64 bits
	if f.remainder < plugin.FractionsPerUnit {
		return f.lower(amount)
	}
	f.remainder -= plugin.FractionsPerUnit
	after, ok := f.lower(1)
	if !ok {
		return f, false
	}
	return after.lower(amount)
}

// reserved is how much is reserved on a side.
func (f figures) reserved(side Side) uint64 {
	if side == Incoming {
		return f.in
	}
	return f.out
}

// release takes amount, which is reserved, from what is reserved on a side.
func (f figures) release(side Side, amount uint64) figures {
	if side == Incoming {
		f.in -= amount
	} else {
		f.out -= amount
	}
	return f
}

// post turns amount, which is reserved, into balance. It fits: see figures.
func (f figures) post(side Side, amount uint64) figures {
	f = f.release(side, amount)
	if side == Incoming {
		f.balance += int64(amount)
	} else {
		f.balance -= int64(amount)
	}
	return f
}
