package admin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/ilp"
)

// document reads /openapi.json as the handler serves it.
func document(t testing.TB, h http.Handler) schema {
	t.Helper()
	a := serve(h, httptest.NewRequest("GET", "/openapi.json", nil))
	if a.Code != 200 || a.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("the document is answered %d %s", a.Code, a.Header())
	}
	return schema{parse(t, a.Body.Bytes()).(map[string]any)}
}

func parse(t testing.TB, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// operation gives what the document has for a method of a path.
func (s schema) operation(method, path string) map[string]any {
	methods, _ := s.root["paths"].(map[string]any)[path].(map[string]any)
	operation, _ := methods[strings.ToLower(method)].(map[string]any)
	return operation
}

// Every endpoint is in the document, with whom it is for, and everything in the
// document is an endpoint.
func TestDocumentHasEveryEndpoint(t *testing.T) {
	h := must(admin.New(admin.Options{Connector: plain(t), LoopbackWithoutToken: true}))
	doc := document(t, h)
	routed := make(map[string]bool)
	for _, e := range h.Endpoints() {
		routed[e.Method+" "+e.Path] = true
		operation := doc.operation(e.Method, e.Path)
		if operation == nil {
			t.Errorf("%s %s is not in the document", e.Method, e.Path)
			continue
		}
		if tags := operation["tags"].([]any); len(tags) != 1 || tags[0] != e.Role {
			t.Errorf("%s %s has the tags %v, want %s", e.Method, e.Path, tags, e.Role)
		}
		if _, open := operation["security"]; open != (e.Role == "public") {
			t.Errorf("%s %s: security is overridden: %v", e.Method, e.Path, open)
		}
		var parameters []string
		for _, p := range listOf(operation["parameters"]) {
			if p["in"] == "path" {
				parameters = append(parameters, "{"+p["name"].(string)+"}")
			}
		}
		if inPath := regexp.MustCompile(`\{\w+\}`).FindAllString(e.Path, -1); !slices.Equal(parameters, inPath) {
			t.Errorf("%s %s documents %v", e.Method, e.Path, parameters)
		}
	}
	ids := make(map[string]bool)
	for path, methods := range doc.root["paths"].(map[string]any) {
		for method, operation := range methods.(map[string]any) {
			if !routed[strings.ToUpper(method)+" "+path] {
				t.Errorf("%s %s is in the document, and nowhere else", method, path)
			}
			id := operation.(map[string]any)["operationId"].(string)
			if ids[id] {
				t.Errorf("the operation %s is there twice", id)
			}
			ids[id] = true
		}
	}
}

func listOf(v any) []map[string]any {
	list, _ := v.([]any)
	all := make([]map[string]any, len(list))
	for i, entry := range list {
		all[i] = entry.(map[string]any)
	}
	return all
}

// exchange is a request to an endpoint, and the status of its answer.
type exchange struct {
	method, path, target string // target is what is asked for, if it is not path
	body                 any
	status               int
}

// check asks, and holds the answer against the document.
func (x exchange) check(t *testing.T, f *fixture, doc schema) {
	t.Helper()
	target := x.target
	if target == "" {
		target = x.path
	}
	operation := doc.operation(x.method, x.path)
	if x.body != nil && x.status < 400 {
		rules := contentSchema(operation["requestBody"], "application/json")
		if err := doc.check(rules, parse(t, []byte(x.body.(string))), ""); err != nil {
			t.Errorf("%s %s: the body: %v", x.method, target, err)
		}
	}
	a := f.ask(fullToken, x.method, target, x.body)
	if a.Code != x.status {
		t.Errorf("%s %s: the status is %d, want %d: %s", x.method, target, a.Code, x.status, a.Body)
		return
	}
	responses := operation["responses"].(map[string]any)
	response, documented := responses[fmt.Sprint(a.Code)].(map[string]any)
	if a.Code >= 400 {
		response, documented = responses["default"].(map[string]any), true
	}
	if !documented {
		t.Errorf("%s %s: the status %d is not in the document", x.method, target, a.Code)
	}
	if a.Code == 204 || !documented {
		return
	}
	if reference, ok := response["$ref"].(string); ok {
		response = must(doc.at(reference))
	}
	kind, _, _ := strings.Cut(a.Header().Get("Content-Type"), ";")
	rules := contentSchema(response, kind)
	if rules == nil {
		t.Errorf("%s %s: the type %s is not in the document", x.method, target, kind)
		return
	}
	if strings.Contains(kind, "json") {
		if err := doc.check(rules, parse(t, a.Body.Bytes()), ""); err != nil {
			t.Errorf("%s %s: %v\n%s", x.method, target, err, a.Body)
		}
	}
}

// What the handler answers is what the document says, for every endpoint, and
// so is what it takes.
func TestAnswersFitTheDocument(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.enrich()
		doc := document(t, f.h)
		seen := make(map[string]bool)
		for _, x := range []exchange{
			{"GET", "/status", "", nil, 200},
			{"GET", "/routing", "", nil, 200},
			{"GET", "/accounts", "", nil, 200},
			{"GET", "/accounts", "/accounts?limit=2", nil, 200},
			{"GET", "/accounts/{id}", "/accounts/test.eur-ledger", nil, 200},
			{"GET", "/accounts/{id}", "/accounts/rich", nil, 200},
			{"GET", "/accounts/{id}", "/accounts/nobody", nil, 404},
			{"POST", "/accounts/{id}", "/accounts/rich", `{"x":1}`, 200},
			{"GET", "/balance", "", nil, 200},
			{"POST", "/balance", "", `{"accountId":"rich","amountDiff":"-5"}`, 204},
			{"POST", "/balance", "", `{"accountId":"rich","amountDiff":"999999"}`, 409},
			{"GET", "/settlements", "", nil, 200},
			{"POST", "/settlements", "", `{"accountId":"rich","amount":"7"}`, 201},
			{"GET", "/rates", "", nil, 200},
			{"POST", "/rates/{currency}/confirm", "/rates/USD/confirm", nil, 409},
			{"GET", "/stats", "", nil, 200},
			{"GET", "/alerts", "", nil, 200},
			{"DELETE", "/alerts/{id}", "/alerts/1", nil, 204},
			{"GET", "/metrics", "", nil, 501},
			{"GET", "/routes", "", nil, 200},
			{"GET", "/routes", "/routes?limit=1&q=test", nil, 200},
			{"PUT", "/routes/static/{prefix}", "/routes/static/test.far", `{"nextHop":"rich"}`, 201},
			{"PUT", "/routes/static/{prefix}", "/routes/static/test.far", `{"nextHop":"rich"}`, 200},
			{"GET", "/routes/static", "", nil, 200},
			{"GET", "/explain", "/explain?address=test.eur-ledger.bob", nil, 200},
			{"DELETE", "/routes/static/{prefix}", "/routes/static/test.far", nil, 204},
			{"PUT", "/routes/static", "", `{"routes":[{"prefix":"test.far","nextHop":"rich"}]}`, 204},
			{"POST", "/ping", "", `{"address":"test.connie"}`, 200},
			{"POST", "/ping", "", `{"address":"test.eur-ledger.bob","amount":"3"}`, 200},
			{"POST", "/trace", "", `{"address":"test.connie"}`, 200},
			{"POST", "/trace", "", `{"address":"test.eur-ledger.bob"}`, 200},
			{"POST", "/send", "", `{"destination":"test.eur-ledger.bob","amount":"3","fulfillment":"HS8e5Ew02XKAglyus2dh2Ohabuqmy3HDM8EXMLz22ok"}`, 200},
			{"POST", "/send", "", `{"destination":"test.eur-ledger.bob","amount":"3","data":"AAEC","expiresIn":"10s"}`, 200},
			{"POST", "/send", "", `{"destination":"test.nowhere","amount":"3"}`, 200},
			{"POST", "/send", "", `{"destination":"test.eur-ledger.bob","amount":"x"}`, 400},
			{"POST", "/accounts/{id}/pause", "/accounts/rich/pause", nil, 204},
			{"POST", "/accounts/{id}/resume", "/accounts/rich/resume", nil, 204},
			{"POST", "/addAccount", "", `{"id":"new","options":{"relation":"child","assetCode":"XRP","assetScale":9}}`, 200},
			{"PUT", "/accounts/{id}", "/accounts/new", `{"relation":"child","assetCode":"XRP","assetScale":6}`, 200},
			{"PUT", "/accounts/{id}", "/accounts/newer", `{"relation":"child","assetCode":"XRP","assetScale":6}`, 201},
			{"DELETE", "/accounts/{id}", "/accounts/new?drain=1s", nil, 204},
			{"GET", "/packets", "", nil, 200},
			{"GET", "/packets", "/packets?account=test.usd-ledger&prefix=test&outcome=rejected&code=T04&since=2000-01-01T00:00:00Z&limit=2", nil, 200},
			{"GET", "/packets", "/packets?limit=0", nil, 400},
			{"GET", "/session", "", nil, 200},
			{"GET", "/healthz", "", nil, 200},
			{"GET", "/openapi.json", "", nil, 200},
			{"GET", "/", "", nil, 200},
			{"GET", "/page/{file}", "/page/app.js", nil, 200},
		} {
			x.check(t, f, doc)
			seen[x.method+" "+x.path] = true
		}
		for _, e := range f.h.Endpoints() {
			if key := e.Method + " " + e.Path; !seen[key] && key != "GET /events" && key != "GET /packets/live" { // see TestEvents, TestLivePackets
				t.Errorf("%s was not asked", key)
			}
		}
	})
}

