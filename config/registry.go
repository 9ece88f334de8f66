package config

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// Registry says what the names in a configuration mean. It is a value of the
// host's, which may add drivers of its own before it uses it; several names
// may stand for one driver.
type Registry struct {
	Plugins     map[string]Driver[plugin.Plugin]
	Backends    map[string]Driver[backend.Backend]
	Stores      map[string]Driver[store.Store]
	Middlewares map[string]Driver[middleware.Middleware]
}

// Builtins gives a new Registry of the drivers in this module, under the names
// of the reference and shorter ones.
func Builtins() *Registry {
	return &Registry{
		Plugins:     builtinPlugins(),
		Backends:    builtinBackends(),
		Stores:      builtinStores(),
		Middlewares: map[string]Driver[middleware.Middleware]{},
	}
}

// Driver reads the options of a T, says what is wrong with them by the methods
// of o, and gives what can be made of them. It opens nothing and starts
// nothing: it is called when a configuration is only checked, too.
type Driver[T any] func(o *DriverOptions) Made[T]

// Made is a T that can be made.
type Made[T any] struct {
	// Summary describes it in a line, without secrets.
	Summary string
	// Notes say what of the options has no effect, or should be known.
	Notes []string
	// Settles says that a plugin can pay settlements.
	Settles bool
	// Listen are the listeners that it takes part in.
	Listen []Listen
	// spread is what a backend of this module takes of all rates; nil for
	// others. steady says that it does nothing but give its rates.
	spread *Spread
	steady bool
	// Build makes it. ctx is for this call alone.
	Build func(ctx context.Context, p *Parts) (T, error)
}

// Parts is what drivers make things of.
type Parts struct {
	// Logger takes what an operator should know.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Store is the part of the connector's store that belongs to the account
	// whose plugin is made; nil for all others.
	Store store.Store
	// Ledger is the connector's; nil for stores.
	Ledger ledger.Ledger
	// Middleware is the connector's chain; nil for stores.
	Middleware []middleware.Middleware

	listeners *listeners
}

// Listen takes part in a listener, and begins it if nobody else has. handler
// makes what serves there; if somebody serves at that address and path
// already, Listen gives what does. leave is to be called once, when the
// handler is not needed any more.
func (p *Parts) Listen(at Listen, handler func() http.Handler) (h http.Handler, leave func(), err error) {
	return p.listeners.join(at, handler)
}

// DriverOptions are the options that a configuration has for a driver.
type DriverOptions struct {
	// Account whose plugin it is; nil for other drivers.
	Account *Account
	// Config is all of the configuration, to be read alone.
	Config *Config
	// Spread is what a backend takes; "0" where Config.Spreads are taken
	// around it.
	Spread Spread

	decoder *decoder
	path    string
	raw     Raw
}

// Decode puts the options into v, a pointer to a struct with json tags, and
// reports what does not fit. Fields may be of the types of this package:
// Secret, Amount, Duration. A field with the tag config:"required" must be
// there.
func (o *DriverOptions) Decode(v any) {
	n := &node{kind: object}
	if len(o.raw) > 0 {
		parsed, err := parse(o.raw)
		if err != nil {
			o.decoder.add(o.path, "%v", err)
			return
		}
		n = parsed
	}
	o.decoder.value(o.path, n, reflect.ValueOf(v).Elem())
}

// Fault reports that the option of a name, such as listener.port, is wrong;
// the text says what would be right, and quotes no secret. An empty name is
// for all of them.
func (o *DriverOptions) Fault(name, format string, args ...any) {
	path := o.path
	if name != "" {
		path += "." + name
	}
	o.decoder.add(path, format, args...)
}

// faultsOf gives a Fault for the options of one that holds them.
func (o *DriverOptions) faultsOf(name string) func(option, format string, args ...any) {
	return func(option, format string, args ...any) { o.Fault(name+"."+option, format, args...) }
}

// Faulty reports whether anything is wrong with the options.
func (o *DriverOptions) Faulty() bool { return o.decoder.below(o.path) }

// fingerprint changes with the options and the secrets that they refer to.
func fingerprint(v any, secrets []string) [sha256.Size]byte {
	text, err := json.Marshal(struct {
		Value   any
		Secrets []string
	}{v, secrets})
	if err != nil { // it was read from JSON, or is of types that have a form
		text = fmt.Appendf(nil, "%v", err)
	}
	return sha256.Sum256(text)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
