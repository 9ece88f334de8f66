package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
)

// Every field of an account record: a value that is right, and values that are
// wrong in each way. A fault is at the path of the field.
func TestAccountFields(t *testing.T) {
	amount := func(name string) fieldCase {
		return fieldCase{name: name,
			right: []string{`"1"`, `1`, `"18446744073709551615"`},
			wrong: map[string]string{`"0"`: "at least 1", `0`: "at least 1", `"-1"`: "whole units", `"01"`: "whole units", `"1e3"`: "whole units", `1.5`: "whole units", `""`: "whole units", `"18446744073709551616"`: "beyond 64 bits", `true`: "must be an amount", `null`: "is null", `"Infinity"`: "whole units"}}
	}
	balance := func(name, format string, right []string, wrong map[string]string) fieldCase {
		c := fieldCase{name: "balance." + name, value: func(v string) string { return fmt.Sprintf(`"balance": `+format, v) }, right: right,
			wrong: map[string]string{`"x"`: "must be a balance", `"+1"`: "must be a balance", `1.5`: "must be a balance", `"01"`: "must be a balance", `"-0"`: "must be a balance", `true`: "must be a balance", `"9223372036854775808"`: "beyond 64 bits"}}
		for v, w := range wrong {
			c.wrong[v] = w
		}
		return c
	}
	period := func(object, more string) fieldCase {
		return fieldCase{name: object + ".refillPeriod", value: func(v string) string { return fmt.Sprintf(`"%s": {"refillPeriod": %s%s}`, object, v, more) },
			right: []string{"100", `"1m"`}, wrong: map[string]string{"0": "must be more", "99": "at least 100ms", "-1": "negative", `"x"`: "milliseconds", "true": "milliseconds"}}
	}
	inside := func(object string, c fieldCase) fieldCase {
		name := c.name
		c.name, c.value = object+"."+name, func(v string) string { return fmt.Sprintf(`"%s": {"%s": %s}`, object, name, v) }
		return c
	}
	count := func(name string) fieldCase {
		return fieldCase{name: name, right: []string{"1", "100000"}, wrong: map[string]string{"0": "must be more", "-1": "at least 1", `"1"`: "must be a number", "1.5": "whole number"}}
	}
	cases := []fieldCase{
		{name: "relation", right: []string{`"peer"`, `"parent"`, `"child"`}, wrong: map[string]string{`"sibling"`: "must be child, peer or parent", "1": "must be a text"}},
		{name: "plugin", right: []string{`"loopback"`}, wrong: map[string]string{`"loopbak"`: "did you mean loopback?", `""`: "there are", "{}": "must be a text"}},
		{name: "assetCode", right: []string{`"XRP"`, `"€"`}, wrong: map[string]string{"1": "must be a text", `"` + strings.Repeat("x", 256) + `"`: "", `""`: ""}},
		{name: "assetScale", right: []string{"0", "255"}, wrong: map[string]string{"256": "from 0 to 255", "-1": "from 0 to 255", `"9"`: "must be a number", "1.5": "from 0 to 255"}},
		{name: "options", right: []string{"{}"}, wrong: map[string]string{"[]": "must be an object", `"x"`: "must be an object"}},
		balance("maximum", `{"maximum": %s}`, []string{`"Infinity"`, `"0"`, `"1000"`, "5"}, map[string]string{`"-Infinity"`: "nothing would be allowed"}),
		balance("minimum", `{"maximum": "100", "minimum": %s}`, []string{`"-Infinity"`, `"-5"`, `"0"`, `"100"`}, map[string]string{`"101"`: "above maximum", `"Infinity"`: "nothing would be allowed"}),
		balance("settleThreshold", `{"maximum": "100", "settleThreshold": %s}`, []string{`"-Infinity"`}, map[string]string{`"1"`: "above settleTo", `"Infinity"`: "must be an amount", `"-5"`: "cannot settle"}),
		balance("settleTo", `{"maximum": "100", "minimum": "-10", "settleTo": %s}`, []string{`"0"`, `"50"`}, map[string]string{`"Infinity"`: "must be an amount", `"-Infinity"`: "must be an amount"}),
		amount("maxPacketAmount"),
		inside("throughput", amount("incomingAmount")),
		inside("throughput", amount("outgoingAmount")),
		period("throughput", `, "incomingAmount": "5"`),
		period("rateLimit", ""),
		{name: "rateLimit.refillCount", value: func(v string) string { return fmt.Sprintf(`"rateLimit": {"refillCount": %s}`, v) }, right: []string{"1", "1000000"}, wrong: map[string]string{"-1": "from 0", `"5"`: "must be a number", "0": "must be more"}},
		{name: "rateLimit.capacity", value: func(v string) string { return fmt.Sprintf(`"rateLimit": {"capacity": %s}`, v) }, right: []string{"0", "5"}, wrong: map[string]string{"-1": "from 0", "true": "must be a number"}},
		{name: "deduplicate.cleanupInterval", value: func(v string) string { return fmt.Sprintf(`"deduplicate": {"cleanupInterval": %s}`, v) }, right: []string{"1", "30000"}, wrong: map[string]string{"-1": "negative", `"x"`: "milliseconds", "0": "must be more"}},
		{name: "deduplicate.packetLifetime", value: func(v string) string { return fmt.Sprintf(`"deduplicate": {"packetLifetime": %s}`, v) }, right: []string{"1", "30000"}, wrong: map[string]string{"-1": "negative", `"x"`: "milliseconds", "0": "must be more"}},
		inside("deduplicate", count("maxPackets")),
		{name: "sendRoutes", right: []string{"true", "false"}, wrong: map[string]string{`"true"`: "must be a boolean", "1": "must be a boolean"}},
		{name: "receiveRoutes", right: []string{"true", "false"}, wrong: map[string]string{`"true"`: "must be a boolean"}},
		count("maxRoutes"),
		count("maxInFlight"),
		{name: "ilpAddressSegment", value: func(v string) string { return `"relation": "child", "ilpAddressSegment": ` + v },
			right: []string{`"a"`, `"a-b_c~1"`}, wrong: map[string]string{`"a.b"`: "a segment has", `"a b"`: "a segment has", "1": "must be a text"}},
	}
	for _, c := range cases {
		t.Run(c.name, c.run)
	}
}

