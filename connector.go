package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
)

// Connector forwards packets between accounts. Make one with New, add
// accounts before or while it runs, and run it once.
//
// All methods may be called concurrently.
type Connector struct {
	config      Config
	identity    atomic.Pointer[identity]
	router      *Router
	logger      *slog.Logger
	now         func() time.Time
	systemClock bool // now is time.Now
	ledger      ledger.Ledger
	observer    backend.Observer // nil when the backend wants no news
	inheritance inheritance
	self        *link // what the connector's own packets come from
	echoes      echoes
	flights     sync.Pool // of *flight

	lateFulfills      atomic.Uint64
	unexpectedReplies atomic.Uint64

	mu      sync.Mutex // guards what follows; never held while a packet moves, nor while anything waits
	links   map[string]*link
	adding  map[string]Account // those whose links are being made, by id
	leaving map[string]*link   // removed, and with packets that are not answered
	phase   phase
	closing sync.WaitGroup // links whose last packets are still in flight
}

// phase is what a connector is at; it only grows.
type phase int

const (
	phaseNew phase = iota
	phaseRunning
	phaseStopping
)

var (
	// ErrStopped is returned by a connector that has stopped, or is about to.
	ErrStopped = errors.New("connector: stopped")
	// ErrUnknownAccount is wrapped by errors about an account id that the
	// connector does not have.
	ErrUnknownAccount = errors.New("unknown account")
	// ErrDuplicateAccount is wrapped by errors about an account id, or a
	// child's address segment, that the connector has already.
	ErrDuplicateAccount = errors.New("duplicate account")
)

// New makes a connector, or says everything that is wrong with config. It
// opens nothing and starts nothing: Run does.
func New(config Config) (*Connector, error) {
	systemClock := config.Now == nil
	config.Middleware = slices.Clone(config.Middleware)
	config.Routes = slices.Clone(config.Routes)
	address, err := config.check()
	if err != nil {
		return nil, err
	}
	c := &Connector{
		config: config,
		router: newRouter(&config, address),
		logger: config.Logger,
		now:    config.Now,

		systemClock: systemClock,
		links:       make(map[string]*link),
		adding:      make(map[string]Account),
		leaving:     make(map[string]*link),
	}
	c.identity.Store(&identity{address: address, network: network(address)})
	c.inheritance = inheritance{from: config.InheritFrom, wake: make(chan struct{}, 1), random: rand.New(config.source())}
	c.ledger = config.Ledger
	if c.ledger == nil {
		c.ledger, err = ledger.NewLocal(ledger.LocalOptions{
			Store: config.Store, Logger: c.logger, Now: c.now, OnEvent: middleware.ObserveLedger(config.Middleware),
		})
		if err != nil {
			return nil, fmt.Errorf("connector: %w", err)
		}
	}
	c.observer, _ = config.Backend.(backend.Observer)
	c.flights.New = func() any { return &flight{c: c} }
	c.self = newSelf(c)
	return c, nil
}

// Address is the connector's own address; zero while it has none (see
// Config.Address).
func (c *Connector) Address() ilp.Address { return c.identity.Load().address }

// Now is the connector's clock.
func (c *Connector) Now() time.Time { return c.now() }

// Logger is where the connector writes what an operator should know.
func (c *Connector) Logger() *slog.Logger { return c.logger }

// Router tells the ways of packets.
func (c *Connector) Router() *Router { return c.router }

// Run opens the plugins of all accounts and forwards packets until ctx is
// done. Then it takes no new packets, waits for those in flight, at most for
// Config.DrainTimeout, closes the plugins, and returns nil. The Store is the
// host's to close, afterwards.
//
// It returns an error if a plugin cannot be opened (those opened are closed
// again), if one cannot be closed, if it is called twice, or if what was booked
// last cannot be made durable: a store that does not work delays the end for
// some seconds, and fulfillments that wait for it are not relayed.
func (c *Connector) Run(ctx context.Context) error {
	links, err := c.start()
	if err != nil {
		return err
	}
	// What works in the background goes on until the last packet is answered.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	background := c.runBackground(running)
	booking, endBooks := context.WithCancel(running)
	defer endBooks()
	books := make(chan error, 1)
	go func() { books <- c.ledger.Run(booking) }()

	err = c.openAll(ctx, links)
	if err == nil {
		c.logger.Info("connector runs", slog.String("address", c.Address().String()), slog.Int("accounts", len(links)))
		select {
		case <-ctx.Done():
		case failed := <-books: // nothing can be booked any more
			err = failed
			books <- nil
		}
	}
	finish, closed := c.stop()
	endBooks()
	err = errors.Join(err, closed, <-books)
	finish()
	cancel() // after the ledger, so that nobody misses its last events
	background.Wait()
	return err
}

