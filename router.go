package connector

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/routetable"
)

// Route says which account packets for a prefix go to.
type Route struct {
	// Prefix covers itself and every address that continues it by whole
	// segments: test.bob covers test.bob.wallet, not test.bobby. The scheme
	// alone (test) covers everything in it.
	Prefix string
	// NextHop is the id of the account; empty for the connector itself.
	NextHop string
	// Origin says where the route comes from. The host need not set it.
	Origin RouteOrigin
}

// RouteOrigin is where a route comes from. Of two routes for the same prefix
// the one with the lower origin wins.
type RouteOrigin int

const (
	// RouteConfigured routes are those of Config.Routes.
	RouteConfigured RouteOrigin = iota
	// RouteLocal is the connector's own address, or that of a child.
	RouteLocal
	// RouteDefault is the way to the rest of the network.
	RouteDefault
)

var routeOriginNames = [...]string{RouteConfigured: "configured", RouteLocal: "local", RouteDefault: "default"}

// String names the origin in one word.
func (o RouteOrigin) String() string {
	if o < 0 || int(o) >= len(routeOriginNames) {
		return fmt.Sprintf("RouteOrigin(%d)", int(o))
	}
	return routeOriginNames[o]
}

// Router knows the next hop for every address. Lookups read an immutable
// table and take no lock; changes build the next table. It is safe for
// concurrent use.
type Router struct {
	logger *slog.Logger
	table  atomic.Pointer[routetable.Table[*hop]]

	mu             sync.Mutex // guards what follows, and the building of tables
	configured     []Route
	defaultRoute   string // account id; empty: the first parent
	noDefaultRoute bool
	address        ilp.Address
	links          map[string]*link
	parents        []string // in the order they were added
}

// hop is what the table has for a prefix. The map holds pointers: a value of
// this size would be kept in every free place of it too.
type hop struct {
	route Route
	link  *link // nil: the connector itself
}

func newRouter(c *Config, address ilp.Address, logger *slog.Logger) *Router {
	r := &Router{
		logger:         logger,
		configured:     slices.Clone(c.Routes),
		defaultRoute:   c.DefaultRoute,
		noDefaultRoute: c.NoDefaultRoute,
		address:        address,
		links:          make(map[string]*link),
	}
	r.rebuild()
	return r
}

// Lookup gives the route that packets for address take.
func (r *Router) Lookup(address ilp.Address) (Route, bool) {
	h, ok := r.lookup(address)
	if !ok {
		return Route{}, false
	}
	return h.route, true
}

func (r *Router) lookup(address ilp.Address) (*hop, bool) {
	return r.table.Load().Lookup(address.String())
}

// Routes gives all routes in use, by prefix.
func (r *Router) Routes() []Route {
	table := r.table.Load()
	routes := make([]Route, 0, table.Len())
	for _, h := range table.All() {
		routes = append(routes, h.route)
	}
	slices.SortFunc(routes, func(a, b Route) int { return cmp.Compare(a.Prefix, b.Prefix) })
	return routes
}

func (r *Router) add(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links[l.account.ID] = l
	if l.account.Relation == account.Parent {
		r.parents = append(r.parents, l.account.ID)
	}
	r.rebuild()
}

func (r *Router) remove(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.links, l.account.ID)
	r.parents = slices.DeleteFunc(r.parents, func(id string) bool { return id == l.account.ID })
	r.rebuild()
}

// rebuild makes the table anew. The caller holds mu.
func (r *Router) rebuild() {
	table := make(map[string]*hop, len(r.links)+len(r.configured)+2)
	put := func(route Route, l *link) { table[route.Prefix] = &hop{route, l} }

	// The lowest preference first: what comes later replaces it.
	if l := r.links[r.defaultHop()]; l != nil {
		put(Route{Prefix: r.address.Scheme(), NextHop: l.account.ID, Origin: RouteDefault}, l)
	}
	for _, id := range slices.Sorted(maps.Keys(r.links)) {
		l := r.links[id]
		if l.account.Relation != account.Child {
			continue
		}
		child, err := r.address.Child(l.account.Segment())
		if err != nil { // an address beyond 1023 bytes
			r.logger.Error("child has no address", slog.String("account", id), slog.Any("error", err))
			continue
		}
		put(Route{Prefix: child.String(), NextHop: id, Origin: RouteLocal}, l)
	}
	put(Route{Prefix: r.address.String(), Origin: RouteLocal}, nil)
	for _, route := range r.configured {
		if l := r.links[route.NextHop]; l != nil {
			put(Route{Prefix: route.Prefix, NextHop: route.NextHop, Origin: RouteConfigured}, l)
		}
	}
	r.table.Store(routetable.New(table))
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

// checkRoute says what is wrong with a configured route.
func checkRoute(route Route) error {
	if route.NextHop == "" {
		return fmt.Errorf("route %q: NextHop is empty: name the account that packets go to", route.Prefix)
	}
	if _, err := ilp.ParseAddress(route.Prefix); err == nil {
		return nil
	}
	// A scheme by itself is no address, but a prefix of them.
	if !strings.Contains(route.Prefix, ".") {
		if _, err := ilp.ParseAddress(route.Prefix + ".x"); err == nil {
			return nil
		}
	}
	return fmt.Errorf(`route %q: Prefix is neither an address nor a scheme: it must be such as "test.bob" or "test"`, route.Prefix)
}
