// Package randomizer is a rate source for tests: each rate is another one, near
// parity. Nobody should run it with money.
//
//	rate = (1 + r) × (1 - spread) × 10^(destination scale - source scale)
//
// where r is a multiple of 0.00001, drawn anew for each call, evenly, from
// -variation to +variation. Rates are exact. The nth call of a Backend gives the
// same r whenever the seed is the same.
package randomizer

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"

	"github.com/interledger-go/connector/backend"
)

// Options say how a Backend is made.
type Options struct {
	// Variation is how far rates are from parity at most: at least 0 and less
	// than 1, cut to five decimal places. Empty means 0.1.
	Variation string
	// Seed decides what is drawn.
	Seed uint64
	// Spread is the share of every converted amount that the connector keeps,
	// such as "0.002": at least 0 and less than 1. Empty is none.
	Spread string
	// Logger takes the warning that rates are random; nil discards it.
	Logger *slog.Logger
}

// parts is how many parts one is drawn in.
const parts = 100_000

// Backend is a [backend.Backend]. Make one with [New]: the zero value has no
// rates. It is safe for concurrent use.
type Backend struct {
	keep  backend.Ratio
	most  uint64 // the variation, in parts
	seed  uint64
	calls atomic.Uint64
}

var _ backend.Backend = (*Backend)(nil)

// New returns a Backend with the given options.
func New(opts Options) (*Backend, error) {
	keep, err := backend.AfterSpread(opts.Spread)
	if err != nil {
		return nil, fmt.Errorf("randomizer: %w", err)
	}
	if opts.Variation == "" {
		opts.Variation = "0.1"
	}
	variation, err := backend.ParseRatio(opts.Variation)
	if err != nil {
		return nil, fmt.Errorf("randomizer: variation: %w", err)
	}
	b := &Backend{keep: keep, seed: opts.Seed}
	if !variation.IsZero() {
		var ok bool
		if b.most, ok = variation.Apply(parts); !ok || b.most >= parts {
			return nil, errors.New("randomizer: variation of 1 or more: want less, or rates would be 0")
		}
	}
	if opts.Logger != nil {
		opts.Logger.Warn("rates are random: this is for tests", slog.String("backend", "randomizer"))
	}
	return b, nil
}

// Rate returns a rate that no other call had to get.
func (b *Backend) Rate(source, destination backend.Party) (backend.Ratio, error) {
	if b.keep.IsZero() {
		return backend.Ratio{}, fmt.Errorf("randomizer: %w: make the Backend with New", backend.ErrNoRate)
	}
	var random rand.PCG
	random.Seed(b.seed, b.calls.Add(1))
	drawn := random.Uint64() % (2*b.most + 1) // 0 to twice the variation
	rate, err := backend.NewRatio(parts-b.most+drawn, parts)
	if err != nil {
		return backend.Ratio{}, fmt.Errorf("randomizer: %w", err)
	}
	return rate.Scale(source.Asset.Scale, destination.Asset.Scale).Mul(b.keep), nil
}
