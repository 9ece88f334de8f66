package connector_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/oer"
	"github.com/interledger-go/connector/plugin"
)

// rates is a backend with one rate for all pairs.
type rates struct {
	ratio backend.Ratio
	err   error

	mu   sync.Mutex
	seen []backend.Exchange
}

func (r *rates) Rate(_, _ backend.Party) (backend.Ratio, error) { return r.ratio, r.err }

func (r *rates) Observe(e backend.Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, e)
}

// pair is the two accounts of the reference's packet tests, at the rate that
// turns 100 into 94, with routes to both. It runs in a bubble.
func pair(t *testing.T, config connector.Config) *network {
	if config.Backend == nil {
		config.Backend = &rates{ratio: backend.MustParseRatio("0.9422583081570997")}
	}
	config.Routes = append(config.Routes,
		connector.Route{Prefix: "test.one", NextHop: "one"},
		connector.Route{Prefix: "test.two", NextHop: "two"})
	n := newNetwork(t, config)
	n.add(connector.Account{ID: "one", Relation: connector.Peer, Asset: connector.Asset{Code: "USD", Scale: 4}})
	n.add(connector.Account{ID: "two", Relation: connector.Peer, Asset: connector.Asset{Code: "EUR", Scale: 4}})
	n.run()
	return n
}

// Reference test 96. Bytes without a destination are no packet, and a link that
// makes packets itself may forget it.
func TestMissingDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{DefaultRoute: "two"})
		p := prepare("test.two.bob")
		p.Destination = ilp.Address{}
		n.send("one", p).wantReject(t, ilp.F01InvalidPacket, "missing destination.")
	})
}

// Reference tests 21 and 23.
func TestForwardsPrepareAndRelaysFulfill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		sent := prepare("test.two.bob")
		sent.Data = []byte("for bob")
		o := n.send("one", sent)

		got := n.links["two"].take(t)
		if got.prepare.Amount != 94 {
			t.Errorf("amount %d, want 94", got.prepare.Amount)
		}
		if want := sent.ExpiresAt.Add(-time.Second); !got.prepare.ExpiresAt.Equal(want) {
			t.Errorf("expires at %v, want %v: a message window earlier (ILP4-26)", got.prepare.ExpiresAt, want)
		}
		if got.prepare.Condition != sent.Condition || got.prepare.Destination != sent.Destination || string(got.prepare.Data) != "for bob" {
			t.Error("condition, destination or data changed on the way (ILP4-21)")
		}
		got.reply(&ilp.Fulfill{Fulfillment: fulfillment1, Data: []byte("thanks")})
		o.wantFulfill(t, fulfillment1)
		if string(o.fulfill.Data) != "thanks" {
			t.Errorf("fulfill data %q changed on the way (ILP4-22)", o.fulfill.Data)
		}
		if n.links["two"].count() != 1 {
			t.Error("more than one packet was sent")
		}
	})
}

// Reference tests 22 and 52: the fulfillment must fit the condition.
func TestRefusesWrongFulfillment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		n.links["two"].answer = fulfills(fulfillment1)
		p := prepare("test.two.bob")
		p.Condition = condition2
		n.send("one", p).wantReject(t, ilp.F05WrongCondition, "fulfillment did not match expected value.")
	})
}

// Reference test 24.
func TestHoldsNoLongerThanMaxHoldTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		p := prepare("test.two.bob")
		p.ExpiresAt = time.Now().Add(200 * time.Second)
		n.send("one", p)
		if got, want := n.links["two"].take(t).prepare.ExpiresAt, time.Now().Add(30*time.Second); !got.Equal(want) {
			t.Errorf("expires at %v, want %v", got, want)
		}
	})
}

// Reference test 25, where the code differs on purpose: what was certainly
// not sent is T01, not F02.
func TestLinkFailureBecomesReject(t *testing.T) {
	for _, c := range []struct {
		err     error
		code    ilp.Code
		message string
	}{
		{plugin.ErrNotConnected, ilp.T01PeerUnreachable, "the next hop cannot be reached."},
		{plugin.ErrBusy, ilp.T03ConnectorBusy, "too many packets are outstanding at the next hop."},
		{plugin.ErrUnknownOutcome, ilp.T01PeerUnreachable, "connection to the next hop was lost."},
		{errors.New("fail!"), ilp.T01PeerUnreachable, "connection to the next hop was lost."},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := pair(t, connector.Config{})
				o := n.send("one", prepare("test.two.bob"))
				n.links["two"].take(t).responder.Fail(context.Background(), c.err)
				o.wantReject(t, c.code, c.message)
			})
		})
	}
}

