package connector_test

import (
	"context"
	"errors"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ping"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
)

// line is connectors test.a, test.b, … in a row, each the peer of the next,
// with routes to all others. The rate is that of backend.
func line(t *testing.T, names string, backend backend.Backend) []*network {
	t.Helper()
	nodes := make([]*network, len(names))
	for i := range nodes {
		var routes []connector.Route
		for j := range names {
			switch prefix := "test." + names[j:j+1]; {
			case j < i:
				routes = append(routes, connector.Route{Prefix: prefix, NextHop: "left"})
			case j > i:
				routes = append(routes, connector.Route{Prefix: prefix, NextHop: "right"})
			}
		}
		nodes[i] = newNetwork(t, connector.Config{
			Address: "test." + names[i:i+1], Routes: routes, Backend: backend,
			Exchange: connector.ExchangeOptions{Off: true},
		})
	}
	add := func(n *network, id string, p plugin.Plugin) {
		if err := n.c.AddAccount(context.Background(), connector.Account{ID: id, Relation: connector.Peer, Asset: usd9, Plugin: p}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range nodes[1:] {
		x, y := inproc.Pipe()
		add(nodes[i], "right", x)
		add(nodes[i+1], "left", y)
	}
	for _, n := range nodes {
		n.run()
	}
	synctest.Wait()
	return nodes
}

func spread(t *testing.T, text string) backend.Backend {
	t.Helper()
	return must(onetoone.New(onetoone.Options{Spread: text}))
}

// PING-01: a ping is fulfilled by whoever has the address, or one that it is
// the beginning of; and we learn what arrived.
func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := line(t, "abc", spread(t, "0.1"))
		for _, address := range []string{"test.c", "test.c.~x.y"} {
			pong, err := nodes[0].c.Ping(t.Context(), ilp.MustParseAddress(address), 1000)
			if err != nil {
				t.Fatal(err)
			}
			if !pong.HasDelivered || pong.Delivered != 900 || pong.Sent != 1000 || pong.Echo {
				t.Errorf("ping of %s = %+v, want 900 of 1000 delivered, by one connector with a spread of a tenth", address, pong)
			}
			if rate := pong.Rate(); rate == nil || rate.Cmp(big.NewRat(9, 10)) != 0 {
				t.Errorf("the rate is %v, want 9/10", rate)
			}
		}
		for i, want := range [][]int64{{-2000}, {2000, -1800}, {1800}} {
			for j, a := range nodes[i].c.Accounts() {
				if a.Book.Balance != want[j] || a.Book.ReservedIn|a.Book.ReservedOut != 0 {
					t.Errorf("node %d, account %s: %+v, want a balance of %d", i, a.ID, a.Book, want[j])
				}
			}
		}
		pong, err := nodes[0].c.Ping(t.Context(), ilp.MustParseAddress("test.a"), 5)
		if err != nil || pong.Delivered != 5 {
			t.Errorf("a ping of ourselves = %+v, %v", pong, err)
		}
		if pong, err = nodes[0].c.Ping(t.Context(), ilp.MustParseAddress("test.c"), 0); err != nil || pong.Rate() != nil {
			t.Errorf("a ping without money = %+v, %v", pong, err)
		}
	})
}

func TestPingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := line(t, "abc", spread(t, "0"))
		for _, c := range []struct {
			address string
			code    ilp.Code
			by      string
		}{
			{"test.c.nobody", "", ""}, // test.c has it
			{"test.nobody", ilp.F02Unreachable, "test.a"},
			{"g.b", ilp.F02Unreachable, "test.a"},
		} {
			_, err := nodes[0].c.Ping(t.Context(), ilp.MustParseAddress(c.address), 1)
			reject, _ := errors.AsType[*ilp.Reject](err)
			switch {
			case c.code == "" && err != nil:
				t.Errorf("%s: %v", c.address, err)
			case c.code != "" && (reject == nil || reject.Code != c.code || reject.TriggeredBy.String() != c.by):
				t.Errorf("%s: %v, want %s of %s", c.address, err, c.code, c.by)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := nodes[0].c.Ping(ctx, ilp.MustParseAddress("test.c"), 1); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
		nodes[0].stop()
		_, err := nodes[0].c.Ping(t.Context(), ilp.MustParseAddress("test.c"), 1)
		if reject, ok := errors.AsType[*ilp.Reject](err); !ok || reject.Code != ilp.T03ConnectorBusy {
			t.Errorf("of a connector that has stopped: %v, want T03", err)
		}
		if got := nodes[1].c.Accounts()[0].Book; got.Balance != 1 || got.ReservedIn|got.ReservedOut != 0 {
			t.Errorf("the neighbor's book is %+v, want what arrived at test.c alone", got)
		}
	})
}

