package config

import (
	"context"
	"fmt"
	"slices"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/middleware"
)

// changes gives what next would change. What the host has put in the place of
// ours cannot be set by us.
func (a *Assembly) changes(next *Plan) Changes {
	c := a.plan.Changes(next)
	var set []string
	for _, name := range c.Set {
		if a.canSet(name) {
			set = append(set, name)
		} else {
			c.Restart = append(c.Restart, name)
		}
	}
	c.Set = set
	return c
}

func (a *Assembly) canSet(name string) bool {
	switch name {
	case "spread", "spreads", "backend", "backendConfig":
		switch b := a.Config.Backend.(type) {
		case *rates:
			return b == a.rates
		case observedRates:
			return b.rates == a.rates
		}
		return false
	case "adminApiToken", "adminApiTokens", "adminApiReadTokens":
		return a.admin == nil || a.admin.tokens() != nil
	}
	return true
}

// nextBackend gives the backend that next has in the place of the present one,
// which is that one where it is the same.
func (a *Assembly) nextBackend(ctx context.Context, next *Plan, c *Changes) (backend.Backend, error) {
	inner := a.rates.inner()
	if a.plan.rates.sum == next.rates.sum || !slices.ContainsFunc(c.Set, isRateKey) {
		return inner, nil
	}
	inner, err := next.backend.Build(ctx, a.parts())
	if err != nil {
		return nil, fmt.Errorf("config: the backend: %w", err)
	}
	return inner, nil
}

// set sets a key that has changed to what next has, which is the present plan
// with all that is set now. Keys that go together are set by the first of them,
// and setting them again changes nothing.
func (a *Assembly) set(name string, next *Plan, inner backend.Backend) error {
	switch name {
	case "defaultRoute":
		switch id := next.config.DefaultRoute; id {
		case "":
			a.Connector.Router().UnsetDefaultRoute()
		case "auto":
			a.Connector.Router().SetDefaultRoute("")
		default:
			a.Connector.Router().SetDefaultRoute(id)
		}
	case "spread", "spreads", "backend", "backendConfig":
		return a.rates.set(&next.rates, inner)
	case "alerts":
		if alerts, ok := middleware.Find[*middleware.Alerts](a.Config.Middleware); ok {
			return alerts.SetOptions(next.alerts())
		}
	case "packetLog":
		return a.setPacketLog(next)
	case "disableMiddleware":
		if a.plan.observes(packetLogName) != next.observes(packetLogName) {
			return a.setPacketLog(next)
		}
	case "adminApiToken", "adminApiTokens", "adminApiReadTokens":
		if a.admin != nil {
			tokens, readTokens := next.config.AdminTokens()
			return a.admin.tokens().SetTokens(tokens, readTokens, !next.config.hasAdminTokens())
		}
	}
	return nil
}

func (a *Assembly) setPacketLog(next *Plan) error {
	if a.packetLogs == nil {
		return nil
	}
	return a.packetLogs.set(next.newPacketLog())
}
