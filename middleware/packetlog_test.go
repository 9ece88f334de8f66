package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

// logged attaches l to an account of this id, and gives a way to send packets
// to destinations.
func logged(t *testing.T, host *middlewaretest.Host, l *middleware.PacketLog, id string, list ...middleware.Middleware) func(amount uint64, destination string, reply ilp.Reply) {
	t.Helper()
	a := child()
	a.ID = id
	c := attach(t, host, a, append([]middleware.Middleware{l}, list...)...)
	return func(amount uint64, destination string, reply ilp.Reply) {
		t.Helper()
		p := prepare(amount)
		p.Destination = ilp.MustParseAddress(destination)
		p.Data = []byte("never to be kept")
		sendPrepare(t, c, incoming, p, reply)
	}
}

// amounts are those of packets, in their order.
func amounts(packets []middleware.LoggedPacket) []uint64 {
	var all []uint64
	for _, p := range packets {
		all = append(all, p.Amount)
	}
	return all
}

func wantAmounts(t *testing.T, packets []middleware.LoggedPacket, want ...uint64) {
	t.Helper()
	if got := amounts(packets); !slices.Equal(got, want) {
		t.Errorf("the packets are %v, want %v", got, want)
	}
}

func TestPacketLogKeepsWhatAnOperatorAsksFor(t *testing.T) {
	host := newHost()
	l := middleware.NewPacketLog(middleware.PacketLogOptions{})
	send := logged(t, host, l, "alice", slow(host, 7*time.Millisecond))
	send(100, "test.bob.wallet", &ilp.Reject{Code: ilp.F02Unreachable})
	send(200, "test.bob", fulfill1())
	got := l.Packets(middleware.PacketFilter{}, 0)
	want := []middleware.LoggedPacket{
		{
			Received: start.Add(7 * time.Millisecond), Latency: 7 * time.Millisecond, Account: "alice", Amount: 200, NextHop: "neighbour", NextHopAmount: 200,
			Destination: "test.bob", DestinationLength: 8, Outcome: middleware.OutcomeFulfilled,
		},
		{
			Received: start, Latency: 7 * time.Millisecond, Account: "alice", Amount: 100, NextHop: "neighbour", NextHopAmount: 100,
			Destination: "test.bob.wallet", DestinationLength: 15, Outcome: middleware.OutcomeRejected, Code: ilp.F02Unreachable,
		},
	}
	if !slices.Equal(got, want) {
		t.Errorf("the log has\n%+v\nwant\n%+v", got, want)
	}
}

// It stands outermost: what a limit refuses is there, without a next hop.
func TestPacketLogHasWhatWasRefused(t *testing.T) {
	l := middleware.NewPacketLog(middleware.PacketLogOptions{})
	a := child()
	a.MaxPacketAmount = 10
	c := attach(t, newHost(), a, l, middleware.MaxPacketAmount())
	send(t, c, incoming, 11, fulfill1())
	got := l.Packets(middleware.PacketFilter{}, 0)
	if len(got) != 1 || got[0].Outcome != middleware.OutcomeRefused || got[0].Code != ilp.F08AmountTooLarge || got[0].NextHop != "" || got[0].NextHopAmount != 0 {
		t.Errorf("the log has %+v, want the refused packet", got)
	}
}

