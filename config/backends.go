package config

import (
	"context"
	"log/slog"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/httprates"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/backend/randomizer"
	"github.com/interledger-go/connector/backend/static"
)

func builtinBackends() map[string]Driver[backend.Backend] {
	return map[string]Driver[backend.Backend]{
		"one-to-one":             oneToOneBackend,
		"ecb":                    ecbBackend,
		"ecb-plus-xrp":           ecbXRPBackend,
		"ecb-plus-coinmarketcap": ecbCoinMarketCapBackend,
		"http":                   httpBackend,
		"static":                 staticBackend,
		"randomizer":             randomizerBackend,
	}
}

// rateOptions are what all rate sources take.
type rateOptions struct {
	Spread Spread `json:"spread"`
}

func (r *rateOptions) standard(o *DriverOptions) { r.Spread = o.Spread }

// checkSpread reports a spread that is given to a backend although spreads
// are taken around it.
func (r *rateOptions) checkSpread(o *DriverOptions) {
	if o.Config.Spreads != nil && r.Spread != o.Spread {
		o.Fault("spread", "is there although spreads are: give it as the key spread")
	}
}

// feedOptions say how a source is fetched.
type feedOptions struct {
	Refresh       Duration `json:"refresh"`
	MaxAge        Duration `json:"maxAge"`
	Band          Rate     `json:"band"`
	Confirmations int      `json:"confirmations"`
}

// makeBackend gives what build makes, or what is wrong with it: making a rate source
// fetches nothing, so it is made once to be looked at.
func makeBackend[T backend.Backend](o *DriverOptions, summary string, spread Spread, build func(l *slog.Logger, now func() time.Time) (T, error)) Made[backend.Backend] {
	if o.Faulty() {
		return Made[backend.Backend]{}
	}
	made, err := build(discardLogger(), nil)
	if err != nil {
		o.Fault("", "%v", err)
		return Made[backend.Backend]{}
	}
	_, runs := any(made).(backend.Runner)
	_, observes := any(made).(backend.Observer)
	if spread != "" && spread != "0" {
		summary += ", spread " + string(spread)
	}
	return Made[backend.Backend]{
		Summary: summary,
		spread:  &spread,
		steady:  !runs && !observes,
		Build: func(_ context.Context, p *Parts) (backend.Backend, error) {
			return build(p.Logger, p.Now)
		},
	}
}

func oneToOneBackend(o *DriverOptions) Made[backend.Backend] {
	var v rateOptions
	v.standard(o)
	o.Decode(&v)
	v.checkSpread(o)
	return makeBackend(o, "one-to-one", v.Spread, func(*slog.Logger, func() time.Time) (*onetoone.Backend, error) {
		return onetoone.New(onetoone.Options{Spread: string(v.Spread)})
	})
}

func staticBackend(o *DriverOptions) Made[backend.Backend] {
	var v struct {
		rateOptions
		Rates map[string]map[string]Rate `json:"rates"`
	}
	v.standard(o)
	o.Decode(&v)
	v.checkSpread(o)
	return makeStatic(o, "a given table of rates", v.Spread, v.Rates)
}

func makeStatic(o *DriverOptions, summary string, spread Spread, table map[string]map[string]Rate) Made[backend.Backend] {
	rates := make(static.Rates, len(table))
	for from, to := range table {
		rates[from] = make(map[string]string, len(to))
		for currency, rate := range to {
			rates[from][currency] = string(rate)
		}
	}
	return makeBackend(o, summary, spread, func(*slog.Logger, func() time.Time) (*static.Backend, error) {
		return static.New(static.Options{Rates: rates, Spread: string(spread)})
	})
}

func randomizerBackend(o *DriverOptions) Made[backend.Backend] {
	var v struct {
		rateOptions
		Variation Rate   `json:"variation"`
		Seed      uint64 `json:"seed"`
	}
	v.standard(o)
	o.Decode(&v)
	v.checkSpread(o)
	made := makeBackend(o, "random rates", v.Spread, func(l *slog.Logger, _ func() time.Time) (*randomizer.Backend, error) {
		return randomizer.New(randomizer.Options{Variation: string(v.Variation), Seed: v.Seed, Spread: string(v.Spread), Logger: l})
	})
	made.Notes = append(made.Notes, "rates are random: for tests alone")
	return made
}

func httpBackend(o *DriverOptions) Made[backend.Backend] {
	var v struct {
		rateOptions
		feedOptions
		URL    Secret            `json:"url" config:"required"` // may hold a key
		Header map[string]Secret `json:"header"`
		Base   string            `json:"base"`
	}
	v.standard(o)
	o.Decode(&v)
	v.checkSpread(o)
	return makeBackend(o, "rates by HTTP", v.Spread, func(l *slog.Logger, now func() time.Time) (*httprates.Backend, error) {
		return httprates.New(httprates.Options{
			URL: string(v.URL), Header: header(v.Header), Base: v.Base, Spread: string(v.Spread),
			Refresh: v.Refresh.std(), MaxAge: v.MaxAge.std(), Band: string(v.Band), Confirmations: v.Confirmations,
			Logger: l, Now: now,
		})
	})
}

func header(secrets map[string]Secret) map[string]string {
	out := make(map[string]string, len(secrets))
	for name, value := range secrets {
		out[name] = string(value)
	}
	return out
}
