package admin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

// Status is what GET /status answers.
type Status struct {
	// Address is the connector's own; empty while it has none.
	Address string `json:"address"`
	// Running says whether it forwards packets.
	Running bool `json:"running"`
	// Balances and Connected by account.
	Balances  map[string]string `json:"balances"`
	Connected map[string]bool   `json:"connected"`
	// LocalRoutingTable by prefix.
	LocalRoutingTable map[string]TableEntry `json:"localRoutingTable"`
	Counters          Counters              `json:"counters"`
}

// Counters counts what belongs to no single account.
type Counters struct {
	// LateFulfills came after their packets had expired: the next hop thinks
	// that it was paid for them.
	LateFulfills uint64 `json:"lateFulfills"`
	// UnexpectedReplies came for packets that were answered, or never sent.
	UnexpectedReplies uint64 `json:"unexpectedReplies"`
}

// TableEntry is a route as the reference shows it.
type TableEntry struct {
	// NextHop is the id of the account; empty for the connector itself.
	NextHop string `json:"nextHop"`
	// Path has addresses, nearest first, with spaces between.
	Path string `json:"path"`
}

func (h *Handler) status(*http.Request) (any, error) {
	answer := Status{
		Address: h.c.Address().String(), Running: h.c.Running(),
		Balances: make(map[string]string), Connected: make(map[string]bool),
		LocalRoutingTable: h.localTable(), Counters: h.counters(),
	}
	for _, s := range h.c.Accounts() {
		answer.Balances[s.ID] = decimal(s.Book.Balance)
		answer.Connected[s.ID] = s.Connected
	}
	return answer, nil
}

func (h *Handler) counters() Counters {
	c := h.c.Counters()
	return Counters{LateFulfills: c.LateFulfills, UnexpectedReplies: c.UnexpectedReplies}
}

func (h *Handler) localTable() map[string]TableEntry {
	routes := h.c.Router().Routes()
	table := make(map[string]TableEntry, len(routes))
	for _, route := range routes {
		entry := TableEntry{NextHop: route.NextHop}
		if best, ok := h.c.Router().Best(route.Prefix); ok && best.NextHop == route.NextHop {
			entry.Path = spaced(best.Path)
		}
		table[route.Prefix] = entry
	}
	return table
}

// Routing is what GET /routing answers: the routes that are used, and what
// neighbors are told of them and tell.
type Routing struct {
	RoutingTableID string `json:"routingTableId"`
	CurrentEpoch   uint32 `json:"currentEpoch"`
	// LocalRoutingTable by prefix.
	LocalRoutingTable map[string]TableEntry `json:"localRoutingTable"`
	// ForwardingRoutingTable is what neighbors are told, by prefix; null for
	// one that was withdrawn.
	ForwardingRoutingTable map[string]*TableEntry `json:"forwardingRoutingTable"`
	// RoutingLog has the last change of each prefix, by epoch.
	RoutingLog []LogEntry `json:"routingLog"`
	// Peers by account.
	Peers map[string]PeerExchange `json:"peers"`
}

// LogEntry is a change of what neighbors are told.
type LogEntry struct {
	Prefix string `json:"prefix"`
	Epoch  uint32 `json:"epoch"`
	// Route is missing where the prefix was withdrawn.
	Route *TableEntry `json:"route,omitempty"`
}

// PeerExchange is how routes are exchanged with an account.
type PeerExchange struct {
	// Send is what it is told, Receive what it tells; missing where it is not.
	Send    *Sending   `json:"send,omitempty"`
	Receive *Receiving `json:"receive,omitempty"`
}

// Sending is how far an account was told our routes.
type Sending struct {
	// Epoch is below what it has acknowledged.
	Epoch uint32 `json:"epoch"`
	// Mode is what it has asked for: "IDLE" or "SYNC".
	Mode     string `json:"mode"`
	Updates  uint64 `json:"updates"`
	Failures int    `json:"failures"`
}

// Receiving is what an account has told.
type Receiving struct {
	RoutingTableID string `json:"routingTableId"`
	Epoch          uint32 `json:"epoch"`
	Routes         int    `json:"routes"`
	Updates        uint64 `json:"updates"`
	// Refused counts routes that were not taken.
	Refused uint64 `json:"refused"`
}

