package connector

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/rib"
	"github.com/interledger-go/connector/internal/routetable"
)

// Router knows the next hop for every address. Lookups read an immutable
// table and take no lock; changes make the next table, once for a batch of
// them. It is safe for concurrent use.
//
// A route is configured by the host, or local (the connector's own address
// and its children's), or learned from a neighbor that speaks the route
// broadcasting protocol, or the default. Of several for the same prefix the
// better one is used: configured before local before learned; of learned ones
// a child's before a peer's before a parent's, then the shorter path, then the
// lower account id.
type Router struct {
	table  atomic.Pointer[routetable.Table[*hop]]
	logger *slog.Logger
	now    func() time.Time
	secret []byte // of the auth values of our own routes
	wake   chan struct{}

	// mu guards what follows. The packet path never takes it.
	mu        sync.Mutex
	base      rib.Base
	builder   routetable.Builder[*hop]
	changed   map[string]struct{} // prefixes whose best route is another than readers see
	published time.Time
	counts    [len(routeOriginNames)]int // of the routes that readers see, by origin
	hops      map[*rib.Source]*hop
	neighbors map[string]*neighbor

	address        ilp.Address // zero while there is none
	own            *rib.Source
	configured     []Route
	defaultRoute   string // account id; empty: the first parent
	noDefaultRoute bool
	parents        []string // in the order they were added
	fallback       *rib.Source
	fallbackPrefix string

	exchange    exchange
	stopped     bool // links that go take no routes along any more
	subscribers subscribers
}

// hop is what the table has for a prefix. All prefixes of one source share it.
type hop struct {
	link   *link // nil: the connector itself
	origin RouteOrigin
}

// route is what the table has for a prefix, as hosts see it.
func (h *hop) route(prefix string) Route {
	r := Route{Prefix: prefix, Origin: h.origin}
	if h.link != nil {
		r.NextHop = h.link.account.ID
	}
	return r
}

// neighbor is an account as the router sees it.
type neighbor struct {
	link *link
	id   ccp.Neighbor
	// local is for a child's address, learned for what the neighbor tells.
	local, learned *rib.Source
	child          string        // the child's address, where it has one
	configured     []*rib.Source // of the configured routes that lead here
	prefixes       []string      // theirs, in the same order

	up, told bool          // the link is up; its plugin has said so, or the contrary
	sender   *ccp.Sender   // nil: it is told no routes
	receiver *ccp.Receiver // nil: none are taken from it
	refused  uint64        // routes that were not taken from it
}

func newRouter(c *Config, address ilp.Address) *Router {
	r := &Router{
		logger:         c.Logger,
		now:            c.Now,
		secret:         c.RoutingSecret,
		wake:           make(chan struct{}, 1),
		changed:        make(map[string]struct{}),
		hops:           make(map[*rib.Source]*hop),
		neighbors:      make(map[string]*neighbor),
		own:            &rib.Source{Origin: rib.Local},
		configured:     slices.Clone(c.Routes),
		defaultRoute:   c.DefaultRoute,
		noDefaultRoute: c.NoDefaultRoute,
	}
	r.exchange = exchange{
		options: c.Exchange, source: c.source,
		dampers: make(map[string]*ccp.Damper), with: make(map[*neighbor]struct{}),
	}
	if !c.Exchange.Off {
		r.exchange.table = ccp.NewTable(ccp.TableOptions{Random: c.source()})
	}
	r.hops[r.own] = &hop{origin: RouteLocal}
	r.table.Store(r.builder.Build())
	r.setAddress(address)
	return r
}

// Lookup gives the route that packets for address take.
func (r *Router) Lookup(address ilp.Address) (Route, bool) {
	prefix, h, ok := r.table.Load().Lookup(address.String())
	if !ok {
		return Route{}, false
	}
	return h.route(prefix), true
}

func (r *Router) lookup(address ilp.Address) (*hop, bool) {
	_, h, ok := r.table.Load().Lookup(address.String())
	return h, ok
}

