package killtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/plugintest"
)

// world is what surrounds a connector and outlives it.
type world struct {
	t       testing.TB
	seed    uint64
	addr    string // host and port that the connector dials
	users   string // the path of the socket that users dial; empty: there are none
	server  *btp.Server
	web     *http.Server
	parties []*party
	paying  sync.WaitGroup // requests to the banks
	// hangs says that the banks may never answer, because whoever asks will not
	// live for long.
	hangs bool

	mu       sync.Mutex
	changed  *sync.Cond // whatever mu guards
	r        *rand.Rand
	packets  []*packet // since the last audit; their places are their tokens
	audits   uint64    // so far
	counts   [kinds]int
	fuse     fuse
	ctx      context.Context // ends with the connector that asks the banks
	leave    context.CancelFunc
	generous bool // banks pay everything
	totals   totals
	faults   int
	crowd    int64 // the balance of the users' account, as of the last audit
}

// kind is a kind of event that may be the last of a process.
type kind int

const (
	arrived  kind = iota // a packet, at its destination
	answered             // a packet, to its source
	paid                 // a settlement, by a bank which has not said so yet
	booked               // a settlement of a counterparty, which knows it
	kinds
)

// fuse burns until so many events of a kind have come, and no longer than until
// longest packets are answered: a bank that hangs makes no more payments.
type fuse struct {
	kind kind
	left int
	age  int
	blow func() // nil: there is none
}

const longest = 4000

// totals are what a test says in the end.
type totals struct {
	relayed, rejected, cut, late int
	cutBooked                    int64 // steps
	apart                        int64 // steps, by which users' books were not their account's
}

// newWorld makes the world of connectors that are made of s.
func newWorld(t testing.TB, seed uint64, s setup) *world {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, seed: seed, addr: listener.Addr().String(), users: s.Users, r: rand.New(rand.NewPCG(seed, 1)), server: btp.NewServer(btp.ServerOptions{})}
	w.changed = sync.NewCond(&w.mu)
	w.ctx, w.leave = context.WithCancel(context.Background())
	w.web = &http.Server{Handler: w.server}
	for _, a := range s.roster() {
		p, err := newParty(w, a)
		if err != nil {
			t.Fatal(err)
		}
		w.parties = append(w.parties, p)
	}
	serving := make(chan error, 1)
	go func() { serving <- w.web.Serve(listener) }()
	t.Cleanup(func() {
		w.leave() // a test that has failed may not have
		err := w.web.Close()
		if served := <-serving; !errors.Is(served, http.ErrServerClosed) {
			t.Error(served)
		}
		err = errors.Join(err, w.server.Close())
		for _, p := range w.parties {
			err = errors.Join(err, p.link.Close())
		}
		if err != nil {
			t.Error(err)
		}
		w.paying.Wait()
	})
	return w
}

// maxFaults are enough to see what is wrong.
const maxFaults = 20

// fault says what must never be. The caller holds mu.
func (w *world) fault(format string, args ...any) {
	if w.faults++; w.faults <= maxFaults {
		w.t.Errorf("seed %d, after audit %d, events %v: %s", w.seed, w.audits, w.counts, fmt.Sprintf(format, args...))
	}
}

// event counts what has happened, and may be the last that a process sees.
// The caller holds mu.
func (w *world) event(k kind) {
	w.counts[k]++
	if k == w.fuse.kind {
		w.fuse.left--
	}
	if k == answered {
		w.fuse.age++
	}
	if w.fuse.blow != nil && (w.fuse.left <= 0 || w.fuse.age >= longest) {
		w.fuse.blow()
		w.fuse.blow = nil
	}
	w.changed.Broadcast()
}

// light sets a fuse.
func (w *world) light(f fuse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fuse = f
}

// await waits until ok, which is asked with mu held, whenever something has
// changed.
func (w *world) await(ok func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !ok() {
		w.changed.Wait()
	}
}

// awaitEvents waits for n more events of a kind.
func (w *world) awaitEvents(k kind, n int) {
	w.mu.Lock()
	want := w.counts[k] + n
	w.mu.Unlock()
	w.await(func() bool { return w.counts[k] >= want })
}

// load is counterparties that pay and settle.
type load struct {
	w                 *world
	stopPaying, leave context.CancelFunc
	paying, settling  sync.WaitGroup
}

