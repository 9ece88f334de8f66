package admin_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/ilp"
)

// inReference runs a test on the connector of the reference's admin tests: all
// four accounts have told their routes, and one packet was paid.
func inReference(t *testing.T, test func(t *testing.T, f *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(o *admin.Options) {
			o.PluginName = func(connector.Account) string { return "ilp-plugin-mock" }
			o.NewAccount = newMockAccount
		})
		f.learn()
		f.paid()
		test(t, f)
	})
}

// newMockAccount makes an account of a record of the reference.
func newMockAccount(_ context.Context, id string, record json.RawMessage) (connector.Account, error) {
	var r struct {
		Relation   connector.Relation
		AssetCode  string
		AssetScale uint8
	}
	if err := json.Unmarshal(record, &r); err != nil {
		return connector.Account{}, err
	}
	return connector.Account{
		ID: id, Relation: r.Relation, Asset: connector.Asset{Code: r.AssetCode, Scale: r.AssetScale},
		Plugin: &fakeLink{opened: make(chan struct{})},
	}, nil
}

func TestReference1Status(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.ask(readToken, "GET", "/status", nil).want(t, 200, `{
			"balances": {"test.cad-ledger": "0", "test.usd-ledger": "100", "test.eur-ledger": "-94", "test.cny-ledger": "0"},
			"connected": {"test.cad-ledger": true, "test.usd-ledger": true, "test.eur-ledger": true, "test.cny-ledger": true},
			"localRoutingTable": {
				"test.connie": {"nextHop": "", "path": ""},
				"test.cad-ledger": {"nextHop": "test.cad-ledger", "path": "test.cad-ledger"},
				"test.usd-ledger": {"nextHop": "test.usd-ledger", "path": "test.usd-ledger"},
				"test.eur-ledger": {"nextHop": "test.eur-ledger", "path": "test.eur-ledger"},
				"test.cny-ledger": {"nextHop": "test.cny-ledger", "path": "test.cny-ledger"}
			}}`)
	})
}

func TestReference2Routing(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		var log, table, peers []string
		for i, prefix := range []string{"connie", "cad-ledger", "usd-ledger", "eur-ledger", "cny-ledger"} {
			prefix = "test." + prefix
			hop, path := prefix, "test.connie "+prefix
			if i == 0 {
				hop, path = "", "test.connie"
			} else {
				peers = append(peers, `"`+prefix+`": {"send": {"epoch": 0, "mode": "IDLE"},
					"receive": {"routingTableId": "b38e6e41-71a0-4088-baed-d2f09caa18ee", "epoch": 1}}`)
			}
			entry := `{"nextHop": "` + hop + `", "path": "` + path + `"}`
			log = append(log, `{"prefix": "`+prefix+`", "epoch": `+string(rune('0'+i))+`, "route": `+entry+`}`)
			table = append(table, `"`+prefix+`": `+entry)
		}
		answer := f.ask(readToken, "GET", "/routing", nil)
		answer.want(t, 200, `{"currentEpoch": 5, "routingLog": [`+strings.Join(log, ",")+`],
			"forwardingRoutingTable": {`+strings.Join(table, ",")+`}, "peers": {`+strings.Join(peers, ",")+`},
			"localRoutingTable": {"test.cny-ledger": {"nextHop": "test.cny-ledger", "path": "test.cny-ledger"}}}`)
		forwarding, _ := f.c.Router().Forwarding()
		answer.want(t, 200, `{"routingTableId": "`+forwarding.TableID.String()+`"}`)
	})
}

func TestReference3Accounts(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.ask(readToken, "GET", "/accounts", nil).want(t, 200, `{"address": "test.connie", "accounts": {
			"test.cad-ledger": {"connected": true, "adminInfo": true, "info": {"relation": "peer", "assetCode": "CAD", "assetScale": 4,
				"plugin": "ilp-plugin-mock", "balance": {"minimum": "-Infinity", "maximum": "1000"}}},
			"test.usd-ledger": {"connected": true, "adminInfo": true, "info": {"relation": "peer", "assetCode": "USD"}},
			"test.eur-ledger": {"connected": true, "adminInfo": true, "info": {"relation": "peer", "assetCode": "EUR"}},
			"test.cny-ledger": {"connected": true, "adminInfo": true, "info": {"relation": "peer", "assetCode": "CNY"}}}}`)
	})
}

func TestReference4Balances(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.ask(readToken, "GET", "/balance", nil).want(t, 200, `{"accounts": {
			"test.cad-ledger": {"balance": "0", "minimum": "-Infinity", "maximum": "1000"},
			"test.usd-ledger": {"balance": "100", "minimum": "-Infinity", "maximum": "1000"},
			"test.eur-ledger": {"balance": "-94", "minimum": "-Infinity", "maximum": "1000"},
			"test.cny-ledger": {"balance": "0", "minimum": "-Infinity", "maximum": "1000"}}}`)
	})
}

