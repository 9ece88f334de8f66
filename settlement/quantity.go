package settlement

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Quantity is an amount of a currency as engines write it: Amount times
// 10^-Scale (SE-11). Its JSON is {"amount":"254","scale":2} for 2.54 (SE-10).
type Quantity struct {
	// Amount is not negative; nil is none at all. It is not changed.
	Amount *big.Int
	// Scale may be another than the account's, or any other's.
	Scale uint8
}

// maxDigits of an amount are more than enough for 64 bits of a unit at any
// scale, and few enough to be read in no time.
const maxDigits = 512

// Of gives what m, a settlement that we make, is in units of an account. It
// has no fraction.
func Of(m plugin.Money, unit ilp.Asset) Quantity {
	return Quantity{Amount: new(big.Int).SetUint64(m.Amount), Scale: unit.Scale}
}

// Money gives q as the settlement of a counterparty, in units of its account,
// exactly: what is finer is in its fraction. An error says why q does not fit,
// see plugin.NewMoney.
func (q Quantity) Money(key string, unit ilp.Asset) (plugin.Money, error) {
	return plugin.NewMoney(key, q.Amount, q.Scale, unit)
}

// quantityJSON tells a field that is missing, or null, from one that is not.
type quantityJSON struct {
	Amount *string `json:"amount"`
	Scale  *uint8  `json:"scale"`
}

// MarshalJSON writes q; it must have an amount.
func (q Quantity) MarshalJSON() ([]byte, error) {
	if q.Amount == nil || q.Amount.Sign() < 0 {
		return nil, errors.New("settlement: the amount of a quantity is negative or missing: it must be at least 0")
	}
	digits := q.Amount.String()
	return json.Marshal(quantityJSON{Amount: &digits, Scale: &q.Scale})
}

// UnmarshalJSON reads a quantity, and refuses whatever is not exactly one: an
// amount that is no string of decimal digits, or begins with a zero that is not
// all of it, a scale that is no whole number up to 255, one without the other,
// and either of them twice, in whatever letters: two readers would see two
// sums. Fields that it does not know do no harm.
func (q *Quantity) UnmarshalJSON(text []byte) error {
	read, err := readQuantity(json.NewDecoder(bytes.NewReader(text)))
	if err != nil {
		return fmt.Errorf("settlement: a quantity must be an object with the amount in a string and the scale as number: %w", err)
	}
	if read.Amount == nil || read.Scale == nil {
		return errors.New("settlement: a quantity must have an amount and a scale")
	}
	amount, err := parseAmount(*read.Amount)
	if err != nil {
		return err
	}
	q.Amount, q.Scale = amount, *read.Scale
	return nil
}

// readQuantity reads an object, field by field: package json takes the last of
// two of one name, and names in other letters.
func readQuantity(d *json.Decoder) (read quantityJSON, err error) {
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return read, cmp.Or(err, errors.New("it is no object"))
	}
	fields := map[string]any{"amount": &read.Amount, "scale": &read.Scale} // nil: it was there
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return read, err
		}
		name := token.(string)
		field, known := fields[name]
		switch {
		case known && field == nil, !known && (strings.EqualFold(name, "amount") || strings.EqualFold(name, "scale")):
			return read, fmt.Errorf("it has one field %.40q too many", name)
		case known:
			fields[name] = nil
		default:
			field = new(json.RawMessage)
		}
		if err := d.Decode(field); err != nil {
			return read, err
		}
	}
	if _, err := d.Token(); err != nil {
		return read, err
	}
	if _, err := d.Token(); err != io.EOF {
		return read, errors.New("there is more behind it")
	}
	return read, nil
}

func parseAmount(digits string) (*big.Int, error) {
	if len(digits) < 1 || len(digits) > maxDigits {
		return nil, fmt.Errorf("settlement: an amount has %d bytes: it must have 1 to %d decimal digits", len(digits), maxDigits)
	}
	for _, c := range []byte(digits) { // big.Int takes signs and more
		if c < '0' || c > '9' {
			return nil, fmt.Errorf("settlement: the amount %.40q must have decimal digits alone", digits)
		}
	}
	if len(digits) > 1 && digits[0] == '0' { // octal, to somebody
		return nil, fmt.Errorf("settlement: the amount %.40q must not begin with a zero", digits)
	}
	amount, _ := new(big.Int).SetString(digits, 10)
	return amount, nil
}
