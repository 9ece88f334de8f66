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
// remembered. From then on Rate costs two look-ups and allocates nothing. So
// a table of thousands of currencies costs no more than the pairs that are
// used. All methods may be called concurrently.
type Table struct {
	prices map[string]price
	keep   Ratio
	rates  memo[uint64]
}

type price struct {
	// index names the currency in the keys of the memo. 0 is nobody's: it
	// stands for both sides of a pair in one currency.
	index uint64
	value Ratio
}

// maxCurrencies is what the keys of the memo have room for.
const maxCurrencies = 1 << 20

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
	if len(prices) >= maxCurrencies {
		return nil, fmt.Errorf("backend: table of %d currencies: want less than %d", len(prices), maxCurrencies)
	}
	t := &Table{prices: make(map[string]price, len(prices)), keep: keep}
	for code, value := range prices {
		if value.IsZero() {
			return nil, fmt.Errorf("backend: table with a price of 0 for currency %q: want more, or no price", code)
		}
		t.prices[code] = price{uint64(len(t.prices)) + 1, value}
	}
	return t, nil
}

// Rate returns the rate between two assets. A currency is worth itself,
// whether it has a price or not. Otherwise both need one, and the error for a
// currency that has none is a *[NoRateError].
func (t *Table) Rate(source, destination ilp.Asset) (Ratio, error) {
	from, to := price{value: one}, price{value: one}
	if source.Code != destination.Code {
		var ok bool
		if from, ok = t.prices[source.Code]; !ok {
			return Ratio{}, &NoRateError{Currency: source.Code}
		}
		if to, ok = t.prices[destination.Code]; !ok {
			return Ratio{}, &NoRateError{Currency: destination.Code}
		}
	}
	key := from.index<<36 | to.index<<16 | uint64(source.Scale)<<8 | uint64(destination.Scale)
	hash := mix(key)
	if rate, ok := t.rates.get(hash, key); ok {
		return rate, nil
	}
	rate := from.value.Mul(to.value.Inv()).Scale(source.Scale, destination.Scale).Mul(t.keep)
	t.rates.put(hash, key, rate)
	return rate, nil
}
