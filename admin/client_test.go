package admin_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/admin"
)

// Each method of the client reaches its endpoint, below the path that the
// handler is mounted at, and reads its answer whole.
func TestClient(t *testing.T) {
	f := newFixture(t, func(o *admin.Options) { o.NewAccount = newMockAccount })
	mux := http.NewServeMux()
	mux.Handle("/admin/", http.StripPrefix("/admin", f.h))
	server := httptest.NewServer(mux)
	defer server.Close()
	client := must(admin.NewClient(admin.ClientOptions{URL: server.URL + "/admin/", Token: fullToken}))
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	record := json.RawMessage(`{"relation": "peer", "assetCode": "XRP", "assetScale": 9}`)
	const id = "a/b c%"
	added, err := client.PutAccount(ctx, id, record)
	check(err)
	detail, err := client.Account(ctx, id)
	check(err)
	if added.Plugin != id || added.Replaced || detail.Account != id || detail.State.Info.AssetCode != "XRP" || detail.Plugin != "admin_test.fakeLink" {
		t.Errorf("added %+v, %+v", added, detail)
	}
	check(client.PauseAccount(ctx, id))
	accounts, err := client.Accounts(ctx, admin.Page{Limit: 1})
	check(err)
	if len(accounts.Accounts) != 1 || !accounts.Accounts[id].Paused || accounts.Next != id || accounts.Address != "test.connie" {
		t.Errorf("accounts %+v", accounts)
	}
	accounts, err = client.Accounts(ctx, admin.Page{After: accounts.Next})
	check(err)
	if len(accounts.Accounts) != 4 {
		t.Errorf("accounts %+v", accounts)
	}
	check(client.ResumeAccount(ctx, id))
	check(client.AdjustBalance(ctx, id, -70))
	balances, err := client.Balances(ctx, admin.Page{})
	check(err)
	if balances.Accounts[id].Balance != "-70" {
		t.Errorf("balances %+v", balances)
	}
	key, err := client.Settle(ctx, id, 30)
	check(err)
	_, err = client.Settlements(ctx, admin.Page{})
	check(err)
	if key == "" {
		t.Error("a settlement without a key")
	}
	instructed, err := client.Instruct(ctx, id, json.RawMessage(`{"a":1}`))
	check(err)
	if fmt.Sprint(instructed.Result) != "map[foo:map[a:1]]" {
		t.Errorf("instructed %+v", instructed)
	}
	check(client.SetStaticRoutes(ctx, nil))
	check(client.PutStaticRoute(ctx, "test.x", id))
	static, err := client.StaticRoutes(ctx)
	check(err)
	routes, err := client.Routes(ctx, "test.x", admin.Page{})
	check(err)
	if len(static.Routes) != 1 || routes.Total != 1 || routes.Routes[0].NextHop != id {
		t.Errorf("routes %+v, static %+v", routes, static)
	}
	explained, err := client.Explain(ctx, "test.x.y")
	check(err)
	if len(explained.Candidates) != 1 || explained.Candidates[0].Why != "the longest prefix" || explained.Candidates[0].Prefix != "test.x" {
		t.Errorf("explained %+v", explained)
	}
	sent, err := client.Send(ctx, admin.SendRequest{Destination: "test.x.y", Amount: "7", Fulfillment: hex.EncodeToString(fulfillment[:]), Data: []byte("x")})
	check(err)
	if sent.Outcome != admin.SendFulfilled || sent.Paid != "7" || sent.Account != id {
		t.Errorf("sent %+v", sent)
	}
	check(client.RemoveStaticRoute(ctx, "test.x"))
	status, err := client.Status(ctx)
	check(err)
	routing, err := client.Routing(ctx)
	check(err)
	rates, err := client.Rates(ctx, admin.Page{})
	check(err)
	metrics, err := client.Stats(ctx)
	check(err)
	if !status.Running || routing.RoutingTableID == "" || rates["test.eur-ledger"]["test.usd-ledger"] != "1.0570816" || len(metrics) != 9 {
		t.Errorf("status %+v, routing %+v, rates %v, %d metrics", status, routing, rates, len(metrics))
	}
	_, err = client.Alerts(ctx, admin.Page{})
	check(err)
	check(client.DismissAlert(ctx, 1))
	pong, err := client.Ping(ctx, "test.connie", 5)
	check(err)
	traced, err := client.Trace(ctx, "test.connie")
	check(err)
	if !pong.Reached || pong.Delivered != "5" || len(traced.Hops) != 1 {
		t.Errorf("ping %+v, trace %+v", pong, traced)
	}
	session, err := client.Session(ctx)
	check(err)
	if session.Role != "operate" {
		t.Errorf("the full token is told %+v", session)
	}
	check(client.Health(ctx))
	check(client.RemoveAccount(ctx, id, time.Second))
	_, err = client.Account(ctx, id)
	if p, ok := errors.AsType[*admin.Problem](err); !ok || p.Status != 404 || p.Error() != "unknown account id. accountId=a/b c% (404 Not Found)" {
		t.Errorf("an account that is gone: %v", err)
	}
}

func TestClientTellsWhatIsNoHandler(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "status") {
			fmt.Fprint(w, "hello")
			return
		}
		http.Error(w, "a proxy is tired", http.StatusBadGateway)
	}))
	client := must(admin.NewClient(admin.ClientOptions{URL: server.URL}))
	if _, err := client.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "GET /status: the answer is not what is expected") {
		t.Errorf("no JSON gives %v", err)
	}
	if _, err := client.Routing(t.Context()); err == nil || err.Error() != "no problem document: a proxy is tired\n (502 Bad Gateway)" {
		t.Errorf("no problem document gives %v", err)
	}
	server.Close()
	if err := client.Health(t.Context()); err == nil {
		t.Error("nobody is healthy")
	}
	for _, url := range []string{"", "localhost:7769", "ftp://localhost", "http://", "http://%zz"} {
		if _, err := admin.NewClient(admin.ClientOptions{URL: url}); err == nil {
			t.Errorf("NewClient takes %q", url)
		}
	}
}
