package main

import (
	"fmt"

	"github.com/interledger-go/connector/backend"
)

// Prices converts between currencies that have a price in a common one, by
// their codes. It never changes, so Rate needs no lock; a source of prices that
// do would swap whole tables through an atomic pointer, from a method Run
// (backend.Runner).
type Prices map[string]backend.Ratio

// Rate is called for each packet: it looks things up, and allocates nothing. A
// spread would be one more factor, see backend.AfterSpread.
func (p Prices) Rate(source, destination backend.Party) (backend.Ratio, error) {
	from, to := p[source.Asset.Code], p[destination.Asset.Code]
	if from.IsZero() || to.IsZero() {
		return backend.Ratio{}, fmt.Errorf("from %v to %v: %w", source.Asset, destination.Asset, backend.ErrNoRate)
	}
	// Prices are about a dollar or a euro, rates about the smallest units.
	return from.Mul(to.Inv()).Scale(source.Asset.Scale, destination.Asset.Scale), nil
}
