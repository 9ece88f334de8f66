package config_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/interledger-go/connector/internal/testenv"
)

// javascriptPlugin is a plugin of the reference, and what becomes of each of its
// options. What is declared as a type of its options is read from the package.
type javascriptPlugin struct {
	name, relation string
	declared       string // the file of the package that declares them
	kind           string // and the type there
	options        map[string]javascriptOption
}

// javascriptOption is an option of a plugin, by its path, among what it cannot
// be without.
type javascriptOption struct {
	with string // the options; %s is where this one stands, if it is not alone
	is   string // its value
	want string // what is explained, or "!" and a part of the fault
}

const (
	toServer   = `{"server": "btp+wss://c", %s}`
	toListener = `{"listener": {"port": 7768, "secret": "x", %s}}`
	listenOpts = `{"listener": {"port": 7768, "secret": "x", "wsOpts": {%s}}}`
	miniOpts   = `{"wsOpts": {%s}}`
	someToken  = "0123456789abcdef0123456789abcdef"
	toURL      = `{"outgoing": {"url": "https://c/ilp", %s}}`
	fromPort   = `{"incoming": {"port": 7768, %s}}`
)

// wsOptions are those of the ws package, within an option wsOpts.
func wsOptions(prefix, with string) map[string]javascriptOption {
	all := make(map[string]javascriptOption)
	for name, o := range map[string]javascriptOption{
		"host":                {is: `"127.0.0.1"`, want: "listens on http://127.0.0.1:"},
		"path":                {is: `"/ilp"`, want: "/ilp (BTP"},
		"backlog":             {is: `10`, want: "!the system's"},
		"server":              {is: `{}`, want: "!tls"},
		"verifyClient":        {is: `{}`, want: "!"},
		"handleProtocols":     {is: `{}`, want: "!"},
		"noServer":            {is: `true`, want: "!port"},
		"clientTracking":      {is: `true`, want: "!"},
		"perMessageDeflate":   {is: `false`, want: "!never compressed"},
		"maxPayload":          {is: `65536`, want: "!bound"},
		"maxBufferedChunks":   {is: `1`, want: "!bound"},
		"maxFragments":        {is: `1`, want: "!bound"},
		"maxPendingAutoPongs": {is: `1`, want: "!bound"},
	} {
		o.with = with
		all[prefix+name] = o
	}
	return all
}

