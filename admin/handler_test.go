package admin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/store/memstore"
)

// plain is a connector without accounts, which does not run.
func plain(t testing.TB) *connector.Connector {
	t.Helper()
	c, err := connector.New(connector.Config{
		Address: "test.connie", Store: memstore.New(), Backend: must(onetoone.New(onetoone.Options{})), Middleware: middleware.Standard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewRefuses(t *testing.T) {
	c := plain(t)
	for _, refused := range []struct {
		options admin.Options
		want    string
	}{
		{admin.Options{LoopbackWithoutToken: true}, "Options.Connector: is nil"},
		{admin.Options{Connector: c}, "Options.Tokens: there is none: set one, or LoopbackWithoutToken"},
		{admin.Options{Connector: c, Tokens: []string{""}}, "Options.Tokens: token 0 has 0 bytes: it must have 16"},
		{admin.Options{Connector: c, ReadTokens: []string{readToken, "short"}}, "Options.ReadTokens: token 1 has 5 bytes"},
		{admin.Options{Connector: c, Tokens: []string{fullToken}, ReadTokens: []string{fullToken}}, "Options.ReadTokens: token 0 is one of Tokens"},
		{admin.Options{Connector: c, LoopbackWithoutToken: true, MaxBody: -1}, "Options.MaxBody: is -1"},
		{admin.Options{Connector: c, LoopbackWithoutToken: true, MaxStreams: -1}, "Options.MaxStreams: is -1"},
	} {
		if _, err := admin.New(refused.options); err == nil || !strings.Contains(err.Error(), refused.want) {
			t.Errorf("New gives %v, want %q", err, refused.want)
		} else if strings.Contains(err.Error(), fullToken) || strings.Contains(err.Error(), "short") {
			t.Errorf("the error tells a token: %v", err)
		}
	}
}

// Every endpoint asks for the token that it needs, before it says anything.
func TestEveryEndpointAsksForItsToken(t *testing.T) {
	h := must(admin.New(admin.Options{Connector: plain(t), Tokens: []string{"another full token", fullToken}, ReadTokens: []string{readToken}}))
	for _, e := range h.Endpoints() {
		if e.Path == "/events" {
			continue // it would not end
		}
		path := strings.NewReplacer("{id}", "1", "{prefix}", "test.x", "{file}", "app.js").Replace(e.Path)
		t.Run(e.Method+" "+path, func(t *testing.T) {
			public, operate := e.Role == "public", e.Role == "operate"
			for _, c := range []struct {
				name, authorization string
				refused             int // 0: it is not
			}{
				{"none", "", map[bool]int{false: 401}[public]},
				{"wrong", "Bearer a token that nobody has", map[bool]int{false: 401}[public]},
				{"a beginning", "Bearer " + fullToken[:20], map[bool]int{false: 401}[public]},
				{"another scheme", "Basic " + fullToken, map[bool]int{false: 401}[public]},
				{"no scheme", fullToken, map[bool]int{false: 401}[public]},
				{"read", "Bearer " + readToken, map[bool]int{true: 403}[operate]},
				{"full", "Bearer " + fullToken, 0},
				{"the other full one", "bearer another full token", 0},
			} {
				r := request(e.Method, path, "", nil)
				if c.authorization != "" {
					r.Header.Set("Authorization", c.authorization)
				}
				a := serve(h, r)
				if c.refused == 0 && (a.Code == 401 || a.Code == 403) || c.refused != 0 && a.Code != c.refused {
					t.Errorf("%s: the status is %d, want %d: %s", c.name, a.Code, c.refused, a.Body)
				}
				if c.refused != 0 {
					a.wantProblem(t, c.refused, "token")
				}
				if (a.Code == 401) != (a.Header().Get("WWW-Authenticate") != "") {
					t.Errorf("%s: %d with WWW-Authenticate %q", c.name, a.Code, a.Header().Get("WWW-Authenticate"))
				}
			}
		})
	}
}

// Without a token only this machine is answered, if it is meant, and not the
// page of another site (DNS rebinding, cross-site requests).
func TestLoopbackWithoutToken(t *testing.T) {
	h := must(admin.New(admin.Options{Connector: plain(t), LoopbackWithoutToken: true, ReadTokens: []string{readToken}, Hosts: []string{"Box.Local"}}))
	for _, c := range []struct {
		name, remote, host string
		header             [2]string
		status             int
	}{
		{"localhost", "127.0.0.1:999", "localhost:7769", [2]string{}, 200},
		{"IPv4", "127.0.0.1:999", "127.0.0.1", [2]string{}, 200},
		{"another of the loopback net", "127.8.9.1:999", "127.0.0.2:80", [2]string{}, 200},
		{"IPv6", "[::1]:999", "[::1]:7769", [2]string{}, 200},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:999", "LOCALHOST", [2]string{}, 200},
		{"a name of the host's", "127.0.0.1:999", "box.local:7769", [2]string{}, 200},
		{"another machine", "192.0.2.1:999", "localhost", [2]string{}, 401},
		{"nobody knows", "", "localhost", [2]string{}, 401},
		{"another name", "127.0.0.1:999", "rebound.example:7769", [2]string{}, 403},
		{"a name that begins alike", "127.0.0.1:999", "localhost.rebound.example", [2]string{}, 403},
		{"an address of another machine", "127.0.0.1:999", "192.0.2.1", [2]string{}, 403},
		{"no name", "127.0.0.1:999", "", [2]string{}, 403},
		{"its own page", "127.0.0.1:999", "localhost:7769", [2]string{"Origin", "http://localhost:7769"}, 200},
		{"another site", "127.0.0.1:999", "localhost:7769", [2]string{"Origin", "https://hostile.example"}, 403},
		{"another port", "127.0.0.1:999", "localhost:7769", [2]string{"Origin", "http://localhost:8000"}, 403},
		{"a sandbox", "127.0.0.1:999", "localhost:7769", [2]string{"Origin", "null"}, 403},
		{"no origin at all", "127.0.0.1:999", "localhost:7769", [2]string{"Origin", "%zz"}, 403},
		{"across sites", "127.0.0.1:999", "localhost:7769", [2]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"across origins", "127.0.0.1:999", "localhost:7769", [2]string{"Sec-Fetch-Site", "same-site"}, 403},
		{"typed in", "127.0.0.1:999", "localhost:7769", [2]string{"Sec-Fetch-Site", "none"}, 200},
		{"a proxy", "127.0.0.1:999", "localhost", [2]string{"X-Forwarded-For", "192.0.2.1"}, 403},
		{"another proxy", "127.0.0.1:999", "localhost", [2]string{"Forwarded", "for=192.0.2.1"}, 403},
		{"a token from elsewhere", "192.0.2.1:999", "rebound.example", [2]string{"Authorization", "Bearer " + readToken}, 200},
		{"a wrong token", "127.0.0.1:999", "localhost", [2]string{"Authorization", "Bearer wrong wrong wrong wrong"}, 401},
	} {
		r := request("GET", "/status", "", nil)
		r.RemoteAddr, r.Host = c.remote, c.host
		if c.header[0] != "" {
			r.Header.Set(c.header[0], c.header[1])
		}
		if a := serve(h, r); a.Code != c.status {
			t.Errorf("%s: the status is %d, want %d: %s", c.name, a.Code, c.status, a.Body)
		}
	}
	// The one that may look may not do more because it comes from here.
	r := request("POST", "/ping", readToken, `{"address":"test.connie"}`)
	r.RemoteAddr, r.Host = "127.0.0.1:999", "localhost"
	serve(h, r).wantProblem(t, 403, "may look, and change nothing")
}

func TestWhatThereIsNot(t *testing.T) {
	h := must(admin.New(admin.Options{Connector: plain(t), Tokens: []string{fullToken}}))
	ask := func(token, method, path string, body any) answer { return serve(h, request(method, path, token, body)) }
	ask(fullToken, "GET", "/status/", nil).wantProblem(t, 404, "there is nothing at /status/")
	ask(fullToken, "GET", "/nothing", nil).wantProblem(t, 404, "there is nothing at /nothing")
	ask(fullToken, "GET", "/page/nothing.js", nil).wantProblem(t, 404, "/page/nothing.js")
	ask(fullToken, "GET", "/page/..%2fopenapi.json", nil).wantProblem(t, 404, "")
	ask("", "GET", "/nothing", nil).wantProblem(t, 401, "a token is needed")
	a := ask(fullToken, "POST", "/status", nil)
	a.wantProblem(t, 405, "POST is no method of /status")
	if got := a.Header().Get("Allow"); got != "GET, HEAD" {
		t.Errorf("Allow is %q", got)
	}
	if a := ask(fullToken, "HEAD", "/events", nil); a.Code != 200 || a.Body.Len() > 0 {
		t.Errorf("HEAD of the events is answered %d with %d bytes", a.Code, a.Body.Len())
	}
	ask(fullToken, "GET", "/metrics", nil).wantProblem(t, 501, "Options.Metrics")
	ask(fullToken, "GET", "/healthz", nil).wantProblem(t, 503, "does not run")
	ask(fullToken, "POST", "/addAccount", `{"id":"x","options":{}}`).wantProblem(t, 501, "Options.NewAccount")
	ask(fullToken, "PUT", "/accounts/x", `{}`).wantProblem(t, 501, "Options.NewAccount")
	ask(fullToken, "GET", "/explain?address=nowhere", nil).wantProblem(t, 400, "address")
	ask(fullToken, "GET", "/explain", nil).wantProblem(t, 400, "address")
	ask(fullToken, "GET", "/accounts?limit=0", nil).wantProblem(t, 400, "limit")
	ask(fullToken, "GET", "/accounts?limit=many", nil).wantProblem(t, 400, "limit")
	ask(fullToken, "GET", "/events?interval=1ms", nil).wantProblem(t, 400, "interval")
}

func TestMetricsAreTheHosts(t *testing.T) {
	h := must(admin.New(admin.Options{Connector: plain(t), ReadTokens: []string{readToken},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up 1\n") })}))
	if a := serve(h, request("GET", "/metrics", readToken, nil)); a.Code != 200 || a.Body.String() != "up 1\n" {
		t.Errorf("the metrics are %d %q", a.Code, a.Body)
	}
	serve(h, request("GET", "/metrics", "", nil)).wantProblem(t, 401, "token")
}

func TestBodiesAreBounded(t *testing.T) {
	h := must(admin.New(admin.Options{Connector: plain(t), Tokens: []string{fullToken}, MaxBody: 100, NewAccount: newMockAccount}))
	long := `{"accountId":"` + strings.Repeat("x", 100) + `","amountDiff":"1"}`
	for _, e := range h.Endpoints() {
		if e.Role != "operate" || e.Method == "DELETE" || strings.HasSuffix(e.Path, "pause") || strings.HasSuffix(e.Path, "resume") || strings.HasSuffix(e.Path, "confirm") || e.Path == "/accounts/{id}" && e.Method == "POST" {
			continue
		}
		path := strings.NewReplacer("{id}", "x", "{prefix}", "test.x").Replace(e.Path)
		serve(h, request(e.Method, path, fullToken, long)).wantProblem(t, 413, "too large: 100 bytes are the most")
	}
}

// What a browser may do with the answers is what the page needs.
func TestHeaders(t *testing.T) {
	h := must(admin.New(admin.Options{Connector: plain(t), Tokens: []string{fullToken}}))
	for _, path := range []string{"/", "/page/app.js", "/status", "/nothing"} {
		a := serve(h, request("GET", path, "", nil))
		policy := a.Header().Get("Content-Security-Policy")
		for _, rule := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, rule) {
				t.Errorf("%s: the policy is %q, want %s", path, policy, rule)
			}
		}
		if strings.Contains(policy, "unsafe") || a.Header().Get("X-Content-Type-Options") != "nosniff" || a.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: the headers are %v", path, a.Header())
		}
	}
	first := serve(h, request("GET", "/page/app.js", "", nil))
	again := request("GET", "/page/app.js", "", nil)
	again.Header.Set("If-None-Match", first.Header().Get("ETag"))
	if a := serve(h, again); a.Code != http.StatusNotModified {
		t.Errorf("a file that is known is answered %d", a.Code)
	}
	w := httptest.NewRecorder()
	http.StripPrefix("/admin", h).ServeHTTP(w, httptest.NewRequest("GET", "/admin/", nil))
	if w.Code != 200 {
		t.Errorf("below a path the page is answered %d", w.Code)
	}
}

// Tokens change between two requests, and event streams end with theirs.
func TestSetTokens(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		const next, nextRead = "the token that comes next", "the next one that may only look"
		streams := []*stream{f.stream(t, "/events"), f.stream(t, "/packets/live")}
		set := func(tokens, readTokens []string, loopback bool) {
			t.Helper()
			if err := f.h.SetTokens(tokens, readTokens, loopback); err != nil {
				t.Fatal(err)
			}
		}
		set([]string{fullToken, next}, []string{readToken, nextRead}, false) // both hold
		for _, token := range []string{fullToken, next} {
			f.ask(token, "GET", "/session", nil).want(t, 200, `{"role": "operate"}`)
		}
		f.ask(nextRead, "GET", "/session", nil).want(t, 200, `{"role": "read"}`)
		time.Sleep(time.Second)
		for _, s := range streams {
			select {
			case <-s.ended:
				t.Error("the stream of a token that holds has ended")
			default:
			}
		}
		set([]string{next}, []string{nextRead}, false)
		for _, token := range []string{fullToken, readToken, ""} {
			f.ask(token, "GET", "/session", nil).wantProblem(t, 401, "token")
		}
		time.Sleep(time.Minute) // of the bubble
		for _, s := range streams {
			<-s.ended
		}
		for _, wrong := range [][2][]string{{{"short"}, nil}, {nil, nil}, {{next}, {next}}} {
			if err := f.h.SetTokens(wrong[0], wrong[1], false); err == nil {
				t.Errorf("SetTokens takes %q", wrong)
			}
		}
		f.ask(next, "GET", "/session", nil).want(t, 200, `{"role": "operate"}`)
		set(nil, nil, true)
		local := request("GET", "/session", "", nil)
		local.RemoteAddr, local.Host = "127.0.0.1:1", "localhost"
		serve(f.h, local).want(t, 200, `{"role": "operate"}`)
	})
}
