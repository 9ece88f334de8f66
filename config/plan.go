package config

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// Plan is a configuration of which everything is known to fit together, and
// what would run by it. It is not changed once it is made.
type Plan struct {
	registry *Registry
	config   Config
	address  ilp.Address // zero: inherited
	secret   []byte      // of routes; nil: by chance
	accounts []plannedAccount
	backend  Made[backend.Backend]
	rates    plannedRates
	store    Made[store.Store]
	// storeName is that of the driver.
	storeName   string
	middlewares []plannedMiddleware
	notes       []string
	// seen are the secrets that the drivers of the store and the middleware
	// have read.
	seen []string
}

type plannedAccount struct {
	Account
	link Made[plugin.Plugin]
	sum  [sha256.Size]byte
}

type plannedMiddleware struct {
	Middleware
	made Made[middleware.Middleware]
}

// Load reads a configuration and checks it. An error is an [*Error] that has
// everything that is wrong.
func (r *Registry) Load(s Source) (*Plan, error) {
	c, f := read(s)
	return r.plan(c, f)
}

// Plan checks a configuration that was made in Go. An error is an [*Error]
// that has everything that is wrong. In it no secret can refer to a file or a
// variable.
func (r *Registry) Plan(c Config) (*Plan, error) {
	return r.plan(c, &faults{})
}

// Config gives what the plan was made of.
func (p *Plan) Config() Config { return p.config }

// Notes say what of the configuration has no effect, or should be known.
func (p *Plan) Notes() []string { return p.notes }

func (r *Registry) plan(c Config, f *faults) (*Plan, error) {
	p := &Plan{config: c, registry: r}
	k := &checker{faults: f, registry: r, plan: p, config: &p.config}
	k.identity()
	k.accounts()
	k.references()
	k.routing()
	k.durations()
	k.rates()
	k.stores()
	k.chain()
	k.listeners()
	k.connections()
	k.admin()
	k.logs()
	for _, look := range f.later {
		look()
	}
	if len(f.list) == 0 {
		k.made()
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// made looks at whether drivers that have found no fault have made something.
func (k *checker) made() {
	missing := func(path string, there bool) {
		if !there {
			k.add(path, "has a driver that makes nothing and reports nothing: this is a fault of the driver")
		}
	}
	missing("backend", k.plan.backend.Build != nil)
	missing("store", k.plan.store.Build != nil)
	for i := range k.plan.middlewares {
		missing(at("middlewares", k.plan.middlewares[i].Name), k.plan.middlewares[i].made.Build != nil)
	}
	for i := range k.plan.accounts {
		missing(at("accounts", k.plan.accounts[i].ID, "plugin"), k.plan.accounts[i].link.Build != nil)
	}
}

// checker looks at whether the parts of a configuration fit together, and
// fills in the plan.
type checker struct {
	*faults
	registry *Registry
	plan     *Plan
	config   *Config
}

func (k *checker) note(format string, args ...any) {
	k.plan.notes = append(k.plan.notes, fmt.Sprintf(format, args...))
}

func (k *checker) oneOf(path, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	k.add(path, "is %q: %s", value, known(value, allowed))
}

// options gives what a driver reads. The decoder is the second value, for
// what it has seen.
func (k *checker) options(path string, raw Raw) (*DriverOptions, *decoder) {
	d := &decoder{faults: k.faults, secrets: k.config.secrets}
	return &DriverOptions{Config: k.config, Spread: k.config.Spread, decoder: d, path: path, raw: raw}, d
}

// identity looks at who the connector is.
func (k *checker) identity() {
	c := k.config
	if c.Env == "" {
		c.Env = "test"
	}
	k.oneOf("env", c.Env, "production", "test")
	if c.RoutingSecret != "" {
		secret, err := base64.StdEncoding.DecodeString(string(c.RoutingSecret))
		if err != nil || len(secret) < minRoutingSecret {
			k.add("routingSecret", "must be the base64 of %d random bytes or more, as of: head -c 32 /dev/urandom | base64", minRoutingSecret)
		}
		k.plan.secret = secret
	}
	if c.ILPAddress == "" || c.ILPAddress == unknownAddress {
		return
	}
	address, err := ilp.ParseAddress(c.ILPAddress)
	if err != nil {
		k.add("ilpAddress", `is %q: it must be an ILP address such as "test.alice", or "unknown" to inherit one: %v`, c.ILPAddress, err)
		return
	}
	k.plan.address = address
	switch scheme := address.Scheme(); {
	case scheme == "peer" || scheme == "self":
		k.add("ilpAddress", "is %q: packets cannot be routed to the scheme %s: choose another", c.ILPAddress, scheme)
	case c.Env == "test" && scheme == "g":
		k.add("ilpAddress", `is %q, of the live network, although env is "test": set env to "production"`, c.ILPAddress)
	case c.Env == "production" && scheme != "g":
		k.add("ilpAddress", `is %q, although env is "production": it must begin with "g."`, c.ILPAddress)
	}
	if c.ILPAddressInheritFrom != "" {
		k.add("ilpAddressInheritFrom", "is %q although ilpAddress is set: choose one", c.ILPAddressInheritFrom)
	}
}

// minRoutingSecret is the length of the shortest key of auth values.
const minRoutingSecret = 16