// Routes gives all routes in use, by prefix.
func (r *Router) Routes() []Route {
	table := r.table.Load()
	routes := make([]Route, 0, table.Len())
	for prefix, h := range table.All() {
		routes = append(routes, h.route(prefix))
	}
	slices.SortFunc(routes, func(a, b Route) int { return cmp.Compare(a.Prefix, b.Prefix) })
	return routes
}

// Counts gives the number of routes in use, by origin. It is much cheaper than
// Routes.
func (r *Router) Counts() map[RouteOrigin]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := make(map[RouteOrigin]int, len(r.counts))
	for origin, n := range r.counts {
		counts[RouteOrigin(origin)] = n
	}
	return counts
}

// SetRoutes replaces the configured routes, those of Config.Routes. A route
// takes effect when its account is there.
func (r *Router) SetRoutes(routes []Route) error {
	return r.EditRoutes(func([]Route) []Route { return routes })
}

// EditRoutes replaces the configured routes with what edit makes of them, so
// that none is lost which somebody else sets at the same time. edit gets a copy
// and must not use the Router.
func (r *Router) EditRoutes(edit func(routes []Route) []Route) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	routes := edit(slices.Clone(r.configured))
	if err := checkRoutes(routes); err != nil {
		return err
	}
	for _, n := range r.neighbors {
		r.unconfigure(n)
	}
	r.configured = slices.Clone(routes)
	for _, n := range r.neighbors {
		r.configure(n)
	}
	r.publish()
	return nil
}

// SetDefaultRoute sends the packets for which there is no other route to an
// account, as soon as that is there: Config.DefaultRoute. Empty means the first
// parent.
func (r *Router) SetDefaultRoute(id string) { r.changeDefault(id, false) }

// UnsetDefaultRoute does without: Config.NoDefaultRoute.
func (r *Router) UnsetDefaultRoute() { r.changeDefault("", true) }

func (r *Router) changeDefault(id string, none bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.defaultRoute, r.noDefaultRoute = id, none
	r.setDefault()
	r.publish()
}

// add lets packets be routed to l.
func (r *Router) add(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := &neighbor{
		link: l,
		id:   ccp.Neighbor{ID: l.account.ID, Relation: l.account.Relation},
	}
	n.local = r.newSource(n, rib.Local, 0)
	n.learned = r.newSource(n, rib.Learned, 0)
	r.neighbors[n.id.ID] = n
	if n.id.Relation == account.Parent {
		r.parents = append(r.parents, n.id.ID)
	}
	r.configure(n)
	r.addressChild(n)
	r.setDefault()
	r.beginExchange(n)
	r.publish()
}

// remove takes every route to l out, and forgets what it has told.
func (r *Router) remove(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.neighbors[l.account.ID]
	if n == nil || n.link != l {
		return
	}
	r.endExchange(n)
	delete(r.neighbors, n.id.ID)
	r.parents = slices.DeleteFunc(r.parents, func(id string) bool { return id == n.id.ID })
	r.unconfigure(n)
	r.unaddressChild(n)
	r.setDefault()
	delete(r.hops, n.local)
	delete(r.hops, n.learned)
	r.publish()
}

// setAddress makes address the connector's own: its route, its children's and
// the default one are made anew.
func (r *Router) setAddress(address ilp.Address) {
	r.mu.Lock()
	defer r.mu.Unlock()
	former := r.address
	if !former.IsZero() {
		r.withdraw(r.own, former.String())
	}
	r.address = address
	if !address.IsZero() {
		r.set(r.own, ccp.OriginRoute(r.secret, address.String()))
	}
	for _, n := range r.neighbors {
		r.unaddressChild(n)
		r.addressChild(n)
	}
	r.setDefault()
	r.exchangeAs(address, former)
	r.publish()
}

func (r *Router) newSource(n *neighbor, origin rib.Origin, rank int) *rib.Source {
	s := &rib.Source{Origin: origin, NextHop: n.id, Rank: rank}
	r.hops[s] = &hop{link: n.link, origin: RouteOrigin(origin)}
	return s
}

