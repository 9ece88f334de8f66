package config_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/static"
	"github.com/interledger-go/connector/config"
	"github.com/interledger-go/connector/middleware"
)

// Options of plugins: what is right, with a part of what Explain says, and
// what is wrong, with its path below options.
func TestPluginOptions(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef"
	files := certificateFiles(t)
	for _, c := range []struct{ plugin, options, want string }{
		{"ilp-plugin-btp", `{"server": "btp+wss://a:b@bob.example/ilp"}`, "dials btp+wss://bob.example/ilp"},
		{"btp", `{"server": "btp+ws://bob.example", "btpAccount": "a", "btpToken": "b"}`, "without TLS"},
		{"btp", `{"server": "btp+wss://a:b@c", "reconnectInterval": 500, "reconnectIntervals": [0, 100, 5000], "reconnectClearTryTimeout": 1, "responseTimeout": 35000}`, "responseTimeout has no effect"},
		{"btp", `{"listener": {"port": 7768, "secret": "b"}}`, "listens on http://:7768/ (BTP"},
		{"btp", `{"listener": {"secret": "b", "wsOpts": {"host": "127.0.0.1", "port": 7768, "path": "/x"}, "username": "a", "sockets": "newest"}}`, "http://127.0.0.1:7768/x (BTP, sockets newest)"},
		{"btp", `{"listener": {"port": 7768, "secret": "b", "tls": ` + files + `}}`, "listens on https://:7768/"},
		{"btp", `{}`, "!: needs server"},
		{"btp", `{"server": "btp+wss://a:b@c", "listener": {"port": 1, "secret": "b"}}`, "!.listener: choose who dials"},
		{"btp", `{"server": "wss://a:b@c"}`, "!.server: must be a URL"},
		{"btp", `{"server": "btp+wss://a:b@c", "btpToken": "x"}`, "!.btpToken: give them once"},
		{"btp", `{"server": "btp+wss://a:b@c", "btpAuthFlags": {"plan": "gold", "flags": {"a": 1}}}`, "dials btp+wss://c"},
		{"btp", `{"server": "btp+wss://a:b@c", "btpAuthFlags": {"auth_token": "x"}}`, "!: an entry besides the credentials"},
		{"btp", `{"server": "btp+wss://a:b@c", "btpAuthFlag": {}}`, "!.btpAuthFlag: did you mean btpAuthFlags"},
		{"btp", `{"listener": {"port": 7768}}`, "!.listener.secret: is missing"},
		{"btp", `{"listener": {"port": 7768, "secret": ""}}`, "!.listener.secret: anybody could connect"},
		{"btp", `{"listener": {"secret": "x"}}`, "!.listener.port: is missing"},
		{"btp", `{"listener": {"port": 70000, "secret": "x"}}`, "!.listener.port: from 0 to 65535"},
		{"btp", `{"listener": {"port": 1, "secret": "x", "wsOpts": {"port": 2}}}`, "!.listener.port: is there twice"},
		{"btp", `{"listener": {"port": 1, "secret": "x", "path": "ilp"}}`, "!.listener.path: the path of a URL"},
		{"btp", `{"listener": {"port": 1, "secret": "x", "path": "/{ilp}"}}`, "!.listener.path: the path of a URL"},
		{"btp", `{"listener": {"port": 1, "secret": "x", "sockets": "all"}}`, "!.listener.sockets: replace, newest or round-robin"},
		{"ilp-plugin-http", `{"incoming": {"port": 7770, "staticToken": "` + token + `"}, "outgoing": {"url": "https://bob.example/ilp", "staticToken": "x"}}`, "sends to https://bob.example/ilp"},
		{"http", `{"outgoing": {"url": "https://bob.example/ilp", "secret": "` + token + `", "jwtExpiry": 30000, "http2": true, "name": "n"}}`, "outgoing.http2"},
		{"http", `{"incoming": {"port": 7770, "jwtSecret": "` + token + `"}}`, "no packet can be sent"},
		{"http", `{"multi": true, "incoming": {"port": 7770, "jwtSecret": "` + token + `", "users": {"alice": {"staticToken": "` + token + `2"}}}, "outgoing": {"url": "https://%.example/ilp", "jwtSecret": "` + token + `"}}`, "listens on http://:7770/"},
		{"http", `{}`, "!: needs incoming"},
		{"http", `{"outgoing": {}}`, "!.outgoing.url: is missing"},
		{"http", `{"outgoing": {"url": "ftp://x"}}`, "!.outgoing: "},
		{"http", `{"outgoing": {"url": "https://x", "staticToken": "a", "jwtSecret": "b"}}`, "!.outgoing.jwtSecret: choose one"},
		{"http", `{"outgoing": {"url": "https://x", "jwtSecret": "` + token + `", "jwtExpiry": 1500}}`, "!.outgoing.jwtExpiry: whole seconds"},
		{"http", `{"incoming": {"port": 7770}}`, "!.incoming: needs credentials"},
		{"http", `{"incoming": {"staticToken": "x"}}`, "!.incoming.port: is missing"},
		{"loopback", `{"delay": 100, "reject": "T02"}`, "answers by itself"},
		{"loopback", `{"reject": "nonsense"}`, "!: "},
	} {
		checkOptions(t, `"peer"`, c.plugin, c.options, c.want)
	}
	for _, c := range []struct{ options, want string }{
		{`{}`, "listens on http://:3000/ (BTP for the users"},
		{`{"port": 3001, "generateAccount": true, "allowedOrigins": ["https://wallet\\.example"], "currencyScale": 9}`, "match an origin as a whole"},
		{`{"wsOpts": {"port": 3001}, "generateAccount": false, "users": {"balance": {"maximum": "10", "minimum": "-10"}, "maxPacketAmount": "5", "maxInFlight": 3}}`, ":3001/"},
		{`{"port": 1, "wsOpts": {"port": 1}}`, "!.port: is there twice"},
		{`{"allowedOrigins": ["("]}`, "!.allowedOrigins[0]: regular expression"},
		{`{"users": {"balance": {"maximum": "10", "settleThreshold": "-1"}}}`, "!.users.balance.settleThreshold: do not settle"},
		{`{"users": {"balance": {"maximum": "10", "minimum": "11"}}}`, "!.users.balance.minimum: above maximum"},
		{`{"users": {"maxPacketAmount": "5"}, "limitsOf": {"alice": {"balance": {"maximum": "10"}, "maxInFlight": 3}, "bob": {}}, "sockets": "round-robin"}`, ":3000/"},
		{`{"limitsOf": {"alice": {"balance": {"maximum": "10", "settleThreshold": "-1"}}}}`, "!.limitsOf.alice.balance.settleThreshold: do not settle"},
		{`{"limitsOf": {"alice": {"balance": {"maximum": "10", "minimum": "11"}}}}`, "!.limitsOf.alice.balance.minimum: above maximum"},
		{`{"limitsOf": {"alice": {"maxPacketAmounts": "10"}}}`, "!.limitsOf.alice.maxPacketAmounts: did you mean maxPacketAmount"},
		{`{"limitsOf": {"a/b": {}}}`, `!.limitsOf["a/b"]: one segment`},
		{`{"sockets": "replace"}`, "!.sockets: newest or round-robin"},
		{`{"debugHostIldcpInfo": {}}`, "!.debugHostIldcpInfo: the address that the connector gives the account"},
	} {
		checkOptions(t, `"child"`, "ilp-plugin-mini-accounts", c.options, c.want)
	}
	checkOptions(t, `"peer"`, "mini-accounts", `{}`, "!: must be child")
}