func javascriptPlugins() []javascriptPlugin {
	btp := javascriptPlugin{"ilp-plugin-btp", "peer", "build/index.d.ts", "IlpPluginBtpConstructorOptions", wsOptions("listener.wsOpts.", listenOpts)}
	for name, o := range map[string]javascriptOption{
		"server":                   {`{%s}`, `"btp+wss://alice:x@c"`, "dials btp+wss://c"},
		"btpAccount":               {toServer, `"alice"`, "dials"},
		"btpToken":                 {toServer, `"x"`, "dials"},
		"btpAuthFlags":             {toServer, `{"plan": "gold"}`, "dials"},
		"reconnectInterval":        {toServer, `1000`, "dials"},
		"reconnectIntervals":       {toServer, `[0, 100]`, "dials"},
		"reconnectClearTryTimeout": {toServer, `1000`, "dials"},
		"responseTimeout":          {toServer, `1000`, "responseTimeout has no effect"},
		"listener":                 {`{%s}`, `{"port": 7768, "secret": "x"}`, "listens on http://:7768/"},
		"listener.port":            {`{"listener": {"secret": "x", %s}}`, `7768`, "listens on http://:7768/"},
		"listener.secret":          {`{"listener": {"port": 7768, %s}}`, `"x"`, "listens"},
		"listener.wsOpts":          {toListener, `{}`, "listens"},
		"listener.wsOpts.port":     {`{"listener": {"secret": "x", "wsOpts": {%s}}}`, `7768`, "listens on http://:7768/"},
	} {
		btp.options[name] = o
	}
	mini := javascriptPlugin{"ilp-plugin-mini-accounts", "child", "src/index.d.ts", "IlpPluginMiniAccountsConstructorOptions", wsOptions("wsOpts.", miniOpts)}
	for name, o := range map[string]javascriptOption{
		"port":               {`{%s}`, `7768`, "listens on http://:7768/"},
		"wsOpts":             {`{%s}`, `{}`, "listens on http://:3000/"},
		"wsOpts.port":        {miniOpts, `7768`, "listens on http://:7768/"},
		"currencyScale":      {`{%s}`, `9`, "currencyScale has no effect"},
		"debugHostIldcpInfo": {`{%s}`, `{"clientAddress": "test.x", "assetCode": "USD", "assetScale": 9}`, "!ilpAddressSegment"},
		"allowedOrigins":     {`{%s}`, `["https://c"]`, "allowedOrigins must match"},
		"generateAccount":    {`{%s}`, `true`, "listens"},
		"_store":             {`{%s}`, `{}`, "!the connector's store"},
	} {
		mini.options[name] = o
	}
	http := javascriptPlugin{"ilp-plugin-http", "child", "build/index.d.ts", "PluginHttpOpts", map[string]javascriptOption{
		"multi":          {`{"outgoing": {"url": "https://c/%%", "staticToken": "x"}, %s}`, `true`, "sends to https://c/SEGMENT"},
		"multiDelimiter": {`{"outgoing": {"url": "https://c/+", "staticToken": "x"}, "multi": true, %s}`, `"+"`, "sends to https://c/SEGMENT"},
		"ildcp":          {`{"outgoing": {"url": "https://c", "staticToken": "x"}, %s}`, `{"clientAddress": "test.x", "assetCode": "USD", "assetScale": 9}`, "!ilpAddressSegment"},

		"incoming":             {`{%s}`, `{"port": 7768, "staticToken": "` + someToken + `"}`, "listens on http://:7768/"},
		"incoming.port":        {`{"incoming": {"staticToken": "` + someToken + `", %s}}`, `7768`, "listens on http://:7768/"},
		"incoming.jwtSecret":   {fromPort, `"` + someToken + `"`, "listens"},
		"incoming.staticToken": {fromPort, `"` + someToken + `"`, "listens"},
		"incoming.secret":      {fromPort, `"` + someToken + `"`, "listens"},
		"incoming.secretToken": {fromPort, `"` + someToken + `"`, "listens"},

		"outgoing":                            {`{%s}`, `{"url": "https://c/ilp", "staticToken": "x"}`, "sends to https://c/ilp"},
		"outgoing.url":                        {`{"outgoing": {"staticToken": "x", %s}}`, `"https://c/ilp"`, "sends to https://c/ilp"},
		"outgoing.jwtSecret":                  {toURL, `"` + someToken + `"`, "sends"},
		"outgoing.jwtExpiry":                  {toURL, `10000`, "sends"},
		"outgoing.tokenExpiry":                {toURL, `10000`, "sends"},
		"outgoing.staticToken":                {toURL, `"x"`, "sends"},
		"outgoing.secret":                     {toURL, `"` + someToken + `"`, "sends"},
		"outgoing.secretToken":                {toURL, `"x"`, "sends"},
		"outgoing.http2":                      {toURL, `true`, "outgoing.http2 and http2MaxRequestsPerSession have no effect"},
		"outgoing.http2MaxRequestsPerSession": {toURL, `10`, "outgoing.http2 and http2MaxRequestsPerSession have no effect"},
		"outgoing.name":                       {toURL, `"alice"`, "sends"},
		"outgoing.sendIlpDestination":         {toURL, `true`, "outgoing.sendIlpDestination has no effect"},
	}}
	return []javascriptPlugin{btp, mini, http}
}

// Each option of the reference's plugins means something here, or is told to
// have no effect, or is refused with what is in its place: none is passed over.
func TestOptionsOfJavaScriptPlugins(t *testing.T) {
	for _, p := range javascriptPlugins() {
		for name, o := range p.options {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				last := name[strings.LastIndexByte(name, '.')+1:]
				options := fmt.Sprintf(o.with, fmt.Sprintf("%q: %s", last, o.is))
				plan, err := load(t, accounts(`"relation": "`+p.relation+`"`, `"plugin": "`+p.name+`"`, `"options": `+options))
				if hint, refused := strings.CutPrefix(o.want, "!"); refused {
					wantFaults(t, err, "accounts.bob.options."+name+": has no effect here")
					if err != nil && (!strings.Contains(err.Error(), hint) || !strings.Contains(err.Error(), "leave it out")) {
						t.Errorf("%s: want %q in %v", options, hint, err)
					}
					return
				}
				if err != nil {
					t.Fatalf("%s: %v", options, err)
				}
				if explained := plan.Explain(); !strings.Contains(explained, o.want) {
					t.Errorf("%s: want %q in\n%s", options, o.want, explained)
				}
			})
		}
	}
}

