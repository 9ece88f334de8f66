package config_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
	"github.com/interledger-go/connector/internal/testcert"
)

// engineOf is an account that an engine settles.
func engineOf(url, more string) string {
	return record(`"balance": {"maximum": "100", "settleThreshold": "5", "settleTo": "10"}`, `"settlementEngine": {"url": "`+url+`", "listener": {"port": 0}`+more+`}`)
}

func TestSettlementEngineOptions(t *testing.T) {
	plan := mustLoad(t, `CONNECTOR_ACCOUNTS={"a": `+engineOf("http://127.0.0.1:3000", `, "bearerToken": "`+hidden+`"`)+`, "b": `+engineOf("http://127.0.0.1:3000", `, "bearerToken": "`+hidden+`"`)+`}`)
	if explained := plan.Explain(); !strings.Contains(explained, "settles by http://127.0.0.1:3000, which reports to 127.0.0.1:0") || strings.Contains(explained, hidden) {
		t.Errorf("got\n%s", explained)
	}
	_, err := load(t, `CONNECTOR_ACCOUNTS={"a": `+engineOf("http://127.0.0.1:3000", "")+`, "b": `+engineOf("http://127.0.0.1:3001", "")+`}`)
	wantFaults(t, err, "accounts.b.settlementEngine.listener: choose another port or path")
	_, err = load(t, `CONNECTOR_ACCOUNTS={"a": `+engineOf("http://127.0.0.1:3000", `, "accountId": "x"`)+`, "b": `+engineOf("http://127.0.0.1:3000", `, "accountId": "x"`)+`}`)
	wantFaults(t, err, `accounts.b.settlementEngine.listener: of account "a"`)
	_, err = load(t, accounts(`"settlementEngine": {"url": "http://e"}`))
	wantFaults(t, err, "accounts.bob.settlementEngine.listener: is missing")
	_, err = load(t, accounts(`"settlementEngine": {"listener": {"port": 1}}`))
	wantFaults(t, err, "accounts.bob.settlementEngine.url: is missing")
	_, err = load(t, accounts(`"settlementEngine": {"url": "http://e", "listener": {"port": 1, "host": "0.0.0.0"}}`))
	wantFaults(t, err, "accounts.bob.settlementEngine.listener.token: whoever reaches 0.0.0.0")
	_, err = load(t, accounts(`"settlementEngine": {"url": "http://e", "listener": {"port": 1, "clientSubjects": ["CN=e"]}}`))
	wantFaults(t, err, "accounts.bob.settlementEngine.listener.tls: is without authorities")
	_, err = load(t, accounts(`"settlementEngine": {"url": "http://e", "listener": {"port": 1, "clientKeys": ["00"], "tls": `+certificateFiles(t)+`}}`))
	wantFaults(t, err, "accounts.bob.settlementEngine.listener.clientKeys: holds \"00\"")
	_, err = load(t, accounts(`"settlementEngine": {"url": "`+hidden+`", "listener": {"port": 1}}`))
	wantFaults(t, err, "accounts.bob.settlementEngine: ")
}

// The engine may be known by its client certificate, and the engine may ask for
// ours.
func TestSettlementEngineByCertificates(t *testing.T) {
	pair := testcert.SelfSigned(t, testcert.Named("peer"))
	certFile, keyFile := testcert.WritePair(t, t.TempDir(), pair)
	files := fmt.Sprintf(`{"certFile": %q, "keyFile": %q, "authorities": %q}`, certFile, keyFile, certFile)
	trusted := testcert.Pool(pair)

	asked := make(chan string, 100)
	engine := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r.TLS.VerifiedChains[0][0].Subject.CommonName + " " + r.URL.Path:
		default:
		}
		w.WriteHeader(http.StatusCreated)
	}))
	engine.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert}
	engine.StartTLS()
	defer engine.Close()

	for known, want := range map[string]int{`"clientSubjects": ["CN=peer"]`: 201, `"clientSubjects": ["CN=another"]`: 401} {
		a := build(t, mustLoad(t, `CONNECTOR_ACCOUNTS={"bob": `+record(`"balance": {"maximum": "100", "settleThreshold": "5", "settleTo": "10"}`,
			fmt.Sprintf(`"settlementEngine": {"url": %q, "tls": %s, "listener": {"port": 0, %s, "tls": %s}}`, engine.URL, files, known, files))+`}`))
		start(t, a)
		for <-asked != "peer /accounts/bob/settlements" {
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: trusted}}}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("https://%s/accounts/bob/settlements", a.ListenAddr(anywhere)), strings.NewReader(`{"amount":"7","scale":9}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Idempotency-Key", "one")
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: the settlement is answered %s, want %d", known, response.Status, want)
		}
		client.CloseIdleConnections()
	}
}

// A threshold above zero sends money ahead, by the engine; and the account is
// another when the token of the engine is.
func TestSettlementEngineIsAsked(t *testing.T) {
	asked := make(chan string, 100)
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r.Header.Get("Authorization") + " " + r.URL.Path:
		default:
		}
		w.WriteHeader(http.StatusCreated)
	}))
	defer engine.Close()
	source := func(token string) config.Source {
		return config.Source{Environ: environ(`CONNECTOR_ACCOUNTS={"bob": `+engineOf(engine.URL, `, "bearerToken": {"env": "TOKEN"}`)+`}`, "TOKEN="+token)}
	}
	plan, err := config.Builtins().Load(source("one"))
	if err != nil {
		t.Fatal(err)
	}
	a := build(t, plan)
	start(t, a)
	for want := fmt.Sprintf("Bearer one /accounts/%s/settlements", "bob"); <-asked != want; {
	}
	next, err := config.Builtins().Load(source("two"))
	if err != nil {
		t.Fatal(err)
	}
	if changes := plan.Changes(next); changes.String() != "changed bob" {
		t.Errorf("the changes are %v", changes)
	}
}
