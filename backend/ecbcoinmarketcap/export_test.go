package ecbcoinmarketcap

import (
	"io"

	"github.com/interledger-go/connector/internal/ratefeed"
)

// Parse reads a document as c says.
func Parse(c CoinMarketCap, r io.Reader) (ratefeed.Quotes, error) {
	l, err := newLatest(nil, c)
	if err != nil {
		return ratefeed.Quotes{}, err
	}
	return l.parse(r)
}
