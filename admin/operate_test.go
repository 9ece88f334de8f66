package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/ilp"
)

// Lists are cut where they are asked to be, and the parts together are the
// list.
func TestListsArePaged(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.links["test.cny-ledger"].paid = func(connector.Money) error { return errors.New("closed") }
		for range 3 {
			if _, err := f.c.Settle(t.Context(), "test.cny-ledger", 1); err != nil {
				t.Fatal(err)
			}
		}
		for id := range f.links {
			f.refuse(id)
			f.pay("test.usd-ledger", id+".bob", 10)
		}
		time.Sleep(100 * time.Millisecond) // of the bubble: the alert of the settlements is among them
		synctest.Wait()
		for _, c := range []struct {
			path, list string
			keys       func(list json.RawMessage) int // how many there are
		}{
			{"/accounts", "accounts", inObject},
			{"/balance", "accounts", inObject},
			{"/settlements", "settlements", inList},
			{"/alerts", "alerts", inList},
			{"/routes", "routes", inList},
		} {
			page := func(query string) (map[string]json.RawMessage, string) {
				var body map[string]json.RawMessage
				a := f.ask(readToken, "GET", c.path+query, nil)
				if err := json.Unmarshal(a.Body.Bytes(), &body); err != nil {
					t.Fatalf("%v: %s", err, a.Body)
				}
				var next string
				if body["next"] != nil {
					_ = json.Unmarshal(body["next"], &next)
				}
				return body, next
			}
			whole, next := page("")
			total := c.keys(whole[c.list])
			if total < 3 || next != "" {
				t.Errorf("%s has %d and goes on at %q", c.path, total, next)
			}
			parts, count := 0, 0
			for query := "?limit=2"; ; query = "?limit=2&after=" + escape(next) {
				var body map[string]json.RawMessage
				body, next = page(query)
				n := c.keys(body[c.list])
				if parts, count = parts+1, count+n; next == "" || n != 2 {
					break
				}
			}
			if parts != (total+1)/2 || count != total {
				t.Errorf("%s comes in %d parts of %d together, want %d of %d", c.path, parts, count, (total+1)/2, total)
			}
		}
		f.ask(readToken, "GET", "/rates?limit=1&after=test.cny-ledger", nil).want(t, 200, `{"test.eur-ledger": {}}`)
		f.ask(readToken, "GET", "/routes?q=usd", nil).want(t, 200, `{"total": 1, "routes": [{"prefix": "test.usd-ledger", "origin": "learned", "relation": "peer", "path": ["test.usd-ledger"]}]}`)
		f.ask(readToken, "GET", "/routes?q=local", nil).want(t, 200, `{"total": 1, "routes": [{"prefix": "test.connie", "nextHop": ""}]}`)
		f.ask(readToken, "GET", "/settlements?accountId=nobody", nil).want(t, 200, `{"settlements": []}`)
		f.ask(readToken, "GET", "/alerts?after=x", nil).wantProblem(t, 400, "invalid alert id")
	})
}

func inObject(list json.RawMessage) int {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(list, &all)
	return len(all)
}

func inList(list json.RawMessage) int {
	var all []json.RawMessage
	_ = json.Unmarshal(list, &all)
	return len(all)
}

func escape(s string) string { return strings.ReplaceAll(s, "\x00", "%00") }