func TestPacketLogFilters(t *testing.T) {
	host := newHost()
	l := middleware.NewPacketLog(middleware.PacketLogOptions{})
	alice, bob := logged(t, host, l, "alice"), logged(t, host, l, "bob")
	alice(1, "g.alice", fulfill1())
	host.Advance(time.Second)
	bob(2, "g.alice.wallet", &ilp.Reject{Code: ilp.T04InsufficientLiquidity})
	host.Advance(time.Second)
	alice(3, "g.alicebob", fulfill1())
	host.Advance(time.Second)
	bob(4, "test.alice", &ilp.Reject{Code: ilp.F02Unreachable})
	for _, c := range []struct {
		name   string
		filter middleware.PacketFilter
		want   []uint64
	}{
		{"all", middleware.PacketFilter{}, []uint64{4, 3, 2, 1}},
		{"source", middleware.PacketFilter{Account: "alice"}, []uint64{3, 1}},
		{"next hop", middleware.PacketFilter{Account: "neighbour"}, []uint64{4, 3, 2, 1}},
		{"nobody", middleware.PacketFilter{Account: "carol"}, nil},
		{"whole segments", middleware.PacketFilter{Prefix: "g.alice"}, []uint64{2, 1}},
		{"scheme", middleware.PacketFilter{Prefix: "g"}, []uint64{3, 2, 1}},
		{"longer than any", middleware.PacketFilter{Prefix: "g.alice.wallet.x"}, nil},
		{"outcome", middleware.PacketFilter{Outcome: middleware.OutcomeRejected}, []uint64{4, 2}},
		{"code", middleware.PacketFilter{Code: ilp.T04InsufficientLiquidity}, []uint64{2}},
		{"since", middleware.PacketFilter{Since: start.Add(2 * time.Second)}, []uint64{4, 3}},
		{"since a time beyond 64 bits of nanoseconds", middleware.PacketFilter{Since: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, nil},
		{"together", middleware.PacketFilter{Account: "bob", Prefix: "test", Outcome: middleware.OutcomeRejected, Since: start}, []uint64{4}},
	} {
		t.Run(c.name, func(t *testing.T) { wantAmounts(t, l.Packets(c.filter, 0), c.want...) })
	}
	wantAmounts(t, l.Packets(middleware.PacketFilter{}, 3), 4, 3, 2)
	wantAmounts(t, l.Packets(middleware.PacketFilter{}, 1), 4)
}

// An account's ring holds its last packets; those of others are not pushed out.
func TestPacketLogIsBounded(t *testing.T) {
	host := newHost()
	l := middleware.NewPacketLog(middleware.PacketLogOptions{Packets: 3})
	busy, quiet := logged(t, host, l, "busy"), logged(t, host, l, "quiet")
	quiet(1000, "test.bob", fulfill1())
	for i := range uint64(100) {
		host.Advance(time.Second)
		busy(i, "test.bob", fulfill1())
	}
	wantAmounts(t, l.Packets(middleware.PacketFilter{}, 0), 99, 98, 97, 1000)
}

// Accounts beyond MaxAccounts share a ring. The ring of an account that was
// removed stays until another needs the room.
func TestPacketLogBoundsItsAccounts(t *testing.T) {
	host := newHost()
	l := middleware.NewPacketLog(middleware.PacketLogOptions{Packets: 2, MaxAccounts: 2})
	first := child()
	first.ID = "first"
	gone := attach(t, host, first, l)
	send(t, gone, incoming, 1, fulfill1())
	logged(t, host, l, "second")(2, "test.bob", fulfill1())
	for i := range uint64(3) {
		host.Advance(time.Second)
		logged(t, host, l, fmt.Sprintf("beyond%d", i))(10+i, "test.bob", fulfill1())
	}
	wantAmounts(t, l.Packets(middleware.PacketFilter{Account: "first"}, 0), 1)
	wantAmounts(t, l.Packets(middleware.PacketFilter{Account: "second"}, 0), 2)
	wantAmounts(t, l.Packets(middleware.PacketFilter{}, 2), 12, 11) // 10 was pushed out
	gone.Close()
	wantAmounts(t, l.Packets(middleware.PacketFilter{Account: "first"}, 0), 1)
	again := attach(t, host, first, l)
	wantAmounts(t, l.Packets(middleware.PacketFilter{Account: "first"}, 0), 1)
	again.Close()
	late := logged(t, host, l, "late")
	wantAmounts(t, l.Packets(middleware.PacketFilter{Account: "first"}, 0)) // it made room
	late(20, "test.bob", fulfill1())
	late(21, "test.bob", fulfill1())
	late(22, "test.bob", fulfill1())
	wantAmounts(t, l.Packets(middleware.PacketFilter{Prefix: "test", Account: "late"}, 0), 22, 21)
	if l.Omitted() != 0 {
		t.Errorf("%d packets were left out although nobody was in the way", l.Omitted())
	}
}

// Addresses of up to 1023 bytes fit, though their ends may be cut off.
func TestPacketLogCutsLongDestinations(t *testing.T) {
	l := middleware.NewPacketLog(middleware.PacketLogOptions{})
	send := logged(t, newHost(), l, "alice")
	long := "g." + strings.Repeat("a", 300)
	whole := "g." + strings.Repeat("b", 142)
	longest := "g." + strings.Repeat("c.", 510) + "c"
	send(1, long, fulfill1())
	send(2, whole, fulfill1())
	send(3, longest, fulfill1())
	for _, c := range []struct {
		prefix string
		known  string
		length int
	}{{long, long[:144], 302}, {whole, whole, 144}, {longest, longest[:144], 1023}, {longest[:143], longest[:144], 1023}} {
		got := l.Packets(middleware.PacketFilter{Prefix: c.prefix}, 0)
		if len(got) != 1 || got[0].Destination != c.known || got[0].DestinationLength != c.length {
			t.Errorf("%.20s... finds %+v, want %d bytes of %d", c.prefix, got, len(c.known), c.length)
		}
	}
	for _, prefix := range []string{whole + ".x", long[:143], long[:140] + "b", longest + "x"} {
		if got := l.Packets(middleware.PacketFilter{Prefix: prefix}, 0); len(got) != 0 {
			t.Errorf("%d bytes %.20s... find %+v, want nothing", len(prefix), prefix, got)
		}
	}
}

// The log keeps a hash of each address if it is told to, and no address.
func TestPacketLogHashesDestinations(t *testing.T) {
	l := middleware.NewPacketLog(middleware.PacketLogOptions{HashDestinations: true})
	send := logged(t, newHost(), l, "alice")
	send(1, "g.alice.wallet", fulfill1())
	send(2, "g.bob", fulfill1())
	send(3, "g.alice.wallet", fulfill1())
	all := l.Packets(middleware.PacketFilter{}, 0)
	for _, p := range all {
		if p.Destination != "" || p.DestinationLength != 0 || p.DestinationHash == 0 {
			t.Errorf("the log has %+v, want a hash alone", p)
		}
	}
	if len(all) != 3 || all[0].DestinationHash == all[1].DestinationHash {
		t.Errorf("the log has %+v, want two hashes", all)
	}
	wantAmounts(t, l.Packets(middleware.PacketFilter{Prefix: "g.alice.wallet"}, 0), 3, 1)
	wantAmounts(t, l.Packets(middleware.PacketFilter{Prefix: "g.alice"}, 0))
}

func TestPacketLogKeepsConditionsIfTold(t *testing.T) {
	l := middleware.NewPacketLog(middleware.PacketLogOptions{Conditions: true})
	logged(t, newHost(), l, "alice")(1, "test.bob", fulfill1())
	if got := l.Packets(middleware.PacketFilter{}, 0); len(got) != 1 || got[0].Condition != condition1 {
		t.Errorf("the log has %+v, want the condition", got)
	}
}

func TestPacketLogRefusesSenselessOptions(t *testing.T) {
	for _, o := range []middleware.PacketLogOptions{{Packets: -1}, {Packets: 1<<16 + 1}, {MaxAccounts: -1}} {
		if _, err := middlewaretest.Attach(newHost(), child(), middleware.NewPacketLog(o)); err == nil || !strings.Contains(err.Error(), "they must be") {
			t.Errorf("%+v gives %v, want an error that says what would be right", o, err)
		}
	}
}

func TestSubscriptionShowsPacketsAsTheyAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newHost()
		l := middleware.NewPacketLog(middleware.PacketLogOptions{})
		alice, bob := logged(t, host, l, "alice"), logged(t, host, l, "bob")
		alice(1, "test.bob", fulfill1()) // before it
		s := l.Subscribe(middleware.PacketFilter{Outcome: middleware.OutcomeRejected})
		defer s.Close()
		next := make(chan []middleware.LoggedPacket)
		go func() {
			packets, lost, err := s.Next(t.Context())
			if lost != 0 || err != nil {
				t.Errorf("Next: %d lost, %v", lost, err)
			}
			next <- packets
		}()
		synctest.Wait()
		alice(2, "test.bob", fulfill1()) // not wanted
		synctest.Wait()
		select {
		case p := <-next:
			t.Fatalf("Next gives %v, want it to wait", p)
		default:
		}
		alice(3, "test.bob", &ilp.Reject{Code: ilp.F02Unreachable})
		wantAmounts(t, <-next, 3)
		host.Advance(time.Second)
		bob(5, "test.bob", &ilp.Reject{Code: ilp.F02Unreachable})
		host.Advance(-time.Second)
		alice(4, "test.bob", &ilp.Reject{Code: ilp.F02Unreachable})
		packets, lost, err := s.Next(t.Context())
		wantAmounts(t, packets, 4, 5)
		if lost != 0 || err != nil {
			t.Errorf("Next: %d lost, %v", lost, err)
		}
	})
}