// runBackground runs what has something to do in the background: the backend
// and the middleware, the exchange of routes, the inheritance of the address.
func (c *Connector) runBackground(ctx context.Context) *sync.WaitGroup {
	var background sync.WaitGroup
	begin := func(what string, run func() error) {
		background.Go(func() {
			if err := run(); err != nil && ctx.Err() == nil {
				c.logger.Error(what+" has stopped", slog.Any("error", err))
			}
		})
	}
	if runner, ok := c.config.Backend.(backend.Runner); ok {
		begin("the backend", func() error { return runner.Run(ctx) })
	}
	for _, m := range c.config.Middleware {
		if runner, ok := m.(middleware.Runner); ok {
			begin("middleware "+m.Name(), func() error { return runner.Run(ctx, host{Connector: c}) })
		}
	}
	background.Go(func() { c.router.run(ctx) })
	if c.config.Address == "" {
		background.Go(func() { c.inherit(ctx) })
	}
	return &background
}

func (c *Connector) start() ([]*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != phaseNew {
		return nil, errors.New("connector: Run was called before: make a new connector to run again")
	}
	c.phase = phaseRunning
	return c.sortedLinks(), nil
}

// sortedLinks gives the links by account id. The caller holds mu.
func (c *Connector) sortedLinks() []*link {
	links := make([]*link, 0, len(c.links))
	for _, id := range slices.Sorted(maps.Keys(c.links)) {
		links = append(links, c.links[id])
	}
	return links
}

func (c *Connector) openAll(ctx context.Context, links []*link) error {
	var faults []error
	for _, l := range links {
		faults = append(faults, l.open(ctx))
	}
	return errors.Join(faults...)
}

// bookingTimeout is how long stop waits, when all links are closed, for
// packets that are still in flight. They have been answered, and wait for
// nothing but the books: it passes only if the store does not work.
const bookingTimeout = 5 * time.Second

// stop drains and closes all links. finish is to be called when the books are
// closed, which answers whatever has waited for them, and returns when the
// last packet is.
func (c *Connector) stop() (finish func(), err error) {
	c.mu.Lock()
	c.phase = phaseStopping
	links := c.sortedLinks()
	c.mu.Unlock()
	c.router.stop()
	draining := append(links, c.self)

	ctx, cancel := context.WithTimeout(context.Background(), c.config.DrainTimeout)
	defer cancel()
	for _, l := range draining {
		l.draining.Store(true)
	}
	for _, l := range draining {
		if err := l.drain(ctx); err != nil {
			c.logger.Warn("stopping with packets in flight", slog.String("account", l.account.ID), slog.Any("error", err))
		}
	}
	faults := make([]error, 0, len(links))
	for _, l := range links {
		faults = append(faults, l.close())
	}
	return c.finishAll(links), errors.Join(faults...)
}

// finishAll closes the stages of links, and waits for those of accounts that
// were removed: all whose packets have been answered. What it returns does so
// with the others, whose packets wait for a ledger that cannot write.
func (c *Connector) finishAll(links []*link) (rest func()) {
	removed := make(chan struct{})
	go func() {
		defer close(removed)
		c.closing.Wait()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), bookingTimeout)
	defer cancel()
	var waiting []*link
	for _, l := range links {
		if l.drain(ctx) == nil {
			l.finish()
		} else {
			waiting = append(waiting, l)
		}
	}
	select {
	case <-removed:
	case <-ctx.Done():
	}
	return func() {
		for _, l := range waiting {
			l.finish()
		}
		<-removed
	}
}

// Settle makes a settlement of amount with an account, whatever its
// threshold, and returns its key when it is durable in the books, for which
// the connector has to run. It is paid after that by the account's plugin, again
// and again until the outcome is known; a definite no puts the amount back. An
// error with a key, such as that of ctx, says that it may yet be made, under
// this key: see ledger.Book.
func (c *Connector) Settle(ctx context.Context, id string, amount uint64) (key string, err error) {
	l, err := c.link(id)
	if err != nil {
		return "", err
	}
	if l.outgoingMoney == nil {
		return "", fmt.Errorf("connector: account %q: %w", id, ErrCannotSettle)
	}
	return l.book.Send(ctx, amount)
}
