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

	"github.com/interledger-go/connector/account"
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

// identity is who the connector is in the network.
type identity struct {
	address ilp.Address
	network string // of address; see network
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

// AddAccount adds an account, and opens its plugin if the connector runs;
// otherwise Run does. If an account of this id was removed a moment ago, it
// waits until the last packet of that is answered: they share a book. ctx
// bounds the call alone. An account that cannot be added leaves nothing behind,
// and its plugin unopened; one whose plugin cannot be opened is removed again
// and its plugin closed.
func (c *Connector) AddAccount(ctx context.Context, a Account) error {
	if err := a.Validate(); err != nil {
		return fmt.Errorf("connector: %w", err)
	}
	if err := c.awaitFormer(ctx, a.ID); err != nil {
		return err
	}
	l, running, err := c.addLink(ctx, a)
	if err != nil || !running {
		return err
	}
	if err := l.open(ctx); err != nil {
		if _, gone := c.takeLink(a.ID); gone != nil {
			return err // removed meanwhile, by whoever did that
		}
		l.draining.Store(true)
		err = errors.Join(err, l.close())
		c.finish(l)
		return err
	}
	return nil
}

// awaitFormer waits until an account that was removed has given its id free.
func (c *Connector) awaitFormer(ctx context.Context, id string) error {
	c.mu.Lock()
	former := c.leaving[id]
	c.mu.Unlock()
	if former == nil {
		return nil
	}
	select {
	case <-former.left:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("connector: account %q: packets of the account of this id that was removed are still in flight: %w", id, ctx.Err())
	}
}

// leave gives the id of a link free that was taken out and has finished.
func (c *Connector) leave(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(l.left)
	if c.leaving[l.account.ID] == l { // or another of its id is leaving by now
		delete(c.leaving, l.account.ID)
	}
	c.closing.Done()
}

// addLink makes the link of a and lets packets be routed to it. Making it may
// wait for the store, which others need not.
func (c *Connector) addLink(ctx context.Context, a Account) (l *link, running bool, err error) {
	if err := c.claim(a); err != nil {
		return nil, false, fmt.Errorf("connector: account %q: %w", a.ID, err)
	}
	l, err = newLink(ctx, c, a)
	c.mu.Lock()
	delete(c.adding, a.ID)
	at := c.phase
	if err == nil && at != phaseStopping {
		c.links[a.ID] = l
		c.router.add(l)
	}
	c.mu.Unlock()
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("connector: %w", err)
	case at == phaseStopping:
		l.discard()
		return nil, false, fmt.Errorf("connector: account %q: %w", a.ID, ErrStopped)
	}
	return l, at == phaseRunning, nil
}

// claim keeps the id and the segment of a for it, until its link is made.
func (c *Connector) claim(a Account) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == phaseStopping {
		return ErrStopped
	}
	if _, claimed := c.adding[a.ID]; claimed || c.links[a.ID] != nil {
		return fmt.Errorf("ID: %w: remove the other one first, or choose another id", ErrDuplicateAccount)
	}
	taken := func(other *Account) error {
		if a.Relation != account.Child || other.Relation != account.Child || other.Segment() != a.Segment() {
			return nil
		}
		return fmt.Errorf("AddressSegment: %w: account %q has the segment %q: set another one", ErrDuplicateAccount, other.ID, a.Segment())
	}
	for _, l := range c.links {
		if err := taken(&l.account); err != nil {
			return err
		}
	}
	for _, other := range c.adding {
		if err := taken(&other); err != nil {
			return err
		}
	}
	c.adding[a.ID] = a
	return nil
}

// takeLink takes the link out: nothing is routed to it any more. Whoever took
// it drains, closes and finishes it.
func (c *Connector) takeLink(id string) (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == phaseStopping { // stop has them all
		return nil, fmt.Errorf("connector: account %q: %w", id, ErrStopped)
	}
	l := c.links[id]
	if l == nil {
		return nil, fmt.Errorf("connector: account %q: %w", id, ErrUnknownAccount)
	}
	delete(c.links, id)
	c.leaving[id] = l
	c.router.remove(l)
	c.closing.Add(1) // until finish; never once stop waits
	c.inheritFrom(l)
	return l, nil
}

// RemoveAccount takes no new packets from the account and routes none to it,
// waits for those in flight to be answered, at most until ctx ends or
// Config.DrainTimeout has passed, and closes its plugin. Packets that are
// still in flight then are answered by the closing of the plugin, or, if they
// came from the account, run to their end behind it; the account can be added
// again when they have.
func (c *Connector) RemoveAccount(ctx context.Context, id string) error {
	l, err := c.takeLink(id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.DrainTimeout)
	defer cancel()
	if err := l.drain(ctx); err != nil {
		c.logger.Warn("account removed with packets in flight", slog.String("account", id), slog.Any("error", err))
	}
	err = l.close()
	c.finish(l)
	return err
}

// finish closes the stages of a link that takes no packets any more, once
// its last packet has been answered: at once if that is so, so that the
// account can be added again. The packets from it may be with other links, and
// are bounded by their expiry.
func (c *Connector) finish(l *link) {
	if l.rests() {
		l.finish()
		c.leave(l)
		return
	}
	go func() {
		defer c.leave(l)
		l.finish()
	}()
}

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

// foreign reports whether address is of the test network while we are on the
// live one, or the other way round: a node is never on both (NODE-14).
func (c *Connector) foreign(address ilp.Address) bool {
	theirs, ours := network(address), c.identity.Load().network
	return theirs != ours && theirs != "" && ours != ""
}

// network is "g" for live addresses, "test" for those of test networks, and
// empty for all others.
func network(address ilp.Address) string {
	switch scheme := address.Scheme(); scheme {
	case "g":
		return "g"
	case "test", "test1", "test2", "test3":
		return "test"
	}
	return ""
}
