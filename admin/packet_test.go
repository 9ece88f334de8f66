package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/store/memstore"
)

// amountsOf are those of packets, in their order.
func amountsOf(packets []admin.Packet) string {
	var all []string
	for _, p := range packets {
		all = append(all, p.Amount)
	}
	return strings.Join(all, " ")
}

func TestPackets(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		began := time.Now()
		f.refuse("test.cny-ledger")
		f.pay("test.usd-ledger", "test.cny-ledger.bob", 10)
		time.Sleep(time.Second)
		f.pay("test.cad-ledger", "g.nowhere", 18)
		time.Sleep(time.Second)
		f.pay("test.eur-ledger", "test.usd-ledger.alice", 20)
		at := func(d time.Duration) string { return began.Add(d).UTC().Format(time.RFC3339Nano) }
		f.ask(readToken, "GET", "/packets?limit=3", nil).want(t, 200, `{"omitted": 0, "packets": [
			{"received": "`+at(2*time.Second)+`", "latencyMicroseconds": 0, "account": "test.eur-ledger", "amount": "20",
				"nextHop": "test.usd-ledger", "nextHopAmount": "21", "destination": "test.usd-ledger.alice", "outcome": "fulfilled"},
			{"received": "`+at(time.Second)+`", "account": "test.cad-ledger", "amount": "18", "destination": "g.nowhere", "outcome": "refused", "code": "F02"},
			{"received": "`+at(0)+`", "account": "test.usd-ledger", "amount": "10",
				"nextHop": "test.cny-ledger", "nextHopAmount": "62", "destination": "test.cny-ledger.bob", "outcome": "rejected", "code": "T04"}]}`)
		for query, want := range map[string]string{
			"account=test.usd-ledger&limit=2":          "20 10",
			"account=test.usd-ledger&prefix=test":      "20 10 100",
			"account=nobody":                           "",
			"prefix=g":                                 "18",
			"prefix=g.nowher":                          "",
			"prefix=test.cny-ledger&outcome=rejected":  "10",
			"outcome=answered&prefix=peer":             "0 0 0 0", // the routes that were learned
			"code=F02":                                 "18",
			"code=R00":                                 "",
			"since=" + at(time.Second):                 "20 18",
			"since=9999-12-31T00:00:00Z":               "",
			"since=0001-01-01T00:00:00Z&limit=1":       "20",
			"since=" + at(time.Nanosecond) + "&limit=": "20 18",
		} {
			var got admin.Packets
			a := f.ask(readToken, "GET", "/packets?"+query, nil)
			if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil || amountsOf(got.Packets) != want {
				t.Errorf("%s finds %q, want %q: %s", query, amountsOf(got.Packets), want, a.Body)
			}
		}
		for query, want := range map[string]string{
			"prefix=g..alice":     `prefix is "g..alice": it must be whole segments`,
			"prefix=g.alice.":     "prefix",
			"prefix=%00":          "prefix",
			"outcome=lost":        `outcome is "lost": it must be one of [fulfilled rejected expired refused answered]`,
			"outcome=Outcome(0)":  "outcome",
			"code=F0":             `code is "F0": it must be that of a reject`,
			"since=yesterday":     `since is "yesterday": it must be a time such as`,
			"limit=0":             "limit is \"0\": it must be between 1 and 10000",
			"limit=10001":         "limit",
			"limit=-1":            "limit",
			"limit=1e3":           "limit",
			"limit=1&prefix=%2Fg": "prefix",
		} {
			f.ask(readToken, "GET", "/packets?"+query, nil).wantProblem(t, 400, want)
			if !strings.Contains(query, "limit") {
				f.ask(readToken, "GET", "/packets/live?"+query, nil).wantProblem(t, 400, want)
			}
		}
	})
}

