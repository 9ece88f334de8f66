package connector

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/store"
)

// Config is what a connector is made of. New copies it; changing it
// afterwards has no effect.
type Config struct {
	// Address is the connector's own ILP address, such as "test.alice". Empty
	// means that it inherits one from a parent (ILDCP) as soon as the link to
	// it is up; until then it has none and forwards nothing.
	Address string

	// InheritFrom is the account that an address is inherited from; empty
	// means the first parent that was added.
	InheritFrom string

	// Store keeps what must survive the process. Use memstore.New() where
	// nothing has to. The host opens it and closes it, after Run.
	Store store.Store

	// Ledger keeps the books. nil means a ledger of the connector's own over
	// Store, for which no other process may use the same Store. One that is
	// set is run by Run, too; its maker hands it middleware.ObserveLedger of
	// Middleware, so that what fails in it becomes an alert.
	Ledger ledger.Ledger

	// Backend gives the rates between accounts.
	Backend backend.Backend

	// Middleware is the chain around every account's packets and money,
	// outermost first; middleware.Standard() is the usual one. nil is
	// refused; an empty list that is not nil means none at all.
	Middleware []middleware.Middleware

	// Routes sends the packets for a prefix to an account, before any other
	// route. A route takes effect when its account has been added.
	Routes []Route

	// DefaultRoute is the account that packets go to for which there is no
	// other route, within the scheme of Address. Empty means the first parent
	// that was added, if any.
	DefaultRoute string

	// NoDefaultRoute does without.
	NoDefaultRoute bool

	// Exchange says how routes are exchanged with neighbors (CCP).
	Exchange ExchangeOptions

	// RoutingSecret is the key of the auth values that our routes are told
	// with; nil means one that is made by chance, for this process.
	RoutingSecret []byte

	// RefuseReflection refuses, with F02, to send a packet back to the
	// account it came from. The reference's reflectPayments, turned round.
	RefuseReflection bool

	// MinMessageWindow is how much earlier an outgoing packet expires than
	// the incoming one: the time we have to bring the fulfillment home, and
	// what the next hop must have left at least. 0 means one second.
	MinMessageWindow time.Duration

	// MaxHoldTime is the longest that a packet may be on hold: outgoing
	// packets expire no later than that from now. 0 means 30 seconds.
	MaxHoldTime time.Duration

	// DrainTimeout is how long the connector waits, when it stops or removes
	// an account, for packets in flight to be answered. 0 means 5 seconds.
	DrainTimeout time.Duration

	// Logger takes what an operator should know; nil discards it. Nothing is
	// logged for a packet that goes well.
	Logger *slog.Logger

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// Random spreads retries and names what neighbors are told, for a host that
	// wants to see the same run again; nil means the generator of the runtime.
	// It belongs to this connector, which uses it by one goroutine at a time.
	Random rand.Source
}

// source gives a generator for one part of the connector, whose numbers do not
// depend on how much others draw. It is called by one goroutine at a time.
func (c *Config) source() rand.Source {
	if c.Random == nil {
		return runtimeSource{}
	}
	return rand.NewPCG(c.Random.Uint64(), c.Random.Uint64())
}

// runtimeSource is the generator of the runtime.
type runtimeSource struct{}

func (runtimeSource) Uint64() uint64 { return rand.Uint64() }

// What Config's durations of 0 mean.
const (
	DefaultMinMessageWindow = time.Second
	DefaultMaxHoldTime      = 30 * time.Second
	DefaultDrainTimeout     = 5 * time.Second
)

// check fills in the defaults and gives the own address, or everything that
// is wrong.
func (c *Config) check() (ilp.Address, error) {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("connector: Config.%s: %w", field, fmt.Errorf(format, args...)))
	}
	address, err := ilp.ParseAddress(c.Address)
	switch {
	case c.Address == "":
		address = ilp.Address{}
	case c.InheritFrom != "":
		fault("InheritFrom", "is %q although Address is set: choose one", c.InheritFrom)
	case err != nil:
		fault("Address", `%q is not an ILP address: it must be such as "test.alice": %w`, c.Address, err)
	case address.Scheme() == "peer" || address.Scheme() == "self":
		fault("Address", "%q is not an address that packets can be routed to: its scheme must be another than %s", c.Address, address.Scheme())
	}
	if c.Store == nil {
		fault("Store", "is nil: open one, or use memstore.New() if nothing has to survive the process")
	}
	if c.Backend == nil {
		fault("Backend", "is nil: give a rate source, such as onetoone.New")
	}
	if c.Middleware == nil {
		fault("Middleware", "is nil: use middleware.Standard(), or an empty list if packets should pass unchecked")
	}
	if err := middleware.Validate(c.Middleware); err != nil {
		fault("Middleware", "%w", err)
	}
	if err := checkRoutes(c.Routes); err != nil {
		fault("Routes", "%w", err)
	}
	if err := c.Exchange.check(); err != nil {
		fault("Exchange", "%w", err)
	}
	if c.NoDefaultRoute && c.DefaultRoute != "" {
		fault("DefaultRoute", "is %q although NoDefaultRoute is set: choose one", c.DefaultRoute)
	}
	c.checkDurations(fault)
	if c.RoutingSecret == nil {
		c.RoutingSecret = randomBytes(32)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return address, errors.Join(faults...)
}

func (c *Config) checkDurations(fault func(field, format string, args ...any)) {
	for _, d := range []struct {
		field    string
		value    *time.Duration
		standard time.Duration
	}{
		{"MinMessageWindow", &c.MinMessageWindow, DefaultMinMessageWindow},
		{"MaxHoldTime", &c.MaxHoldTime, DefaultMaxHoldTime},
		{"DrainTimeout", &c.DrainTimeout, DefaultDrainTimeout},
	} {
		switch {
		case *d.value < 0:
			fault(d.field, "is %v: it must be 0 (meaning %v) or more", *d.value, d.standard)
		case *d.value == 0:
			*d.value = d.standard
		}
	}
	if c.MaxHoldTime < c.MinMessageWindow {
		fault("MaxHoldTime", "is %v, less than MinMessageWindow, %v: no packet could be forwarded", c.MaxHoldTime, c.MinMessageWindow)
	}
}
