package config

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/middleware"
)

// chain makes the middleware: the built-in ones in their order, without those
// that are disabled, the host's where they want to stand, and around them all
// what observes packets.
func (p *Plan) chain(ctx context.Context, parts *Parts, d *deduplication) ([]middleware.Middleware, *packetLogs, error) {
	list := middleware.Standard()
	for i, m := range list {
		switch m.(type) {
		case *middleware.Alerts:
			list[i] = middleware.NewAlerts(p.alerts())
		default:
			if m.Name() == d.Name() {
				list[i] = d
			}
		}
	}
	disabled := slices.DeleteFunc(slices.Clone(p.config.DisableMiddleware), isObserver)
	list, err := middleware.Without(list, disabled...)
	if err != nil {
		return nil, nil, err
	}
	names := make(map[string]string) // of the middleware, by its key
	for _, planned := range p.middlewares {
		m, err := planned.made.Build(ctx, parts)
		if err != nil {
			return nil, nil, fmt.Errorf("config: %s: %w", at("middlewares", planned.Name), err)
		}
		names[planned.Name] = m.Name()
		anchor := func(key string) string {
			if name, own := names[key]; own {
				return name
			}
			return key
		}
		switch {
		case planned.Before != "":
			list, err = middleware.InsertBefore(list, anchor(planned.Before), m)
		case planned.After != "":
			list, err = middleware.InsertAfter(list, anchor(planned.After), m)
		default:
			list = append(list, m)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	list, logs := p.observe(list)
	return list, logs, nil
}

func (p *Plan) alerts() middleware.AlertsOptions {
	if a := p.config.Alerts; a != nil {
		return middleware.AlertsOptions{MaxAlerts: a.MaxAlerts, MaxPerAccount: a.MaxPerAccount}
	}
	return middleware.AlertsOptions{}
}

// deduplication is the middleware of this name, with options for each
// account.
type deduplication struct {
	mu      sync.Mutex // guards options
	options map[string]middleware.DeduplicateOptions
}

func newDeduplication() *deduplication {
	return &deduplication{options: make(map[string]middleware.DeduplicateOptions)}
}

// Name is that of the middleware itself.
func (d *deduplication) Name() string {
	return middleware.Deduplicate(middleware.DeduplicateOptions{}).Name()
}

// Attach gives the account a table of its own.
func (d *deduplication) Attach(h middleware.Host, a *account.Account) (middleware.Stages, error) {
	d.mu.Lock()
	o := d.options[a.ID]
	d.mu.Unlock()
	return middleware.Deduplicate(o).Attach(h, a)
}

// set gives an account its options, before it is added.
func (d *deduplication) set(a *Account) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.options, a.ID)
	if o := a.Deduplicate; o != nil {
		d.options[a.ID] = middleware.DeduplicateOptions{PacketLifetime: o.PacketLifetime.std(), MaxPackets: o.MaxPackets}
	}
}
