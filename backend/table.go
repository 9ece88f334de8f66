package backend

import (
	"fmt"

	"github.com/interledger-go/connector/ilp"
)

// Table is what one unit of each currency is worth, and the rates between
// them. It is what a backend that has prices keeps behind an atomic pointer:
// immutable, and replaced as a whole when prices change.
//
//	rate = price(source) / price(destination) × 10^(destination scale - source scale) × keep
//
// The rate of a pair is worked out, exactly, when it is first asked for, and
// remembered. From then on Rate costs one look-up and allocates nothing. So
// a table of thousands of currencies costs no more than the pairs that are
// used. Make one with [NewTable]: the zero value has no rates. All methods may
// be called concurrently.
type Table struct {
	prices map[string]price
	keep   Ratio
	rates  memo[pair]
}

type price struct {
	value Ratio
	// index is a number of the currency's own, from 1.
	index uint64
}

// pair is the key of a rate: the names of two currencies, both 0 if they are
// one currency, and their scales.
type pair struct{ from, to, scales uint64 }

// NewTable returns a table of prices: what one whole unit of each currency is
// worth, in whole units of something that all prices have in common. keep is
// the share of each amount that the customer gets, as [AfterSpread] returns
// it. The map stays the caller's.
//
// A price of zero is an error, and so is a keep of zero or above 1.
func NewTable(prices map[string]Ratio, keep Ratio) (*Table, error) {
	if keep.IsZero() || keep.Cmp(one) > 0 {
		return nil, fmt.Errorf("backend: table that leaves %v of an amount: want more than 0 and at most 1, as AfterSpread gives", keep)
	}
	t := &Table{prices: make(map[string]price, len(prices)), keep: keep}
	for code, value := range prices {
		if value.IsZero() {
			return nil, fmt.Errorf("backend: table with a price of 0 for currency %q: want more, or no price", code)
		}
		t.prices[code] = price{value, uint64(len(t.prices)) + 1}
	}
	return t, nil
}

// Rate returns the rate between two assets. A currency is worth itself,
// whether it has a price or not. Otherwise both need one, and the error for a
// currency that has none is a *[NoRateError].
func (t *Table) Rate(source, destination ilp.Asset) (Ratio, error) {
	key := pair{scales: uint64(source.Scale)<<8 | uint64(destination.Scale)}
	if source.Code != destination.Code {
		key.from, key.to = t.name(source.Code), t.name(destination.Code)
	}
	hash := mix(key.from*0xbf58476d1ce4e5b9 + key.to*0x94d049bb133111eb + key.scales*0xd6e8feb86659fd93)
	if r := t.rates.get(hash, key); r != nil {
		return r.ratio, nil
	}
	if t.keep.IsZero() {
		return Ratio{}, fmt.Errorf("%w: make the Table with NewTable", ErrNoRate)
	}
	rate := one
	if source.Code != destination.Code {
		from, ok := t.prices[source.Code]
		if !ok {
			return Ratio{}, &NoRateError{Currency: source.Code}
		}
		to, ok := t.prices[destination.Code]
		if !ok {
			return Ratio{}, &NoRateError{Currency: destination.Code}
		}
		rate = from.value.Mul(to.value.Inv())
	}
	rate = rate.Scale(source.Scale, destination.Scale).Mul(t.keep)
	t.rates.put(hash, key, rate)
	return rate, nil
}

// name is a number that only one currency of the table has. Codes are short
// as a rule, and then it is made of the code itself, with its length on top:
// that is faster than to look it up. Other codes have their index.
func (t *Table) name(code string) uint64 {
	if len(code) > 7 {
		return 8<<56 | t.prices[code].index
	}
	name := uint64(len(code))
	for i := range len(code) {
		name = name<<8 | uint64(code[i])
	}
	return name << (8 * (7 - len(code)))
}