func checkOptions(t *testing.T, relation, plugin, options, want string) {
	t.Helper()
	plan, err := load(t, accounts(`"relation": `+relation, `"plugin": "`+plugin+`"`, `"options": `+options))
	if fault, wrong := strings.CutPrefix(want, "!"); wrong {
		t.Run(plugin+" "+options, func(t *testing.T) { wantFaults(t, err, "accounts.bob.options"+fault) })
		return
	}
	if err != nil {
		t.Errorf("%s %s: %v", plugin, options, err)
	} else if explained := plan.Explain(); !strings.Contains(explained, want) {
		t.Errorf("%s %s: want %q in\n%s", plugin, options, want, explained)
	}
}

func TestListenersThatDisagree(t *testing.T) {
	btp := func(more string) string {
		return record(`"plugin": "btp"`, `"options": {"listener": {"port": 7768`+more+`}}`)
	}
	two := func(a, b string) error {
		_, err := load(t, `CONNECTOR_ACCOUNTS={"a": `+a+`, "b": `+b+`}`, "CONNECTOR_ADMIN_API=1")
		return err
	}
	if err := two(btp(`, "secret": "x"`), btp(`, "secret": "y"`)); err != nil {
		t.Error(err)
	}
	if err := two(btp(`, "secret": "x", "username": "a"`), btp(`, "secret": "x", "username": "b"`)); err != nil {
		t.Error(err)
	}
	wantFaults(t, two(btp(`, "secret": "x"`), btp(`, "secret": "x"`)), `accounts.b.options.listener: the credentials of account "a"`)
	wantFaults(t, two(btp(`, "secret": "x"`), btp(`, "secret": "y", "sockets": "newest"`)), "accounts.b.options.listener: choose another port or path")
	wantFaults(t, two(btp(`, "secret": "x"`), btp(`, "secret": "y", "tls": `+certificateFiles(t))), "accounts.b.options.listener: another certificate")
	wantFaults(t, two(btp(`, "secret": "x"`), record(`"plugin": "http"`, `"options": {"incoming": {"port": 7768, "staticToken": "0123456789abcdef0123456789abcdef"}}`)),
		"accounts.b.options.incoming: choose another port or path")
	wantFaults(t, two(record(), record(`"plugin": "btp"`, `"options": {"listener": {"port": 7780, "secret": "x"}}`)), `adminApiPort: is that of account "b"`)
}

