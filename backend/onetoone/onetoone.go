// Package onetoone is a rate source for which a unit of every currency is
// worth a unit of every other: the rate is what the spread leaves, times the
// power of ten between the two asset scales.
//
//	rate = (1 - spread) × 10^(destination scale - source scale)
//
// Asset codes are ignored, on purpose. That is right for a connector whose
// accounts are all in one currency, and for currencies that are kept at
// parity. A connector whose accounts hold dollars and yen sells dollars for
// the price of yen with it.
package onetoone

import (
	"fmt"

	"github.com/interledger-go/connector/backend"
)

// Options say how a Backend is made. The zero value is parity without a
// spread.
type Options struct {
	// Spread is the share of every converted amount that the connector keeps,
	// as backend.ParseRatio reads it: at least 0 and less than 1, such as
	// "0.002" for 0.2 %. It is taken from every packet, between accounts of
	// the same asset too. The empty text is no spread.
	Spread string
}

// maxScaleDiff is the most that two asset scales can differ by.
const maxScaleDiff = 255

// Backend is a [backend.Backend]. Make one with [New]: the zero value has no
// rates. It is immutable and safe for concurrent use.
type Backend struct {
	// rates holds the rate for each difference destination - source of
	// scales, from -255 to 255, so that a packet costs one look into a table.
	rates [2*maxScaleDiff + 1]backend.Ratio
}

var _ backend.Backend = (*Backend)(nil)

// New returns a Backend with the given options. A spread that is not in
// [0, 1) is an error: rates would be zero or negative.
func New(opts Options) (*Backend, error) {
	factor, err := backend.AfterSpread(opts.Spread)
	if err != nil {
		return nil, fmt.Errorf("onetoone: %w", err)
	}
	b := new(Backend)
	for i := range uint8(maxScaleDiff) {
		d := i + 1
		b.rates[maxScaleDiff+int(d)] = factor.Scale(0, d)
		b.rates[maxScaleDiff-int(d)] = factor.Scale(d, 0)
	}
	b.rates[maxScaleDiff] = factor
	return b, nil
}

// Rate returns the rate between the scales of the two assets. There is one
// for every pair of accounts. It allocates nothing.
func (b *Backend) Rate(source, destination backend.Party) (backend.Ratio, error) {
	rate := b.rates[maxScaleDiff+int(destination.Asset.Scale)-int(source.Asset.Scale)]
	if rate.IsZero() {
		return backend.Ratio{}, fmt.Errorf("onetoone: %w: make the Backend with New", backend.ErrNoRate)
	}
	return rate, nil
}
