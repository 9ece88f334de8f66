package connector

import (
	"errors"
	"fmt"
	"strings"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/rib"
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
	RouteConfigured RouteOrigin = RouteOrigin(rib.Configured)
	// RouteLocal is the connector's own address, or that of a child.
	RouteLocal RouteOrigin = RouteOrigin(rib.Local)
	// RouteLearned routes were told by the counterparty of the next hop (CCP).
	RouteLearned RouteOrigin = RouteOrigin(rib.Learned)
	// RouteDefault is the way to the rest of the network.
	RouteDefault RouteOrigin = RouteOrigin(rib.Default)
)

var routeOriginNames = [...]string{
	RouteConfigured: "configured", RouteLocal: "local", RouteLearned: "learned", RouteDefault: "default",
}

// RouteOrigins gives all origins, in their order.
func RouteOrigins() []RouteOrigin {
	return []RouteOrigin{RouteConfigured, RouteLocal, RouteLearned, RouteDefault}
}

// String names the origin in one word.
func (o RouteOrigin) String() string {
	if o < 0 || int(o) >= len(routeOriginNames) {
		return fmt.Sprintf("RouteOrigin(%d)", int(o))
	}
	return routeOriginNames[o]
}

// checkRoutes says everything that is wrong with configured routes.
func checkRoutes(routes []Route) error {
	var faults []error
	for _, route := range routes {
		faults = append(faults, checkRoute(route))
	}
	return errors.Join(faults...)
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
