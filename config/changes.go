package config

import (
	"crypto/sha256"
	"reflect"
	"slices"
	"strings"
)

// Changes is what differs between two plans.
type Changes struct {
	// Added, Removed and Changed are ids of accounts, sorted.
	Added, Removed, Changed []string
	// Routes says that configured routes differ.
	Routes bool
	// Set names the other keys that differ and are applied while the connector
	// runs.
	Set []string
	// Restart names the keys that differ and are not applied while the
	// connector runs.
	Restart []string
}

// String gives the changes in one line.
func (c Changes) String() string {
	var parts []string
	for _, of := range []struct {
		what  string
		names []string
	}{{"added", c.Added}, {"removed", c.Removed}, {"changed", c.Changed}, {"set", c.Set}, {"restart needed for", c.Restart}} {
		if len(of.names) > 0 {
			parts = append(parts, of.what+" "+strings.Join(of.names, ", "))
		}
	}
	if c.Routes {
		parts = append(parts, "routes")
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

// Changes gives what a plan that comes after p would change.
func (p *Plan) Changes(next *Plan) Changes {
	var c Changes
	before, after := p.sums(), next.sums()
	for _, id := range ids(next.accounts) {
		switch sum, there := before[id]; {
		case !there:
			c.Added = append(c.Added, id)
		case sum != after[id]:
			c.Changed = append(c.Changed, id)
		}
	}
	for _, id := range ids(p.accounts) {
		if _, there := after[id]; !there {
			c.Removed = append(c.Removed, id)
		}
	}
	for _, name := range p.differing(next) {
		switch {
		case name == "accounts":
		case name == "routes":
			c.Routes = true
		case p.canSet(name, next):
			c.Set = append(c.Set, name)
		default:
			c.Restart = append(c.Restart, name)
		}
	}
	if !slices.Equal(p.seen, next.seen) {
		c.Restart = append(c.Restart, "secrets of store or middleware")
	}
	return c
}

// differing names the keys whose values are others in next.
func (p *Plan) differing(next *Plan) []string {
	var differ []string
	old, new := reflect.ValueOf(p.config), reflect.ValueOf(next.config)
	for _, f := range fieldsOf(old.Type()) {
		if !reflect.DeepEqual(old.FieldByIndex(f.index).Interface(), new.FieldByIndex(f.index).Interface()) {
			differ = append(differ, f.name)
		}
	}
	if p.rates.sum != next.rates.sum && !slices.ContainsFunc(differ, isRateKey) {
		differ = append(differ, "backendConfig") // a secret in it
	}
	return differ
}

// isRateKey reports whether a key says what rates are.
func isRateKey(name string) bool {
	switch name {
	case "spread", "spreads", "backend", "backendConfig":
		return true
	}
	return false
}

// canSet reports whether a key that is another in next can be set while the
// connector runs by p. What goes together is set together, or not at all.
func (p *Plan) canSet(name string, next *Plan) bool {
	switch name {
	case "defaultRoute", "alerts", "packetLog":
		return true
	case "logLevel": // the program's
		return true
	case "routeCleanupInterval", "initialConnectTimeout", "collectDefaultMetrics": // they have no effect
		return true
	case "disableMiddleware":
		return slices.Equal(withoutPacketLog(p.config.DisableMiddleware), withoutPacketLog(next.config.DisableMiddleware))
	case "adminApiToken", "adminApiTokens", "adminApiReadTokens":
		// Where there is no token any more, it is because of where it listens.
		return next.config.hasAdminTokens() || p.config.AdminAPIHost == next.config.AdminAPIHost
	}
	return isRateKey(name) && p.rates.canBecome(&next.rates)
}

func withoutPacketLog(disabled []string) []string {
	return slices.DeleteFunc(slices.Clone(disabled), func(name string) bool { return name == packetLogName })
}

func (p *Plan) sums() map[string][sha256.Size]byte {
	sums := make(map[string][sha256.Size]byte, len(p.accounts))
	for i := range p.accounts {
		sums[p.accounts[i].ID] = p.accounts[i].sum
	}
	return sums
}

// with gives p with those parts of next that c says are applied while p runs.
func (p *Plan) with(next *Plan, c *Changes) *Plan {
	applied := *p
	applied.accounts = slices.Clone(next.accounts)
	applied.config.Routes = next.config.Routes
	to, from := reflect.ValueOf(&applied.config).Elem(), reflect.ValueOf(&next.config).Elem()
	for _, f := range fieldsOf(to.Type()) {
		if slices.Contains(c.Set, f.name) {
			to.FieldByIndex(f.index).Set(from.FieldByIndex(f.index))
		}
	}
	if slices.ContainsFunc(c.Set, isRateKey) {
		applied.backend, applied.rates = next.backend, next.rates
	}
	return &applied
}
