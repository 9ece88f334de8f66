package ecbxrp

import (
	"io"

	"github.com/interledger-go/connector/internal/ratefeed"
)

// Parse reads a document as x says.
func Parse(x XRP, r io.Reader) (ratefeed.Quotes, error) {
	p, err := newPrice(nil, x)
	if err != nil {
		return ratefeed.Quotes{}, err
	}
	return p.parse(r)
}
