package config_test

import (
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
	"github.com/interledger-go/connector/middleware"
)

const standardChain = "errorHandler, rateLimit, maxPacketAmount, throughput, balance, deduplicate, echo, expire, validateFulfillment, stats, alert"

// With the admin API, the packet log and the meter stand around the chain;
// each can be disabled. Explain says what is built.
func TestObservers(t *testing.T) {
	const withAPI = "CONNECTOR_ADMIN_API=1"
	for _, c := range []struct {
		name    string
		changes []string
		want    string
	}{
		{"no admin API", nil, standardChain},
		{"admin API", []string{withAPI}, "packetLog, meter, " + standardChain + ", meterInside"},
		{"no packet log", []string{withAPI, `CONNECTOR_DISABLE_MIDDLEWARE=["packetLog"]`}, "meter, " + standardChain + ", meterInside"},
		{"no meter", []string{withAPI, `CONNECTOR_DISABLE_MIDDLEWARE=["meter"]`}, "packetLog, " + standardChain},
		{"neither", []string{withAPI, `CONNECTOR_DISABLE_MIDDLEWARE=["meter", "packetLog"]`}, standardChain},
		{"disabled without admin API", []string{`CONNECTOR_DISABLE_MIDDLEWARE=["meter", "alert"]`}, strings.TrimSuffix(standardChain, ", alert")},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := mustLoad(t, append(c.changes, "CONNECTOR_ADMIN_API_PORT=0")...)
			if explained := plan.Explain(); !strings.Contains(explained, "middleware  "+c.want+"\n") {
				t.Errorf("want %s in\n%s", c.want, explained)
			}
			a := build(t, plan)
			var names []string
			for _, m := range a.Config.Middleware {
				if m.Name() != "packetLog" || a.Connector.PacketLog() != nil { // its place is there, for one that may come
					names = append(names, m.Name())
				}
			}
			if got := strings.Join(names, ", "); got != c.want {
				t.Errorf("the chain is %s, want %s", got, c.want)
			}
			if got, want := a.Connector.PacketLog() != nil, strings.Contains(c.want, "packetLog"); got != want {
				t.Errorf("that there is a packet log is %t", got)
			}
			if got, want := a.Connector.Meters() != nil, strings.Contains(c.want, "meter"); got != want {
				t.Errorf("that there is a meter is %t", got)
			}
		})
	}
}

// A packet is logged and measured, as the configuration says.
func TestObserversSeePackets(t *testing.T) {
	plan := mustLoad(t, "CONNECTOR_ADMIN_API=1", "CONNECTOR_ADMIN_API_PORT=0", `CONNECTOR_PACKET_LOG={"packets": 1, "hashDestinations": true}`,
		`CONNECTOR_ACCOUNTS={"alice": `+listening("alice")+`, "sink": `+record(`"relation": "child"`)+`}`)
	if want := "the last 1 packets of each account, for the admin API, with hashes for destinations"; !strings.Contains(plan.Explain(), want) {
		t.Errorf("want %q in\n%s", want, plan.Explain())
	}
	a := build(t, plan)
	start(t, a)
	link, _ := dial(t, a, anywhere, "alice")
	for _, to := range []string{"test.connie.sink", "test.connie.sink.deeper"} {
		if err := pay(t, link, to); err != nil {
			t.Fatal(err)
		}
	}
	packets := a.Connector.PacketLog().Packets(middleware.PacketFilter{Account: "sink"}, 0)
	if len(packets) != 1 || packets[0].Amount != 10 || packets[0].Destination != "" || packets[0].DestinationHash == 0 {
		t.Errorf("the log has %+v", packets)
	}
	for _, m := range a.Connector.Meters() {
		took := m.Incoming[middleware.OutcomeFulfilled]
		if m.Account == "sink" {
			took = m.Outgoing[middleware.OutcomeFulfilled]
		}
		if took.Count() != 2 {
			t.Errorf("%s was measured %d times, want 2", m.Account, took.Count())
		}
	}
}

func TestPacketLogFaults(t *testing.T) {
	_, err := load(t, "CONNECTOR_ADMIN_API=1", `CONNECTOR_PACKET_LOG={"packets": 65537, "maxAccounts": -1, "hash": true}`)
	wantFaults(t, err, "packetLog.packets: at most 65536", "packetLog.maxAccounts: at least 1", "packetLog.hash: is not known")
	_, err = load(t, "CONNECTOR_ADMIN_API=1", `CONNECTOR_PACKET_LOG={"packets": 0}`)
	wantFaults(t, err, "packetLog.packets: must be more")

	// The most that is taken here is taken there.
	build(t, mustLoad(t, "CONNECTOR_ADMIN_API=1", "CONNECTOR_ADMIN_API_PORT=0", `CONNECTOR_PACKET_LOG={"packets": 65536}`))

	for _, unused := range []string{"CONNECTOR_ADMIN_API=0", `CONNECTOR_DISABLE_MIDDLEWARE=["packetLog"]`} {
		plan := mustLoad(t, "CONNECTOR_ADMIN_API=1", `CONNECTOR_PACKET_LOG={}`, unused)
		if notes := strings.Join(plan.Notes(), "\n"); !strings.Contains(notes, "packetLog has no effect") {
			t.Errorf("%s: the notes are\n%s", unused, notes)
		}
	}
}

// A host's middleware stands within the observers, and takes their place if
// they are disabled.
func TestObserversAndHosts(t *testing.T) {
	r := config.Builtins()
	r.Middlewares["quiet"] = quietMiddleware
	plan := func(changes ...string) (*config.Plan, error) {
		return r.Load(config.Source{Environ: environ(append(changes, "CONNECTOR_ADMIN_API=1")...)})
	}
	p, err := plan(`CONNECTOR_MIDDLEWARES={"q": {"type": "quiet"}, "meter": {"type": "quiet", "before": "errorHandler"}}`, `CONNECTOR_DISABLE_MIDDLEWARE=["meter"]`)
	if err != nil {
		t.Fatal(err)
	}
	if want := "packetLog, meter, " + standardChain + ", q\n"; !strings.Contains(p.Explain(), want) {
		t.Errorf("want %s in\n%s", want, p.Explain())
	}
	p, err = plan(`CONNECTOR_MIDDLEWARES={"q": {"type": "quiet"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := "packetLog, meter, " + standardChain + ", q, meterInside\n"; !strings.Contains(p.Explain(), want) {
		t.Errorf("want %s in\n%s", want, p.Explain())
	}
	_, err = plan(`CONNECTOR_MIDDLEWARES={"meter": {"type": "quiet"}, "q": {"type": "quiet", "before": "packetLog"}}`)
	wantFaults(t, err, "middlewares.meter: there already", "middlewares.q.before: there are")
}