func (h *Handler) routing(*http.Request) (any, error) {
	answer := Routing{
		LocalRoutingTable:      h.localTable(),
		ForwardingRoutingTable: make(map[string]*TableEntry),
		RoutingLog:             []LogEntry{},
		Peers:                  make(map[string]PeerExchange),
	}
	if f, ok := h.c.Router().Forwarding(); ok {
		answer.RoutingTableID, answer.CurrentEpoch = f.TableID.String(), f.Epoch
		for _, change := range f.Log {
			entry := LogEntry{Prefix: change.Prefix, Epoch: change.Epoch}
			if !change.Withdrawn {
				entry.Route = &TableEntry{NextHop: change.NextHop, Path: spaced(change.Path)}
			}
			answer.RoutingLog = append(answer.RoutingLog, entry)
			answer.ForwardingRoutingTable[change.Prefix] = entry.Route
		}
	}
	for _, s := range h.c.Router().Exchange() {
		answer.Peers[s.Account] = exchangeOf(&s)
	}
	return answer, nil
}

func exchangeOf(s *connector.ExchangeStatus) PeerExchange {
	var x PeerExchange
	if s.Sender != nil {
		mode := "IDLE"
		if s.Sender.Mode == ccp.Sync {
			mode = "SYNC"
		}
		x.Send = &Sending{Epoch: s.Sender.Epoch, Mode: mode, Updates: s.Sender.Updates, Failures: s.Sender.Failures}
	}
	if r := s.Receiver; r != nil {
		x.Receive = &Receiving{RoutingTableID: r.TableID.String(), Epoch: r.Epoch, Routes: r.Routes, Updates: r.Updates, Refused: r.Refused.Total()}
	}
	return x
}

func (h *Handler) exchangeOf(id string) *PeerExchange {
	for _, s := range h.c.Router().Exchange() {
		if s.Account == id {
			x := exchangeOf(&s)
			return &x
		}
	}
	return nil
}

// spaced gives addresses as the reference writes paths.
func spaced(addresses []ilp.Address) string {
	var b strings.Builder
	for i, a := range addresses {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(a.String())
	}
	return b.String()
}

// Routes is what GET /routes answers.
type Routes struct {
	// Routes are those in use, by prefix.
	Routes []Route `json:"routes"`
	// Total is the number of those that fit the search.
	Total int `json:"total"`
	// Next is where to go on, with after; empty at the end.
	Next string `json:"next,omitempty"`
}

// Route is a route that is in use.
type Route struct {
	Prefix string `json:"prefix"`
	// NextHop is the id of the account; empty for the connector itself.
	NextHop string `json:"nextHop"`
	// Origin is "configured", "local", "learned" or "default".
	Origin string `json:"origin"`
	// Relation is that of the next hop: "child", "peer" or "parent".
	Relation string `json:"relation,omitempty"`
	// Path is what lies behind the next hop as it has told, nearest first.
	Path []string `json:"path"`
	// Connected says whether the link to the next hop is up.
	Connected bool `json:"connected"`
}

func (h *Handler) routes(r *http.Request) (any, error) {
	p, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	routes := h.c.Router().Routes()
	if q := r.URL.Query().Get("q"); q != "" {
		routes = slices.DeleteFunc(routes, func(route connector.Route) bool {
			return !strings.Contains(route.Prefix, q) && !strings.Contains(route.NextHop, q) && route.Origin.String() != q
		})
	}
	answer := Routes{Routes: []Route{}, Total: len(routes)}
	routes, answer.Next = cut(p, routes, func(route connector.Route) string { return route.Prefix })
	for _, route := range routes {
		if best, ok := h.c.Router().Best(route.Prefix); ok { // or it is gone meanwhile
			answer.Routes = append(answer.Routes, routeOf(&best))
		}
	}
	return answer, nil
}

func routeOf(c *connector.Candidate) Route {
	route := Route{Prefix: c.Prefix, NextHop: c.NextHop, Origin: c.Origin.String(), Path: []string{}, Connected: c.Connected}
	if c.Relation != 0 {
		route.Relation = c.Relation.String()
	}
	for _, address := range c.Path {
		route.Path = append(route.Path, address.String())
	}
	return route
}