type fieldCase struct {
	name  string
	value func(v string) string // the members of the record; nil: name and v
	right []string
	wrong map[string]string
}

func (c fieldCase) run(t *testing.T) {
	member := func(v string) string {
		if c.value != nil {
			return c.value(v)
		}
		return fmt.Sprintf("%q: %s", c.name, v)
	}
	for _, v := range c.right {
		if _, err := load(t, accounts(member(v))); err != nil {
			t.Errorf("%s: %v", v, err)
		}
	}
	for v, want := range c.wrong {
		_, err := load(t, accounts(member(v)))
		wantFaults(t, err, "accounts.bob."+c.name+": "+want)
	}
}

func TestRequiredFields(t *testing.T) {
	_, err := load(t, `CONNECTOR_ACCOUNTS={"bob": {}}`)
	wantFaults(t, err, "accounts.bob.relation: is missing", "accounts.bob.plugin: is missing", "accounts.bob.assetCode: is missing", "accounts.bob.assetScale: is missing")
	_, err = load(t, accounts(`"balance": {}`))
	wantFaults(t, err, "accounts.bob.balance.maximum: is missing")
}

func TestMisspeltKeys(t *testing.T) {
	_, err := load(t, accounts(`"balance": {"maximum": "1", "setleThreshold": "0"}`, `"maxPaketAmount": "1"`, `"completely": 1`))
	wantFaults(t, err,
		"accounts.bob.balance.setleThreshold: did you mean settleThreshold?",
		"accounts.bob.maxPaketAmount: did you mean maxPacketAmount?",
		"accounts.bob.completely: is not known: there are")
}

func TestKeysThatOccurTwice(t *testing.T) {
	_, err := load(t, `CONNECTOR_ACCOUNTS={"bob": `+record()+`, "bob": `+record()+`}`)
	wantFaults(t, err, "accounts.bob: is there twice")
	_, err = load(t, `CONNECTOR_ACCOUNTS={"bob": {"relation": "peer", "relation": "child", "plugin": "loopback", "assetCode": "USD", "assetScale": 9}}`)
	wantFaults(t, err, "accounts.bob.relation: is there twice")
}