// The table has all options of the packages that the tests run with.
func TestAllOptionsOfJavaScriptPlugins(t *testing.T) {
	const packages = "../interop/js/node_modules/"
	testenv.NeedFile(t, packages+".package-lock.json", "npm ci --prefix interop/js")
	read := func(file string) string {
		text, err := os.ReadFile(packages + file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	// The server takes more than its types know of.
	ws := regexp.MustCompile(`\{[^}]+\} \[?options\.(\w+)`).FindAllStringSubmatch(read("ws/lib/websocket-server.js"), -1)
	for _, p := range javascriptPlugins() {
		options := declaredOptions(t, read(p.name+"/"+p.declared), p.kind)
		if i := slices.IndexFunc(options, func(name string) bool { return strings.HasSuffix(name, "wsOpts") }); i >= 0 {
			for _, option := range ws {
				options = append(options, options[i]+"."+option[1])
			}
		}
		if len(options) < 8 {
			t.Fatalf("%s has the options %q: are they read as they should be?", p.name, options)
		}
		for _, name := range options {
			if _, ok := p.options[name]; !ok {
				t.Errorf("%s has an option %s, which the table does not have", p.name, name)
			}
		}
		for name := range p.options {
			if !slices.Contains(options, name) {
				t.Errorf("%s has no option %s", p.name, name)
			}
		}
	}
}

// declaredOptions gives the members of a type of TypeScript by their paths.
func declaredOptions(t *testing.T, source, kind string) (paths []string) {
	t.Helper()
	_, body, found := strings.Cut(source, "interface "+kind+" {\n")
	if !found {
		t.Fatalf("there is no type %s", kind)
	}
	member := regexp.MustCompile(`^\s+(\w+)\??: (.*)$`)
	var within []string
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		switch m := member.FindStringSubmatch(line); {
		case m != nil:
			path := strings.Join(append(slices.Clone(within), m[1]), ".")
			paths = append(paths, path)
			if m[2] == "{" {
				within = append(within, m[1])
			}
		case len(within) > 0 && strings.TrimSpace(line) == "};":
			within = within[:len(within)-1]
		default: // the end of the type
			return paths
		}
	}
	return paths
}

// The names that ilp-plugin-http had before 1.6 mean the same as those of today;
// what is sent under them is without "Bearer", as it was then.
func TestOlderNamesOfHTTPSecrets(t *testing.T) {
	for name, want := range map[string]string{
		"staticToken": "^Bearer " + someToken + "$",
		"secretToken": "^" + someToken + "$",
		"jwtSecret":   `^Bearer [\w-]+\.[\w-]+\.[\w-]+$`,
		"secret":      `^[\w-]+\.[\w-]+\.[\w-]+$`,
	} {
		t.Run(name, func(t *testing.T) {
			secret := fmt.Sprintf(`%q: %q`, name, someToken)
			taking := build(t, mustLoad(t, accounts(`"plugin": "http"`, `"options": {"incoming": {"host": "127.0.0.1", "port": 0, `+secret+`}}`)))
			start(t, taking)
			url := "http://" + taking.ListenAddr(anywhere).String()
			shown := make(chan string, 10)
			between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				shown <- r.Header.Get("Authorization")
				w.WriteHeader(http.StatusInternalServerError)
			}))
			defer between.Close()
			sending := build(t, mustLoad(t, accounts(`"relation": "child"`, `"plugin": "http"`, `"options": {"outgoing": {"url": "`+between.URL+`", `+secret+`}}`)))
			bob, _ := sending.Connector.Account("bob")
			if err := bob.Plugin.Open(t.Context(), newStates()); err != nil {
				t.Fatal(err)
			}
			if err := pay(t, bob.Plugin, "test.connie.bob"); err == nil {
				t.Error("a packet that is refused is fulfilled")
			}
			authorization := <-shown
			if !regexp.MustCompile(want).MatchString(authorization) {
				t.Errorf("a request shows %q, want %s", authorization, want)
			}
			for text, want := range map[string]bool{authorization: true, "Bearer another": false} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("no packet"))
				if err != nil {
					t.Fatal(err)
				}
				r.Header = http.Header{"Authorization": {text}, "Content-Type": {"application/octet-stream"}}
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				if known := response.StatusCode != http.StatusUnauthorized; known != want {
					t.Errorf("%q is answered %s", text, response.Status)
				}
			}
		})
	}
	_, err := load(t, accounts(`"plugin": "http"`, `"options": {"outgoing": {"url": "https://c", "staticToken": "a", "secretToken": "b"}, "incoming": {"port": 1, "jwtSecret": "a", "secret": "b"}}`))
	wantFaults(t, err, "accounts.bob.options.outgoing.secretToken: keep one of them")
	_, err = load(t, accounts(`"plugin": "http"`, `"options": {"incoming": {"port": 1, "jwtSecret": "a", "secret": "b"}}`))
	wantFaults(t, err, "accounts.bob.options.incoming.secret: keep one of them")
}