func TestBackendOptions(t *testing.T) {
	for _, c := range []struct{ backend, options, want string }{
		{"one-to-one", `{}`, "one-to-one, spread 0.002"},
		{"one-to-one", `{"spread": "0.1"}`, "one-to-one, spread 0.1"},
		{"one-to-one", `{"spread": 1}`, "!.spread: less than 1"},
		{"one-to-one", `{"spred": 0}`, "!.spred: did you mean spread?"},
		{"ecb", `{"ratesApiUrl": "https://x/y.xml", "refresh": "2h", "band": "0.2", "confirmations": 3, "maxAge": "100h"}`, "European Central Bank"},
		{"ecb", `{"ratesApiUrl": "https://x", "url": "https://y"}`, "!.ratesApiUrl: choose one"},
		{"ecb", `{"mockData": {"base": "EUR", "date": "2017-01-01", "rates": {"USD": 1.0592, "JPY": "130.553"}}}`, "nothing is fetched"},
		{"ecb", `{"mockData": {"base": "EUR", "rates": {"USD": 0}}}`, "!.mockData.rates.USD: above 0"},
		{"ecb-plus-xrp", `{"xrp": {"url": "https://x", "price": "/price", "currency": "USD"}}`, "a price of XRP"},
		{"ecb-plus-xrp", `{"xrp": {"url": "https://x"}}`, "!: "},
		{"ecb-plus-coinmarketcap", `{"coinmarketcap": {"key": "k"}}`, "CoinMarketCap"},
		{"ecb-plus-coinmarketcap", `{}`, "!: "},
		{"http", `{"url": "https://x/rates", "base": "USD"}`, "rates by HTTP"},
		{"http", `{}`, "!.url: is missing"},
		{"static", `{"rates": {"USD": {"EUR": "0.92"}}}`, "a given table"},
		{"static", `{"rates": {"USD": {"EUR": "0.92"}, "EUR": {"USD": "2"}}}`, "!: "},
		{"randomizer", `{"variation": 0.1, "seed": 5}`, "for tests alone"},
		{"randomizer", `{"variation": 2}`, "!: "},
	} {
		plan, err := load(t, "CONNECTOR_BACKEND="+c.backend, "CONNECTOR_BACKEND_CONFIG="+c.options)
		if fault, wrong := strings.CutPrefix(c.want, "!"); wrong {
			t.Run(c.backend+" "+c.options, func(t *testing.T) { wantFaults(t, err, "backendConfig"+fault) })
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", c.backend, c.options, err)
		} else if explained := plan.Explain(); !strings.Contains(explained, c.want) {
			t.Errorf("%s %s: want %q in\n%s", c.backend, c.options, c.want, explained)
		}
	}
}