// What the options of the log keep is shown, and what it does not keep is not.
func TestPacketsOfALogThatHashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := withLog(t, middleware.PacketLogOptions{HashDestinations: true, Conditions: true})
		f.pay("alice", "test.bob.wallet", 7)
		var got admin.Packets
		a := f.ask(readToken, "GET", "/packets?prefix=test.bob.wallet", nil)
		if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil || len(got.Packets) != 1 {
			t.Fatalf("%v: %s", err, a.Body)
		}
		if p := got.Packets[0]; p.Destination != "" || len(p.DestinationHash) != 16 || p.Condition != fulfillment.Condition().String() ||
			strings.Contains(a.Body.String(), "bob") {
			t.Errorf("the packet is %s", a.Body)
		}
		checkDocument(t, f, "Packets", a.Body.String())
	})
}

// An address that is too long to be kept says so.
func TestPacketsWithALongDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := withLog(t, middleware.PacketLogOptions{})
		long := "test.nobody." + strings.Repeat("x", 500)
		f.pay("alice", long, 7)
		var got admin.Packets
		a := f.ask(readToken, "GET", "/packets", nil)
		if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil || len(got.Packets) != 1 {
			t.Fatalf("%v: %s", err, a.Body)
		}
		if p := got.Packets[0]; p.DestinationLength != len(long) || !strings.HasPrefix(long, p.Destination) || p.Destination == long {
			t.Errorf("the packet is %+v", p)
		}
		checkDocument(t, f, "Packets", a.Body.String())
	})
}

// withLog is a connector with an account and this packet log.
func withLog(t *testing.T, o middleware.PacketLogOptions) *fixture {
	t.Helper()
	c := must(connector.New(connector.Config{
		Address: "test.connie", Store: memstore.New(), Backend: must(onetoone.New(onetoone.Options{})), Middleware: logging(o),
	}))
	f := &fixture{t: t, c: c, links: make(map[string]*fakeLink)}
	f.add(connector.Account{ID: "alice", Relation: connector.Child, Asset: connector.Asset{Code: "USD", Scale: 9}})
	f.h = must(admin.New(admin.Options{Connector: c, ReadTokens: []string{readToken}}))
	f.run()
	return f
}

// checkDocument holds what was answered against a schema of the document.
func checkDocument(t *testing.T, f *fixture, name, text string) {
	t.Helper()
	doc := document(t, f.h)
	if err := doc.check(must(doc.at("#/components/schemas/"+name)), parse(t, []byte(text)), ""); err != nil {
		t.Errorf("%v: %s", err, text)
	}
}

func TestNoPacketLog(t *testing.T) {
	h := must(admin.New(admin.Options{Connector: plain(t), ReadTokens: []string{readToken}}))
	for _, path := range []string{"/packets", "/packets/live"} {
		serve(h, request("GET", path, readToken, nil)).wantProblem(t, 501, "the host must put middleware.NewPacketLog before all other middleware")
	}
}

// packetEvents reads the events that a stream of packets has sent.
func (s *stream) packetEvents() []admin.PacketEvent {
	s.t.Helper()
	var all []admin.PacketEvent
	for _, text := range s.events() {
		var e admin.PacketEvent
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// A packet is shown at once, those that follow it closely are together, and
// silence is told; what was before the stream is not in it.
func TestLivePackets(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		s := f.stream(t, "/packets/live?prefix=test.eur-ledger&interval=200ms")
		want := func(what string, packets ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for _, e := range s.packetEvents() {
				got = append(got, amountsOf(e.Packets))
				if e.Lost != 0 {
					t.Errorf("%s: %d are lost", what, e.Lost)
				}
			}
			if !slices.Equal(got, packets) {
				t.Fatalf("%s: the events are %q, want %q", what, got, packets)
			}
		}
		want("it begins", "")
		time.Sleep(time.Second)
		f.pay("test.usd-ledger", "test.eur-ledger.bob", 1)
		want("the first", "", "1")
		time.Sleep(50 * time.Millisecond)
		f.pay("test.usd-ledger", "test.eur-ledger.bob", 2)
		f.pay("test.eur-ledger", "test.usd-ledger.alice", 3) // not wanted
		time.Sleep(50 * time.Millisecond)
		f.pay("test.usd-ledger", "test.eur-ledger.bob", 4)
		want("too soon", "", "1")
		time.Sleep(100 * time.Millisecond)
		want("the next", "", "1", "2 4")
		time.Sleep(15*time.Second + 200*time.Millisecond)
		want("silence", "", "1", "2 4", "")
		for _, text := range s.events() {
			checkDocument(t, f, "PacketEvent", text)
		}
		s.cancel()
		<-s.ended
		if got := s.header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("the type is %q", got)
		}
	})
}

