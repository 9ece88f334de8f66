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
	f := &faults{}
	d := &decoder{faults: f}
	path := at("accounts", id)
	var given Account
	n, err := parse(record)
	if err != nil {
		f.add(path, "%v", err)
		return connector.Account{}, f.err()
	}
	d.value(path, n, reflect.ValueOf(&given).Elem())
	given.ID = id
	config := a.Plan().Config()
	config.secrets = nil
	k := &checker{faults: f, registry: a.registry, plan: &Plan{}, config: &config}
	k.account(path, &given)
	if err := f.err(); err != nil {
		return connector.Account{}, err
	}
	planned := &k.plan.accounts[0]
	link, err := a.link(ctx, planned)
	if err != nil {
		return connector.Account{}, err
	}
	a.deduplication.set(&planned.Account)
	account := planned.account()
	account.Plugin = &named{link, given.Plugin}
	return account, nil
}

// PluginName gives the name that the configuration has for the plugin of an
// account; empty if it has none.
func (a *Assembly) PluginName(account connector.Account) string {
	if n, ok := account.Plugin.(*named); ok {
		return n.name
	}
	if planned := a.Plan().account(account.ID); planned != nil {
		return planned.Plugin
	}
	return ""
}