// A name that is wrong hides nothing of what stands under it.
func TestFaultsUnderWrongNames(t *testing.T) {
	wrong := record(`"plugin": "lopback"`, `"balance": {"maximum": "1", "minimum": "2"}`)
	_, err := load(t, `CONNECTOR_ACCOUNTS={"a b": `+wrong+`, "bob": `+wrong+`, "bob": {}}`, "CONNECTOR_ADMIN_API=yes", "CONNECTOR_ADMIN_API_TOKEN=short")
	wantFaults(t, err, `accounts["a b"]: is not a name`, `accounts["a b"].plugin: did you mean loopback?`, `accounts["a b"].balance.minimum: above maximum`,
		"accounts.bob: is there twice", "accounts.bob.plugin: did you mean loopback?", "accounts.bob.balance.minimum: above maximum",
		"adminApi: neither true", "adminApiToken: at least 16")
}

func TestAccountIDs(t *testing.T) {
	for _, id := range []string{"", "a b", "a/b", "ä", "."} {
		_, err := load(t, `CONNECTOR_ACCOUNTS={"`+id+`": `+record()+`}`)
		if lines := faultsOf(t, err); len(lines) != 1 || !strings.Contains(lines[0], "is not a name of an account") {
			t.Errorf("%q: %q", id, lines)
		}
	}
	_, err := load(t, `CONNECTOR_ACCOUNTS={"`+strings.Repeat("a", 129)+`": `+record()+`}`)
	wantFaults(t, err, "accounts."+strings.Repeat("a", 129)+": at most 128")
	mustLoad(t, `CONNECTOR_ACCOUNTS={"test.usd-ledger": `+record()+`, "a_b~c": `+record()+`}`)
	_, err = load(t, `CONNECTOR_ACCOUNTS={"a.b": `+record(`"relation": "child"`)+`}`)
	wantFaults(t, err, `accounts["a.b"].ilpAddressSegment: the id cannot stand in for it`)
}

func TestChildrenWithOneSegment(t *testing.T) {
	_, err := load(t, `CONNECTOR_ACCOUNTS={"a": `+record(`"relation": "child"`)+`, "b": `+record(`"relation": "child"`, `"ilpAddressSegment": "a"`)+`}`)
	wantFaults(t, err, `accounts.b.ilpAddressSegment: as that of account "a"`)
}

func TestPacketsThatCouldNeverPass(t *testing.T) {
	_, err := load(t, accounts(`"maxPacketAmount": "11"`, `"throughput": {"incomingAmount": "10"}`))
	wantFaults(t, err, "accounts.bob.maxPacketAmount: could never pass")
}

// The reference takes these, and nothing here acts on them: Explain says so.
func TestWithoutEffect(t *testing.T) {
	plan := mustLoad(t, "CONNECTOR_COLLECT_DEFAULT_METRICS=true", "CONNECTOR_INITIAL_CONNECT_TIMEOUT=1", "CONNECTOR_ROUTE_CLEANUP_INTERVAL=1",
		accounts(`"deduplicate": {"cleanupInterval": 30000}`, `"ilpAddressSegment": "x"`))
	explained := plan.Explain()
	for _, want := range []string{"collectDefaultMetrics", "initialConnectTimeout", "routeCleanupInterval", "accounts.bob.deduplicate.cleanupInterval", "accounts.bob.ilpAddressSegment"} {
		if !strings.Contains(explained, want+" has no effect") {
			t.Errorf("nothing is said of %s in\n%s", want, explained)
		}
	}
}

// In Go, a configuration is made from the defaults.
func TestGoValues(t *testing.T) {
	c := config.Default()
	c.ILPAddress, c.Backend = "test.alice", "one-to-one"
	c.Accounts = config.Accounts{{ID: "bob", Relation: 2, Plugin: "loopback", AssetCode: "USD", AssetScale: 9}}
	if _, err := config.Builtins().Plan(c); err != nil {
		t.Error(err)
	}
	c.Accounts = append(c.Accounts, c.Accounts[0], config.Account{ID: "carl"})
	_, err := config.Builtins().Plan(c)
	wantFaults(t, err, "accounts.bob: is there twice", "accounts.carl.plugin: there are", "accounts.carl.assetCode: is empty")
	c.Accounts = config.Accounts{{ID: "bob", Relation: 2, Plugin: "btp", AssetCode: "USD", Options: config.Raw(`{"server": {"env": "HOME"}}`)}}
	_, err = config.Builtins().Plan(c)
	wantFaults(t, err, "accounts.bob.options.server: only possible in a configuration that is read")
}
