package config

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/interledger-go/connector/plugin/ilphttp"
)

// Config is a configuration: the variables of the reference, and some of our
// own. Its JSON form has the keys in the tags; docs/operating.md explains each
// of them. Start from [Default]; fields that are left zero then mean what
// their comments say.
type Config struct {
	// Env is "production" for the live network (addresses begin with g.) or
	// "test" for all others.
	Env string `json:"env"`
	// ILPAddress is the connector's own address; "unknown" or empty means that
	// it is inherited from a parent.
	ILPAddress string `json:"ilpAddress"`
	// ILPAddressInheritFrom is the account that the address is inherited from;
	// empty means the first parent.
	ILPAddressInheritFrom string `json:"ilpAddressInheritFrom"`
	// Accounts are the counterparties, in this order.
	Accounts Accounts `json:"accounts" config:"required"`
	// DefaultRoute is the account that packets go to for which there is no
	// other route; "auto" is the first parent, empty is none.
	DefaultRoute string `json:"defaultRoute"`
	// Routes send the packets for a prefix to an account.
	Routes []Route `json:"routes"`

	// Spread is what the connector keeps of a converted amount.
	Spread Spread `json:"spread"`
	// Spreads differ from Spread, for pairs of currencies and for accounts.
	Spreads *Spreads `json:"spreads,omitempty"`
	// Backend is the name of the rate source, BackendConfig its options.
	Backend       string `json:"backend"`
	BackendConfig Raw    `json:"backendConfig,omitempty"`

	// MinMessageWindow and MaxHoldTime are those of connector.Config.
	MinMessageWindow Duration `json:"minMessageWindow"`
	MaxHoldTime      Duration `json:"maxHoldTime"`
	// DrainTimeout is how long packets in flight are waited for.
	DrainTimeout Duration `json:"drainTimeout"`
	// ReflectPayments lets packets go back to the account they came from.
	ReflectPayments bool `json:"reflectPayments"`

	// RouteBroadcastEnabled exchanges routes with neighbors, every
	// RouteBroadcastInterval; they hold for RouteExpiry.
	RouteBroadcastEnabled  bool     `json:"routeBroadcastEnabled"`
	RouteBroadcastInterval Duration `json:"routeBroadcastInterval"`
	RouteExpiry            Duration `json:"routeExpiry"`
	// RouteCleanupInterval has no effect: routes go when they expire.
	RouteCleanupInterval Duration `json:"routeCleanupInterval"`
	// RouteExport says which routes are told to whom: "reference" or
	// "valley-free".
	RouteExport string `json:"routeExport"`
	// RoutingSecret is the base64 of the key of our routes' auth values; empty
	// means one that is made by chance, for this process.
	RoutingSecret Secret `json:"routingSecret,omitempty"`

	// Store is the name of the store; empty means bolt if there is a
	// StorePath, and memory if not. StoreConfig are its options.
	Store       string `json:"store"`
	StorePath   string `json:"storePath"`
	StoreConfig Raw    `json:"storeConfig,omitempty"`

	// DisableMiddleware names built-in middleware that is left out, those
	// among them that are there for the admin API alone, "packetLog" and
	// "meter". Middlewares are those of the host.
	DisableMiddleware []string    `json:"disableMiddleware"`
	Middlewares       Middlewares `json:"middlewares,omitempty"`
	// Alerts bounds the alerts that are kept.
	Alerts *Alerts `json:"alerts,omitempty"`
	// PacketLog is what is kept of packets while the admin API is served, and
	// the middleware "packetLog" is not disabled; nil: its defaults.
	PacketLog *PacketLog `json:"packetLog,omitempty"`

	// InitialConnectTimeout has no effect: nothing waits for links.
	InitialConnectTimeout Duration `json:"initialConnectTimeout"`

	// MaxUnauthenticated is how many connections each listener may have, that of
	// the admin API too, that have not shown whose they are, and MaxConnections
	// how many in all, without those of WebSockets. 0 means
	// ilphttp.DefaultMaxUnauthenticated and ilphttp.DefaultMaxConnections.
	MaxUnauthenticated int `json:"maxUnauthenticated" config:"positive"`
	MaxConnections     int `json:"maxConnections" config:"positive"`

	// AdminAPI serves the admin API at AdminAPIHost and AdminAPIPort.
	AdminAPI     bool   `json:"adminApi"`
	AdminAPIHost string `json:"adminApiHost"`
	AdminAPIPort uint16 `json:"adminApiPort"`
	// AdminAPIToken is what requests to it must show; so is each of
	// AdminAPITokens, and of AdminAPIReadTokens for who may look and change
	// nothing. Without any, it is for this machine alone.
	AdminAPIToken      Secret   `json:"adminApiToken,omitempty"`
	AdminAPITokens     []Secret `json:"adminApiTokens,omitempty"`
	AdminAPIReadTokens []Secret `json:"adminApiReadTokens,omitempty"`
	// AdminAPITLS is the certificate it is served with; nil: plain HTTP.
	AdminAPITLS *Certificate `json:"adminApiTls,omitempty"`
	// CollectDefaultMetrics has no effect.
	CollectDefaultMetrics bool `json:"collectDefaultMetrics"`

	// LogLevel is debug, info, warn or error, and LogFormat text or json.
	// They are for the program that reads the configuration.
	LogLevel  string `json:"logLevel"`
	LogFormat string `json:"logFormat"`

	secrets *vault // nil: it was not read, but made in Go
}

