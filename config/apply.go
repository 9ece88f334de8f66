package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

// Changes is what differs between two plans.
type Changes struct {
	// Added, Removed and Changed are ids of accounts, sorted.
	Added, Removed, Changed []string
	// Routes says that configured routes differ.
	Routes bool
	// Restart names the keys that differ and are not applied while the
	// connector runs.
	Restart []string
}

// String gives the changes in one line.
func (c Changes) String() string {
	var parts []string
	for _, of := range []struct {
		what  string
		names []string
	}{{"added", c.Added}, {"removed", c.Removed}, {"changed", c.Changed}, {"restart needed for", c.Restart}} {
		if len(of.names) > 0 {
			parts = append(parts, of.what+" "+strings.Join(of.names, ", "))
		}
	}
	if c.Routes {
		parts = append(parts, "routes")
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

// Changes gives what a plan that comes after p would change.
func (p *Plan) Changes(next *Plan) Changes {
	var c Changes
	before, after := p.sums(), next.sums()
	for _, id := range ids(next.accounts) {
		switch sum, there := before[id]; {
		case !there:
			c.Added = append(c.Added, id)
		case sum != after[id]:
			c.Changed = append(c.Changed, id)
		}
	}
	for _, id := range ids(p.accounts) {
		if _, there := after[id]; !there {
			c.Removed = append(c.Removed, id)
		}
	}
	old, new := reflect.ValueOf(p.config), reflect.ValueOf(next.config)
	for _, f := range fieldsOf(old.Type()) {
		same := reflect.DeepEqual(old.FieldByIndex(f.index).Interface(), new.FieldByIndex(f.index).Interface())
		switch {
		case same || f.name == "accounts" || f.name == "logLevel": // the level is the program's
		case f.name == "routes":
			c.Routes = true
		default:
			c.Restart = append(c.Restart, f.name)
		}
	}
	if !slices.Equal(p.seen, next.seen) {
		c.Restart = append(c.Restart, "secrets of backend, store or middleware")
	}
	return c
}

func (p *Plan) sums() map[string][sha256.Size]byte {
	sums := make(map[string][sha256.Size]byte, len(p.accounts))
	for i := range p.accounts {
		sums[p.accounts[i].ID] = p.accounts[i].sum
	}
	return sums
}

func (p *Plan) account(id string) *plannedAccount {
	for i := range p.accounts {
		if p.accounts[i].ID == id {
			return &p.accounts[i]
		}
	}
	return nil
}

// Apply changes what runs into what next says: accounts and configured routes.
// Accounts that are the same in both plans are not touched, nor are those that
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
	c := a.plan.Changes(next)
	links, err := a.links(ctx, next, c.Added)
	if err != nil {
		return c, err
	}
	applied := a.plan.with(next)
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
	faults = append(faults, a.reloadCertificates())
	applied.config.Accounts = applied.records()
	a.plan = applied
	return c, errors.Join(faults...)
}

// with gives p with those parts of next that are applied while p runs.
func (p *Plan) with(next *Plan) *Plan {
	applied := *p
	applied.accounts = slices.Clone(next.accounts)
	applied.config.Routes, applied.config.LogLevel = next.config.Routes, next.config.LogLevel
	return &applied
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
// there again, if possible; there is what is there then.
func (a *Assembly) change(ctx context.Context, old, new *plannedAccount) (there *plannedAccount, err error) {
	if err := a.Connector.RemoveAccount(ctx, old.ID); errors.Is(err, connector.ErrStopped) {
		return old, err
	} else if err != nil && !errors.Is(err, connector.ErrUnknownAccount) {
		a.logger.Warn("a link was not closed well", slog.String("account", old.ID), slog.Any("error", err))
	}
	if err = a.addAgain(ctx, new); err == nil {
		return new, nil
	}
	if back := a.addAgain(ctx, old); back != nil {
		return nil, fmt.Errorf("config: account %q could not be changed, and is gone: %w", old.ID, errors.Join(err, back))
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