func TestStoreOptions(t *testing.T) {
	for _, c := range []struct{ store, options, want string }{
		{"", `{}`, "forgotten when the process ends"},
		{"memory", `{"path": "x"}`, "storePath has no effect"},
		{"bolt", `{"path": "x.db", "mustExist": true, "lockTimeout": "1s"}`, "the file x.db"},
		{"bolt", `{}`, "!.path: is missing"},
		{"leveldown", `{}`, "the file ./data/"},
		{"postgres", `{"dsn": "postgres://u:p@db.example:5433/books", "prefix": "p_", "allowLoss": true, "grace": 5000}`, "db.example:5433, database books"},
		{"postgres", `{}`, "!.dsn: is missing"},
		{"mysql", `{"dsn": "u:p@tcp(db.example:3306)/books"}`, "db.example:3306, database books"},
		{"redis", `{"url": "redis://db.example:6379/0"}`, "redis://db.example:6379/0"},
		{"redis", `{"url": "x://"}`, "!.url: must be such as"},
	} {
		plan, err := load(t, "CONNECTOR_STORE="+c.store, "CONNECTOR_STORE_CONFIG="+c.options)
		if fault, wrong := strings.CutPrefix(c.want, "!"); wrong {
			t.Run(c.store+" "+c.options, func(t *testing.T) { wantFaults(t, err, "storeConfig"+fault) })
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", c.store, c.options, err)
		} else if explained := plan.Explain(); !strings.Contains(explained, c.want) {
			t.Errorf("%s %s: want %q in\n%s", c.store, c.options, c.want, explained)
		}
	}
	if explained := mustLoad(t, "CONNECTOR_STORE_PATH=books.db").Explain(); !strings.Contains(explained, "bolt: the file books.db") {
		t.Errorf("a path alone is the store on disk; got\n%s", explained)
	}
}