// Default gives the defaults, which are the reference's, and no accounts.
func Default() Config {
	ms := func(n int64) Duration { return Duration(time.Duration(n) * time.Millisecond) }
	return Config{
		Env:                    "test",
		ILPAddress:             unknownAddress,
		DefaultRoute:           "auto",
		Spread:                 "0.002",
		Backend:                "ecb",
		MinMessageWindow:       ms(1000),
		MaxHoldTime:            ms(30000),
		DrainTimeout:           ms(5000),
		ReflectPayments:        true,
		RouteBroadcastEnabled:  true,
		RouteBroadcastInterval: ms(30000),
		RouteExpiry:            ms(45000),
		RouteCleanupInterval:   ms(1000),
		RouteExport:            "reference",
		InitialConnectTimeout:  ms(10000),
		MaxUnauthenticated:     ilphttp.DefaultMaxUnauthenticated,
		MaxConnections:         ilphttp.DefaultMaxConnections,
		AdminAPIHost:           "127.0.0.1",
		AdminAPIPort:           7780,
		LogLevel:               "info",
		LogFormat:              "text",
	}
}

// AdminTokens gives the tokens of the admin API: those that may do everything,
// and those that may look.
func (c *Config) AdminTokens() (tokens, readTokens []string) {
	if c.AdminAPIToken != "" {
		tokens = append(tokens, string(c.AdminAPIToken))
	}
	for _, token := range c.AdminAPITokens {
		tokens = append(tokens, string(token))
	}
	for _, token := range c.AdminAPIReadTokens {
		readTokens = append(readTokens, string(token))
	}
	return tokens, readTokens
}

func (c *Config) hasAdminTokens() bool {
	return c.AdminAPIToken != "" || len(c.AdminAPITokens)+len(c.AdminAPIReadTokens) > 0
}

// unknownAddress is the reference's word for none.
const unknownAddress = "unknown"

// Route sends the packets for a prefix to an account.
type Route struct {
	// TargetPrefix is an address or a scheme. A dot at its end, which the
	// reference takes, does not count.
	TargetPrefix string `json:"targetPrefix" config:"required"`
	// PeerID is the id of the account.
	PeerID string `json:"peerId" config:"required"`
}

// Spreads are those of backend.Spreads; Config.Spread is their default.
type Spreads struct {
	Pairs        map[string]map[string]Spread `json:"pairs,omitempty"`
	Sources      map[string]Spread            `json:"sources,omitempty"`
	Destinations map[string]Spread            `json:"destinations,omitempty"`
}

