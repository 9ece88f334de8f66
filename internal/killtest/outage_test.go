package killtest

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/testserver"
)

// A connector whose database goes away takes no packets until it is back, says
// so, goes on by itself, and has lost nothing.
func TestOutage(t *testing.T) {
	crash := outage{"crash", (*testserver.Server).Kill, (*testserver.Server).Start}
	restart := outage{"restart", (*testserver.Server).Stop, (*testserver.Server).Start}
	hang := outage{"hang", (*testserver.Server).Pause, (*testserver.Server).Resume}
	for _, on := range []struct {
		kind  string
		start func(testing.TB) *testserver.Server
	}{
		{redis, func(t testing.TB) *testserver.Server { return testserver.Redis(t) }},
		{postgreSQL, func(t testing.TB) *testserver.Server { return testserver.PostgreSQL(t) }},
	} {
		t.Run(on.kind, func(t *testing.T) {
			server := on.start(t)
			testOutages(t, place{on.kind, server.Addr()}, server, crash, restart, hang)
		})
	}
}

// outage is a way in which a server goes away, and comes back.
type outage struct {
	name       string
	away, back func(*testserver.Server)
}

func testOutages(t *testing.T, at place, server *testserver.Server, outages ...outage) {
	w := newWorld(t, rand.Uint64(), setup{})
	log := newWatchedLog(w)
	s := setup{Server: w.addr, Store: at}
	n, err := newNode(s, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	n.start()
	l := w.begin()
	w.awaitRelayed(500)
	for i, o := range outages {
		o.away(server)
		log.await("the store fails: no packets are taken until it works again", i+1)
		for _, p := range w.parties {
			if !p.sends {
				continue
			}
			const want = "the books cannot be kept at the moment."
			if k := p.probe(); k.outcome != refused || k.reject.Code != ilp.T03ConnectorBusy || k.reject.Message != want {
				t.Errorf("%s: a packet of %s has the outcome %d, %v; want T03 %q", o.name, p.id, k.outcome, k.reject, want)
			}
		}
		o.back(server)
		log.await("the store works again", i+1)
		w.awaitRelayed(500)
	}
	w.mu.Lock()
	w.generous = true
	w.changed.Broadcast()
	w.mu.Unlock()
	l.drain()
	w.awaitSettled(func() []book { return mustBooks(t, n) })
	if err := n.stop(); err != nil {
		t.Error(err)
	}
	l.end()
	w.awaitDisconnected()

	if n, err = newNode(s, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	w.audit(mustBooks(t, n), true)
	if err := n.stop(); err != nil {
		t.Error(err)
	}
	w.report("the database went away and came back")
}

func mustBooks(t testing.TB, n *node) []book {
	t.Helper()
	books, err := n.books()
	if err != nil {
		t.Fatal(err)
	}
	return books
}

// awaitRelayed waits until n more packets are fulfilled.
func (w *world) awaitRelayed(n int) {
	w.mu.Lock()
	want := w.totals.relayed + n
	w.mu.Unlock()
	w.await(func() bool { return w.totals.relayed >= want })
}

// watchedLog is a log that a test waits for.
type watchedLog struct {
	slog.Handler
	w        *world
	messages map[string]int // guarded by w.mu
}

func newWatchedLog(w *world) *watchedLog {
	return &watchedLog{slog.DiscardHandler, w, make(map[string]int)}
}

func (l *watchedLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *watchedLog) Handle(_ context.Context, r slog.Record) error {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.messages[r.Message]++
	l.w.changed.Broadcast()
	return nil
}

// await waits until the log has said so n times.
func (l *watchedLog) await(message string, n int) {
	l.w.await(func() bool { return l.messages[message] >= n })
}