// contentSchema gives the schema of a body or an answer of a type.
func contentSchema(of any, kind string) map[string]any {
	content, _ := of.(map[string]any)["content"].(map[string]any)
	media, _ := content[kind].(map[string]any)
	rules, _ := media["schema"].(map[string]any)
	return rules
}

// enrich makes the connector have something of everything.
func (f *fixture) enrich() {
	f.t.Helper()
	rich := f.add(connector.Account{
		ID: "rich", Relation: connector.Child, Asset: connector.Asset{Code: "JPY", Scale: 0}, MaxPacketAmount: 1000, MaxInFlight: 5,
		Balance:    &connector.BalanceLimits{Minimum: -1000, Maximum: 1000, SettleThreshold: connector.Int(-500), SettleTo: 0},
		RateLimit:  &connector.RateLimit{RefillCount: 100, RefillPeriod: time.Second},
		Throughput: &account.Throughput{IncomingAmount: 1000},
	})
	rich.paid = func(connector.Money) error { return errors.New("the bank is closed") }
	if _, err := f.c.Settle(f.t.Context(), "rich", 5); err != nil {
		f.t.Fatal(err)
	}
	f.refuse("test.cny-ledger")
	f.pay("test.usd-ledger", "test.cny-ledger.bob", 10)
	f.links["test.cad-ledger"].answer = func(*ilp.Prepare) ilp.Reply {
		return &ilp.Reject{Code: ilp.F02Unreachable, TriggeredBy: ilp.MustParseAddress("test.cad-ledger")}
	}
	synctest.Wait()
	if err := f.c.Router().SetRoutes([]connector.Route{{Prefix: "test.gone", NextHop: "rich"}}); err != nil {
		f.t.Fatal(err)
	}
	if err := f.c.Router().SetRoutes(nil); err != nil { // leaves a withdrawal in the log
		f.t.Fatal(err)
	}
}

// The checker finds what is wrong: a test that cannot fail is worthless.
func TestCheckerFinds(t *testing.T) {
	doc := document(t, must(admin.New(admin.Options{Connector: plain(t), LoopbackWithoutToken: true})))
	for name, value := range map[string]string{
		"missing": `{"count": 1}`, "another type": `{"count": "1", "amount": "1"}`, "no amount": `{"count": 1, "amount": "01"}`,
		"a number": `{"count": 1, "amount": 1}`, "a key more": `{"count": 1, "amount": "1", "x": 1}`, "negative": `{"count": -1, "amount": "1"}`,
		"a fraction": `{"count": 1.5, "amount": "1"}`, "a list": `[]`, "null": `null`,
	} {
		if err := doc.check(must(doc.at("#/components/schemas/Total")), parse(t, []byte(value)), ""); err == nil {
			t.Errorf("%s: %s passes", name, value)
		}
	}
	if err := doc.check(map[string]any{"maximum": 1}, "x", ""); err == nil {
		t.Error("an unknown keyword passes")
	}
}
