package config_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/interledger-go/connector/config"
	"github.com/interledger-go/connector/internal/testcert"
)

// Every variable of the reference and of ours: what it is by default, a value
// that is right, and values that are wrong in each way. The values are read
// from the configuration, as text.
func TestVariables(t *testing.T) {
	certFile, keyFile := testcert.WritePair(t, t.TempDir(), testcert.SelfSigned(t, testcert.Named("peer")))
	duration := func(name string, get func(c config.Config) config.Duration, standard string) variableCase {
		return variableCase{
			name: name, get: func(c config.Config) any { return get(c) }, standard: standard,
			right: map[string]string{"2000": "2s", "20s": "20s"},
			wrong: map[string]string{"": "is empty", "abc": "must be a whole number of milliseconds", "-1": "must not be negative", "1.5": "must be a whole number", "0x10": "must be a whole number", "1us": "must be whole milliseconds", "9223372036854775807": "at most"},
		}
	}
	boolean := func(name string, get func(c config.Config) bool, standard bool) variableCase {
		return variableCase{
			name: name, get: func(c config.Config) any { return get(c) }, standard: fmt.Sprint(standard),
			right: map[string]string{"1": "true", "true": "true", "0": "false", "false": "false", "": "false"},
			wrong: map[string]string{"yes": "neither true", "TRUE": "neither true"},
		}
	}
	for _, c := range []variableCase{
		{name: "ENV", get: func(c config.Config) any { return c.Env }, standard: "test",
			right: map[string]string{"test": "test"}, wrong: map[string]string{"prod": "there are production, test", "tset": "did you mean test?"}},
		{name: "ILP_ADDRESS", get: func(c config.Config) any { return c.ILPAddress }, standard: "test.connie",
			right: map[string]string{"test.bob.alice": "test.bob.alice", "example.a": "example.a"},
			wrong: map[string]string{"test": "must be an ILP address", "test..a": "must be an ILP address", "peer.bob": "cannot be routed", "g.bob": "set env to", "unknown": "no account with the relation parent", "": "no account with the relation parent"}},
		{name: "DEFAULT_ROUTE", get: func(c config.Config) any { return c.DefaultRoute }, standard: "auto",
			right: map[string]string{"": "", "bob": "bob"}, wrong: map[string]string{"bobb": "did you mean bob?"}},
		{name: "SPREAD", get: func(c config.Config) any { return c.Spread }, standard: "0.002",
			right: map[string]string{"0": "0", "0.5": "0.5", "1e-3": "1e-3", "0.1000000000000000055511151231257827": "0.1000000000000000055511151231257827"},
			wrong: map[string]string{"": "is empty", "1": "less than 1", "1.5": "less than 1", "-0.1": "at least 0", "NaN": "at least 0", "Infinity": "at least 0", "abc": "at least 0"}},
		{name: "SPREADS", get: func(c config.Config) any { return c.Spreads != nil }, standard: "false",
			right: map[string]string{`{"pairs": {"USD": {"EUR": "0.1"}}, "sources": {"bob": 0.1}}`: "true"},
			wrong: map[string]string{"[]": "must be an object", "{": "is not JSON"}},
		duration("MIN_MESSAGE_WINDOW", func(c config.Config) config.Duration { return c.MinMessageWindow }, "1s"),
		duration("MAX_HOLD_TIME", func(c config.Config) config.Duration { return c.MaxHoldTime }, "30s"),
		duration("DRAIN_TIMEOUT", func(c config.Config) config.Duration { return c.DrainTimeout }, "5s"),
		duration("ROUTE_CLEANUP_INTERVAL", func(c config.Config) config.Duration { return c.RouteCleanupInterval }, "1s"),
		duration("INITIAL_CONNECT_TIMEOUT", func(c config.Config) config.Duration { return c.InitialConnectTimeout }, "10s"),
		{name: "ROUTE_BROADCAST_INTERVAL", get: func(c config.Config) any { return c.RouteBroadcastInterval }, standard: "30s",
			right: map[string]string{"2000": "2s"}, wrong: map[string]string{"x": "must be a whole number"}},
		{name: "ROUTE_EXPIRY", get: func(c config.Config) any { return c.RouteExpiry }, standard: "45s",
			right: map[string]string{"60000": "1m0s"}, wrong: map[string]string{"x": "must be a whole number", "30000": "would expire between"}},
		boolean("ROUTE_BROADCAST_ENABLED", func(c config.Config) bool { return c.RouteBroadcastEnabled }, true),
		boolean("REFLECT_PAYMENTS", func(c config.Config) bool { return c.ReflectPayments }, true),
		boolean("ADMIN_API", func(c config.Config) bool { return c.AdminAPI }, false),
		boolean("COLLECT_DEFAULT_METRICS", func(c config.Config) bool { return c.CollectDefaultMetrics }, false),
		{name: "ROUTE_EXPORT", get: func(c config.Config) any { return c.RouteExport }, standard: "reference",
			right: map[string]string{"valley-free": "valley-free"}, wrong: map[string]string{"valleyfree": "did you mean valley-free?"}},
		{name: "ROUTES", get: func(c config.Config) any { return len(c.Routes) }, standard: "0",
			right: map[string]string{`[{"targetPrefix": "test.a", "peerId": "bob"}, {"targetPrefix": "test", "peerId": "bob"}]`: "2"},
			wrong: map[string]string{"{}": "must be a list", "": "is not JSON", "[": "is not JSON", "null": "is null"}},
		{name: "ROUTING_SECRET", get: func(c config.Config) any { return string(c.RoutingSecret) }, standard: "",
			right: map[string]string{"c8rEzjyVRS7gGB3xLuy/GBDDKzZDPVJor/w6IA6pMfo=": "c8rEzjyVRS7gGB3xLuy/GBDDKzZDPVJor/w6IA6pMfo="},
			wrong: map[string]string{"short": "must be the base64", "%%%": "must be the base64"}},
		{name: "BACKEND", get: func(c config.Config) any { return c.Backend }, standard: "one-to-one",
			right: map[string]string{"ecb": "ecb", "randomizer": "randomizer", "ecb-plus-xrp": "ecb-plus-xrp"}, wrong: map[string]string{"one-to-on": "did you mean one-to-one?", "": "there are"}},
		{name: "BACKEND_CONFIG", get: func(c config.Config) any { return c.BackendConfig }, standard: "",
			right: map[string]string{`{"spread": 0}`: "(secret)"}, wrong: map[string]string{"[]": "must be an object", "x": "is not JSON"}},
		{name: "STORE", get: func(c config.Config) any { return c.Store }, standard: "",
			right: map[string]string{"memory": "memory", "memdown": "memdown", "leveldown": "leveldown"}, wrong: map[string]string{"mongo": "there are"}},
		{name: "STORE_PATH", get: func(c config.Config) any { return c.StorePath }, standard: "",
			right: map[string]string{"/tmp/x.db": "/tmp/x.db"}},
		{name: "STORE_CONFIG", get: func(c config.Config) any { return c.StoreConfig }, standard: "",
			right: map[string]string{`{"path": "x"}`: "(secret)"}, wrong: map[string]string{"[]": "must be an object", "{]": "is not JSON"}},
		{name: "MIDDLEWARES", get: func(c config.Config) any { return len(c.Middlewares) }, standard: "0",
			right: map[string]string{"{}": "0"}, wrong: map[string]string{"[]": "must be an object"}},
		{name: "DISABLE_MIDDLEWARE", get: func(c config.Config) any { return len(c.DisableMiddleware) }, standard: "0",
			right: map[string]string{`["errorHandler", "rateLimit", "balance", "maxPacketAmount", "throughput", "deduplicate", "validateFulfillment", "echo", "expire", "stats", "alert", "packetLog", "meter"]`: "13"},
			wrong: map[string]string{"errorHandler": "is not JSON", "{}": "must be a list"}},
		{name: "ALERTS", get: func(c config.Config) any { return c.Alerts != nil }, standard: "false",
			right: map[string]string{`{"maxAlerts": 10, "maxPerAccount": 5}`: "true"}, wrong: map[string]string{"[]": "must be an object"}},
		{name: "PACKET_LOG", get: func(c config.Config) any { return c.PacketLog != nil }, standard: "false",
			right: map[string]string{`{"packets": 65536, "maxAccounts": 5, "hashDestinations": true, "conditions": true}`: "true", "{}": "true"},
			wrong: map[string]string{"[]": "must be an object", "256": "must be an object", "": "is not JSON"}},
		{name: "MAX_UNAUTHENTICATED", get: func(c config.Config) any { return c.MaxUnauthenticated }, standard: "1000",
			right: map[string]string{"20": "20"}, wrong: map[string]string{"0": "must be", "-1": "must be", "many": "must be a number", "": "is empty"}},
		{name: "MAX_CONNECTIONS", get: func(c config.Config) any { return c.MaxConnections }, standard: "10000",
			right: map[string]string{"100000": "100000"}, wrong: map[string]string{"0": "must be", "1e99": "must be"}},
		{name: "ADMIN_API_PORT", get: func(c config.Config) any { return c.AdminAPIPort }, standard: "7780",
			right: map[string]string{"0": "0", "65535": "65535"}, wrong: map[string]string{"65536": "from 0 to 65535", "-1": "from 0 to 65535", "http": "must be a number", "1.5": "from 0 to 65535", "": "is empty"}},
		{name: "ADMIN_API_HOST", get: func(c config.Config) any { return c.AdminAPIHost }, standard: "127.0.0.1",
			right: map[string]string{"::1": "::1"}},
		{name: "ADMIN_API_TOKEN", get: func(c config.Config) any { return string(c.AdminAPIToken) }, standard: "",
			right: map[string]string{"a token that nobody guesses": "a token that nobody guesses"}},
		{name: "ADMIN_API_TOKENS", get: func(c config.Config) any { return len(c.AdminAPITokens) }, standard: "0",
			right: map[string]string{`["a token that nobody guesses", "another token of that kind"]`: "2", "[]": "0"},
			wrong: map[string]string{"{}": "must be a list", "a token that nobody guesses": "is not JSON"}},
		{name: "ADMIN_API_READ_TOKENS", get: func(c config.Config) any { return len(c.AdminAPIReadTokens) }, standard: "0",
			right: map[string]string{`["a token that nobody guesses"]`: "1"}, wrong: map[string]string{`"a token that nobody guesses"`: "must be a list"}},
		{name: "ADMIN_API_TLS", get: func(c config.Config) any { return c.AdminAPITLS != nil }, standard: "false",
			right: map[string]string{fmt.Sprintf(`{"certFile": %q, "keyFile": %q}`, certFile, keyFile): "true"},
			wrong: map[string]string{"[]": "must be an object"}},
		{name: "LOG_LEVEL", get: func(c config.Config) any { return c.LogLevel }, standard: "info",
			right: map[string]string{"debug": "debug"}, wrong: map[string]string{"verbose": "there are"}},
		{name: "LOG_FORMAT", get: func(c config.Config) any { return c.LogFormat }, standard: "text",
			right: map[string]string{"json": "json"}, wrong: map[string]string{"xml": "there are"}},
		{name: "ACCOUNTS", get: func(c config.Config) any { return len(c.Accounts) }, standard: "1",
			right: map[string]string{"{}": "0"}, wrong: map[string]string{"": "is not JSON", "[]": "must be an object", "null": "is null"}},
		{name: "ILP_ADDRESS_INHERIT_FROM", get: func(c config.Config) any { return c.ILPAddressInheritFrom }, standard: "",
			wrong: map[string]string{"bob": "although ilpAddress is set"}},
	} {
		t.Run(c.name, c.run)
		tested[c.name] = true
	}
	for _, key := range config.Keys() {
		if !tested[key.Variable[len("CONNECTOR_"):]] {
			t.Errorf("the variable %s has no case", key.Variable)
		}
	}
}