// configure makes the configured routes that lead to n.
func (r *Router) configure(n *neighbor) {
	for i, route := range r.configured {
		if route.NextHop == n.id.ID {
			s := r.newSource(n, rib.Configured, i)
			r.set(s, ccp.OriginRoute(r.secret, route.Prefix))
			n.configured = append(n.configured, s)
			n.prefixes = append(n.prefixes, route.Prefix)
		}
	}
}

func (r *Router) unconfigure(n *neighbor) {
	for i, s := range n.configured {
		r.withdraw(s, n.prefixes[i])
		delete(r.hops, s)
	}
	n.configured, n.prefixes = nil, nil
}

// addressChild makes the route to the address of n, if it is a child.
func (r *Router) addressChild(n *neighbor) {
	if n.id.Relation != account.Child || r.address.IsZero() {
		return
	}
	child, err := r.address.Child(n.link.account.Segment())
	if err != nil { // an address beyond 1023 bytes
		r.logger.Error("child has no address", slog.String("account", n.id.ID), slog.Any("error", err))
		return
	}
	n.child = child.String()
	r.set(n.local, ccp.OriginRoute(r.secret, n.child))
}

func (r *Router) unaddressChild(n *neighbor) {
	if n.child != "" {
		r.withdraw(n.local, n.child)
		n.child = ""
	}
}

// setDefault makes the route to the rest of the network, in place of the one
// that there was.
func (r *Router) setDefault() {
	n := r.neighbors[r.defaultHop()]
	if n != nil && r.fallback != nil && r.hops[r.fallback].link == n.link && r.fallbackPrefix == r.address.Scheme() {
		return
	}
	if r.fallback != nil {
		r.withdraw(r.fallback, r.fallbackPrefix)
		delete(r.hops, r.fallback)
		r.fallback = nil
	}
	if n == nil || r.address.IsZero() {
		return
	}
	r.fallback, r.fallbackPrefix = r.newSource(n, rib.Default, 0), r.address.Scheme()
	r.set(r.fallback, ccp.OriginRoute(r.secret, r.fallbackPrefix))
}

func (r *Router) defaultHop() string {
	switch {
	case r.noDefaultRoute:
		return ""
	case r.defaultRoute != "":
		return r.defaultRoute
	case len(r.parents) > 0:
		return r.parents[0]
	}
	return ""
}

// firstParent is the parent that was added first; empty if there is none.
func (r *Router) firstParent() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.parents) == 0 {
		return ""
	}
	return r.parents[0]
}

// set makes route the one of s for its prefix. The caller holds mu, and
// publishes.
func (r *Router) set(s *rib.Source, route *ccp.Route) {
	if r.base.Set(s, route) {
		r.changed[route.Prefix] = struct{}{}
	}
}

// withdraw takes the route of s for prefix out.
func (r *Router) withdraw(s *rib.Source, prefix string) {
	if r.base.Withdraw(s, prefix) {
		r.changed[prefix] = struct{}{}
	}
}

// publish shows readers and neighbors what has changed.
func (r *Router) publish() {
	r.published = r.now()
	if len(r.changed) == 0 {
		return
	}
	best := make([]ccp.Best, 0, len(r.changed))
	before := r.table.Load()
	for _, prefix := range slices.Sorted(maps.Keys(r.changed)) { // so that a run can be seen again
		if former, ok := before.Get(prefix); ok {
			r.counts[former.origin]--
		}
		way, ok := r.base.Best(prefix)
		if ok {
			r.counts[way.Source.Origin]++
			r.builder.Set(prefix, r.hops[way.Source])
			best = append(best, ccp.Best{Prefix: prefix, NextHop: way.Source.NextHop, Route: way.Route})
		} else {
			r.builder.Delete(prefix)
			best = append(best, ccp.Best{Prefix: prefix})
		}
	}
	after := r.builder.Build()
	r.table.Store(after)
	r.subscribers.note(before, after, r.changed)
	r.changed = make(map[string]struct{}) // it may have been large
	r.tellTable(best)
	r.nudge()
}

// nudge has the goroutine of run look at what there is to do.
func (r *Router) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