// Reference tests 27 and 28, and the exact bounds between them.
func TestExpiryMustLeaveTime(t *testing.T) {
	for _, c := range []struct {
		name    string
		left    time.Duration
		message string // empty: forwarded
	}{
		{"expired", -time.Millisecond, "source transfer has already expired. sourceExpiry=1999-12-31T23:59:59.999Z currentTime=2000-01-01T00:00:00.000Z"},
		{"now", 0, "source transfer expires too soon to complete payment. actualSourceExpiry=2000-01-01T00:00:00.000Z requiredSourceExpiry=2000-01-01T00:00:02.000Z currentTime=2000-01-01T00:00:00.000Z"},
		{"too soon", 1999 * time.Millisecond, "source transfer expires too soon to complete payment. actualSourceExpiry=2000-01-01T00:00:01.999Z requiredSourceExpiry=2000-01-01T00:00:02.000Z currentTime=2000-01-01T00:00:00.000Z"},
		{"just enough", 2 * time.Second, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := pair(t, connector.Config{})
				p := prepare("test.two.bob")
				p.ExpiresAt = time.Now().Add(c.left)
				o := n.send("one", p)
				if c.message == "" {
					n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
					o.wantFulfill(t, fulfillment1)
					return
				}
				o.wantReject(t, ilp.R02InsufficientTimeout, c.message)
			})
		})
	}
}

// Reference tests 29 and 30, ILP4-55: even a code that no RFC knows, and an
// empty triggeredBy, go back as they came.
func TestRelaysRejectUnchanged(t *testing.T) {
	for _, reject := range []ilp.Reject{
		{Code: "123", TriggeredBy: ilp.MustParseAddress("test.foo"), Message: "Error 1", Data: []byte{1, 2}},
		{Code: ilp.T04InsufficientLiquidity, Message: "exceeded maximum balance."},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := pair(t, connector.Config{})
			o := n.send("one", prepare("test.two.bob"))
			n.links["two"].take(t).reply(&reject)
			if o.reject == nil || o.reject.Code != reject.Code || o.reject.TriggeredBy != reject.TriggeredBy ||
				o.reject.Message != reject.Message || !bytes.Equal(o.reject.Data, reject.Data) {
				t.Errorf("got %+v, want %+v", o.reject, reject)
			}
			if n.links["two"].count() != 1 {
				t.Error("more than one packet was sent")
			}
		})
	}
}

// Reference test 31, DCP-02.
func TestTellsChildItsAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "three", Relation: connector.Child, AddressSegment: "mock-test3", Asset: connector.Asset{Code: "USD", Scale: 4}})
		n.run()
		o := n.send("three", ildcp.Request(time.Now().Add(time.Minute)))
		o.wantFulfill(t, ilp.Fulfillment{})
		if got, want := hex.EncodeToString(o.fulfill.Data), "16746573742e636f6e6e69652e6d6f636b2d74657374330403555344"; got != want {
			t.Errorf("data %s, want %s", got, want)
		}
	})
}

// Reference test 32, PING-02.
func TestEchoesToTheAddressInTheData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		p := prepare("test.connie")
		p.Amount, p.ExpiresAt = 10, time.Now().Add(time.Minute)
		p.Data = oer.AppendString([]byte("ECHOECHOECHOECHO\x00"), "test.one")
		o := n.send("one", p)
		got := n.links["one"].take(t)
		if got.prepare.Amount != 9 || got.prepare.Destination.String() != "test.one" || string(got.prepare.Data) != "ECHOECHOECHOECHO\x01" || got.prepare.Condition != condition1 {
			t.Errorf("got %+v", got.prepare)
		}
		got.reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		o.wantFulfill(t, fulfillment1)
	})
}

func TestPeerProtocols(t *testing.T) {
	for _, c := range []struct {
		name, destination string
		condition         ilp.Condition
		code              ilp.Code
		message           string
	}{
		{"DCP-08 wrong condition", "peer.config", condition1, ilp.F01InvalidPacket, "condition must be peer protocol condition."},
		{"unknown name", "peer.nothing", ilp.PeerCondition, ilp.F01InvalidPacket, "unknown peer protocol."},
		{"peer.config below", "peer.config.x", ilp.PeerCondition, ilp.F01InvalidPacket, "unknown peer protocol."},
		{"not a child", "peer.config", ilp.PeerCondition, ilp.F00BadRequest, "Can't generate child address for account that is isn't a child"},
		{"routes of a stranger", "peer.route.control", ilp.PeerCondition, ilp.F00BadRequest, "cannot process route control messages from non-peers."},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Even a route for the scheme does not lead out (ADDR-08).
				n := pair(t, connector.Config{
					Routes:   []connector.Route{{Prefix: "peer", NextHop: "two"}},
					Exchange: connector.ExchangeOptions{Off: true},
				})
				p := prepare(c.destination)
				p.Condition = c.condition
				n.send("one", p).wantReject(t, c.code, c.message)
				if n.links["two"].count() != 0 {
					t.Error("a packet to peer.* was forwarded")
				}
			})
		})
	}
}