// An account is paused, replaced and removed while packets are in flight; its
// balance stays.
func TestAccountsChangeUnderPackets(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.links["test.eur-ledger"].answer = func(*ilp.Prepare) ilp.Reply { return nil } // until its link is closed
		flying := make(chan ilp.Reply, 1)
		go func() { flying <- f.pay("test.usd-ledger", "test.eur-ledger.bob", 100) }()
		synctest.Wait()
		f.ask(fullToken, "POST", "/accounts/test.eur-ledger/pause", nil).want(t, 204, "")
		f.ask(readToken, "GET", "/accounts/test.eur-ledger", nil).want(t, 200, `{"state": {"paused": true, "outstanding": 1, "book": {"reservedOut": "94"}}}`)
		if r, ok := f.pay("test.usd-ledger", "test.eur-ledger.bob", 100).(*ilp.Reject); !ok || r.Code != ilp.T01PeerUnreachable {
			t.Errorf("a packet to a paused account is answered %v", r)
		}
		f.ask(fullToken, "POST", "/accounts/nobody/pause", nil).wantProblem(t, 404, "unknown account")
		began := time.Now()
		f.ask(fullToken, "DELETE", "/accounts/test.eur-ledger?drain=500ms", nil).want(t, 204, "")
		if took := time.Since(began); took != 500*time.Millisecond {
			t.Errorf("draining took %v, want 500ms", took)
		}
		if r, ok := (<-flying).(*ilp.Reject); !ok || r.Code != ilp.T01PeerUnreachable {
			t.Errorf("the packet in flight is answered %v", r)
		}
		f.ask(fullToken, "DELETE", "/accounts/test.eur-ledger", nil).wantProblem(t, 404, "unknown account id. accountId=test.eur-ledger")
		f.ask(fullToken, "DELETE", "/accounts/test.usd-ledger?drain=soon", nil).wantProblem(t, 400, "drain")

		record := `{"relation": "peer", "assetCode": "EUR", "assetScale": 4}`
		f.ask(fullToken, "PUT", "/accounts/test.eur-ledger", record).want(t, 201, `{"plugin": "test.eur-ledger", "connected": true, "replaced": false}`)
		f.ask(readToken, "GET", "/balance", nil).want(t, 200, `{"accounts": {"test.eur-ledger": {"balance": "-94", "maximum": "Infinity"}}}`)
		f.ask(fullToken, "PUT", "/accounts/test.eur-ledger", record).want(t, 200, `{"replaced": true}`)
		// What is wrong with the new one leaves the former in place.
		f.ask(fullToken, "PUT", "/accounts/test.eur-ledger", `{"relation": "friend"}`).wantProblem(t, 400, "unknown relation")
		f.ask(fullToken, "PUT", "/accounts/test.eur-ledger", `{"relation": `).wantProblem(t, 400, "no json body provided")
		f.ask(fullToken, "PUT", "/accounts/test.eur-ledger", " null").wantProblem(t, 400, "must be a JSON object")
		f.ask(readToken, "GET", "/accounts/test.eur-ledger", nil).want(t, 200, `{"state": {"paused": false, "book": {"balance": "-94"}}}`)
		f.stop()
		f.ask(fullToken, "PUT", "/accounts/test.eur-ledger", record).wantProblem(t, 503, "stopped")
	})
}

// A host may replace accounts by itself.
func TestHostReplacesAccounts(t *testing.T) {
	there := map[string]bool{"alice": true}
	h := must(admin.New(admin.Options{Connector: plain(t), Tokens: []string{fullToken}, ReplaceAccount: func(_ context.Context, id string, record json.RawMessage) (bool, error) {
		switch string(record) {
		case `{"wrong": 1}`:
			return there[id], errors.New("wrong is not known")
		case `{"late": 1}`:
			return true, fmt.Errorf("removing it: %w", connector.ErrStopped)
		}
		return there[id], nil
	}}))
	ask := func(path, record string) answer { return serve(h, request("PUT", path, fullToken, record)) }
	ask("/accounts/alice", `{}`).want(t, 200, `{"plugin": "alice", "replaced": true, "connected": false}`)
	ask("/accounts/bob", `{}`).want(t, 201, `{"plugin": "bob", "replaced": false}`)
	ask("/accounts/bob", `{"wrong": 1}`).wantProblem(t, 400, `account "bob": wrong is not known`)
	ask("/accounts/alice", `{"late": 1}`).wantProblem(t, 503, "stopped")
	ask("/accounts/"+strings.Repeat("x", 256), `{}`).wantProblem(t, 400, "invalid account.")
}

// An id may be anything that fits in a path when it is escaped.
func TestAccountIDsAreEscaped(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.ask(fullToken, "PUT", "/accounts/a%2Fb%20%25%3F%C3%A9", `{"relation": "peer", "assetCode": "X", "assetScale": 1}`).
			want(t, 201, `{"plugin": "a/b %?é"}`)
		f.ask(readToken, "GET", "/accounts/a%2Fb%20%25%3F%C3%A9", nil).want(t, 200, `{"account": "a/b %?é", "plugin": "ilp-plugin-mock"}`)
		f.ask(fullToken, "PUT", "/accounts/"+strings.Repeat("x", 256), `{}`).wantProblem(t, 400, "invalid account.")
	})
}

