package ratefeed

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/interledger-go/connector/backend"
)

// Quotes are the prices of one document.
type Quotes struct {
	// Base is the currency that prices are in.
	Base string
	// Time is when the prices were made, if the document says so.
	Time time.Time
	// Prices says what one whole unit of each currency is worth, in whole
	// units of the base. The base itself is not among them.
	Prices map[string]backend.Ratio
}

// Bounds of what is believable as a price. They keep garbage out, and
// arithmetic small.
const (
	// MaxPriceLength is the longest text of a price, in bytes.
	MaxPriceLength = 40
	// MaxCodeLength is the longest asset code, in bytes.
	MaxCodeLength = 32
)

var (
	leastPrice    = backend.MustParseRatio("1e-24")
	greatestPrice = backend.MustParseRatio("1e24")
)

// ParsePrice reads a price that somebody else wrote, without loss.
func ParsePrice(text string) (backend.Ratio, error) {
	if len(text) > MaxPriceLength {
		return backend.Ratio{}, fmt.Errorf("price %.40q... has %d characters: want at most %d", text, len(text), MaxPriceLength)
	}
	if strings.Contains(text, "/") {
		return backend.Ratio{}, fmt.Errorf("price %q: want a decimal number", text)
	}
	price, err := backend.ParseRatio(text)
	if err != nil {
		return backend.Ratio{}, fmt.Errorf("price %q: want a decimal number above 0, such as 1.08", text)
	}
	if price.Cmp(leastPrice) < 0 || price.Cmp(greatestPrice) > 0 {
		return backend.Ratio{}, fmt.Errorf("price %q: want more than 0, from 1e-24 to 1e24", text)
	}
	return price, nil
}

// CheckCode says what is wrong with an asset code that somebody else wrote.
func CheckCode(code string) error {
	if code == "" {
		return errors.New("empty currency code")
	}
	if len(code) > MaxCodeLength {
		return fmt.Errorf("currency code %.32q... has %d characters: want at most %d", code, len(code), MaxCodeLength)
	}
	for _, c := range []byte(code) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("currency code %q: want printable ASCII without spaces", code)
		}
	}
	return nil
}