var tested = make(map[string]bool)

type variableCase struct {
	name         string
	get          func(c config.Config) any
	standard     string // what environ() gives
	right, wrong map[string]string
}

func (c variableCase) run(t *testing.T) {
	if got := str(c.get(mustLoad(t).Config())); got != c.standard {
		t.Errorf("by default it is %q, want %q", got, c.standard)
	}
	for value, want := range c.right {
		plan, err := load(t, "CONNECTOR_"+c.name+"="+value)
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if got := str(c.get(plan.Config())); got != want {
			t.Errorf("%q is read as %q, want %q", value, got, want)
		}
	}
	key := keyOf(t, "CONNECTOR_"+c.name)
	for value, want := range c.wrong {
		_, err := load(t, "CONNECTOR_"+c.name+"="+value)
		wantFaults(t, err, key+": "+want)
	}
}

func str(v any) string {
	if d, ok := v.(config.Duration); ok {
		return d.String()
	}
	return fmt.Sprintf("%v", v)
}

func keyOf(t *testing.T, variable string) string {
	t.Helper()
	keys := config.Keys()
	i := slices.IndexFunc(keys, func(k config.Key) bool { return k.Variable == variable })
	if i < 0 {
		t.Fatalf("there is no variable %s", variable)
	}
	return keys[i].Name
}

