package connector_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

// endings are what may happen to accounts and connector at the very instant at
// which packets are answered and expire.
var endings = []struct {
	name string
	end  func(n *network)
}{
	{"nothing", func(*network) {}},
	{"source removed", func(n *network) { n.remove(context.Background(), "one") }},
	{"destination removed", func(n *network) { n.remove(context.Background(), "two") }},
	{"source removed at once", func(n *network) { n.remove(ended(), "one") }},
	{"destination removed at once", func(n *network) { n.remove(ended(), "two") }},
	{"both removed", func(n *network) {
		together(func() { n.remove(context.Background(), "one") }, func() { n.remove(ended(), "two") })
	}},
	{"stop", func(n *network) { n.stop() }},
	{"stop and removal", func(n *network) { together(n.stop, func() { n.remove(ended(), "one") }) }},
	{"removed and added again", func(n *network) {
		n.remove(context.Background(), "two")
		l := newFakeLink()
		l.paid = n.links["two"].paid
		again := connector.Account{ID: "two", Relation: connector.Child, Asset: usd9, Plugin: l}
		for n.c.AddAccount(context.Background(), again) != nil { // packets of its former life are in flight
			time.Sleep(time.Millisecond)
		}
	}},
}

// remove removes an account; that the connector stops meanwhile is no fault.
func (n *network) remove(ctx context.Context, id string) {
	if err := n.c.RemoveAccount(ctx, id); err != nil && !errors.Is(err, connector.ErrStopped) {
		n.t.Error(err)
	}
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// together runs all functions at once and waits for them.
func together(run ...func()) {
	var running sync.WaitGroup
	for _, f := range run {
		running.Go(f)
	}
	running.Wait()
}

// raceRounds are a few, for every ending has some.
const raceRounds = 10

// Packets both ways are fulfilled, fulfilled twice, rejected, lost and expire
// at the very instant at which their accounts or the connector end, over a
// store that takes its time. Each has one outcome, and afterwards the books of
// both accounts hold what was told, and nothing is reserved.
func TestBooksHoldWhatWasToldWhateverEndsAPacket(t *testing.T) {
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			for seed := range uint64(raceRounds) {
				synctest.Test(t, func(t *testing.T) { racePackets(t, seed, e.end) })
			}
		})
	}
}

func racePackets(t *testing.T, seed uint64, end func(*network)) {
	const packets = 8 // each way
	r := rand.New(rand.NewPCG(seed, 1))
	d := newDisk()
	d.delay = time.Duration(r.IntN(3)) * time.Millisecond
	n := newNetwork(t, connector.Config{Store: d, DrainTimeout: []time.Duration{time.Nanosecond, time.Second, time.Minute}[r.IntN(3)]})
	n.add(connector.Account{ID: "one", Relation: connector.Child})
	n.add(connector.Account{ID: "two", Relation: connector.Child})
	n.run()

	const instant = time.Second // at which packets expire that expire in two
	outcomes := make(map[string][]*outcome)
	var race sync.WaitGroup
	at := func(f func()) { race.Go(func() { time.Sleep(instant); f() }) }
	for _, way := range []struct{ from, to string }{{"one", "two"}, {"two", "one"}} {
		for range packets {
			p := prepare("test.connie." + way.to)
			p.ExpiresAt = p.ExpiresAt.Add(time.Duration(r.IntN(2)) * time.Second)
			outcomes[way.from] = append(outcomes[way.from], n.send(way.from, p))
		}
		for _, s := range n.links[way.to].all() {
			fulfill := func() { s.reply(&ilp.Fulfill{Fulfillment: fulfillment1}) }
			reject := func() { s.reply(&ilp.Reject{Code: ilp.F99ApplicationError}) }
			lose := func() { s.responder.Fail(context.Background(), plugin.ErrUnknownOutcome) }
			for _, f := range [][]func(){{fulfill}, {fulfill, fulfill}, {fulfill, reject}, {reject}, {lose}, {fulfill, lose}, {}}[r.IntN(7)] {
				at(f)
			}
		}
	}
	at(func() { end(n) })
	race.Wait()
	time.Sleep(time.Minute)
	synctest.Wait()
	n.wantRest(t, d, outcomes)
	if t.Failed() {
		t.Fatalf("seed %d", seed)
	}
}