// A client that is too slow is told what it has missed.
func TestLivePacketsTellWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := withLog(t, middleware.PacketLogOptions{Packets: 3})
		s := f.stream(t, "/packets/live?interval=1s")
		for i := range 10 {
			time.Sleep(time.Millisecond)
			f.pay("alice", "test.bob", uint64(i))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := s.packetEvents(); len(got) != 2 || amountsOf(got[1].Packets) != "7 8 9" || got[1].Lost != 7 {
			t.Errorf("the events are %+v", got)
		}
		s.cancel()
		<-s.ended
	})
}

// They count among the event streams, and Close ends them at any point.
func TestLivePacketsAreBounded(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		streams := []*stream{f.stream(t, "/events")}
		for range admin.DefaultMaxStreams - 1 {
			streams = append(streams, f.stream(t, "/packets/live"))
		}
		for _, path := range []string{"/packets/live", "/events"} {
			f.ask(readToken, "GET", path, nil).wantProblem(t, 503, "there are 16 event streams already")
		}
		streams[1].cancel()
		<-streams[1].ended
		if a := f.ask(readToken, "HEAD", "/packets/live", nil); a.Code != 200 || a.Body.Len() != 0 {
			t.Errorf("HEAD is answered %d %s", a.Code, a.Body)
		}
		time.Sleep(time.Second)                   // of the bubble: they wait for packets
		streams[1] = f.stream(t, "/packets/live") // there is room again; it waits for its interval
		f.h.Close()
		for _, s := range streams {
			<-s.ended
		}
		s := f.stream(t, "/packets/live")
		<-s.ended
		if len(s.events()) != 1 {
			t.Error("a stream after Close has no event, or several")
		}
	})
}

// Over a real socket, as a client has it.
func TestClientWatchesPackets(t *testing.T) {
	f := newFixture(t, nil)
	server := httptest.NewServer(f.h)
	defer server.Close()
	defer f.h.Close()
	client := must(admin.NewClient(admin.ClientOptions{URL: server.URL, Token: readToken}))
	filter := middleware.PacketFilter{
		Account: "test.usd-ledger", Prefix: "g.nowhere", Outcome: middleware.OutcomeRefused, Code: ilp.F02Unreachable, Since: time.Now().Add(-time.Hour),
	}
	var seen []admin.Packet
	for e, err := range client.WatchPackets(t.Context(), filter, 100*time.Millisecond) {
		if err != nil || e.Lost != 0 {
			t.Fatalf("%+v, %v", e, err)
		}
		if len(e.Packets) == 0 { // it has begun
			f.pay("test.usd-ledger", "g.elsewhere", 1)
			f.pay("test.usd-ledger", "g.nowhere.bob", 2)
			f.pay("test.eur-ledger", "g.nowhere.bob", 3)
			f.pay("test.usd-ledger", "g.nowhere", 4)
		}
		if seen = append(seen, e.Packets...); len(seen) == 2 {
			break
		}
	}
	if got := amountsOf(seen); got != "2 4" {
		t.Errorf("the packets are %s, want 2 and 4", got)
	}
	found, err := client.Packets(t.Context(), filter, 1)
	if err != nil || amountsOf(found.Packets) != "4" || found.Packets[0].Outcome != middleware.OutcomeRefused || found.Packets[0].Code != ilp.F02Unreachable {
		t.Errorf("the client finds %+v, %v", found, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range client.WatchPackets(ctx, middleware.PacketFilter{}, 0) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the loop ends with %v", last)
	}
	if _, err := client.Packets(t.Context(), middleware.PacketFilter{}, admin.MaxPacketLimit+1); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("a wrong limit gives %v", err)
	}
	for _, err := range client.WatchPackets(t.Context(), middleware.PacketFilter{Prefix: "g..x"}, 0) {
		last = err
	}
	if p, ok := errors.AsType[*admin.Problem](last); !ok || p.Status != 400 {
		t.Errorf("a wrong filter gives %v", last)
	}
}