// Alerts are the fields of middleware.AlertsOptions.
type Alerts struct {
	MaxAlerts     int `json:"maxAlerts,omitempty"`
	MaxPerAccount int `json:"maxPerAccount,omitempty"`
}

// Certificate names the PEM files of a TLS server. They are read again when
// they change; see package tlsfile.
type Certificate struct {
	CertFile string `json:"certFile" config:"required"`
	KeyFile  string `json:"keyFile" config:"required"`
	// Authorities sign the certificates that clients must show; empty: none.
	Authorities string `json:"authorities,omitempty"`
}

// ClientTLS names the PEM files of a TLS client: the certificate that it shows,
// if any, and the authorities that it trusts instead of the system's.
type ClientTLS struct {
	CertFile    string `json:"certFile,omitempty"`
	KeyFile     string `json:"keyFile,omitempty"`
	Authorities string `json:"authorities,omitempty"`
}

// Middleware is one of the host's.
type Middleware struct {
	// Name is its key in the configuration.
	Name string `json:"-"`
	// Type is its name in the Registry.
	Type string `json:"type" config:"required"`
	// Options are those of its driver.
	Options Raw `json:"options,omitempty"`
	// Before or After names the middleware it stands next to; without them it
	// stands behind all others.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Middlewares are the host's, in their order. Their JSON form is an object.
type Middlewares []Middleware

func (m *Middlewares) readNode(d *decoder, path string, n *node) {
	*m = readNamed(d, path, n, func(m *Middleware, name string) { m.Name = name })
}

// MarshalJSON gives an object.
func (m Middlewares) MarshalJSON() ([]byte, error) {
	return marshalNamed(m, func(m Middleware) string { return m.Name })
}

// readNamed reads an object whose members have an order.
func readNamed[T any](d *decoder, path string, n *node, name func(*T, string)) []T {
	if !d.is(path, n, object) {
		return nil
	}
	all := make([]T, 0, len(n.members))
	given := make(map[string]bool, len(n.members))
	for _, m := range n.members {
		if given[m.name] {
			d.addName(at(path, m.name), "is there twice: keep one of them, or choose another name")
			continue
		}
		given[m.name] = true
		var item T
		d.value(at(path, m.name), m.value, reflect.ValueOf(&item).Elem())
		name(&item, m.name)
		all = append(all, item)
	}
	return all
}

// marshalNamed writes an object whose members have an order.
func marshalNamed[T any](all []T, name func(T) string) ([]byte, error) {
	out := []byte{'{'}
	for i, item := range all {
		if i > 0 {
			out = append(out, ',')
		}
		value, err := json.Marshal(item)
		if err != nil {
			return nil, err
		}
		out = append(append(appendText(out, name(item)), ':'), value...)
	}
	return append(out, '}'), nil
}

// Key is a key of a configuration.
type Key struct {
	// Name is the key in JSON, such as ilpAddress.
	Name string
	// Variable is the one of the environment, such as CONNECTOR_ILP_ADDRESS.
	Variable string
	// Type says how the variable is written: text, number, boolean or JSON.
	Type string
	// Default is its value where there is none, as JSON; empty for none.
	Default string
}

// Keys gives all keys, in the order of Config.
func Keys() []Key {
	defaults := reflect.ValueOf(Default())
	fields := fieldsOf(defaults.Type())
	keys := make([]Key, len(fields))
	for i, f := range fields {
		keys[i] = Key{Name: f.name, Variable: variable(f.name), Type: form(f.kind)}
		if v := defaults.FieldByIndex(f.index); !v.IsZero() {
			value, err := json.Marshal(v.Interface())
			if err != nil { // every default has a JSON form
				panic(err)
			}
			keys[i].Default = strings.Trim(string(value), `"`)
		}
	}
	return keys
}