// wantRest fails the test unless every packet has one outcome, nothing is
// reserved, and the books on the disk, once the connector has stopped, hold
// what was told.
func (n *network) wantRest(t testing.TB, d *disk, outcomes map[string][]*outcome) {
	t.Helper()
	told := make(map[string]int64)
	for from, all := range outcomes {
		for i, o := range all {
			if o.answers != 1 || o.err != nil {
				t.Errorf("packet %d from %s has %d answers, %v; want one", i, from, o.answers, o.err)
			}
			if o.fulfill != nil {
				told[from] += 100
			}
		}
	}
	wantNothingReserved(t, n.c)
	n.stop()
	net := told["one"] - told["two"]
	d.wantBooks(t, map[string]int64{"one": net, "two": -net})
}

// all gives what was sent, and leaves it to Close as well.
func (l *fakeLink) all() []sentPrepare {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

// Settlements both ways meet the end of their account or of the connector.
// What was confirmed is booked, what was not is booked once at most, and what
// we made is paid once or in the outbox.
func TestBooksHoldTheSettlementsWhateverEndsTheAccount(t *testing.T) {
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			for seed := range uint64(raceRounds) {
				synctest.Test(t, func(t *testing.T) { raceMoney(t, seed, e.end) })
			}
		})
	}
}

func raceMoney(t *testing.T, seed uint64, end func(*network)) {
	const settlements = 4 // each way
	r := rand.New(rand.NewPCG(seed, 2))
	d := newDisk()
	d.delay = time.Duration(r.IntN(3)) * time.Millisecond
	n := newNetwork(t, connector.Config{Store: d})
	n.add(connector.Account{ID: "one", Relation: connector.Child})
	two := n.add(connector.Account{ID: "two", Relation: connector.Child})
	var mu sync.Mutex
	paid := make(map[string]uint64)
	two.paid = func(m plugin.Money) error {
		mu.Lock()
		defer mu.Unlock()
		if paid[m.Key] != 0 && paid[m.Key] != m.Amount {
			t.Errorf("%q is a settlement of %d and of %d", m.Key, paid[m.Key], m.Amount)
		}
		paid[m.Key] = m.Amount
		return nil
	}
	n.run()
	received, made := make([]error, settlements), make(map[string]error)
	var race sync.WaitGroup
	at := func(f func()) { race.Go(func() { time.Sleep(time.Second); f() }) }
	for i := range settlements {
		at(func() {
			received[i] = n.links["one"].handler.HandleMoney(context.Background(), plugin.Money{Amount: 10, Key: fmt.Sprint(i)})
		})
		at(func() {
			key, err := n.c.Settle(context.Background(), "two", 10)
			mu.Lock()
			defer mu.Unlock()
			if key != "" {
				made[key] = err
			}
		})
	}
	at(func() { end(n) })
	race.Wait()
	time.Sleep(time.Minute)
	n.stop()

	one, other := d.book(t, "one"), d.book(t, "two")
	confirmed := int64(0)
	for _, err := range received {
		if err == nil {
			confirmed++
		}
	}
	if booked := -one.Balance / 10; one.Balance%10 != 0 || booked < confirmed || booked > settlements {
		t.Errorf("seed %d: the balance of one is %d, want %d to %d settlements of 10", seed, one.Balance, confirmed, settlements)
	}
	inBooks := int64(len(paid))
	for _, s := range other.Settlements {
		if paid[s.Key] == 0 {
			inBooks++
		}
	}
	if other.Balance != 10*inBooks {
		t.Errorf("seed %d: the balance of two is %d, want %d: %v were paid and %v are to be", seed, other.Balance, 10*inBooks, paid, other.Settlements)
	}
	for key, err := range made {
		outstanding := slices.ContainsFunc(other.Settlements, func(s ledger.Settlement) bool { return s.Key == key })
		if err == nil && paid[key] == 0 && !outstanding {
			t.Errorf("seed %d: the settlement %q was made, and is lost", seed, key)
		}
	}
}