// Whoever reads too slowly loses packets and is told how many; packets do not
// wait for him.
func TestSubscriptionCountsWhatItLost(t *testing.T) {
	host := newHost()
	l := middleware.NewPacketLog(middleware.PacketLogOptions{Packets: 4})
	alice, bob := logged(t, host, l, "alice"), logged(t, host, l, "bob")
	s := l.Subscribe(middleware.PacketFilter{})
	defer s.Close()
	for i := range uint64(10) {
		host.Advance(time.Second)
		alice(i, "test.bob", fulfill1())
	}
	host.Advance(time.Second)
	bob(100, "test.bob", fulfill1())
	packets, lost, err := s.Next(t.Context())
	wantAmounts(t, packets, 6, 7, 8, 9, 100)
	if lost != 6 || err != nil {
		t.Errorf("%d were lost, %v; want 6", lost, err)
	}
}

// However much the log holds, a subscription gives a bounded part of it, and
// counts the rest as lost.
func TestSubscriptionGivesTheLast(t *testing.T) {
	const more = 7
	host := newHost()
	l := middleware.NewPacketLog(middleware.PacketLogOptions{Packets: 4 * middleware.DefaultPacketLimit})
	alice, bob := logged(t, host, l, "alice"), logged(t, host, l, "bob")
	s := l.Subscribe(middleware.PacketFilter{Account: "alice"})
	defer s.Close()
	for i := range uint64(2*middleware.DefaultPacketLimit + more) {
		host.Advance(time.Second)
		alice(i, "test.bob", fulfill1())
		bob(i, "test.bob", fulfill1()) // not wanted: it is neither given nor lost
	}
	packets, lost, err := s.Next(t.Context())
	if len(packets) != middleware.DefaultPacketLimit || lost != middleware.DefaultPacketLimit+more || err != nil {
		t.Fatalf("%d packets and %d lost, %v", len(packets), lost, err)
	}
	for i, p := range packets {
		if want := uint64(middleware.DefaultPacketLimit + more + i); p.Amount != want || p.Account != "alice" {
			t.Fatalf("packet %d is %+v, want the amount %d", i, p, want)
		}
	}
}

