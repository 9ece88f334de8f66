package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// Options are what a host adds to a plan. The zero value works.
type Options struct {
	// Logger takes what an operator should know; nil discards it.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Configure may change what the connector is made of, before it is.
	Configure func(*connector.Config)
	// Admin makes what is served as the admin API, if the configuration has
	// one. If that has a method Close() it is called when the server ends, for
	// what would not end by itself. nil: GET /healthz alone, which answers 200.
	Admin func(*Assembly) (http.Handler, error)
}

// Assembly is a connector that was built by a plan, with all that belongs to
// it. Run it, and then close it. All methods may be called concurrently.
type Assembly struct {
	// Connector is what was built, with its accounts added.
	Connector *connector.Connector
	// Config is what it was made of.
	Config connector.Config
	// Ledger keeps its books.
	Ledger ledger.Ledger
	// Backend is its rate source as the driver made it, when it was built. The
	// spreads stand around it, and Apply may put another in its place.
	Backend backend.Backend

	options       Options
	logger        *slog.Logger
	store         store.Store
	registry      *Registry
	listeners     *listeners
	deduplication *deduplication
	admin         *adminServer // nil without
	packetLogs    *packetLogs  // nil without
	rates         *rates

	mu     sync.Mutex // held by Apply and whatever else changes accounts; guards what follows
	plan   *Plan
	others map[string]*plannedAccount // added or replaced in another way than by the plan
}

// Build opens the store and the listeners, and makes the connector with its
// accounts. Nothing runs yet but the listeners: packets wait for Run. ctx is
// for this call alone. After an error everything is closed again.
func (p *Plan) Build(ctx context.Context, o Options) (a *Assembly, err error) {
	a = &Assembly{options: o, logger: o.Logger, plan: p, registry: p.registry, deduplication: newDeduplication(), others: make(map[string]*plannedAccount)}
	if a.logger == nil {
		a.logger = discardLogger()
	}
	a.listeners = newListeners(a.logger, &p.config)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
			a = nil
		}
	}()
	parts := a.parts()
	if a.store, err = p.store.Build(ctx, parts); err != nil {
		return a, fmt.Errorf("config: the store: %w", err)
	}
	if a.Config, err = a.connectorConfig(ctx, parts); err != nil {
		return a, err
	}
	if o.Configure != nil {
		o.Configure(&a.Config)
	}
	if a.Connector, err = connector.New(a.Config); err != nil {
		return a, err
	}
	for i := range p.accounts {
		if err := a.add(ctx, &p.accounts[i]); err != nil {
			return a, err
		}
	}
	return a, a.buildAdmin()
}

func (a *Assembly) parts() *Parts {
	return &Parts{Logger: a.logger, Now: a.options.Now, Ledger: a.Ledger, Middleware: a.Config.Middleware, listeners: a.listeners}
}

// connectorConfig gives what the connector is made of.
func (a *Assembly) connectorConfig(ctx context.Context, parts *Parts) (connector.Config, error) {
	p, c := a.plan, &a.plan.config
	chain, logs, err := p.chain(ctx, parts, a.deduplication)
	if err != nil {
		return connector.Config{}, err
	}
	a.packetLogs = logs
	if a.Backend, err = p.backend.Build(ctx, parts); err != nil {
		return connector.Config{}, fmt.Errorf("config: the backend: %w", err)
	}
	var rates backend.Backend
	if a.rates, rates, err = newRates(&p.rates, a.Backend); err != nil {
		return connector.Config{}, fmt.Errorf("config: the backend: %w", err)
	}
	a.Ledger, err = ledger.NewLocal(ledger.LocalOptions{
		Store: a.store, Logger: a.logger, Now: a.options.Now, OnEvent: middleware.ObserveLedger(chain),
	})
	if err != nil {
		return connector.Config{}, err
	}
	config := connector.Config{
		InheritFrom:      c.ILPAddressInheritFrom,
		Store:            a.store,
		Ledger:           a.Ledger,
		Backend:          rates,
		Middleware:       chain,
		Routes:           c.routes(),
		NoDefaultRoute:   c.DefaultRoute == "",
		Exchange:         c.exchange(),
		RoutingSecret:    p.secret,
		RefuseReflection: !c.ReflectPayments,
		MinMessageWindow: c.MinMessageWindow.std(),
		MaxHoldTime:      c.MaxHoldTime.std(),
		DrainTimeout:     c.DrainTimeout.std(),
		Logger:           a.logger,
		Now:              a.options.Now,
	}
	if !p.address.IsZero() {
		config.Address = p.address.String()
	}
	if c.DefaultRoute != "auto" {
		config.DefaultRoute = c.DefaultRoute
	}
	return config, nil
}

