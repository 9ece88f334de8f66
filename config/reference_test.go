package config_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
)

// The reference's tests of its configuration, 15 to 20 of the inventory. Three
// accounts are in the environment.
const threeLedgers = `CONNECTOR_ACCOUNTS={
	"test.usd-ledger": {"relation": "peer", "assetCode": "USD", "assetScale": 4, "plugin": "ilp-plugin-btp", "options": {"server": "btp+ws://a:b@localhost:1"}},
	"test.eur-ledger": {"relation": "peer", "assetCode": "EUR", "assetScale": 4, "plugin": "ilp-plugin-btp", "options": {"server": "btp+ws://a:b@localhost:2"}},
	"test.aud-ledger": {"relation": "peer", "assetCode": "AUD", "assetScale": 4, "plugin": "ilp-plugin-btp", "options": {"server": "btp+ws://a:b@localhost:3"}}}`

// 15: routes are read as they are, a dot at their end included. There, the
// account need not exist, and "a." passes as an address; here both are faults.
func TestReference15Routes(t *testing.T) {
	plan := mustLoad(t, threeLedgers, `CONNECTOR_ROUTES=[{"targetPrefix": "test.a.", "peerId": "test.usd-ledger"}]`)
	if got := plan.Config().Routes; len(got) != 1 || got[0] != (config.Route{TargetPrefix: "test.a.", PeerID: "test.usd-ledger"}) {
		t.Errorf("routes are %v", got)
	}
	_, err := load(t, threeLedgers, `CONNECTOR_ROUTES=[{"targetPrefix": "a.", "peerId": "example.a"}]`)
	wantFaults(t, err, "routes[0].targetPrefix: must be an address", "routes[0].peerId: no account has this id")
}

// 16: a peerId that is no name.
func TestReference16InvalidPeerID(t *testing.T) {
	_, err := load(t, threeLedgers, `CONNECTOR_ROUTES=[{"targetPrefix": "test.a", "peerId": "garbage!"}]`)
	wantFaults(t, err, "routes[0].peerId: no account has this id")
}

// 17 and 18: one of the two is missing.
func TestReference17And18IncompleteRoutes(t *testing.T) {
	_, err := load(t, threeLedgers, `CONNECTOR_ROUTES=[{"peerId": "test.usd-ledger"}]`)
	wantFaults(t, err, "routes[0].targetPrefix: is missing")
	_, err = load(t, threeLedgers, `CONNECTOR_ROUTES=[{"targetPrefix": "test.a"}]`)
	wantFaults(t, err, "routes[0].peerId: is missing")
}

// 19 and 20: accounts are what was written, the options of their plugins
// included. The names of the options there are of plugins that are gone.
func TestReference19And20Accounts(t *testing.T) {
	for _, text := range []string{
		`{"cad-ledger": {"relation": "peer", "assetCode": "CAD", "assetScale": 9, "plugin": "ilp-plugin-mock", "options": {"username": "mark", "password": "mark", "cert": "x"}},
		  "usd-ledger": {"relation": "peer", "assetCode": "USD", "assetScale": 9, "plugin": "ilp-plugin-mock", "options": {"username": "mark", "password": "mark"}}}`,
		`{"cad-ledger": {"relation": "peer", "assetCode": "CAD", "assetScale": 9, "plugin": "ilp-plugin-mock", "options": {"token": "a", "account": "https://cad", "type": "x"}}}`,
	} {
		c, err := config.Read(config.Source{Environ: []string{"CONNECTOR_ACCOUNTS=" + text}})
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]any)
		for _, a := range c.Accounts {
			var record, options map[string]any
			written, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(written, &record); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(a.Options), &options); err != nil {
				t.Fatal(err)
			}
			record["options"] = options
			got[a.ID] = record
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("read %v, want %v", got, want)
		}
	}
}

// The six connectors of the reference's integration topology, with their
// environments: u6 inherits its address from u4.
func TestReferenceTopology(t *testing.T) {
	client := func(relation, token, port string) string {
		return record(`"relation": "`+relation+`"`, `"plugin": "ilp-plugin-btp"`, `"sendRoutes": true`, `"receiveRoutes": true`,
			`"options": {"server": "btp+ws://:`+token+`@localhost:`+port+`"}`)
	}
	server := func(relation, token, port string) string {
		return record(`"relation": "`+relation+`"`, `"plugin": "ilp-plugin-btp"`, `"sendRoutes": true`, `"receiveRoutes": true`,
			`"options": {"listener": {"port": `+port+`, "secret": "`+token+`"}}`)
	}
	for name, members := range map[string][]string{
		"u1": {`"u2": ` + server("peer", "t12", "10101"), `"u5": ` + server("child", "t15", "10105")},
		"u2": {`"u1": ` + client("peer", "t12", "10101"), `"u3": ` + server("child", "t23", "10203"), `"u4": ` + server("child", "t24", "10204")},
		"u3": {`"u2": ` + client("parent", "t23", "10203"), `"u5": ` + server("child", "t35", "10305"), `"u6": ` + server("child", "t36", "10306")},
		"u4": {`"u2": ` + client("parent", "t24", "10204"), `"u6": ` + server("child", "t46", "10406")},
		"u5": {`"u1": ` + client("parent", "t15", "10105"), `"u3": ` + client("parent", "t35", "10305")},
		"u6": {`"u3": ` + client("parent", "t36", "10306"), `"u4": ` + client("parent", "t46", "10406")},
	} {
		changes := []string{"CONNECTOR_ILP_ADDRESS=test." + name, "CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=770" + name[1:],
			"CONNECTOR_ACCOUNTS={" + strings.Join(members, ", ") + "}"}
		want := "test." + name
		if name == "u6" {
			changes, want = append(changes, "CONNECTOR_ILP_ADDRESS", "CONNECTOR_ILP_ADDRESS_INHERIT_FROM=u4"), "inherited from u4"
		}
		if explained := mustLoad(t, changes...).Explain(); !strings.Contains(explained, want) {
			t.Errorf("%s: want the address %s in\n%s", name, want, explained)
		}
	}
}
