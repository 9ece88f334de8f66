package config

import (
	"context"
	"encoding/json"
	"reflect"

	"github.com/interledger-go/connector"
)

// NewAccount makes an account with its link from a record, as package admin
// asks for. An error is an [*Error] with everything that is wrong. In such a
// record no secret can refer to a file or a variable: whoever may add accounts
// is not to read files by it.
//
// The account is not part of a plan, so Apply does not touch it, unless one of
// its id is in a plan that comes later. If it is not added to the connector,
// its plugin must be closed.
func (a *Assembly) NewAccount(ctx context.Context, id string, record json.RawMessage) (connector.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	planned, err := a.planned(id, record)
	if err != nil {
		return connector.Account{}, err
	}
	link, err := a.link(ctx, planned)
	if err != nil {
		return connector.Account{}, err
	}
	a.deduplication.set(&planned.Account)
	if _, there := a.Connector.Account(id); !there { // one that is there was made of another record
		a.others[id] = planned
	}
	account := planned.account()
	account.Plugin = link
	return account, nil
}

// ReplaceAccount puts the account of a record, as NewAccount takes one, in the
// place of the one that has this id, and reports whether there was one. Its
// packets in flight are waited for, and its balance stays; it may listen where
// the former one did, with the same credentials. If the record is wrong nothing
// is changed; if its account cannot be added, the former one is there again.
func (a *Assembly) ReplaceAccount(ctx context.Context, id string, record json.RawMessage) (replaced bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	planned, err := a.planned(id, record)
	if err != nil {
		return false, err
	}
	if _, there := a.Connector.Account(id); !there {
		if err := a.addAgain(ctx, planned); err != nil {
			return false, err
		}
		a.others[id] = planned
		return false, nil
	}
	there, err := a.change(ctx, a.running(id), planned)
	if there == nil {
		delete(a.others, id)
	} else {
		a.others[id] = there
	}
	return true, err
}

// planned reads the record of an account that is in no plan, and says all that
// is wrong with it. The caller holds mu.
func (a *Assembly) planned(id string, record json.RawMessage) (*plannedAccount, error) {
	f := &faults{}
	d := &decoder{faults: f}
	path := at("accounts", id)
	var given Account
	n, err := parse(record)
	if err != nil {
		f.add(path, "%v", err)
		return nil, f.err()
	}
	d.value(path, n, reflect.ValueOf(&given).Elem())
	given.ID = id
	config := a.plan.Config()
	config.secrets = nil
	k := &checker{faults: f, registry: a.registry, plan: &Plan{}, config: &config}
	k.account(path, &given)
	for _, look := range f.later {
		look()
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return &k.plan.accounts[0], nil
}

// running gives the record that the account of an id was made of; nil if that
// is not known. The caller holds mu.
func (a *Assembly) running(id string) *plannedAccount {
	if other := a.others[id]; other != nil {
		return other
	}
	return a.plan.account(id)
}

// adopt makes those accounts a part of the plan that were added in another way,
// and that next has too: what runs is compared with next. One that next has as
// the plan has it stays as it was replaced. The caller holds mu.
func (a *Assembly) adopt(next *Plan) {
	for id, other := range a.others {
		wanted, former := next.account(id), a.plan.account(id)
		if _, there := a.Connector.Account(id); !there {
			delete(a.others, id)
		} else if wanted != nil && (former == nil || former.sum != wanted.sum) {
			a.plan = a.plan.having(other)
			delete(a.others, id)
		}
	}
}

// having gives p with an account in the place of the one of its id, or besides.
func (p *Plan) having(account *plannedAccount) *Plan {
	with := *p
	with.accounts = nil
	for _, other := range p.accounts {
		if other.ID != account.ID {
			with.accounts = append(with.accounts, other)
		}
	}
	with.accounts = append(with.accounts, *account)
	return &with
}

// PluginName gives the name that the configuration has for the plugin of an
// account; empty if it has none.
func (a *Assembly) PluginName(account connector.Account) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if running := a.running(account.ID); running != nil {
		return running.Plugin
	}
	return ""
}