func (c *Config) routes() []connector.Route {
	routes := make([]connector.Route, len(c.Routes))
	for i, r := range c.Routes {
		routes[i] = connector.Route{Prefix: r.prefix(), NextHop: r.PeerID}
	}
	return routes
}

func (c *Config) exchange() connector.ExchangeOptions {
	x := connector.ExchangeOptions{Off: !c.RouteBroadcastEnabled, Interval: c.RouteBroadcastInterval.std(), Expiry: c.RouteExpiry.std()}
	if x.Off { // their relation has not been looked at
		x.Interval, x.Expiry = 0, 0
	}
	if c.RouteExport == "valley-free" {
		x.Export = ccp.ValleyFree
	}
	return x
}

// link makes the link of an account.
func (a *Assembly) link(ctx context.Context, planned *plannedAccount) (plugin.Plugin, error) {
	parts := a.parts()
	var err error
	if parts.Store, err = store.NewView(a.store, "plugins"); err == nil {
		parts.Store, err = store.NewView(parts.Store, planned.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("config: %s: %w", at("accounts", planned.ID), err)
	}
	parts.Logger = a.logger.With(slog.String("account", planned.ID))
	link, err := planned.link.Build(ctx, parts)
	if err != nil {
		return nil, fmt.Errorf("config: %s: %w", at("accounts", planned.ID), err)
	}
	return link, nil
}

// add makes the link of an account, and adds it.
func (a *Assembly) add(ctx context.Context, planned *plannedAccount) error {
	link, err := a.link(ctx, planned)
	if err != nil {
		return err
	}
	return a.addLink(ctx, planned, link)
}

// addLink adds an account. After an error its link is closed.
func (a *Assembly) addLink(ctx context.Context, planned *plannedAccount, link plugin.Plugin) error {
	account := planned.account()
	account.Plugin = link
	a.deduplication.set(&planned.Account)
	if err := a.Connector.AddAccount(ctx, account); err != nil {
		return errors.Join(err, link.Close())
	}
	return nil
}

// Run runs the connector until ctx is done, as connector.Connector.Run does,
// and the admin API.
func (a *Assembly) Run(ctx context.Context) error {
	if a.admin == nil {
		return a.Connector.Run(ctx)
	}
	a.admin.start()
	err := a.Connector.Run(ctx)
	return errors.Join(err, a.admin.stop())
}

// Close lets go of everything: listeners, links that were never opened, the
// store. It is called after Run has returned, or instead of it.
func (a *Assembly) Close() error {
	var faults []error
	if a.admin != nil {
		faults = append(faults, a.admin.stop())
	}
	a.listeners.close()
	if a.store != nil {
		faults = append(faults, a.store.Close())
	}
	return errors.Join(faults...)
}

// Plan gives the one that was applied last.
func (a *Assembly) Plan() *Plan {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.plan
}

// ListenAddr gives where an address of the configuration is listened on: its
// port is the one that was chosen, if the configuration says 0. It is nil if
// nobody listens there.
func (a *Assembly) ListenAddr(address string) net.Addr { return a.listeners.address(address) }

// AdminAddr gives where the admin API is served; nil if it is not.
func (a *Assembly) AdminAddr() net.Addr {
	if a.admin == nil {
		return nil
	}
	return a.admin.addr
}

// IDs of accounts in a list of planned ones.
func ids(accounts []plannedAccount) []string {
	all := make([]string, len(accounts))
	for i := range accounts {
		all[i] = accounts[i].ID
	}
	slices.Sort(all)
	return all
}