func TestReference5Rates(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		answer := f.ask(readToken, "GET", "/rates", nil)
		var rates map[string]map[string]float64
		if err := json.Unmarshal(answer.Body.Bytes(), &rates); err != nil {
			t.Fatalf("%v: %s", err, answer.Body)
		}
		for _, from := range currencies {
			row := rates[ledgerOf(from)]
			for _, to := range currencies {
				if rate, there := row[ledgerOf(to)]; there != (from != to) || there && rate <= 0 {
					t.Errorf("the rate from %s to %s is %v", from, to, rate)
				}
			}
		}
		if got := rates["test.eur-ledger"]["test.usd-ledger"]; got != 1.0592*0.998 {
			t.Errorf("the rate from EUR to USD is %v, want %v", got, 1.0592*0.998)
		}
	})
}

// Reference test 6, with the differences that CCP passes no stages when we send
// it, that the value of all accounts is counted, and that only what was counted
// is shown.
func TestReference6Stats(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		answer := f.ask(readToken, "GET", "/stats", nil)
		labels := func(currency string) string {
			return `"account": "test.` + currency + `-ledger", "asset": "` + strings.ToUpper(currency) + `", "scale": "4"`
		}
		fulfilled := func(value, currency string) string {
			return `{"value": ` + value + `, "labels": {` + labels(currency) + `, "result": "fulfilled"}}`
		}
		balance := func(value, currency string) string {
			return `{"value": ` + value + `, "labels": {` + labels(currency) + `}}`
		}
		metric := func(name, kind, help string, values ...string) string {
			return `{"name": "ilp_connector_` + name + `", "type": "` + kind + `", "help": "` + help + `", "aggregator": "sum", "values": [` + strings.Join(values, ",") + `]}`
		}
		answer.want(t, 200, `[`+strings.Join([]string{
			metric("incoming_ilp_packets", "counter", "Total number of incoming ILP packets",
				fulfilled("1", "cad"), fulfilled("1", "cny"), fulfilled("1", "eur"), fulfilled("2", "usd")),
			metric("incoming_ilp_packet_value", "counter", "Total value of incoming ILP packets", fulfilled("100", "usd")),
			metric("outgoing_ilp_packets", "counter", "Total number of outgoing ILP packets", fulfilled("1", "eur")),
			metric("outgoing_ilp_packet_value", "counter", "Total value of outgoing ILP packets", fulfilled("94", "eur")),
			metric("incoming_money", "gauge", "Total of incoming money"),
			metric("outgoing_money", "gauge", "Total of outgoing money"),
			metric("rate_limited_ilp_packets", "counter", "Total of rate limited ILP packets"),
			metric("rate_limited_money", "counter", "Total of rate limited money requests"),
			metric("balance", "gauge", "Balances on peer account",
				balance("0", "cad"), balance("0", "cny"), balance("-94", "eur"), balance("100", "usd")),
		}, ",")+`]`)
	})
}

func TestReference7AdjustsTheBalance(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.ask(fullToken, "POST", "/balance", `{"accountId": "test.cad-ledger", "amountDiff": "12"}`).want(t, 204, "")
		f.ask(fullToken, "POST", "/balance", `{"accountId": "test.cad-ledger", "amountDiff": "-34"}`).want(t, 204, "")
		f.ask(readToken, "GET", "/balance", nil).want(t, 200, `{"accounts": {"test.cad-ledger": {"balance": "-22"}}}`)
		f.ask(fullToken, "POST", "/balance", `{"accountId": "test.cad-ledger", "amountDiff": "1023"}`).
			wantProblem(t, 409, "exceeded maximum balance.")
		f.ask(readToken, "GET", "/balance", nil).want(t, 200, `{"accounts": {"test.cad-ledger": {"balance": "-22"}}}`)
	})
}

// Reference test 8, and its bug (11.1 item 11): what is no amount changes
// nothing.
func TestReference8RefusesWhatIsNoAdjustment(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		for body, want := range map[string]string{
			`{}`: "amountDiff",
			``:   "there is no body",
			`{"accountId": "test.cad-ledger", "amountDiff": "abc"}`:                 "amountDiff",
			`{"accountId": "test.cad-ledger", "amountDiff": 5}`:                     "amountDiff",
			`{"accountId": "test.cad-ledger", "amountDiff": "1e3"}`:                 "amountDiff",
			`{"accountId": "test.cad-ledger", "amountDiff": "-0"}`:                  "amountDiff",
			`{"accountId": "test.cad-ledger", "amountDiff": "+1"}`:                  "amountDiff",
			`{"accountId": "test.cad-ledger", "amountDiff": "01"}`:                  "amountDiff",
			`{"accountId": "test.cad-ledger", "amountDiff": " 1"}`:                  "amountDiff",
			`{"accountId": "test.cad-ledger", "amountDiff": "9223372036854775808"}`: "64 bits",
			`{"accountId": "test.cad-ledger", "amountDiff": "5", "key": "x"}`:       "unknown field",
			`{"accountId": "test.cad-ledger", "amountDiff": "5"} {}`:                "behind the JSON value",
			`{"accountId": "test.cad-ledger", "amountDiff": "5"`:                    "not what is expected",
		} {
			f.ask(fullToken, "POST", "/balance", body).wantProblem(t, 400, want)
		}
		f.ask(fullToken, "POST", "/balance", `{"accountId": "nobody", "amountDiff": "5"}`).
			wantProblem(t, 404, "unknown account id. accountId=nobody")
		f.ask(readToken, "GET", "/balance", nil).want(t, 200, `{"accounts": {"test.cad-ledger": {"balance": "0"}}}`)
	})
}

