package config_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/config"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/testcert"
	"github.com/interledger-go/connector/middleware"
)

// tokenHandler is an admin API whose tokens can be changed.
type tokenHandler struct {
	http.Handler
	mu  sync.Mutex
	set string
}

func (h *tokenHandler) SetTokens(tokens, readTokens []string, loopback bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set = fmt.Sprint(tokens, readTokens, loopback)
	return nil
}

// running is an assembly that runs, and what a test looks at.
type running struct {
	*config.Assembly
	tokens *tokenHandler
}

func (r *running) rate(t *testing.T, from, to string) string {
	t.Helper()
	of := func(code string) backend.Party {
		return backend.Party{Account: strings.ToLower(code), Asset: ilp.Asset{Code: code, Scale: 9}}
	}
	ratio, err := r.Config.Backend.Rate(of(from), of(to))
	if err != nil {
		return err.Error()
	}
	return ratio.Rat().FloatString(4)
}

// setBase is what each case of keyCases changes one key of.
var setBase = []string{
	"CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=0", "CONNECTOR_SPREAD=0.01", "CONNECTOR_BACKEND=static",
	`CONNECTOR_BACKEND_CONFIG={"rates": {"EUR": {"USD": "2"}}}`,
	`CONNECTOR_ACCOUNTS={` + setAccounts + `}`,
}

var setAccounts = `"usd": ` + record() + `, "eur": ` + record(`"assetCode": "EUR"`) + `, "alice": ` + listening("alice")

// keyCase is a key, another value of it, and whether that takes a restart.
type keyCase struct {
	value   string // of its variable
	restart bool
	holds   func(t *testing.T, r *running) // once it is applied
}

func needsRestart(value string) keyCase { return keyCase{value: value, restart: true} }

// keyCases has every key there is. A new one is put in one of the two kinds.
func keyCases(t *testing.T) map[string]keyCase {
	certFile, keyFile := testcert.WritePair(t, t.TempDir(), testcert.SelfSigned(t, testcert.Named("peer")))
	rate := func(from, to, want string) func(*testing.T, *running) {
		return func(t *testing.T, r *running) {
			if got := r.rate(t, from, to); got != want {
				t.Errorf("the rate is %s, want %s", got, want)
			}
		}
	}
	tokens := func(want string) func(*testing.T, *running) {
		return func(t *testing.T, r *running) {
			if r.tokens.set != want {
				t.Errorf("the tokens are %s, want %s", r.tokens.set, want)
			}
		}
	}
	const token = "a token that nobody guesses"
	return map[string]keyCase{
		"accounts": {value: `{` + setAccounts + `, "new": ` + record() + `}`},
		"routes": {value: `[{"targetPrefix": "test.far", "peerId": "usd"}]`, holds: func(t *testing.T, r *running) {
			wantRoute(t, r, "test.far.x", "usd", connector.RouteConfigured)
		}},
		"defaultRoute":  {value: "eur", holds: func(t *testing.T, r *running) { wantRoute(t, r, "test.x", "eur", connector.RouteDefault) }},
		"spread":        {value: "0.1", holds: rate("EUR", "USD", "1.8000")},
		"spreads":       {value: `{"destinations": {"usd": "0.5"}}`, holds: rate("EUR", "USD", "1.0000")},
		"backendConfig": {value: `{"rates": {"EUR": {"USD": "4"}}}`, holds: rate("EUR", "USD", "3.9600")},
		"alerts": {value: `{"maxPerAccount": 1}`, holds: func(t *testing.T, r *running) {
			alerts, _ := middleware.Find[*middleware.Alerts](r.Config.Middleware)
			alerts.Raise("usd", "one", "")
			alerts.Raise("usd", "two", "")
			if n := alerts.Len(); n != 1 {
				t.Errorf("there are %d alerts, want 1", n)
			}
		}},
		"packetLog": {value: `{"packets": 1, "conditions": true}`, holds: func(t *testing.T, r *running) {
			alice, _ := dial(t, r.Assembly, anywhere, "alice")
			for _, to := range []string{"test.first", "test.last"} {
				_ = pay(t, alice, to) // there is nobody: it is logged all the same
			}
			packets := r.Connector.PacketLog().Packets(middleware.PacketFilter{}, 0)
			if len(packets) != 1 || packets[0].Destination != "test.last" || packets[0].Condition != ilp.PeerCondition {
				t.Errorf("the log has %+v, want the last packet, with its condition", packets)
			}
		}},
		"disableMiddleware": {value: `["packetLog"]`, holds: func(t *testing.T, r *running) {
			alice, _ := dial(t, r.Assembly, anywhere, "alice")
			_ = pay(t, alice, "test.first") // by the stage that there is
			if r.Connector.PacketLog() != nil {
				t.Error("there is a packet log")
			}
		}},
		"adminApiToken":      {value: token, holds: tokens("[" + token + "] [] false")},
		"adminApiTokens":     {value: `["` + token + `", "` + token + `s"]`, holds: tokens("[" + token + " " + token + "s] [] false")},
		"adminApiReadTokens": {value: `["` + token + `"]`, holds: tokens("[] [" + token + "] false")},
		"logLevel":           {value: "debug"},
		// They have no effect.
		"routeCleanupInterval":  {value: "2000"},
		"initialConnectTimeout": {value: "2000"},
		"collectDefaultMetrics": {value: "true"},

		"env":                    needsRestart("production"),
		"ilpAddress":             needsRestart("test.other"),
		"ilpAddressInheritFrom":  needsRestart("up"),
		"backend":                needsRestart("ecb"),
		"minMessageWindow":       needsRestart("2000"),
		"maxHoldTime":            needsRestart("20000"),
		"drainTimeout":           needsRestart("2000"),
		"reflectPayments":        needsRestart("false"),
		"routeBroadcastEnabled":  needsRestart("false"),
		"routeBroadcastInterval": needsRestart("20000"),
		"routeExpiry":            needsRestart("60000"),
		"routeExport":            needsRestart("valley-free"),
		"routingSecret":          needsRestart("c8rEzjyVRS7gGB3xLuy/GBDDKzZDPVJor/w6IA6pMfo="),
		"store":                  needsRestart("memdown"),
		"storePath":              needsRestart(t.TempDir()),
		"storeConfig":            needsRestart("{}"),
		"middlewares":            needsRestart(`{"own": {"type": "echo"}}`),
		"maxUnauthenticated":     needsRestart("10"),
		"maxConnections":         needsRestart("100"),
		"adminApi":               needsRestart("false"),
		"adminApiHost":           needsRestart("localhost"),
		"adminApiPort":           needsRestart("1"),
		"adminApiTls":            needsRestart(fmt.Sprintf(`{"certFile": %q, "keyFile": %q}`, certFile, keyFile)),
		"logFormat":              needsRestart("json"),
	}
}

