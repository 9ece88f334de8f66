package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"

	"github.com/interledger-go/connector/backend"
)

// plannedRates is how the rates of a plan are made: by the backend that the
// driver makes, less the spreads around it.
type plannedRates struct {
	// sum changes with the backend, whatever the spreads.
	sum [sha256.Size]byte
	// steady says that the backend has its rates at once and does nothing but
	// give them, so that another may take its place.
	steady bool
	// spreads are taken around it; nil: it takes its own.
	spreads *backend.Spreads
}

// canBecome reports whether next can take the place of r while packets move:
// no packet may find that there is no rate, or one without its spread.
func (r *plannedRates) canBecome(next *plannedRates) bool {
	return r.sum == next.sum || r.steady && next.steady
}

// around gives the rates of b less the spreads.
func (r *plannedRates) around(b backend.Backend) (backend.Backend, error) {
	if r.spreads == nil {
		return b, nil
	}
	return backend.WithSpreads(b, *r.spreads)
}

// planRates plans the rates by what the driver has made; again calls it for a
// backend that takes no spread.
func (k *checker) planRates(made Made[backend.Backend], seen []string, again func() Made[backend.Backend]) {
	c, p := k.config, k.plan
	p.backend = made
	if made.Build == nil || k.below("backendConfig") {
		return
	}
	own := c.Spread // what the backend takes
	switch {
	case c.Spreads != nil:
		spreads := c.Spreads.backend(c.Spread)
		p.rates.spreads, own = &spreads, "0"
	case made.spread != nil:
		if bare := again(); bare.spread != nil && *bare.spread == "0" {
			p.rates.spreads, own = &backend.Spreads{Default: string(*made.spread)}, "0"
			p.backend.Build = bare.Build
		}
	}
	p.rates.steady = made.steady
	p.rates.sum = fingerprint([]string{c.Backend, string(own), string(c.BackendConfig)}, seen)
}

// rates are those of a connector that runs: Apply can change them while packets
// move. What a backend can do besides is done by that which the driver has made.
type rates struct{ current atomic.Pointer[ratesInUse] }

type ratesInUse struct{ inner, outer backend.Backend }

// observedRates are rates of a backend that wants news.
type observedRates struct {
	*rates
	backend.Observer
}

var (
	_ backend.Runner   = (*rates)(nil)
	_ backend.Feeder   = (*rates)(nil)
	_ backend.Observer = observedRates{}
)

// newRates gives the rates of p by a backend, and what the connector takes: a
// backend with the abilities of that one.
func newRates(p *plannedRates, inner backend.Backend) (*rates, backend.Backend, error) {
	r := &rates{}
	if err := r.set(p, inner); err != nil {
		return nil, nil, err
	}
	if observer, ok := inner.(backend.Observer); ok {
		return r, observedRates{r, observer}, nil
	}
	return r, r, nil
}

// set makes the rates those of p. inner is another than before only if both are
// steady.
func (r *rates) set(p *plannedRates, inner backend.Backend) error {
	outer, err := p.around(inner)
	if err != nil {
		return err
	}
	r.current.Store(&ratesInUse{inner, outer})
	return nil
}

func (r *rates) inner() backend.Backend { return r.current.Load().inner }

// Rate gives the rate of now.
func (r *rates) Rate(source, destination backend.Party) (backend.Ratio, error) {
	return r.current.Load().outer.Rate(source, destination)
}

// Run runs the backend, if it has something to do.
func (r *rates) Run(ctx context.Context) error {
	if runner, ok := r.inner().(backend.Runner); ok { // it stays the one that it is
		return runner.Run(ctx)
	}
	<-ctx.Done()
	return nil
}

// Feeds gives the feeds of the backend, if it has some.
func (r *rates) Feeds() []backend.FeedStatus {
	if feeder, ok := r.inner().(backend.Feeder); ok {
		return feeder.Feeds()
	}
	return nil
}

// Confirm has the backend believe a price, if it fetches any.
func (r *rates) Confirm(currency string) error {
	if feeder, ok := r.inner().(backend.Feeder); ok {
		return feeder.Confirm(currency)
	}
	return fmt.Errorf("config: no price of %q waits: the backend fetches none", currency)
}