func TestUnreachable(t *testing.T) {
	for _, c := range []struct {
		name, own, destination, message string
	}{
		{"reference tests 88, 95: no route", "test.connie", "test.unknown.bob", "no route found. source=one destination=test.unknown.bob"},
		{"ADDR-11: below our own address", "test.connie", "test.connie.nobody", "no route found. source=one destination=test.connie.nobody"},
		{"whole segments only", "test.connie", "test.twobob", "no route found. source=one destination=test.twobob"},
		{"NODE-14: the live network from a test network", "test.connie", "g.bob", "no route found. source=one destination=g.bob"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := pair(t, connector.Config{Address: c.own, Routes: []connector.Route{{Prefix: "g", NextHop: "two"}}})
				n.send("one", prepare(c.destination)).wantReject(t, ilp.F02Unreachable, c.message)
			})
		})
	}
}

func TestReflection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		o := n.send("one", prepare("test.one.bob"))
		n.links["one"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		o.wantFulfill(t, fulfillment1)
	})
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{RefuseReflection: true})
		n.send("one", prepare("test.one.bob")).wantReject(t, ilp.F02Unreachable,
			"refusing to route payments back to sender. sourceAccount=one destinationAccount=one")
	})
}

// Reference tests 84 to 86 and 89 to 93: floor(amount × rate), zero included.
func TestConvertsAmounts(t *testing.T) {
	const top = math.MaxUint64
	for _, c := range []struct {
		rate     string
		in, want uint64
	}{
		{"1/2", 100, 50}, {"1/2", 0, 0}, {"1/2", 1, 0}, {"1.62", 50, 81}, {"0.6", 100, 60}, {"1.35", 100, 135},
		{"1", top, top}, {"0.99", 1_000_000, 990_000}, {"0.29", 100, 29}, // 28 in floating point
	} {
		synctest.Test(t, func(t *testing.T) {
			// Without balances, which have 63 bits.
			chain := must(middleware.Without(middleware.Standard(), "balance"))
			n := pair(t, connector.Config{Backend: &rates{ratio: backend.MustParseRatio(c.rate)}, Middleware: chain})
			p := prepare("test.two.bob")
			p.Amount = c.in
			n.send("one", p)
			if got := n.links["two"].take(t).prepare.Amount; got != c.want {
				t.Errorf("%d at %s gave %d, want %d", c.in, c.rate, got, c.want)
			}
		})
	}
}

// The reference wraps what passes 2^64−1 and delivers anything. Here it is
// F08, and its data says how much would have fitted.
func TestAmountThatConvertsBeyond64BitsIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{Routes: []connector.Route{{Prefix: "test.two", NextHop: "two"}}})
		n.add(connector.Account{ID: "one", Relation: connector.Peer, Asset: connector.Asset{Code: "USD", Scale: 0}})
		n.add(connector.Account{ID: "two", Relation: connector.Peer, Asset: connector.Asset{Code: "USD", Scale: 9}})
		n.run()
		p := prepare("test.two.bob")
		p.Amount = 18446744074
		o := n.send("one", p)
		o.wantReject(t, ilp.F08AmountTooLarge, "packet size too large. maxAmount=18446744073 actualAmount=18446744074")
		if got, want := hex.EncodeToString(o.reject.Data), "000000044b82fa0a"+"000000044b82fa09"; got != want {
			t.Errorf("data %s, want %s", got, want)
		}
	})
}

func TestBackendWithoutARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{Backend: &rates{err: errors.New("secret of the host")}})
		n.send("one", prepare("test.two.bob")).wantReject(t, ilp.T00InternalError, "internal error")
	})
}

func TestNextHopNotConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		n.links["two"].setOffline()
		n.send("one", prepare("test.two.bob")).wantReject(t, ilp.T01PeerUnreachable, "no connection to account. account=two")
	})
}

// The submitPacket of the reference: the backend learns of every packet that
// was answered. Reference test 104, in its own network, is in
// subscription_test.go.
func TestBackendLearnsOfEveryExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rates{ratio: backend.MustParseRatio("0.9422583081570997")}
		n := pair(t, connector.Config{Backend: r})
		n.send("one", prepare("test.two.bob"))
		n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		n.send("one", prepare("test.two.bob"))
		n.links["two"].take(t).reply(&ilp.Reject{Code: ilp.F99ApplicationError})
		want := backend.Exchange{
			Source:       backend.Party{Account: "one", Asset: ilp.Asset{Code: "USD", Scale: 4}},
			Destination:  backend.Party{Account: "two", Asset: ilp.Asset{Code: "EUR", Scale: 4}},
			SourceAmount: 100, DestinationAmount: 94, Fulfilled: true,
		}
		if len(r.seen) != 2 || r.seen[0] != want || r.seen[1].Fulfilled {
			t.Errorf("the backend saw %+v", r.seen)
		}
	})
}

