package telemetry_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/telemetry"
)

// observed is the standard chain with a meter around it.
func observed() []middleware.Middleware { return middleware.NewMeter().Around(middleware.Standard()) }

// everything is a world in which every metric has a value.
func everything(t testing.TB) *world {
	published := time.Now().Add(-time.Hour)
	w := newWorld(t, observed(), backend.FeedStatus{
		Name: "ecb", LastSuccess: published, Published: published, Age: time.Hour, Currencies: 30,
		Stale: []string{"XAU"}, Successes: 3, Failures: 2, RejectedJumps: 1,
	})
	w.add(connector.Account{ID: "alice", Relation: connector.Child, RateLimit: &connector.RateLimit{RefillCount: 4, RefillPeriod: time.Hour}})
	w.add(connector.Account{ID: "bob", Relation: connector.Peer})
	if err := w.c.Router().SetRoutes([]connector.Route{{Prefix: "test.bob", NextHop: "bob"}}); err != nil {
		t.Fatal(err)
	}
	w.run()
	ctx := context.Background()
	w.send(ctx, "alice", 100, "test.bob.wallet")
	w.links["bob"].answer = func(*ilp.Prepare) ilp.Reply { return &ilp.Reject{Code: ilp.F02Unreachable} }
	w.send(ctx, "alice", 30, "test.bob.wallet")
	w.send(ctx, "alice", 30, "test.nobody")
	w.send(ctx, "alice", 30, "g.nobody")
	w.send(ctx, "alice", 30, "test.nobody") // one too many
	money := plugin.Money{Amount: 7, Key: "k"}
	if err := w.links["bob"].handler.HandleMoney(ctx, money); err != nil {
		t.Fatal(err)
	}
	alerts, _ := middleware.Find[*middleware.Alerts](w.list)
	alerts.Raise("bob", middleware.AlertLateFulfill, "for the test")
	alerts.Raise("bob", "my own", "for the test")
	return w
}