func TestSubscriptionEnds(t *testing.T) {
	l := middleware.NewPacketLog(middleware.PacketLogOptions{})
	send := logged(t, newHost(), l, "alice")
	s, other := l.Subscribe(middleware.PacketFilter{}), l.Subscribe(middleware.PacketFilter{})
	defer other.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next: %v, want that of the context", err)
	}
	waiting := make(chan error)
	go func() {
		_, _, err := s.Next(context.Background())
		waiting <- err
	}()
	s.Close()
	s.Close()
	if err := <-waiting; !errors.Is(err, middleware.ErrSubscriptionClosed) {
		t.Errorf("Next: %v, want ErrSubscriptionClosed", err)
	}
	send(1, "test.bob", fulfill1())
	packets, _, err := other.Next(t.Context())
	if err != nil {
		t.Error(err)
	}
	wantAmounts(t, packets, 1)
}

// All at once: packets of several accounts, readers, subscribers, accounts that
// come and go. Every packet is seen or counted as lost. Run it with -race.
func TestPacketLogConcurrentUse(t *testing.T) {
	const senders, each = 4, 300
	l := middleware.NewPacketLog(middleware.PacketLogOptions{Packets: 64, MaxAccounts: 2})
	host := newHost()
	s := l.Subscribe(middleware.PacketFilter{})
	ctx, cancel := context.WithCancel(t.Context())
	var seen, lost uint64
	var reading sync.WaitGroup
	count := func(ctx context.Context) error {
		packets, missed, err := s.Next(ctx)
		seen, lost = seen+uint64(len(packets)), lost+missed
		for _, p := range packets {
			if p.Amount != 100 || p.Destination != "test.mock.test1.bob" || p.Outcome != middleware.OutcomeFulfilled {
				t.Errorf("a packet reads as %+v", p)
			}
		}
		return err
	}
	reading.Go(func() {
		for count(ctx) == nil {
		}
	})
	reading.Go(func() {
		for ctx.Err() == nil {
			l.Packets(middleware.PacketFilter{Account: "a1"}, 10)
			s := l.Subscribe(middleware.PacketFilter{Code: ilp.F00BadRequest})
			s.Close()
		}
	})
	var sending sync.WaitGroup
	for i := range senders {
		a := child()
		a.ID = fmt.Sprintf("a%d", i)
		c := attach(t, host, a, l)
		sending.Go(func() {
			for range each {
				_, _ = c.Send(context.Background(), incoming, prepare(100), fulfill1())
			}
		})
	}
	sending.Wait()
	cancel()
	reading.Wait()
	s.Close()
	if left := len(l.Packets(middleware.PacketFilter{}, senders*each)); left != 3*64 {
		t.Errorf("the log holds %d packets, want 64 in each of 3 rings", left)
	}
	if seen+lost+l.Omitted() > senders*each {
		t.Errorf("%d packets were seen, %d lost and %d left out, of %d", seen, lost, l.Omitted(), senders*each)
	}
}