// StaticRoutes is what GET /routes/static answers and PUT takes: the
// configured routes, in their order, whether their accounts are there or not.
type StaticRoutes struct {
	Routes []StaticRoute `json:"routes"`
}

// StaticRoute sends the packets for a prefix to an account, before any other
// route.
type StaticRoute struct {
	Prefix  string `json:"prefix"`
	NextHop string `json:"nextHop"`
}

func (h *Handler) staticRoutes(*http.Request) (any, error) {
	answer := StaticRoutes{Routes: []StaticRoute{}}
	for _, route := range h.c.Router().ConfiguredRoutes() {
		answer.Routes = append(answer.Routes, StaticRoute{route.Prefix, route.NextHop})
	}
	return answer, nil
}

func (h *Handler) setStaticRoutes(r *http.Request) (any, error) {
	var body StaticRoutes
	if err := readJSON(r, &body, "there is no body: it must have the routes"); err != nil {
		return nil, err
	}
	if body.Routes == nil {
		return nil, problemf(http.StatusBadRequest, "routes is missing: an empty list removes all of them")
	}
	routes := make([]connector.Route, len(body.Routes))
	for i, route := range body.Routes {
		routes[i] = connector.Route{Prefix: route.Prefix, NextHop: route.NextHop}
	}
	return nil, h.editRoutes(func([]connector.Route) []connector.Route { return routes })
}

func (h *Handler) putStaticRoute(r *http.Request) (any, error) {
	var body struct {
		NextHop string `json:"nextHop"`
	}
	if err := readJSON(r, &body, "there is no body: it must have the nextHop"); err != nil {
		return nil, err
	}
	replaced, route := false, connector.Route{Prefix: r.PathValue("prefix"), NextHop: body.NextHop}
	err := h.editRoutes(func(routes []connector.Route) []connector.Route {
		for i := range routes {
			if routes[i].Prefix == route.Prefix {
				routes[i], replaced = route, true
				return routes
			}
		}
		return append(routes, route)
	})
	if err != nil {
		return nil, err
	}
	answer := StaticRoute{route.Prefix, route.NextHop}
	if replaced {
		return answer, nil
	}
	return created{answer}, nil
}

func (h *Handler) removeStaticRoute(r *http.Request) (any, error) {
	prefix, found := r.PathValue("prefix"), false
	err := h.editRoutes(func(routes []connector.Route) []connector.Route {
		return slices.DeleteFunc(routes, func(route connector.Route) bool {
			found = found || route.Prefix == prefix
			return route.Prefix == prefix
		})
	})
	if err == nil && !found {
		err = problemf(http.StatusNotFound, "no route is configured for the prefix %q", prefix)
	}
	return nil, err
}

// editRoutes changes the configured routes; what is wrong with them is the
// fault of whoever has asked.
func (h *Handler) editRoutes(edit func([]connector.Route) []connector.Route) error {
	if err := h.c.Router().EditRoutes(edit); err != nil {
		return problemf(http.StatusBadRequest, "%v", err)
	}
	return nil
}

// Explanation is what GET /explain answers.
type Explanation struct {
	Address string `json:"address"`
	// Candidates are all routes that cover the address; packets take the
	// first. There is none where the address is unreachable.
	Candidates []Candidate `json:"candidates"`
}

// Candidate is a route, and why packets take it, or not.
type Candidate struct {
	Route
	Why string `json:"why"`
}

func (h *Handler) explain(r *http.Request) (any, error) {
	address, err := parseAddress(r.URL.Query().Get("address"))
	if err != nil {
		return nil, err
	}
	answer := Explanation{Address: address.String(), Candidates: []Candidate{}}
	for _, c := range h.c.Router().Explain(address).Candidates {
		answer.Candidates = append(answer.Candidates, Candidate{routeOf(&c), c.Why})
	}
	return answer, nil
}

func parseAddress(text string) (ilp.Address, error) {
	address, err := ilp.ParseAddress(text)
	if err != nil {
		return ilp.Address{}, problemf(http.StatusBadRequest, "address: %v", err)
	}
	return address, nil
}
