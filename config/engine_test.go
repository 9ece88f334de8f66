package config_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
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
	_, err = load(t, accounts(`"settlementEngine": {"url": "`+hidden+`", "listener": {"port": 1}}`))
	wantFaults(t, err, "accounts.bob.settlementEngine: ")
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