// The metrics of the reference have its names, labels and meaning.
func TestReferenceMetrics(t *testing.T) {
	r := everything(t).registry(telemetry.Options{})
	const want = `
# HELP ilp_connector_balance Balances on peer account: what it owes us, what we owe is negative
# TYPE ilp_connector_balance gauge
ilp_connector_balance{account="alice",asset="USD",scale="4"} 100
ilp_connector_balance{account="bob",asset="USD",scale="4"} -107
# HELP ilp_connector_incoming_money Total of incoming money
# TYPE ilp_connector_incoming_money counter
ilp_connector_incoming_money{account="alice",asset="USD",result="failed",scale="4"} 0
ilp_connector_incoming_money{account="alice",asset="USD",result="succeeded",scale="4"} 0
ilp_connector_incoming_money{account="bob",asset="USD",result="failed",scale="4"} 0
ilp_connector_incoming_money{account="bob",asset="USD",result="succeeded",scale="4"} 7
# HELP ilp_connector_incoming_ilp_packets Total number of incoming ILP packets
# TYPE ilp_connector_incoming_ilp_packets counter
ilp_connector_incoming_ilp_packets{account="alice",asset="USD",code="",result="fulfilled",scale="4"} 1
ilp_connector_incoming_ilp_packets{account="alice",asset="USD",code="F02",result="rejected",scale="4"} 3
ilp_connector_incoming_ilp_packets{account="bob",asset="USD",code="",result="fulfilled",scale="4"} 0
# HELP ilp_connector_outgoing_ilp_packet_value Total value of outgoing ILP packets
# TYPE ilp_connector_outgoing_ilp_packet_value counter
ilp_connector_outgoing_ilp_packet_value{account="alice",asset="USD",code="",result="fulfilled",scale="4"} 0
ilp_connector_outgoing_ilp_packet_value{account="bob",asset="USD",code="",result="fulfilled",scale="4"} 100
ilp_connector_outgoing_ilp_packet_value{account="bob",asset="USD",code="F02",result="rejected",scale="4"} 30
# HELP ilp_connector_rate_limited_ilp_packets Total of rate limited ILP packets; measured by the meter middleware
# TYPE ilp_connector_rate_limited_ilp_packets counter
ilp_connector_rate_limited_ilp_packets{account="alice",asset="USD",scale="4"} 1
ilp_connector_rate_limited_ilp_packets{account="bob",asset="USD",scale="4"} 0
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want),
		"ilp_connector_balance", "ilp_connector_incoming_money", "ilp_connector_incoming_ilp_packets",
		"ilp_connector_outgoing_ilp_packet_value", "ilp_connector_rate_limited_ilp_packets"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{
		"ilp_connector_incoming_ilp_packet_value", "ilp_connector_outgoing_ilp_packets", "ilp_connector_outgoing_money", "ilp_connector_rate_limited_money",
	} {
		if _, ok := value(t, r, name, "account", "bob", "asset", "USD", "scale", "4"); !ok {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestOwnMetrics(t *testing.T) {
	r := everything(t).registry(telemetry.Options{})
	wantValue(t, r, 1, "ilp_connector_packet_duration_seconds", "account", "alice", "direction", "incoming", "outcome", "fulfilled")
	wantValue(t, r, 1, "ilp_connector_packet_duration_seconds", "account", "alice", "direction", "incoming", "outcome", "rejected")
	wantValue(t, r, 3, "ilp_connector_packet_duration_seconds", "account", "alice", "direction", "incoming", "outcome", "refused")
	wantValue(t, r, 1, "ilp_connector_packet_duration_seconds", "account", "bob", "direction", "outgoing", "outcome", "rejected")
	wantValue(t, r, 2, "ilp_connector_refused_ilp_packets_total", "account", "alice", "code", "F02")
	wantValue(t, r, 1, "ilp_connector_refused_ilp_packets_total", "account", "alice", "code", "T05")
	wantValue(t, r, 0, "ilp_connector_refused_ilp_packets_total", "account", "alice", "code", "T00") // before the first
	wantValue(t, r, 0, "ilp_connector_ilp_packets_in_flight", "account", "alice", "direction", "incoming")
	wantValue(t, r, 1, "ilp_connector_account_up", "account", "bob", "relation", "peer")
	wantValue(t, r, 1, "ilp_connector_accounts", "relation", "child")
	wantValue(t, r, 0, "ilp_connector_accounts", "relation", "parent")
	wantValue(t, r, 1, "ilp_connector_routes", "origin", "configured")
	wantValue(t, r, 2, "ilp_connector_routes", "origin", "local")
	wantValue(t, r, 0, "ilp_connector_routes", "origin", "default")
	wantValue(t, r, 0, "ilp_connector_ccp_routes", "account", "bob")
	wantNone(t, r, "ilp_connector_ccp_routes", "account", "alice")
	wantValue(t, r, 3600, "ilp_connector_rate_age_seconds", "feed", "ecb")
	wantValue(t, r, 2, "ilp_connector_rate_fetches_total", "feed", "ecb", "result", "failed")
	wantValue(t, r, 1, "ilp_connector_rate_currencies", "feed", "ecb", "state", "stale")
	wantValue(t, r, 1, "ilp_connector_alerts", "kind", "lateFulfill")
	wantValue(t, r, 1, "ilp_connector_alerts", "kind", "other")
	wantValue(t, r, 0, "ilp_connector_ledger_store_failing")
	wantValue(t, r, 0, "ilp_connector_late_fulfills_total")
	wantValue(t, r, 0, "ilp_connector_pending_settlements", "account", "bob")
	wantValue(t, r, 1, "ilp_connector_incoming_settlements_total", "account", "bob", "result", "succeeded")
	if _, ok := value(t, r, "ilp_connector_ledger_commit_duration_seconds"); !ok {
		t.Error("commits are not shown")
	}
}

// The reference's names end as no linter would have them; all others are as
// the rules of Prometheus say.
func TestNamesAreAsPrometheusWantsThem(t *testing.T) {
	problems, err := testutil.GatherAndLint(everything(t).registry(telemetry.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	reference := []string{
		"ilp_connector_incoming_ilp_packets", "ilp_connector_incoming_ilp_packet_value", "ilp_connector_incoming_money",
		"ilp_connector_outgoing_ilp_packets", "ilp_connector_outgoing_ilp_packet_value", "ilp_connector_outgoing_money",
		"ilp_connector_rate_limited_ilp_packets", "ilp_connector_rate_limited_money",
	}
	for _, p := range problems {
		if !slices.Contains(reference, p.Metric) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// The histograms of durations have the buckets that are documented, in
// seconds.
func TestDurationsAreInSeconds(t *testing.T) {
	families, err := everything(t).registry(telemetry.Options{}).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "ilp_connector_packet_duration_seconds" {
			continue
		}
		b := family.GetMetric()[0].GetHistogram().GetBucket()
		if len(b) != 24 || b[0].GetUpperBound() != 1e-6 || b[4].GetUpperBound() != 2e-5 || b[23].GetUpperBound() != 50 {
			t.Errorf("the buckets are %v, want 1 µs to 50 s", b)
		}
		return
	}
	t.Error("there are no durations")
}

// Accounts beyond the bound are added up, with those whose ids cannot be
// labels; whoever has a label keeps it.
func TestAccountsAreBounded(t *testing.T) {
	w := newWorld(t, observed())
	strange := connector.Account{ID: "a\xff", Relation: connector.Peer}
	w.add(strange)
	w.add(connector.Account{ID: "other", Relation: connector.Peer})
	for _, id := range []string{"b", "c"} {
		w.add(connector.Account{ID: id, Relation: connector.Child})
	}
	w.run()
	r := w.registry(telemetry.Options{MaxAccounts: 2})
	send := func() {
		for _, id := range []string{"a\xff", "b", "c", "other"} {
			w.send(context.Background(), id, 10, "test.connie.c")
		}
	}
	send()
	wantValue(t, r, 10, "ilp_connector_incoming_ilp_packet_value", "account", "b", "result", "fulfilled")
	wantValue(t, r, 10, "ilp_connector_incoming_ilp_packet_value", "account", "c", "result", "fulfilled")
	wantValue(t, r, 20, "ilp_connector_incoming_ilp_packet_value", "account", "other", "result", "fulfilled")
	w.add(connector.Account{ID: "Aaron", Relation: connector.Child})
	<-w.links["Aaron"].opened
	w.send(context.Background(), "Aaron", 10, "test.connie.c")
	send()
	wantValue(t, r, 20, "ilp_connector_incoming_ilp_packet_value", "account", "b", "result", "fulfilled")
	wantValue(t, r, 50, "ilp_connector_incoming_ilp_packet_value", "account", "other", "result", "fulfilled")
	wantValue(t, r, 5, "ilp_connector_packet_duration_seconds", "account", "other", "direction", "incoming", "outcome", "fulfilled")
	wantValue(t, r, 2, "ilp_connector_account_up", "account", "other", "relation", "peer")
	wantNone(t, r, "ilp_connector_incoming_ilp_packets", "account", "Aaron")
}

// What an account counted stays when it is removed, in the unit that it had.
func TestRemovedAccountsKeepTheirCounters(t *testing.T) {
	w := newWorld(t, observed())
	w.add(connector.Account{ID: "a", Relation: connector.Child})
	w.add(connector.Account{ID: "b", Relation: connector.Child})
	w.run()
	r := w.registry(telemetry.Options{})
	w.send(context.Background(), "a", 10, "test.connie.b")
	if err := w.c.RemoveAccount(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	wantValue(t, r, 10, "ilp_connector_incoming_ilp_packet_value", "account", "a", "scale", "4", "result", "fulfilled")
	wantNone(t, r, "ilp_connector_balance", "account", "a")
}

// Sums are exact up to 2^53, and far beyond any 64 bits they are near.
func TestValuesAreSums(t *testing.T) {
	w := newWorld(t, []middleware.Middleware{middleware.NewStats()})
	w.add(connector.Account{ID: "a", Relation: connector.Child})
	w.add(connector.Account{ID: "b", Relation: connector.Child})
	w.run()
	r := w.registry(telemetry.Options{})
	w.send(context.Background(), "a", 1<<53-3, "test.connie.b")
	w.send(context.Background(), "a", 2, "test.connie.b")
	wantValue(t, r, 1<<53-1, "ilp_connector_outgoing_ilp_packet_value", "account", "b", "result", "fulfilled")
	for range 4 {
		w.send(context.Background(), "a", math.MaxUint64, "test.connie.b")
	}
	got, _ := value(t, r, "ilp_connector_outgoing_ilp_packet_value", "account", "b", "result", "fulfilled")
	if got < 1<<65 || got > 1<<67 {
		t.Errorf("the sum is %v, want about 2^66", got)
	}
	wantNone(t, r, "ilp_connector_packet_duration_seconds")
	wantNone(t, r, "ilp_connector_alerts")
}

// A settlement that has no answer is shown with its age.
func TestPendingSettlements(t *testing.T) {
	w := newWorld(t, observed())
	w.add(connector.Account{ID: "a", Relation: connector.Peer}).paid = plugin.ErrNotConnected
	w.run()
	if _, err := w.c.Settle(t.Context(), "a", 123); err != nil {
		t.Fatal(err)
	}
	r := w.registry(telemetry.Options{})
	wantValue(t, r, 1, "ilp_connector_pending_settlements", "account", "a")
	wantValue(t, r, 123, "ilp_connector_pending_settlement_value", "account", "a")
	wantValue(t, r, 123, "ilp_connector_balance", "account", "a")
	if age, ok := value(t, r, "ilp_connector_pending_settlement_age_seconds", "account", "a"); !ok || age < 0 {
		t.Errorf("its age is %v", age)
	}
}

// Run it with -race.
func TestScrapesWhilePacketsMove(t *testing.T) {
	w := newWorld(t, observed())
	w.add(connector.Account{ID: "a", Relation: connector.Child})
	w.add(connector.Account{ID: "b", Relation: connector.Child})
	w.run()
	r := w.registry(telemetry.Options{})
	var scraping sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		scraping.Go(func() {
			for {
				if _, err := r.Gather(); err != nil {
					t.Error(err)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	const packets = 200
	for range packets {
		w.send(context.Background(), "a", 10, "test.connie.b")
	}
	close(stop)
	scraping.Wait()
	wantValue(t, r, packets, "ilp_connector_incoming_ilp_packets", "account", "a", "result", "fulfilled")
}

func TestNewCollectorRefuses(t *testing.T) {
	w := newWorld(t, observed())
	for _, c := range []struct {
		options telemetry.Options
		want    string
	}{
		{telemetry.Options{}, "Connector is nil"},
		{telemetry.Options{Connector: w.c, MaxAccounts: -1}, "MaxAccounts is -1"},
	} {
		if _, err := telemetry.NewCollector(c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v gives %v, want an error with %q", c.options, err, c.want)
		}
	}
}

// Two collectors of one connector do not fit one registry; those of two
// connectors do, each with a label of its own.
func TestRegistersOnce(t *testing.T) {
	w := everything(t)
	r := w.registry(telemetry.Options{})
	collector, err := telemetry.NewCollector(telemetry.Options{Connector: w.c})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Register(collector); err == nil {
		t.Error("a second collector was registered")
	}
	both := prometheus.NewPedanticRegistry()
	for _, node := range []string{"1", "2"} {
		if err := prometheus.WrapRegistererWith(prometheus.Labels{"node": node}, both).Register(collector); err != nil {
			t.Errorf("with a label of its own: %v", err)
		}
	}
	if _, err := both.Gather(); err != nil {
		t.Error(err)
	}
}