func TestReference9NoAlerts(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.ask(readToken, "GET", "/alerts", nil).want(t, 200, `{"alerts": []}`)
	})
}

func TestReference10Alert(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.refuse("test.eur-ledger")
		began := time.Now().UTC().Format(time.RFC3339Nano)
		for range 3 {
			f.pay("test.usd-ledger", "test.eur-ledger.bob", 100)
		}
		f.ask(readToken, "GET", "/alerts", nil).want(t, 200, `{"alerts": [{"accountId": "test.eur-ledger", "triggeredBy": "test.foo",
			"message": "exceeded maximum balance.", "count": 3, "createdAt": "`+began+`", "updatedAt": "`+began+`"}]}`)
	})
}

// refuse has a peer say that it is owed too much.
func (f *fixture) refuse(id string) {
	f.links[id].answer = func(*ilp.Prepare) ilp.Reply {
		return &ilp.Reject{Code: ilp.T04InsufficientLiquidity, TriggeredBy: ilp.MustParseAddress("test.foo"), Message: "exceeded maximum balance."}
	}
}

func TestReference11DismissesAnAlert(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.refuse("test.eur-ledger")
		f.pay("test.usd-ledger", "test.eur-ledger.bob", 100)
		alerts := f.c.Alerts()
		if len(alerts) != 1 {
			t.Fatalf("the alerts are %+v, want one", alerts)
		}
		path := "/alerts/" + string(must(json.Marshal(alerts[0].ID)))
		f.ask(fullToken, "DELETE", path, nil).want(t, 204, "")
		f.ask(readToken, "GET", "/alerts", nil).want(t, 200, `{"alerts": []}`)
		f.ask(fullToken, "DELETE", path, nil).want(t, 204, "") // also where there is none
		f.ask(fullToken, "DELETE", "/alerts/first", nil).wantProblem(t, 400, "invalid alert id")
	})
}

func TestReference12AccountInfo(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.ask(readToken, "GET", "/accounts/test.usd-ledger", nil).
			want(t, 200, `{"account": "test.usd-ledger", "plugin": "ilp-plugin-mock", "info": {"foo": "bar"}}`)
		f.ask(readToken, "GET", "/accounts/nobody", nil).wantProblem(t, 404, "unknown account id. accountId=nobody")
	})
}

func TestReference13SendsAccountInfo(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.ask(fullToken, "POST", "/accounts/test.usd-ledger", `{"foo":"bar"}`).
			want(t, 200, `{"account": "test.usd-ledger", "plugin": "ilp-plugin-mock", "result": {"foo": {"foo": "bar"}}}`)
		f.ask(fullToken, "POST", "/accounts/test.usd-ledger", "").wantProblem(t, 400, "no json body provided to set admin info.")
		f.ask(fullToken, "POST", "/accounts/test.usd-ledger", "[1]").wantProblem(t, 400, "must be a JSON object")
		f.ask(fullToken, "POST", "/accounts/test.usd-ledger", "null").wantProblem(t, 400, "must be a JSON object")
		f.ask(fullToken, "POST", "/accounts/test.usd-ledger", `{"fail":1}`).wantProblem(t, 500, "it failed")
	})
}

// Reference test 14. An account that is there is not overwritten: the
// reference leaks its plugin.
func TestReference14AddsAnAccount(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		body := `{"id": "mockPlugin", "options": {"relation": "peer", "plugin": "ilp-plugin-mock", "assetCode": "XRP", "assetScale": 9}}`
		f.ask(fullToken, "POST", "/addAccount", body).want(t, 200, `{"plugin": "mockPlugin", "connected": true}`)
		f.ask(fullToken, "POST", "/addAccount", body).wantProblem(t, 409, `account "mockPlugin" is there already`)
		f.ask(fullToken, "POST", "/addAccount", "").wantProblem(t, 400, "no json body provided to make plugin.")
		f.ask(fullToken, "POST", "/addAccount", `{"id": "x"}`).wantProblem(t, 400, "options is missing")
		f.ask(fullToken, "POST", "/addAccount", `{"id": "", "options": {}}`).wantProblem(t, 400, "invalid account.")
		f.ask(fullToken, "POST", "/addAccount", `{"id": "x", "options": {"relation": "friend"}}`).wantProblem(t, 400, `unknown relation "friend"`)
		f.ask(fullToken, "POST", "/addAccount", `{"id": "x", "options": {"relation": "peer"}}`).wantProblem(t, 400, "Asset.Code: is empty")
	})
}