// Every key is applied while the connector runs, or named as one that is not;
// and what is not applied is as before.
func TestEveryKeyIsAppliedOrNamed(t *testing.T) {
	cases := keyCases(t)
	for _, key := range config.Keys() {
		c, known := cases[key.Name]
		if !known {
			t.Errorf("%s: nothing says whether it is applied while the connector runs: put it in keyCases", key.Name)
			continue
		}
		delete(cases, key.Name)
		t.Run(key.Name, func(t *testing.T) { c.check(t, key) })
	}
	for name := range cases {
		t.Errorf("%s is no key", name)
	}
}

func (c keyCase) check(t *testing.T, key config.Key) {
	registry := config.Builtins()
	registry.Middlewares["echo"] = func(o *config.DriverOptions) config.Made[middleware.Middleware] {
		o.Decode(&struct{}{})
		return config.Made[middleware.Middleware]{Build: func(context.Context, *config.Parts) (middleware.Middleware, error) {
			return nil, errors.New("it is not built")
		}}
	}
	read := func(changes ...string) *config.Plan {
		t.Helper()
		plan, err := registry.Load(config.Source{Environ: environ(append(slices.Clone(setBase), changes...)...)})
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	changes := []string{key.Variable + "=" + c.value}
	switch key.Name { // what it cannot be without
	case "env":
		changes = append(changes, "CONNECTOR_ILP_ADDRESS=g.connie")
	case "ilpAddressInheritFrom":
		changes = append(changes, "CONNECTOR_ILP_ADDRESS=unknown", `CONNECTOR_ACCOUNTS={"up": `+record(`"relation": "parent"`)+`}`)
	case "backend":
		changes = append(changes, "CONNECTOR_BACKEND_CONFIG={}")
	}
	r := &running{tokens: &tokenHandler{Handler: http.NotFoundHandler()}}
	var err error
	r.Assembly, err = read().Build(t.Context(), config.Options{Admin: func(*config.Assembly) (http.Handler, error) { return r.tokens, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	start(t, r.Assembly)
	next := read(changes...)
	got, err := r.Apply(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case key.Name == "accounts":
		if got.String() != "added new" {
			t.Errorf("the changes are %s", got)
		}
	case key.Name == "routes":
		if got.String() != "routes" {
			t.Errorf("the changes are %s", got)
		}
	case c.restart != slices.Contains(got.Restart, key.Name) || c.restart == slices.Contains(got.Set, key.Name):
		t.Errorf("the changes are %s: is it applied?", got)
	}
	if c.holds != nil {
		c.holds(t, r)
	}
	again, err := r.Apply(t.Context(), next)
	if err != nil || len(again.Set) > 0 || c.restart != slices.Contains(again.Restart, key.Name) {
		t.Errorf("again, the changes are %s, %v", again, err)
	}
	if _, err := r.Apply(t.Context(), read()); err != nil {
		t.Errorf("back: %v", err)
	}
	if got := r.rate(t, "EUR", "USD"); got != "1.9800" {
		t.Errorf("back, the rate is %s", got)
	}
}

func wantRoute(t *testing.T, r *running, address, nextHop string, origin connector.RouteOrigin) {
	t.Helper()
	route, _ := r.Connector.Router().Lookup(ilp.MustParseAddress(address))
	if route.NextHop != nextHop || route.Origin != origin {
		t.Errorf("the route to %s is %+v, want %s by %s", address, route, origin, nextHop)
	}
}

// What is waited for with another is not set without it: neither a spread that
// was meant for another backend, nor one of two names in a list.
func TestKeysThatGoTogether(t *testing.T) {
	for name, c := range map[string]struct {
		changes []string
		want    string
		rate    string
		logged  bool
	}{
		"spread of another backend":       {[]string{"CONNECTOR_SPREAD=0.5", "CONNECTOR_BACKEND=ecb", "CONNECTOR_BACKEND_CONFIG={}"}, "restart needed for spread, backend, backendConfig", "1.9800", true},
		"another steady backend":          {[]string{"CONNECTOR_SPREAD=0.5", "CONNECTOR_BACKEND=one-to-one", "CONNECTOR_BACKEND_CONFIG={}"}, "set spread, backend, backendConfig", "0.5000", true},
		"its own spread":                  {[]string{`CONNECTOR_BACKEND_CONFIG={"rates": {"EUR": {"USD": "2"}}, "spread": "0.01"}`, "CONNECTOR_SPREAD=0.5"}, "set spread, backendConfig", "1.9800", true},
		"spreads by account, and general": {[]string{"CONNECTOR_SPREAD=0.5", `CONNECTOR_SPREADS={"sources": {"usd": 0}}`}, "set spread, spreads", "1.0000", true},
		"two names in a list":             {[]string{`CONNECTOR_DISABLE_MIDDLEWARE=["packetLog", "meter"]`, `CONNECTOR_PACKET_LOG={"packets": 5}`}, "set packetLog; restart needed for disableMiddleware", "1.9800", true},
		"the log and its size":            {[]string{`CONNECTOR_DISABLE_MIDDLEWARE=["packetLog"]`, `CONNECTOR_PACKET_LOG={"packets": 5}`}, "set disableMiddleware, packetLog", "1.9800", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := &running{Assembly: build(t, mustLoad(t, setBase...))}
			start(t, r.Assembly)
			if got, err := r.Apply(t.Context(), mustLoad(t, append(slices.Clone(setBase), c.changes...)...)); err != nil || got.String() != c.want {
				t.Errorf("the changes are %s, %v, want %s", got, err, c.want)
			}
			if got := r.rate(t, "EUR", "USD"); got != c.rate {
				t.Errorf("the rate is %s, want %s", got, c.rate)
			}
			if logged := r.Connector.PacketLog() != nil; logged != c.logged {
				t.Errorf("there is a packet log: %v", logged)
			}
		})
	}
}

// The tokens stay where nothing says that the handler can change them.
func TestTokensOfAHandlerThatCannotChangeThem(t *testing.T) {
	a := build(t, mustLoad(t, setBase...))
	got, err := a.Apply(t.Context(), mustLoad(t, append(slices.Clone(setBase), "CONNECTOR_ADMIN_API_TOKEN=a token that nobody guesses")...))
	if err != nil || got.String() != "restart needed for adminApiToken" {
		t.Errorf("the changes are %s, %v", got, err)
	}
}

// Where there is no token any more because of where it listens, the old ones
// hold until it does.
func TestTokensStayWithTheirAddress(t *testing.T) {
	const token = "CONNECTOR_ADMIN_API_TOKEN=a token that nobody guesses"
	from := mustLoad(t, append(slices.Clone(setBase), token, "CONNECTOR_ADMIN_API_HOST=0.0.0.0")...)
	if got := from.Changes(mustLoad(t, setBase...)).String(); got != "restart needed for adminApiHost, adminApiToken" {
		t.Errorf("the changes are %s", got)
	}
}

// A backend of the host's that wants something else is left to it.
func TestRatesOfTheHost(t *testing.T) {
	plan := mustLoad(t, setBase...)
	a, err := plan.Build(t.Context(), config.Options{Configure: func(c *connector.Config) { c.Backend = hostRates{} }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if got, err := a.Apply(t.Context(), mustLoad(t, append(slices.Clone(setBase), "CONNECTOR_SPREAD=0.1")...)); err != nil || got.String() != "restart needed for spread" {
		t.Errorf("the changes are %s, %v", got, err)
	}
}

type hostRates struct{}

func (hostRates) Rate(_, _ backend.Party) (backend.Ratio, error) { return backend.One(), nil }

// Rates that are fetched go on while their spread changes: nothing is fetched
// anew, and no packet finds that there is none.
func TestSpreadOfRatesThatAreFetched(t *testing.T) {
	var fetched atomic.Int64
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		fmt.Fprint(w, `{"base": "EUR", "rates": {"USD": 2}}`)
	}))
	defer source.Close()
	base := append(slices.Clone(setBase), "CONNECTOR_BACKEND=http", `CONNECTOR_BACKEND_CONFIG={"url": "`+source.URL+`", "base": "EUR"}`)
	r := &running{Assembly: build(t, mustLoad(t, base...))}
	start(t, r.Assembly)
	for r.rate(t, "EUR", "USD") != "1.9800" { // until they are fetched
		runtime.Gosched()
	}
	before := fetched.Load()
	for _, c := range []struct{ change, want, rate string }{
		{"CONNECTOR_SPREAD=0.5", "set spread", "1.0000"},
		{`CONNECTOR_SPREADS={"destinations": {"usd": 0.25}}`, "set spread, spreads", "1.5000"},
		{`CONNECTOR_BACKEND_CONFIG={"url": "` + source.URL + `", "base": "EUR", "refresh": "1h"}`, "restart needed for spreads, backendConfig", "1.5000"},
	} {
		if got, err := r.Apply(t.Context(), mustLoad(t, append(slices.Clone(base), c.change)...)); err != nil || got.String() != c.want {
			t.Errorf("%s: the changes are %s, %v, want %s", c.change, got, err, c.want)
		}
		if got := r.rate(t, "EUR", "USD"); got != c.rate {
			t.Errorf("%s: the rate is %s, want %s", c.change, got, c.rate)
		}
	}
	if fetched.Load() != before {
		t.Error("the rates were fetched anew")
	}
	if feeds := r.Connector.Feeds(); len(feeds) != 1 {
		t.Errorf("the feeds are %v", feeds)
	}
	if err := r.Config.Backend.(backend.Feeder).Confirm("USD"); err == nil {
		t.Error("a price that does not wait was confirmed")
	}
}

// Tokens are looked at together, and never quoted.
func TestAdminTokens(t *testing.T) {
	const one, two = "s3cr3t-that-nobody-sees-1", "s3cr3t-that-nobody-sees-2"
	for _, c := range []struct {
		changes []string
		faults  []string
	}{
		{[]string{`CONNECTOR_ADMIN_API_TOKENS=["short"]`}, []string{"adminApiTokens[0]: at least 16"}},
		{[]string{`CONNECTOR_ADMIN_API_READ_TOKENS=["` + one + `", ""]`}, []string{"adminApiReadTokens[1]: at least 16"}},
		{[]string{`CONNECTOR_ADMIN_API_READ_TOKENS=["` + one + `"]`, "CONNECTOR_ADMIN_API_TOKEN=" + one}, []string{"adminApiReadTokens[0]: that of adminApiToken"}},
		{[]string{`CONNECTOR_ADMIN_API_TOKENS=["` + one + `", {"env": "T"}]`, "T=" + one}, []string{"adminApiTokens[1]: that of adminApiTokens[0]"}},
		{[]string{"CONNECTOR_ADMIN_API_HOST=0.0.0.0"}, []string{"adminApiToken: is missing"}},
	} {
		_, err := load(t, append(c.changes, "CONNECTOR_ADMIN_API=1")...)
		wantFaults(t, err, c.faults...)
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("a token is quoted: %v", err)
		}
	}
	plan, err := config.Builtins().Load(config.Source{
		ReadFile: files(map[string]string{"/tokens": `["` + one + `", {"file": "/two"}]`, "/two": two + "\n"}),
		Environ:  environ("CONNECTOR_ADMIN_API=1", "CONNECTOR_ADMIN_API_HOST=0.0.0.0", "CONNECTOR_ADMIN_API_READ_TOKENS_FILE=/tokens"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := plan.Config()
	if tokens, readTokens := c.AdminTokens(); len(tokens) != 0 || !slices.Equal(readTokens, []string{one, two}) {
		t.Errorf("the tokens are %q and %q", tokens, readTokens)
	}
	text := plan.Explain() + fmt.Sprintf("%v %+v", c, c.AdminAPIReadTokens)
	for _, want := range []string{"0 tokens that may do everything, 2 that may look", "there is no token that may change anything"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "s3cr3t") {
		t.Errorf("a token is shown: %s", text)
	}
}