func TestMalformedPacketIsF01(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		o := &outcome{}
		n.links["one"].handler.HandleMalformed(context.Background(), errors.New("no packet"), plugin.NewResponder(o, 0))
		o.wantReject(t, ilp.F01InvalidPacket, "no packet")
		if got := n.c.Accounts()[0].Malformed; got != 1 {
			t.Errorf("%d malformed packets counted, want 1", got)
		}
	})
}

// The default route is that of the first parent, within our own scheme.
func TestDefaultRoute(t *testing.T) {
	for _, c := range []struct {
		name   string
		config connector.Config
		want   string // account that test.far.away goes to; empty: none
	}{
		{"first parent", connector.Config{}, "mother"},
		{"another account", connector.Config{DefaultRoute: "peer"}, "peer"},
		{"none", connector.Config{NoDefaultRoute: true}, ""},
		{"one that is not there", connector.Config{DefaultRoute: "nobody"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t, c.config)
			n.add(connector.Account{ID: "peer", Relation: connector.Peer})
			n.add(connector.Account{ID: "mother", Relation: connector.Parent})
			n.add(connector.Account{ID: "father", Relation: connector.Parent})
			route, ok := n.c.Router().Lookup(ilp.MustParseAddress("test.far.away"))
			if route.NextHop != c.want || ok != (c.want != "") {
				t.Errorf("test.far.away goes to %+v, %v; want %q", route, ok, c.want)
			}
			if _, ok := n.c.Router().Lookup(ilp.MustParseAddress("example.far.away")); ok {
				t.Error("the default route covers another scheme")
			}
		})
	}
}

func TestRoutePreference(t *testing.T) {
	n := newNetwork(t, connector.Config{Routes: []connector.Route{
		{Prefix: "test.connie.child", NextHop: "peer"},
		{Prefix: "test.x", NextHop: "absent"},
		{Prefix: "test.x.y", NextHop: "peer"},
	}})
	n.add(connector.Account{ID: "child", Relation: connector.Child})
	n.add(connector.Account{ID: "other", Relation: connector.Child, AddressSegment: "o"})
	n.add(connector.Account{ID: "peer", Relation: connector.Peer})
	for address, want := range map[string]connector.Route{
		"test.connie.child.a": {Prefix: "test.connie.child", NextHop: "peer", Origin: connector.RouteConfigured},
		"test.connie.o":       {Prefix: "test.connie.o", NextHop: "other", Origin: connector.RouteLocal},
		"test.connie":         {Prefix: "test.connie", Origin: connector.RouteLocal},
		"test.x.y.z":          {Prefix: "test.x.y", NextHop: "peer", Origin: connector.RouteConfigured},
		"test.x.z":            {},
	} {
		if got, _ := n.c.Router().Lookup(ilp.MustParseAddress(address)); got != want {
			t.Errorf("%s goes to %+v, want %+v", address, got, want)
		}
	}
	if got := len(n.c.Router().Routes()); got != 4 {
		t.Errorf("%d routes, want 4", got)
	}
}

// onetoone is in the suite of its own; here it is seen to be asked with the
// accounts' assets.
func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(onetoone.New(onetoone.Options{Spread: "0.01"}))
		n := pair(t, connector.Config{Backend: b})
		p := prepare("test.two.bob")
		p.Amount = 199
		n.send("one", p)
		if got := n.links["two"].take(t).prepare.Amount; got != 197 {
			t.Errorf("199 less one percent gave %d, want 197", got)
		}
	})
}

// The default route changes while the connector runs, to an account that is
// there or one that comes.
func TestSetDefaultRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "parent", Relation: connector.Parent})
		n.add(connector.Account{ID: "peer", Relation: connector.Peer})
		n.run()
		router := n.c.Router()
		want := func(nextHop string) {
			t.Helper()
			if route, _ := router.Lookup(ilp.MustParseAddress("test.far.away")); route.NextHop != nextHop {
				t.Errorf("what no other route is for goes to %q, want %q", route.NextHop, nextHop)
			}
		}
		want("parent")
		router.SetDefaultRoute("peer")
		want("peer")
		router.SetDefaultRoute("later")
		want("")
		n.add(connector.Account{ID: "later", Relation: connector.Peer})
		want("later")
		router.UnsetDefaultRoute()
		want("")
		router.SetDefaultRoute("")
		want("parent")
	})
}