func TestSettlements(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.links["test.cny-ledger"].paid = func(connector.Money) error { return errors.New("the bank is closed") }
		a := f.ask(fullToken, "POST", "/settlements", `{"accountId": "test.cny-ledger", "amount": "30"}`)
		var made admin.SettlementKey
		if err := json.Unmarshal(a.Body.Bytes(), &made); err != nil || a.Code != 201 || made.Key == "" {
			t.Fatalf("the answer is %d %s", a.Code, a.Body)
		}
		time.Sleep(100 * time.Millisecond) // of the bubble: it is paid once it is written
		synctest.Wait()
		f.ask(readToken, "GET", "/settlements", nil).want(t, 200, fmt.Sprintf(`{"settlements": [{"accountId": "test.cny-ledger",
			"key": %q, "amount": "30", "attempts": 1, "lastError": "the bank is closed"}]}`, made.Key))
		f.ask(readToken, "GET", "/accounts/test.cny-ledger", nil).want(t, 200, `{"state": {"book": {"balance": "30", "settling": "30", "settlements": 1}}}`)
		f.ask(fullToken, "POST", "/settlements", `{"accountId": "test.cny-ledger", "amount": "0"}`).wantProblem(t, 400, "nothing to settle")
		f.ask(fullToken, "POST", "/settlements", `{"accountId": "test.cny-ledger", "amount": "-1"}`).wantProblem(t, 400, "amount")
		f.ask(fullToken, "POST", "/settlements", `{"accountId": "test.cny-ledger", "amount": "18446744073709551616"}`).wantProblem(t, 400, "64 bits")
		f.ask(fullToken, "POST", "/settlements", `{"accountId": "test.cny-ledger", "amount": "971"}`).wantProblem(t, 409, "limit")
		f.ask(fullToken, "POST", "/settlements", `{"accountId": "nobody", "amount": "1"}`).wantProblem(t, 404, "unknown account id")
		if err := f.c.AddAccount(t.Context(), connector.Account{ID: "bare", Relation: connector.Peer, Asset: connector.Asset{Code: "X"},
			Plugin: bareLink{&fakeLink{opened: make(chan struct{})}}}); err != nil {
			t.Fatal(err)
		}
		f.ask(fullToken, "POST", "/settlements", `{"accountId": "bare", "amount": "1"}`).wantProblem(t, 409, "its plugin cannot send money")
		f.ask(readToken, "GET", "/accounts/bare", nil).want(t, 200, `{"info": null, "state": {"adminInfo": false}}`)
		f.ask(fullToken, "POST", "/accounts/test.cny-ledger", `{"wrong": 1}`).wantProblem(t, 400, "the instruction is wrong: say something else")
		f.ask(fullToken, "POST", "/accounts/test.cny-ledger", `{"fail": 1}`).wantProblem(t, 500, "it failed")
		f.ask(fullToken, "POST", "/accounts/bare", `{}`).wantProblem(t, 501, "plugin does not support sending admin info. account=bare")
	})
}

func TestStaticRoutes(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.ask(fullToken, "PUT", "/routes/static", `{"routes": [{"prefix": "test.a", "nextHop": "test.usd-ledger"}, {"prefix": "test.b", "nextHop": "later"}]}`).want(t, 204, "")
		f.ask(readToken, "GET", "/routes/static", nil).want(t, 200, `{"routes": [{"prefix": "test.a"}, {"prefix": "test.b", "nextHop": "later"}]}`)
		f.ask(readToken, "GET", "/explain?address=test.a.x", nil).want(t, 200, `{"candidates": [{"prefix": "test.a", "nextHop": "test.usd-ledger", "origin": "configured", "why": "the longest prefix"}]}`)
		f.ask(fullToken, "PUT", "/routes/static/test.a", `{"nextHop": "test.cad-ledger"}`).want(t, 200, `{"prefix": "test.a", "nextHop": "test.cad-ledger"}`)
		f.ask(fullToken, "DELETE", "/routes/static/test.b", nil).want(t, 204, "")
		f.ask(fullToken, "DELETE", "/routes/static/test.b", nil).wantProblem(t, 404, "no route is configured")
		f.ask(fullToken, "PUT", "/routes/static/test..a", `{"nextHop": "x"}`).wantProblem(t, 400, "Prefix is neither an address nor a scheme")
		f.ask(fullToken, "PUT", "/routes/static/test.c", `{"nextHop": ""}`).wantProblem(t, 400, "NextHop is empty")
		f.ask(fullToken, "PUT", "/routes/static", `{}`).wantProblem(t, 400, "routes is missing")
		f.ask(readToken, "GET", "/routes/static", nil).want(t, 200, `{"routes": [{"prefix": "test.a", "nextHop": "test.cad-ledger"}]}`)
		f.ask(readToken, "GET", "/explain?address=g.nowhere", nil).want(t, 200, `{"candidates": []}`)
	})
}

func TestPingAndTrace(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.ask(fullToken, "POST", "/ping", `{"address": "test.connie", "amount": "12"}`).want(t, 200, `{"reached": true, "sent": "12", "delivered": "12", "echo": false}`)
		f.ask(fullToken, "POST", "/ping", `{"address": "test.nowhere"}`).want(t, 200, `{"reached": false, "reject": {"code": "F02", "triggeredBy": "test.connie"}}`)
		f.ask(fullToken, "POST", "/ping", `{"address": "nowhere"}`).wantProblem(t, 400, "address")
		f.ask(fullToken, "POST", "/ping", `{"address": "test.connie", "amount": "much"}`).wantProblem(t, 400, "amount")
		f.ask(fullToken, "POST", "/trace", `{"address": "test.connie"}`).want(t, 200, `{"hops": [{"address": "test.connie"}]}`)
		f.ask(fullToken, "POST", "/trace", `{"address": "test.nowhere"}`).want(t, 200, `{"hops": [{"address": "test.connie", "reject": {"code": "F02"}}]}`)
	})
}