// begin makes the counterparties pay and settle, as soon as they are connected.
func (w *world) begin() *load {
	here, leave := context.WithCancel(context.Background())
	ctx, stopPaying := context.WithCancel(here)
	context.AfterFunc(here, w.wake)
	context.AfterFunc(ctx, w.wake)
	w.mu.Lock()
	w.ctx, w.leave = here, leave
	w.mu.Unlock()
	l := &load{w: w, stopPaying: stopPaying, leave: leave}
	for _, p := range w.parties {
		if p.sends {
			l.paying.Go(func() { p.pay(ctx) })
		}
		if !p.user {
			l.settling.Go(func() { p.settle(here) })
		}
	}
	return l
}

func (w *world) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed.Broadcast()
}

// drain ends the paying, while the connector runs: all packets are answered
// then. Settlements go on.
func (l *load) drain() {
	l.stopPaying()
	l.paying.Wait()
	l.w.mu.Lock()
	var held []reply
	for _, p := range l.w.parties {
		p.flushing = true
		held = append(held, p.release(0)...)
	}
	l.w.mu.Unlock()
	give(held)
	l.awaitAnswers()
}

// end ends it all. All packets are answered then, or their link is gone.
func (l *load) end() {
	l.leave()
	l.paying.Wait()
	l.settling.Wait()
	l.awaitAnswers()
}

func (l *load) awaitAnswers() {
	for _, p := range l.w.parties {
		for range window {
			p.slots <- struct{}{}
		}
		for range window {
			<-p.slots
		}
	}
}

// awaitDisconnected waits until nothing comes from a former connector any
// more.
func (w *world) awaitDisconnected() {
	w.await(func() bool {
		for _, p := range w.parties {
			if p.connected {
				return false
			}
		}
		return true
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.parties {
		p.held, p.flushing = nil, false
	}
}

// decide is how a bank conducts itself. It takes the time of a few packets, so
// that one settlement is made while another is being paid.
func (w *world) decide(ctx context.Context, _ plugin.Money, _ int) plugintest.Conduct {
	defer context.AfterFunc(ctx, w.wake)()
	w.mu.Lock()
	defer w.mu.Unlock()
	for until := w.counts[arrived] + w.r.IntN(200); !w.generous && w.counts[arrived] < until && ctx.Err() == nil; {
		w.changed.Wait()
	}
	if w.generous {
		return plugintest.Pays
	}
	switch n := w.r.IntN(20); {
	case n == 0:
		return plugintest.Refuses
	case n <= 2:
		return plugintest.LosesRequest
	case n <= 4:
		return plugintest.LosesAnswer
	case n == 5 && w.hangs:
		return plugintest.Hangs
	}
	return plugintest.Pays
}

// record is told of each payment before anybody else is.
func (w *world) record(plugin.Money) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.event(paid)
	return nil
}

// report says what the test has seen, and that it has seen something.
func (w *world) report(what string) {
	w.t.Helper()
	payments, calls := 0, 0
	var perBank []string
	for _, p := range w.parties {
		payments += len(p.bank.Payments())
		calls += len(p.bank.Calls())
		perBank = append(perBank, fmt.Sprintf("%s %d", p.id, len(p.bank.Payments())))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t.Logf("seed %d: %s; %d packets relayed, %d rejected, %d fulfilled too late, %d fulfilled and cut off, with postings of %d steps at least, %d of them of users without their account; %d settlements paid in %d attempts (%s), %d received",
		w.seed, what, w.totals.relayed, w.totals.rejected, w.totals.late, w.totals.cut, w.totals.cutBooked, w.totals.apart,
		payments, calls, strings.Join(perBank, ", "), w.counts[booked])
	if w.totals.relayed == 0 || payments == 0 || w.counts[booked] == 0 {
		w.fault("too little has happened for this test to mean anything")
	}
}

// awaitSettled waits until nothing is to settle in either direction.
func (w *world) awaitSettled(books func() []book) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for settled := false; !settled; <-again.C {
		settled = true
		for _, b := range books() {
			settled = settled && len(b.Settlements) == 0
		}
		w.mu.Lock()
		for _, p := range w.parties {
			settled = settled && p.pending == nil
		}
		w.mu.Unlock()
	}
}
