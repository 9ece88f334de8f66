package plugin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/interledger-go/connector/ilp"
)

// Money is a settlement: value that moves outside of packets. A settlement
// system may count in smaller units than the account does; [NewMoney] makes
// the whole units and the fraction of what it says.
type Money struct {
	// Amount in the account's unit (its asset scale).
	Amount uint64
	// Fraction is what comes on top of Amount: a number below FractionsPerUnit
	// of fractions of the account's unit. A settlement that the counterparty
	// has made may have one; it is kept until it adds up to a unit (SE-12).
	// One that we make has none.
	Fraction uint64
	// Key names this settlement for ever: a second call with the same key is
	// the same settlement and has no further effect.
	Key string
}

// String gives the units and the key, for people: 2.5 under "k".
func (m Money) String() string {
	units := strconv.FormatUint(m.Amount, 10)
	if m.Fraction != 0 {
		units += "." + strings.TrimRight(fmt.Sprintf("%018d", m.Fraction), "0")
	}
	return units + " under " + strconv.Quote(m.Key)
}

// FractionsPerUnit is how many of Money's fractions are a unit: 10^18. So a
// ledger with 18 decimal places, as Ethereum's, is met exactly by an account
// of any scale.
const FractionsPerUnit = 1_000_000_000_000_000_000

// NewMoney gives the settlement of amount times 10^-scale of a currency, to an
// account whose unit is given, exactly: nothing is rounded. An error says that
// it has more whole units than 64 bits hold, or a part smaller than a
// fraction, or is negative.
func NewMoney(key string, amount *big.Int, scale uint8, unit ilp.Asset) (Money, error) {
	fractions, err := toFractions(amount, int(unit.Scale)-int(scale))
	if err != nil {
		return Money{}, fmt.Errorf("plugin: a settlement at scale %d, in units of %v: %w", scale, unit, err)
	}
	whole, rest := new(big.Int).QuoRem(fractions, big.NewInt(FractionsPerUnit), new(big.Int))
	if !whole.IsUint64() {
		return Money{}, fmt.Errorf("plugin: a settlement at scale %d, in units of %v: it has more than 64 bits of them: it must come in parts", scale, unit)
	}
	return Money{Amount: whole.Uint64(), Fraction: rest.Uint64(), Key: key}, nil
}

// Quantity gives m, which is counted in unit, as an amount times 10^-scale of
// the currency, exactly and at the smallest scale from that of unit on:
// [NewMoney] makes m of it again. An error says that no scale is large enough.
func (m Money) Quantity(unit ilp.Asset) (amount *big.Int, scale uint8, err error) {
	places, fraction := 18, m.Fraction
	for ; places > 0 && fraction%10 == 0; places-- {
		fraction /= 10
	}
	if int(unit.Scale)+places > math.MaxUint8 {
		return nil, 0, fmt.Errorf("plugin: %v, in units of %v, needs a scale of %d: there is none above %d", m, unit, int(unit.Scale)+places, math.MaxUint8)
	}
	amount = new(big.Int).SetUint64(m.Amount)
	amount.Mul(amount, powerOfTen(places))
	return amount.Add(amount, new(big.Int).SetUint64(fraction)), unit.Scale + uint8(places), nil
}

// toFractions gives amount times 10^shift units as fractions.
func toFractions(amount *big.Int, shift int) (*big.Int, error) {
	if amount == nil || amount.Sign() < 0 {
		return nil, errors.New("its amount is negative or missing: it must be at least 0")
	}
	const places = 18
	if shift += places; shift >= 0 {
		return new(big.Int).Mul(amount, powerOfTen(shift)), nil
	}
	fractions, finer := new(big.Int).QuoRem(amount, powerOfTen(-shift), new(big.Int))
	if finer.Sign() != 0 {
		return nil, fmt.Errorf("it has a part below 10^-%d of one: it must be a multiple of that", places)
	}
	return fractions, nil
}

func powerOfTen(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// MoneySender is implemented by plugins that can settle.
type MoneySender interface {
	// SendMoney pays m to the counterparty and returns when it is paid. An
	// error that wraps [ErrNotSent] says that nothing was paid or ever will
	// be under this key, unless it wraps [ErrNotConnected], [ErrBusy],
	// net.ErrClosed or the error of a context too: these speak of this attempt
	// alone. After such a one, and after any other error, the outcome is
	// unknown and the caller tries again with the same key. Unlike SendPrepare
	// it blocks, up to ctx.
	//
	// There are no partial payments: nil speaks of all of m. A plugin that
	// pays in coarser units than the account's either gives an error that
	// wraps ErrNotSent for what it cannot pay exactly, or it is itself the
	// debtor of the rest: it keeps that durably, together with the key, before
	// it gives nil, and pays it with what is sent later, as settlement engines
	// do (SE-12). The balance counts all of m as paid, once.
	SendMoney(ctx context.Context, m Money) error
}
