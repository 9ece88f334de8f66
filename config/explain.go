package config

import (
	"cmp"
	"fmt"
	"net"
	"strings"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/middleware"
)

// Explain says, for people, what would run, without secrets.
func (p *Plan) Explain() string {
	var b strings.Builder
	c := &p.config
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s%s\n", name, fmt.Sprintf(format, args...))
	}
	line("address", "%s", p.explainAddress())
	line("backend", "%s", p.backend.Summary)
	if c.Spreads != nil {
		line("spreads", "%s, or by pair and account: %d pairs, %d sources, %d destinations",
			cmp.Or(string(c.Spread), "0"), len(c.Spreads.Pairs), len(c.Spreads.Sources), len(c.Spreads.Destinations))
	}
	line("store", "%s: %s", p.storeName, p.store.Summary)
	line("middleware", "%s", strings.Join(p.middlewareNames(), ", "))
	line("routes", "%s", p.explainRouting())
	for _, r := range c.Routes {
		line("", "%s to %s", r.prefix(), r.PeerID)
	}
	line("packets", "held for %v at most, %v kept for the way back", cmp.Or(c.MaxHoldTime, Default().MaxHoldTime), cmp.Or(c.MinMessageWindow, Default().MinMessageWindow))
	line("admin API", "%s", p.explainAdmin())
	if p.observes(packetLogName) {
		line("packet log", "%s", p.explainPacketLog())
	}
	line("accounts", "%d", len(p.accounts))
	for i := range p.accounts {
		p.accounts[i].explain(&b)
	}
	for _, note := range p.notes {
		line("note", "%s", note)
	}
	return b.String()
}

func (p *Plan) explainAddress() string {
	switch {
	case !p.address.IsZero():
		return p.address.String()
	case p.config.ILPAddressInheritFrom != "":
		return "inherited from " + p.config.ILPAddressInheritFrom
	}
	return "inherited from the first parent"
}

// middlewareNames gives the chain, outermost first; the host's by their keys,
// where they stand.
func (p *Plan) middlewareNames() []string {
	var names []string
	disabled := make(map[string]bool)
	for _, name := range p.config.DisableMiddleware {
		disabled[name] = true
	}
	for _, m := range middleware.Standard() {
		if !disabled[m.Name()] {
			names = append(names, m.Name())
		}
	}
	for _, m := range p.middlewares {
		names = insertName(names, m.Middleware)
	}
	names = p.observeNames(names)
	if len(names) == 0 {
		return []string{"none"}
	}
	return names
}

func insertName(names []string, m Middleware) []string {
	for i, name := range names {
		switch name {
		case m.Before:
			return append(names[:i:i], append([]string{m.Name}, names[i:]...)...)
		case m.After:
			return append(names[:i+1:i+1], append([]string{m.Name}, names[i+1:]...)...)
		}
	}
	return append(names, m.Name)
}

func (p *Plan) explainRouting() string {
	c := &p.config
	exchange := "not exchanged with neighbors"
	if c.RouteBroadcastEnabled {
		exchange = fmt.Sprintf("exchanged with neighbors every %v (%s)", cmp.Or(c.RouteBroadcastInterval, Default().RouteBroadcastInterval), cmp.Or(c.RouteExport, "reference"))
	}
	switch c.DefaultRoute {
	case "":
		return exchange + "; no default"
	case "auto":
		return exchange + "; the default is the first parent"
	}
	return exchange + "; the default is " + c.DefaultRoute
}

func (p *Plan) explainAdmin() string {
	c := &p.config
	if !c.AdminAPI {
		return "off"
	}
	scheme, token := "http", "without a token, for this machine alone"
	if c.AdminAPITLS != nil {
		scheme = "https"
	}
	if c.hasAdminTokens() {
		tokens, readTokens := c.AdminTokens()
		token = fmt.Sprintf("%d tokens that may do everything, %d that may look", len(tokens), len(readTokens))
	}
	return fmt.Sprintf("%s://%s, %s", scheme, net.JoinHostPort(c.AdminAPIHost, portText(c.AdminAPIPort)), token)
}

func (a *plannedAccount) explain(b *strings.Builder) {
	made := a.account()
	fmt.Fprintf(b, "  %s: %s, %s at scale %d\n", a.ID, a.Relation, a.AssetCode, a.AssetScale)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(b, "    %-11s%s\n", name, fmt.Sprintf(format, args...))
	}
	line("link", "%s", a.link.Summary)
	if made.Relation == account.Child {
		line("segment", "%s", made.Segment())
	}
	if made.Balance != nil {
		line("balance", "%v", made.Balance)
	}
	if made.MaxPacketAmount != 0 {
		line("packet", "at most %d", made.MaxPacketAmount)
	}
	if t := made.Throughput; t != nil {
		line("throughput", "in %s, out %s, per %v", bound(t.IncomingAmount), bound(t.OutgoingAmount), cmp.Or(t.RefillPeriod, account.DefaultThroughputPeriod))
	}
	if l := made.RateLimit; l != nil {
		line("rate limit", "%d packets per %v, %d at once", l.RefillCount, cmp.Or(l.RefillPeriod, account.DefaultRefillPeriod), cmp.Or(l.Capacity, l.RefillCount))
	}
	line("in flight", "at most %d", cmp.Or(made.MaxInFlight, account.DefaultMaxInFlight))
	line("routes", "sent: %s, received: %s, at most %d", yes(made.SendsRoutes()), yes(made.ReceivesRoutes()), cmp.Or(made.MaxRoutes, account.DefaultMaxRoutes))
}

func bound(amount uint64) string {
	if amount == 0 {
		return "any"
	}
	return fmt.Sprint(amount)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
