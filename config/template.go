package config

import "encoding/json"

// Template is the record of an account that is to be filled in: texts that are
// empty are missing.
type Template struct {
	Name   string
	Record json.RawMessage
}

// Templates gives a record for each way to be joined with a counterparty by the
// built-in plugins, for whoever adds accounts while the connector runs.
func Templates() []Template {
	record := func(relation, plugin, options string) json.RawMessage {
		return json.RawMessage(`{
			"relation": "` + relation + `",
			"plugin": "` + plugin + `",
			"assetCode": "USD",
			"assetScale": 9,
			"balance": {"maximum": "1000000000", "minimum": "-1000000000"},
			"options": ` + options + `
		}`)
	}
	const (
		dials   = `{"server": "", "btpAccount": "", "btpToken": ""}`
		listens = `{"listener": {"host": "127.0.0.1", "port": 7768, "secret": ""}}`
	)
	return []Template{
		{"A peer that we dial, BTP", record("peer", "btp", dials)},
		{"A peer that dials us, BTP", record("peer", "btp", listens)},
		{"A child that dials us, BTP", record("child", "btp", listens)},
		{"A parent that we dial, BTP", record("parent", "btp", dials)},
		{"A peer by HTTP", record("peer", "http", `{"incoming": {"host": "127.0.0.1", "port": 7770, "staticToken": ""}, "outgoing": {"url": "", "staticToken": ""}}`)},
		{"Users, each with a token", record("child", "mini-accounts", `{"host": "127.0.0.1", "port": 3000, "users": {"balance": {"maximum": "0", "minimum": "-1000000"}}}`)},
	}
}