// A packet is logged without an allocation, and watched without one.
func TestPacketLogAllocatesNothing(t *testing.T) {
	l := middleware.NewPacketLog(middleware.PacketLogOptions{})
	defer l.Subscribe(middleware.PacketFilter{}).Close()
	p, err := middleware.Attach([]middleware.Middleware{l}, newHost(), child())
	if err != nil {
		t.Fatal(err)
	}
	e := &quietEnd{reply: fulfill1()}
	n := testing.AllocsPerRun(100, func() {
		e.packet.Prepare, e.packet.Received = prepare100, start
		e.packet.Run(context.Background(), p.Incoming, e)
	})
	if n != 0 {
		t.Errorf("%v allocations for each packet, want none", n)
	}
}

func TestPacketLogConformance(t *testing.T) {
	for name, o := range map[string]middleware.PacketLogOptions{
		"addresses": {Packets: 16}, "hashes": {HashDestinations: true, Conditions: true}, "shared": {MaxAccounts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			middlewaretest.Run(t, middlewaretest.Options{New: func() middleware.Middleware { return middleware.NewPacketLog(o) }})
		})
	}
}

// The two parts of a meter keep the contract too.
func TestMeterConformance(t *testing.T) {
	for i, name := range []string{"edge", "inside"} {
		t.Run(name, func(t *testing.T) {
			middlewaretest.Run(t, middlewaretest.Options{New: func() middleware.Middleware { return middleware.NewMeter().Around(nil)[i] }})
		})
	}
}

// BenchmarkPacketLog is what one packet costs, the look at the clock with it:
// beside a meter, which has looked, it costs less.
func BenchmarkPacketLog(b *testing.B) {
	for _, c := range []struct {
		name    string
		options middleware.PacketLogOptions
		watched bool
		looked  bool
	}{
		{name: "alone"},
		{name: "beside a meter", looked: true},
		{name: "hashes", options: middleware.PacketLogOptions{HashDestinations: true}, looked: true},
		{name: "conditions", options: middleware.PacketLogOptions{Conditions: true}, looked: true},
		{name: "watched", watched: true, looked: true},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := middleware.NewPacketLog(c.options)
			if c.watched {
				defer l.Subscribe(middleware.PacketFilter{}).Close()
			}
			host := new(middlewaretest.Host)
			p, err := middleware.Attach([]middleware.Middleware{l}, systemClock{host}, child())
			if err != nil {
				b.Fatal(err)
			}
			e := &quietEnd{reply: fulfill1()}
			next, received, latency := child(), time.Now(), time.Duration(0)
			if c.looked {
				latency = time.Millisecond
			}
			b.ReportAllocs()
			for b.Loop() {
				e.packet.Prepare, e.packet.Received, e.packet.Latency = prepare100, received, latency
				e.packet.Destination, e.packet.NextHopReply = next, e.reply
				e.packet.Run(context.Background(), p.Incoming, e)
			}
		})
	}
}

// BenchmarkPacketLogParallel is the same from all processors at once, each
// with an account of its own.
func BenchmarkPacketLogParallel(b *testing.B) {
	l := middleware.NewPacketLog(middleware.PacketLogOptions{})
	b.ReportAllocs()
	var mu sync.Mutex
	accounts := 0
	b.RunParallel(func(pb *testing.PB) {
		mu.Lock()
		accounts++
		a := &account.Account{ID: fmt.Sprintf("a%d", accounts), Relation: account.Peer, Asset: child().Asset}
		mu.Unlock()
		p, err := middleware.Attach([]middleware.Middleware{l}, systemClock{new(middlewaretest.Host)}, a)
		if err != nil {
			b.Error(err)
			return
		}
		e := &quietEnd{reply: fulfill1()}
		for pb.Next() {
			e.packet.Prepare, e.packet.Received, e.packet.Latency = prepare100, start, 0
			e.packet.Run(context.Background(), p.Incoming, e)
		}
	})
}

// systemClock is a host whose clock costs what that of a connector does.
type systemClock struct{ middleware.Host }

func (systemClock) Now() time.Time    { return time.Now() }
func (systemClock) SystemClock() bool { return true }