// A host's own drivers stand beside the built-in ones, and read their options
// in the same way.
func TestOwnDrivers(t *testing.T) {
	r := config.Builtins()
	r.Backends["mine"] = func(o *config.DriverOptions) config.Made[backend.Backend] {
		var v struct {
			Margin config.Spread `json:"margin" config:"required"`
			Limit  config.Amount `json:"limit"`
		}
		o.Decode(&v)
		if !o.Faulty() && v.Limit > 5 {
			o.Fault("limit", "is %d: 5 at most", v.Limit)
		}
		return config.Made[backend.Backend]{Summary: "mine", Build: func(context.Context, *config.Parts) (backend.Backend, error) {
			return static.New(static.Options{Spread: string(v.Margin)})
		}}
	}
	r.Middlewares["quiet"] = quietMiddleware
	source := func(changes ...string) config.Source { return config.Source{Environ: environ(changes...)} }
	_, err := r.Load(source("CONNECTOR_BACKEND=mine", `CONNECTOR_BACKEND_CONFIG={"limit": "6", "x": 1}`))
	wantFaults(t, err, "backendConfig.x: is not known", "backendConfig.margin: is missing")
	_, err = r.Load(source("CONNECTOR_BACKEND=mine", `CONNECTOR_BACKEND_CONFIG={"limit": "6", "margin": 0}`))
	wantFaults(t, err, "backendConfig.limit: 5 at most")
	_, err = r.Load(source("CONNECTOR_BACKEND=min"))
	wantFaults(t, err, "backend: did you mean mine?")

	plan, err := r.Load(source(`CONNECTOR_MIDDLEWARES={"q": {"type": "quiet", "before": "balance"}}`, `CONNECTOR_DISABLE_MIDDLEWARE=["echo", "stats"]`))
	if err != nil {
		t.Fatal(err)
	}
	want := "errorHandler, rateLimit, maxPacketAmount, throughput, q, balance, deduplicate, expire, validateFulfillment, alert"
	if explained := plan.Explain(); !strings.Contains(explained, want) {
		t.Errorf("want %s in\n%s", want, explained)
	}
	a := build(t, plan)
	var names []string
	for _, m := range a.Config.Middleware {
		names = append(names, m.Name())
	}
	if got := strings.Join(names, ", "); got != strings.Replace(want, " q,", " quiet,", 1) {
		t.Errorf("the chain is %s", got)
	}
	_, err = r.Load(source(`CONNECTOR_MIDDLEWARES={"balance": {"type": "quiet"}, "b": {"type": "quit"}, "c": {"type": "quiet", "after": "nobody"}, "d": {"type": "quiet", "before": "echo", "after": "stats", "x": 1}}`))
	wantFaults(t, err, "middlewares.balance: there already", "middlewares.b.type: did you mean quiet?", "middlewares.c.after: there are", "middlewares.d.x: is not known", "middlewares.d.after: choose one")
	_, err = r.Load(source(`CONNECTOR_DISABLE_MIDDLEWARE=["ecko", "echo", "echo"]`))
	wantFaults(t, err, "disableMiddleware[0]: did you mean echo?", "disableMiddleware[2]: twice")
}

// quietMiddleware is a driver that makes an ownMiddleware.
func quietMiddleware(o *config.DriverOptions) config.Made[middleware.Middleware] {
	o.Decode(&struct{}{})
	return config.Made[middleware.Middleware]{Build: func(context.Context, *config.Parts) (middleware.Middleware, error) {
		return ownMiddleware{}, nil
	}}
}

type ownMiddleware struct{}

func (ownMiddleware) Name() string { return "quiet" }
func (ownMiddleware) Attach(middleware.Host, *account.Account) (middleware.Stages, error) {
	return middleware.Stages{}, nil
}

func TestSpreadsByPairAndAccount(t *testing.T) {
	plan := mustLoad(t, "CONNECTOR_SPREAD=0.1", `CONNECTOR_SPREADS={"pairs": {"USD": {"USD": "0.5"}}, "destinations": {"carl": 0}}`,
		`CONNECTOR_ACCOUNTS={"bob": `+record()+`, "carl": `+record()+`}`)
	a := build(t, plan)
	rate := func(from, to string) string {
		usd := backend.Party{Account: from}
		usd.Asset.Code = "USD"
		destination := usd
		destination.Account = to
		r, err := a.Config.Backend.Rate(usd, destination)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(r)
	}
	if got := rate("bob", "bob"); got != "1/2" {
		t.Errorf("the pair has the rate %s", got)
	}
	if got := rate("bob", "carl"); got != "1" {
		t.Errorf("carl has the rate %s", got)
	}
	_, err := load(t, `CONNECTOR_SPREADS={"sources": {"carl": 0}, "pairs": {"USD": {"EUR": 1}}}`, `CONNECTOR_BACKEND_CONFIG={"spread": 0.5}`)
	wantFaults(t, err, "spreads.sources.carl: no account has this id", "spreads.pairs.USD.EUR: less than 1", "backendConfig.spread: give it as the key spread")
}