// The defaults are the reference's, number by number.
func TestDefaultsAreTheReferences(t *testing.T) {
	c := mustLoad(t).Config()
	for what, d := range map[string][2]time.Duration{
		"minMessageWindow":       {time.Duration(c.MinMessageWindow), time.Second},
		"maxHoldTime":            {time.Duration(c.MaxHoldTime), 30 * time.Second},
		"routeBroadcastInterval": {time.Duration(c.RouteBroadcastInterval), 30 * time.Second},
		"routeExpiry":            {time.Duration(c.RouteExpiry), 45 * time.Second},
		"initialConnectTimeout":  {time.Duration(c.InitialConnectTimeout), 10 * time.Second},
	} {
		if d[0] != d[1] {
			t.Errorf("%s is %v, want %v", what, d[0], d[1])
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	_, err := load(t, "CONNECTOR_ADMIN_APY=true", "CONNECTOR_WHATEVER_ELSE_MAY_BE=1", "CONNECTOR_ROUTIN_SECRET_FILE=/x")
	wantFaults(t, err,
		"CONNECTOR_ADMIN_APY: did you mean CONNECTOR_ADMIN_API?",
		"CONNECTOR_WHATEVER_ELSE_MAY_BE: unset it",
		"CONNECTOR_ROUTIN_SECRET_FILE: did you mean CONNECTOR_ROUTING_SECRET?")
}

// Kubernetes sets such variables for a service called "connector".
func TestVariablesOfAnOrchestratorAreNotOurs(t *testing.T) {
	mustLoad(t, "CONNECTOR_SERVICE_HOST=10.0.0.1", "CONNECTOR_SERVICE_PORT=7768", "CONNECTOR_SERVICE_PORT_BTP=7768",
		"CONNECTOR_PORT=tcp://10.0.0.1:7768", "CONNECTOR_PORT_7768_TCP_ADDR=10.0.0.1")
}

func TestMissingAccounts(t *testing.T) {
	_, err := load(t, "CONNECTOR_ACCOUNTS")
	wantFaults(t, err, "accounts: is missing")
}

func TestEnvironmentDecidesTheNetwork(t *testing.T) {
	mustLoad(t, "CONNECTOR_ENV=production", "CONNECTOR_ILP_ADDRESS=g.connie")
	_, err := load(t, "CONNECTOR_ENV=production")
	wantFaults(t, err, `ilpAddress: it must begin with "g."`)
}

func TestMessageWindowAndHoldTime(t *testing.T) {
	_, err := load(t, "CONNECTOR_MAX_HOLD_TIME=500")
	wantFaults(t, err, "maxHoldTime: no packet could be forwarded")
}

// One reading reports everything, whatever part of it is wrong.
func TestAllFaultsOfOneReading(t *testing.T) {
	_, err := load(t,
		"CONNECTOR_SPRED=0.1", "CONNECTOR_SPREAD=2", "CONNECTOR_ADMIN_API=yes", "CONNECTOR_STORE=mongo",
		"CONNECTOR_DEFAULT_ROUTE=carl", "CONNECTOR_ROUTES=[{\"targetPrefix\": \"te st\", \"peerId\": \"bobo\"}]",
		accounts(`"relation": "peeer"`, `"assetScale": 256`, `"balance": {"maximum": "10", "minimum": "11"}`, `"rateLimit": {"refilCount": 1}`))
	wantFaults(t, err,
		"CONNECTOR_SPRED: did you mean CONNECTOR_SPREAD?",
		"spread: less than 1",
		"adminApi: neither true",
		"store: there are",
		"defaultRoute: there are bob",
		"routes[0].targetPrefix: must be an address",
		"routes[0].peerId: did you mean bob?",
		"accounts.bob.relation: it must be child, peer or parent",
		"accounts.bob.assetScale: from 0 to 255",
		"accounts.bob.balance.minimum: above maximum, 10",
		"accounts.bob.rateLimit.refilCount: did you mean refillCount?")
}

func TestAmountsAreExact(t *testing.T) {
	plan := mustLoad(t, accounts(`"maxPacketAmount": 18446744073709551615`, `"balance": {"maximum": 9007199254740993, "minimum": "-9007199254740993"}`))
	bob := plan.Config().Accounts.Find("bob")
	if bob.MaxPacketAmount != math.MaxUint64 || bob.Balance.Maximum != 9007199254740993 || *bob.Balance.Minimum != -9007199254740993 {
		t.Errorf("read as %d, %v, %v", bob.MaxPacketAmount, bob.Balance.Maximum, *bob.Balance.Minimum)
	}
}

// The admin API moves money: beyond this machine it needs a token.
func TestAdminAPINeedsAToken(t *testing.T) {
	_, err := load(t, "CONNECTOR_ADMIN_API=1", "CONNECTOR_ADMIN_API_HOST=0.0.0.0")
	wantFaults(t, err, "adminApiToken: whoever reaches 0.0.0.0")
	mustLoad(t, "CONNECTOR_ADMIN_API=1", "CONNECTOR_ADMIN_API_HOST=0.0.0.0", "CONNECTOR_ADMIN_API_TOKEN=sixteen bytes or more")
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		mustLoad(t, "CONNECTOR_ADMIN_API=1", "CONNECTOR_ADMIN_API_HOST="+host)
	}
	_, err = load(t, "CONNECTOR_ADMIN_API=1", "CONNECTOR_ADMIN_API_TOKEN=short", "CONNECTOR_ADMIN_API_HOST=")
	wantFaults(t, err, "adminApiToken: at least 16", "adminApiHost: is empty")
}
