package backend

import (
	"errors"
	"fmt"
)

// Spreads say what the connector keeps of a converted amount, in general and
// for whom it has agreed on something else. Every spread is a share as
// [AfterSpread] reads it: at least 0 and less than 1, such as "0.002".
//
// What a packet's amount is multiplied by, besides the rate, is
//
//	(1 - Sources[source account]) × (1 - Destinations[destination account])
//
// if either of the two accounts has terms of its own; the one that has none
// then counts as a spread of 0. Otherwise it is
//
//	1 - Pairs[source currency][destination currency]
//
// if the pair has a spread, and 1 - Default if not. So an account with terms
// of its own pays these and not the general spread; if both have terms, both
// pay. Nothing is rounded before the amount of the packet, and that is rounded
// down.
type Spreads struct {
	// Default is for pairs without a spread of their own. Empty is none.
	Default string
	// Pairs are spreads by currency, from the outer key to the inner one.
	// The way back has the spread that is given for it, or Default. A pair of
	// a currency with itself is a pair like any other.
	Pairs map[string]map[string]string
	// Sources are the spreads on what an account sends, by account id.
	Sources map[string]string
	// Destinations are the spreads on what is sent to an account.
	Destinations map[string]string
}

// WithSpreads returns a backend that gives the rates of b less the spreads. b
// should have none of its own: both would be taken.
//
// The result has those of the abilities [Runner] and [Observer] that b has,
// and passes the calls on. Its Rate allocates nothing if that of b does not,
// save when a rate is new. A spread below 0, or of 1 and more, is an error.
func WithSpreads(b Backend, spreads Spreads) (Backend, error) {
	if b == nil {
		return nil, errors.New("backend: spreads without a backend: want the one whose rates they are taken from")
	}
	s := &spreading{inner: b}
	if err := s.read(spreads); err != nil {
		return nil, err
	}
	runner, runs := b.(Runner)
	observer, observes := b.(Observer)
	switch {
	case runs && observes:
		return struct {
			*spreading
			Runner
			Observer
		}{s, runner, observer}, nil
	case runs:
		return struct {
			*spreading
			Runner
		}{s, runner}, nil
	case observes:
		return struct {
			*spreading
			Observer
		}{s, observer}, nil
	}
	return s, nil
}

// spreading is a Backend around another.
type spreading struct {
	inner        Backend
	general      rest // what the default leaves
	pairs        map[string]map[string]rest
	sources      map[string]rest
	destinations map[string]rest
	products     memo[product]

	made uint64 // the last id
}

// rest is what a spread leaves.
type rest struct {
	factor Ratio
	id     uint64 // 0 for a factor of 1, which whole is
}

var whole = rest{factor: one}

// product is the key of a rate times two rests, whose ids it has.
type product struct {
	rate Ratio
	ids  uint64
}

func (s *spreading) read(spreads Spreads) (err error) {
	if s.general, err = s.rest(spreads.Default); err != nil {
		return err
	}
	s.pairs = make(map[string]map[string]rest, len(spreads.Pairs))
	for from, given := range spreads.Pairs {
		if s.pairs[from], err = s.rests(given); err != nil {
			return fmt.Errorf("%w, from currency %q", err, from)
		}
	}
	if s.sources, err = s.rests(spreads.Sources); err != nil {
		return fmt.Errorf("%w, as source", err)
	}
	if s.destinations, err = s.rests(spreads.Destinations); err != nil {
		return fmt.Errorf("%w, as destination", err)
	}
	return nil
}

func (s *spreading) rests(given map[string]string) (map[string]rest, error) {
	rests := make(map[string]rest, len(given))
	for name, spread := range given {
		r, err := s.rest(spread)
		if err != nil {
			return nil, fmt.Errorf("%w: for %q", err, name)
		}
		rests[name] = r
	}
	return rests, nil
}

func (s *spreading) rest(spread string) (rest, error) {
	factor, err := AfterSpread(spread)
	if err != nil || factor == one {
		return whole, err
	}
	s.made++
	return rest{factor, s.made}, nil
}

// Rate returns the inner rate less the spread.
func (s *spreading) Rate(source, destination Party) (Ratio, error) {
	rate, err := s.inner.Rate(source, destination)
	if err != nil {
		return Ratio{}, err
	}
	first, second := s.terms(&source, &destination)
	key := product{rate, first.id<<32 | second.id}
	if key.ids == 0 {
		return rate, nil
	}
	hash := mix(mix(rate.hash()) + key.ids)
	if r := s.products.get(hash, key); r != nil {
		return r.ratio, nil
	}
	result := rate.Mul(first.factor).Mul(second.factor)
	s.products.put(hash, key, result)
	return result, nil
}

// terms returns what the customers keep: two factors.
func (s *spreading) terms(source, destination *Party) (first, second rest) {
	first, sending := s.sources[source.Account]
	second, receiving := s.destinations[destination.Account]
	switch {
	case sending && receiving:
		return first, second
	case sending:
		return first, whole
	case receiving:
		return whole, second
	}
	if pairs := s.pairs[source.Asset.Code]; pairs != nil {
		if r, ok := pairs[destination.Asset.Code]; ok {
			return r, whole
		}
	}
	return s.general, whole
}

// hash returns a number that is the same for identical ratios.
func (r Ratio) hash() uint64 {
	if r.wide != nil {
		num, den := r.wide.Num().Bits(), r.wide.Denom().Bits()
		return uint64(num[len(num)-1])*3 + uint64(den[len(den)-1]) + uint64(num[0])
	}
	return r.num*0xbf58476d1ce4e5b9 + r.den
}