// PING-02: a node that does not fulfil pings is asked for an echo.
func TestPingByEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{Routes: []connector.Route{{Prefix: "test.far", NextHop: "far"}}})
		far := n.add(peer("far"))
		far.answer = func(p *ilp.Prepare) ilp.Reply {
			from, err := ping.ParseEchoRequest(p.Data)
			if err != nil {
				return &ilp.Reject{Code: ilp.F01InvalidPacket, TriggeredBy: p.Destination, Message: err.Error()}
			}
			time.Sleep(time.Second)
			if !strings.HasPrefix(from.String(), "test.connie.") {
				t.Errorf("the response is to go to %s", from)
			}
			back := ilp.Prepare{Amount: p.Amount - 10, Destination: from, Condition: p.Condition, ExpiresAt: p.ExpiresAt, Data: ping.EchoResponse()}
			for _, wrong := range []ilp.Prepare{ // none of these is what was asked for
				{Destination: from, Condition: condition1, Data: ping.EchoResponse()},
				{Destination: from, Condition: p.Condition},
				{Destination: must(from.Child("x")), Condition: p.Condition, Data: ping.EchoResponse()},
			} {
				wrong.ExpiresAt = p.ExpiresAt
				n.send("far", wrong).wantReject(t, ilp.F02Unreachable, "no route found. source=far destination="+wrong.Destination.String())
			}
			o := n.send("far", back)
			if o.pending() || o.fulfill == nil {
				t.Errorf("the response was answered %v", o.reject)
				return ilp.Rejectf(ilp.F00BadRequest, "no.")
			}
			return &ilp.Fulfill{Fulfillment: o.fulfill.Fulfillment}
		}
		n.run()
		pong, err := n.c.Ping(t.Context(), ilp.MustParseAddress("test.far"), 100)
		if err != nil {
			t.Fatal(err)
		}
		if !pong.Echo || pong.Returned != 90 || pong.RoundTrip != time.Second || pong.Rate().Cmp(big.NewRat(9, 10)) != 0 {
			t.Errorf("got %+v", pong)
		}
	})
}

// The nodes on the way, by packets that do not live long enough.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := line(t, "abcd", spread(t, "0"))
		hops := func(address string) (found []string) {
			t.Helper()
			way, err := nodes[0].c.Trace(t.Context(), ilp.MustParseAddress(address))
			if err != nil {
				t.Error(err)
			}
			for _, hop := range way {
				text := hop.Address.String()
				if hop.Reject != nil {
					text += " " + string(hop.Reject.Code)
				}
				found = append(found, text)
			}
			return found
		}
		for address, want := range map[string]string{
			"test.d":      "test.b R02, test.c R02, test.d",
			"test.b":      "test.b",
			"test.a":      "test.a",
			"test.nobody": "test.a F02",
			"test.d.x":    "test.b R02, test.c R02, test.d.x",
		} {
			if got := strings.Join(hops(address), ", "); got != want {
				t.Errorf("the way to %s is %s, want %s", address, got, want)
			}
		}
		for _, n := range nodes {
			for _, a := range n.c.Accounts() {
				if a.Book.Balance != 0 {
					t.Errorf("a trace has moved money: %+v", a.Book)
				}
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		if _, err := nodes[0].c.Trace(ctx, ilp.MustParseAddress("test.d")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
}

// A trace of a way on which packets are lost ends before long, at the node that
// waits in vain for the next one.
func TestTraceOfSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := line(t, "abc", spread(t, "0"))
		dead := connector.Account{ID: "dead", Relation: connector.Child, Asset: usd9}
		for i, want := range []string{"test.a", "test.b", "test.c"} {
			nodes[i].add(dead)
			began := time.Now()
			hops, err := nodes[0].c.Trace(t.Context(), ilp.MustParseAddress(want+".dead"))
			if err != nil || len(hops) != max(i, 1) {
				t.Fatalf("got %v, %v", hops, err)
			}
			if last := hops[len(hops)-1]; last.Address.String() != want || last.Reject == nil || last.Reject.Code != ilp.R00TransferTimedOut {
				t.Errorf("it ends at %v, want %s, with R00", last, want)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
		}
	})
}

// Packets that are lost, but not all, do not end a trace.
func TestTraceWithLosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{Routes: []connector.Route{{Prefix: "test.far", NextHop: "far"}}})
		probes := 0
		n.add(peer("far")).answer = func(*ilp.Prepare) ilp.Reply {
			if probes++; probes%5 != 0 {
				return &ilp.Reject{Code: ilp.R00TransferTimedOut, TriggeredBy: ilp.MustParseAddress("test.far")}
			}
			if probes < 20 {
				return &ilp.Reject{Code: ilp.R02InsufficientTimeout, TriggeredBy: ilp.MustParseAddress("test.way")}
			}
			return &ilp.Fulfill{Fulfillment: ping.Fulfillment}
		}
		n.run()
		hops, err := n.c.Trace(t.Context(), ilp.MustParseAddress("test.far"))
		if err != nil || len(hops) != 2 || hops[0].Address.String() != "test.way" || hops[1].Reject != nil {
			t.Errorf("got %v, %v", hops, err)
		}
	})
}

// A link inside the program may refuse without a code: no other question is
// asked then, and nothing is expected of the code.
func TestPingOfANodeThatGivesNoCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{Routes: []connector.Route{{Prefix: "test.far", NextHop: "far"}}})
		n.add(peer("far")).answer = func(p *ilp.Prepare) ilp.Reply { return &ilp.Reject{TriggeredBy: p.Destination} }
		n.run()
		_, err := n.c.Ping(t.Context(), ilp.MustParseAddress("test.far"), 1)
		if reject, ok := errors.AsType[*ilp.Reject](err); !ok || reject.Code != "" {
			t.Errorf("got %v, want the reject of the node", err)
		}
	})
}
