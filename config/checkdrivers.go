package config

import (
	"cmp"
	"log/slog"
	"net"
	"slices"
	"strings"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// rates looks at the rate source and the spreads.
func (k *checker) rates() {
	c := k.config
	c.Spread.check(k.faults, "spread")
	driver := k.registry.Backends[c.Backend]
	if driver == nil {
		k.add("backend", "is %q: %s", c.Backend, known(c.Backend, sortedKeys(k.registry.Backends)))
		return
	}
	o, d := k.options("backendConfig", c.BackendConfig)
	if k.below("spread") {
		o.Spread = "0" // so that one fault is not two
	}
	if c.Spreads != nil {
		o.Spread = "0" // taken around the backend, not in it
		k.spreads(c.Spreads)
	}
	made := driver(o)
	for _, note := range made.Notes {
		k.note("backendConfig: %s", note)
	}
	k.planRates(made, d.seen, func() Made[backend.Backend] {
		bare, _ := k.options("backendConfig", c.BackendConfig)
		bare.Spread = "0"
		return driver(bare)
	})
}

// saw keeps what the driver of the options at path has noted, and the secrets
// that it has read.
func (k *checker) saw(path string, d *decoder, notes []string) {
	k.plan.seen = append(k.plan.seen, d.seen...)
	for _, note := range notes {
		k.note("%s: %s", path, note)
	}
}

func (k *checker) spreads(s *Spreads) {
	for _, from := range sortedKeys(s.Pairs) {
		for _, to := range sortedKeys(s.Pairs[from]) {
			s.Pairs[from][to].check(k.faults, at("spreads.pairs", from, to))
		}
	}
	for _, side := range []struct {
		path     string
		accounts map[string]Spread
	}{{"spreads.sources", s.Sources}, {"spreads.destinations", s.Destinations}} {
		for _, id := range sortedKeys(side.accounts) {
			k.exists(at(side.path, id), id, "")
			side.accounts[id].check(k.faults, at(side.path, id))
		}
	}
}

// backend gives s as package backend has it.
func (s *Spreads) backend(standard Spread) backend.Spreads {
	texts := func(in map[string]Spread) map[string]string {
		out := make(map[string]string, len(in))
		for name, spread := range in {
			out[name] = string(spread)
		}
		return out
	}
	pairs := make(map[string]map[string]string, len(s.Pairs))
	for from, to := range s.Pairs {
		pairs[from] = texts(to)
	}
	return backend.Spreads{Default: string(standard), Pairs: pairs, Sources: texts(s.Sources), Destinations: texts(s.Destinations)}
}

// stores looks at the store.
func (k *checker) stores() {
	c := k.config
	name := c.Store
	if name == "" {
		name = "memory"
		if c.StorePath != "" {
			name = "bolt"
		}
	}
	driver := k.registry.Stores[name]
	if driver == nil {
		k.add("store", "is %q: %s", c.Store, known(c.Store, sortedKeys(k.registry.Stores)))
		return
	}
	o, d := k.options("storeConfig", c.StoreConfig)
	k.plan.store, k.plan.storeName = driver(o), name
	k.saw("store", d, k.plan.store.Notes)
}

// chain looks at the middleware.
func (k *checker) chain() {
	c := k.config
	builtin := slices.Concat(chainNames(middleware.Standard()), observerNames)
	enabled := slices.Clone(builtin)
	for i, name := range c.DisableMiddleware {
		path := indexed("disableMiddleware", i)
		switch {
		case !slices.Contains(builtin, name):
			k.add(path, "is %q: %s", name, known(name, builtin))
		case !slices.Contains(enabled, name):
			k.add(path, "is %q, which is there twice: keep one of them", name)
		case name == "errorHandler" || name == "expire" || name == "validateFulfillment":
			k.note("%s: packets pass without %s, which guards money: nothing else does what it does", path, name)
		case name == "balance":
			k.note("%s: without balance nothing is booked, bounded or settled", path)
		}
		enabled = slices.DeleteFunc(enabled, func(other string) bool { return other == name })
	}
	k.observers()
	if a := c.Alerts; a != nil {
		k.count("alerts.maxAlerts", a.MaxAlerts)
		k.count("alerts.maxPerAccount", a.MaxPerAccount)
	}
	anchors := slices.DeleteFunc(slices.Clone(enabled), isObserver) // those stand around the host's
	if !c.AdminAPI {
		enabled = slices.Clone(anchors)
	}
	for i := range c.Middlewares {
		m := &c.Middlewares[i]
		path := at("middlewares", m.Name)
		if slices.Contains(enabled, m.Name) {
			k.add(path, "has the name of a middleware that is there already: choose another, or disable that one")
		}
		if m.Before != "" && m.After != "" {
			k.add(at(path, "after"), "is %q although before is set: choose one", m.After)
		}
		for key, anchor := range map[string]string{"before": m.Before, "after": m.After} {
			if anchor != "" && !slices.Contains(anchors, anchor) {
				k.add(at(path, key), "is %q: %s", anchor, known(anchor, anchors))
			}
		}
		enabled, anchors = append(enabled, m.Name), append(anchors, m.Name)
		driver := k.registry.Middlewares[m.Type]
		if driver == nil {
			k.add(at(path, "type"), "is %q: %s", m.Type, known(m.Type, sortedKeys(k.registry.Middlewares)))
			continue
		}
		o, d := k.options(at(path, "options"), m.Options)
		made := driver(o)
		k.saw(at(path, "options"), d, made.Notes)
		k.plan.middlewares = append(k.plan.middlewares, plannedMiddleware{*m, made})
	}
}

func chainNames(list []middleware.Middleware) []string {
	all := make([]string, len(list))
	for i, m := range list {
		all[i] = m.Name()
	}
	return all
}

// listeners looks at whether accounts agree about the listeners that they
// share.
func (k *checker) listeners() {
	first := make(map[string]Listen) // by address
	kinds := make(map[string]Listen) // by address and path
	claims := make(map[string]string)
	for i := range k.plan.accounts {
		a := &k.plan.accounts[i]
		for _, l := range a.link.Listen {
			path := cmp.Or(l.path, at("accounts", a.ID, "options", l.Option))
			other, taken := first[l.Address]
			if taken && other.tls() != l.tls() {
				k.add(path, "listens on %s with another certificate than account %q: they must be the same, or the ports differ", l.Address, other.account)
			}
			place := l.Address + l.Path
			l.account = a.ID
			if other, taken := kinds[place]; taken && other.Kind != l.Kind {
				k.add(path, "listens on %s%s as %s, and account %q does as %s: choose another port or path", l.Address, l.Path, l.Kind, other.account, other.Kind)
			}
			if other, taken := claims[place+" "+l.Claim]; taken && l.Claim != "" {
				k.add(path, "has the credentials of account %q on %s%s: whose a connection is would not be known", other, l.Address, l.Path)
			}
			first[l.Address], kinds[place], claims[place+" "+l.Claim] = l, l, a.ID
		}
	}
	if c := k.config; c.AdminAPI {
		address := net.JoinHostPort(c.AdminAPIHost, portText(c.AdminAPIPort))
		for _, l := range first {
			if sameListener(l.Address, address) {
				k.add("adminApiPort", "is that of account %q, %s: choose another", l.account, l.Address)
			}
		}
	}
}

// sameListener reports whether two addresses, host:port, cannot both be
// listened on.
func sameListener(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	return portA == portB && portA != "0" && (hostA == hostB || anyHost(hostA) || anyHost(hostB))
}

func anyHost(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }

// loopback reports whether nobody but this machine reaches host.
func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// validPrefix reports whether s is an address or a scheme.
func validPrefix(s string) bool {
	if !strings.Contains(s, ".") {
		s += ".x"
	}
	_, err := ilp.ParseAddress(s)
	return err == nil
}

func discardLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }
