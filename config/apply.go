package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

func (p *Plan) account(id string) *plannedAccount {
	for i := range p.accounts {
		if p.accounts[i].ID == id {
			return &p.accounts[i]
		}
	}
	return nil
}

// Apply changes what runs into what next says: accounts, configured routes, and
// whatever else can be changed while packets move; Changes.Restart names the
// rest. Accounts that are the same in both plans are not touched, nor are those that
// were added in another way. What is changed in an account takes effect by
// removing it, with its packets in flight waited for, and adding it anew; its
// balance stays. Certificates are read again.
//
// An error says what could not be applied; the rest is, and what could not is
// tried again by the next Apply. Whatever can fail before anything has changed,
// such as listening on a port, is tried then, and nothing is changed if it
// does. ctx ends the waiting.
func (a *Assembly) Apply(ctx context.Context, next *Plan) (Changes, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.adopt(next)
	c := a.changes(next)
	inner, err := a.nextBackend(ctx, next, &c)
	if err != nil {
		return c, err
	}
	links, err := a.links(ctx, next, c.Added)
	if err != nil {
		return c, err
	}
	applied := a.plan.with(next, &c)
	var faults []error
	for _, id := range c.Removed {
		if err := a.Connector.RemoveAccount(ctx, id); err != nil && !errors.Is(err, connector.ErrUnknownAccount) {
			faults = append(faults, err)
		}
	}
	for _, id := range c.Changed {
		old := a.plan.account(id)
		there, err := a.change(ctx, old, next.account(id))
		if err != nil {
			faults = append(faults, err)
			applied.replace(id, there)
		}
	}
	for i, id := range c.Added {
		if err := a.addLink(ctx, next.account(id), links[i]); err != nil {
			faults = append(faults, err)
			applied.replace(id, nil)
		}
	}
	if c.Routes {
		faults = append(faults, a.Connector.Router().SetRoutes(next.config.routes()))
	}
	for _, name := range c.Set {
		faults = append(faults, a.set(name, applied, inner))
	}
	faults = append(faults, a.reloadCertificates())
	applied.config.Accounts = applied.records()
	a.plan = applied
	return c, errors.Join(faults...)
}

// records gives the accounts as a configuration has them.
func (p *Plan) records() Accounts {
	records := make(Accounts, len(p.accounts))
	for i := range p.accounts {
		records[i] = p.accounts[i].Account
	}
	return records
}

// replace puts another account in the place of the one of an id; nil: none.
func (p *Plan) replace(id string, other *plannedAccount) {
	i := slices.IndexFunc(p.accounts, func(a plannedAccount) bool { return a.ID == id })
	if other == nil {
		p.accounts = slices.Delete(p.accounts, i, i+1)
	} else {
		p.accounts[i] = *other
	}
}

// links makes the links of accounts that are added, or none of them.
func (a *Assembly) links(ctx context.Context, next *Plan, added []string) ([]plugin.Plugin, error) {
	links := make([]plugin.Plugin, 0, len(added))
	for _, id := range added {
		link, err := a.link(ctx, next.account(id))
		if err != nil {
			for _, made := range links {
				err = errors.Join(err, made.Close())
			}
			return nil, err
		}
		links = append(links, link)
	}
	return links, nil
}

// change replaces an account. If the new one cannot be added, the old one is
// there again, if possible; there is what is there then. old may be nil, where
// it is not known what that was made of.
func (a *Assembly) change(ctx context.Context, old, new *plannedAccount) (there *plannedAccount, err error) {
	if err := a.Connector.RemoveAccount(ctx, new.ID); errors.Is(err, connector.ErrStopped) {
		return old, err
	} else if err != nil && !errors.Is(err, connector.ErrUnknownAccount) {
		a.logger.Warn("a link was not closed well", slog.String("account", new.ID), slog.Any("error", err))
	}
	if err = a.addAgain(ctx, new); err == nil {
		return new, nil
	}
	back := errors.New("it was no part of the configuration")
	if old != nil {
		back = a.addAgain(ctx, old)
	}
	if back != nil {
		return nil, fmt.Errorf("config: account %q could not be changed, and is gone: %w", new.ID, errors.Join(err, back))
	}
	return old, fmt.Errorf("config: account %q could not be changed, and is as before: %w", old.ID, err)
}

// addAgain adds an account whose last packets may not have been answered yet;
// until then its book is in use.
func (a *Assembly) addAgain(ctx context.Context, planned *plannedAccount) error {
	ctx, cancel := context.WithTimeout(ctx, againTimeout)
	defer cancel()
	for {
		err := a.add(ctx, planned)
		if err == nil || !errors.Is(err, ledger.ErrOpen) {
			return err
		}
		select {
		case <-time.After(againInterval):
		case <-ctx.Done():
			return err
		}
	}
}

const (
	// againTimeout is longer than the longest time that a packet is held.
	againTimeout  = 40 * time.Second
	againInterval = 50 * time.Millisecond
)

func (a *Assembly) reloadCertificates() error {
	err := a.listeners.reload()
	if a.admin != nil && a.admin.files != nil {
		err = errors.Join(err, a.admin.files.Reload())
	}
	return err
}
