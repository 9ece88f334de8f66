package backendtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
)

// Fixed is a backend for tests: it has the rates that it is given, by asset,
// and remembers what it is told. Its zero value has no rates. All methods may
// be called concurrently.
type Fixed struct {
	mu        sync.RWMutex
	rates     map[[2]ilp.Asset]backend.Ratio
	exchanges []backend.Exchange
}

var (
	_ backend.Backend  = (*Fixed)(nil)
	_ backend.Observer = (*Fixed)(nil)
)

// Set makes rate the rate from source to destination, in smallest units: the
// scales of the two assets are not looked at. The zero Ratio takes the rate
// away.
func (f *Fixed) Set(source, destination ilp.Asset, rate backend.Ratio) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rates == nil {
		f.rates = make(map[[2]ilp.Asset]backend.Ratio)
	}
	f.rates[[2]ilp.Asset{source, destination}] = rate
}

// Rate returns what Set was last given for the two assets.
func (f *Fixed) Rate(source, destination backend.Party) (backend.Ratio, error) {
	f.mu.RLock()
	rate := f.rates[[2]ilp.Asset{source.Asset, destination.Asset}]
	f.mu.RUnlock()
	if rate.IsZero() {
		return backend.Ratio{}, fmt.Errorf("%w: %v to %v", backend.ErrNoRate, source.Asset, destination.Asset)
	}
	return rate, nil
}

// Observe remembers x.
func (f *Fixed) Observe(x backend.Exchange) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exchanges = append(f.exchanges, x)
}

// Exchanges returns what Observe was told, in order. The slice is the
// caller's.
func (f *Fixed) Exchanges() []backend.Exchange {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Clone(f.exchanges)
}
