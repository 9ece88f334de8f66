package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/testengine"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/settlement"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// Two connectors pay each other with packets, and settle through an engine
// that does everything wrong that an engine can do, over several lives of the
// connectors. No unit is lost or made, and every settlement moves once.
func TestConnectorsSettle(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				for range 3 {
					w.live()
				}
				w.audit()
			})
		})
	}
}

var (
	alice = testengine.Place{Connector: "alice", Account: "bob"} // alice's account for bob
	bob   = testengine.Place{Connector: "bob", Account: "alice"}
)

// engineScale is coarser than the accounts': engines keep what is left over.
const engineScale = 7

// world is two connectors and the engine that they share.
type world struct {
	t          *testing.T
	hosts      map[string]*socket // of the connectors
	client     *http.Client
	stores     map[string]store.Store
	engine     *testengine.Engine
	mu         sync.Mutex // guards random and calm
	random     *rand.Rand
	calm       bool // the engine behaves
	connectors map[string]*connector.Connector
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, hosts: map[string]*socket{"alice": {}, "bob": {}}, random: rand.New(rand.NewPCG(seed, 5)),
		stores:     map[string]store.Store{"alice": memstore.New(), "bob": memstore.New()},
		connectors: make(map[string]*connector.Connector)}
	hosts := transport{"alice": w.hosts["alice"], "bob": w.hosts["bob"]}
	w.client = &http.Client{Transport: hosts}
	engine, err := testengine.Open(testengine.Options{
		Path: filepath.Join(t.TempDir(), "ledger"), Scale: engineScale,
		Pairs:      map[testengine.Place]testengine.Place{alice: bob, bob: alice},
		Connectors: map[string]string{"alice": "http://engine:secret@alice", "bob": "http://engine:secret@bob"},
		Client:     w.client,
		OnOrder:    func() testengine.Fault { return w.fault(testengine.Orders) },
		OnReport:   func() testengine.Fault { return w.fault(testengine.Reports) },
		Late:       time.Minute,
		Reply: func(to testengine.Place, message []byte) (int, []byte) {
			return http.StatusCreated, fmt.Appendf(nil, "%s has read %s", to.Connector, message)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.engine = engine
	hosts["engine"] = engine
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { engine.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		_ = engine.Close()
	})
	return w
}

// socket is where a connector listens, while it lives.
type socket struct {
	atomic.Pointer[settlement.Engine]
}

func (s *socket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e := s.Load(); e != nil {
		e.ServeHTTP(w, r)
		return
	}
	panic(http.ErrAbortHandler)
}

func (w *world) fault(of []testengine.Fault) testengine.Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm {
		return testengine.None
	}
	return of[w.random.IntN(len(of))]
}

func (w *world) intN(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

// node is a connector in one of its lives.
type node struct {
	app  *inproc.End // a child of it
	stop func()
}

// start starts a life of a connector, whose peer is at the other end of link.
func (w *world) start(self, peer string, link *inproc.End) *node {
	w.t.Helper()
	ctx := context.Background()
	rates, err := onetoone.New(onetoone.Options{})
	check(w.t, err)
	c, err := connector.New(connector.Config{Address: "test." + self, Store: w.stores[self], Backend: rates, Middleware: middleware.Standard(),
		Routes: []connector.Route{{Prefix: "test." + peer, NextHop: peer}}})
	check(w.t, err)
	engine, err := settlement.NewEngine(settlement.Options{URL: "http://engine/" + self,
		Client: w.client, AcceptTokens: []string{"secret"}, Timeout: 10 * time.Second})
	check(w.t, err)
	joined, err := engine.Join(connector.Account{ID: peer, Relation: connector.Peer, Asset: usd, Plugin: link,
		Balance: &connector.BalanceLimits{Maximum: 1e12, Minimum: -1e12, SettleThreshold: connector.Int(-2000)}})
	check(w.t, err)
	app, end := inproc.Pipe()
	check(w.t, c.AddAccount(ctx, joined))
	check(w.t, c.AddAccount(ctx, connector.Account{ID: "app", Relation: connector.Child, Asset: usd, Plugin: end}))
	check(w.t, app.Handle(func(context.Context, *ilp.Prepare) ilp.Reply { return &ilp.Fulfill{Fulfillment: secret} }))
	w.connectors[self] = c
	w.hosts[self].Store(engine)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(running) }()
	return &node{app: app, stop: func() {
		stop()
		check(w.t, <-ended)
	}}
}

var secret = ilp.Fulfillment{7}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startBoth starts both connectors, which are joined.
func (w *world) startBoth() (a, b *node) {
	first, second := inproc.Pipe()
	a, b = w.start("alice", "bob", first), w.start("bob", "alice", second)
	synctest.Wait()
	return a, b
}

// live is a life of both connectors, which ends at some moment.
func (w *world) live() {
	a, b := w.startBoth()
	for range 40 {
		from, to := a, "bob"
		if w.intN(3) == 0 {
			from, to = b, "alice"
		}
		_, err := from.app.Send(context.Background(), &ilp.Prepare{Amount: uint64(w.intN(3000)), Destination: ilp.MustParseAddress("test." + to + ".app.x"),
			Condition: secret.Condition(), ExpiresAt: time.Now().Add(10 * time.Second), Data: fmt.Append(nil, w.intN(1<<30))})
		check(w.t, err)
		time.Sleep(time.Duration(w.intN(5000)) * time.Millisecond)
	}
	a.stop()
	b.stop()
	w.hosts["alice"].Store(nil) // the engine finds nobody
	w.hosts["bob"].Store(nil)
	time.Sleep(time.Duration(w.intN(10)) * time.Second)
}

// audit lets everything come to its end, and compares the books.
func (w *world) audit() {
	t := w.t
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	a, b := w.startBoth()
	time.Sleep(2 * time.Hour)
	balances, book := make(map[testengine.Place]int64), w.engine.Book()
	for _, place := range []testengine.Place{alice, bob} {
		state := w.state(place)
		if len(state.Settlements) > 0 || len(book.Unreported(place.Connector)) > 0 {
			t.Errorf("%v: %d settlements and %d reports are outstanding", place, len(state.Settlements), len(book.Unreported(place.Connector)))
		}
		balances[place] = state.Balance
	}
	left := new(big.Int)
	for _, place := range []testengine.Place{alice, bob} {
		rest := new(big.Int).Sub(book.Ordered(place, usd.Scale), book.Paid(place, usd.Scale))
		if rest.Sign() < 0 || rest.Int64() >= 100 {
			t.Errorf("%v has ordered %v more than has moved", place, rest)
		}
		left.Add(left, rest)
	}
	// What one owes the other is owed to, but for what the engine owes.
	if got := balances[alice] + balances[bob]; got != left.Int64() {
		t.Errorf("the balances are %v, and come to %d; the engine owes %v", balances, got, left)
	}
	if n := len(book.Payments()); n < 5 {
		t.Errorf("only %d payments", n)
	}
	a.stop()
	b.stop()
	t.Logf("%d orders, %d payments, balances %v", book.Orders(alice)+book.Orders(bob), len(book.Payments()), balances)
}

func (w *world) state(place testengine.Place) ledger.State {
	w.t.Helper()
	for _, a := range w.connectors[place.Connector].Accounts() {
		if a.ID == place.Account {
			return a.Book
		}
	}
	w.t.Fatalf("%v is gone", place)
	return ledger.State{}
}

// The engines of two connectors speak with each other through them; a
// connector without an engine says that it has none, and forwards nothing
// (SE-42, SE-43).
func TestEnginesSpeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		a, b := w.startBoth()
		for from, want := range map[testengine.Place]string{alice: "bob has read hello", bob: "alice has read hello"} {
			status, reply, err := w.engine.Ask(t.Context(), from, "messages", "application/octet-stream", "", []byte("hello"))
			if err != nil || status != http.StatusCreated || string(reply) != want {
				t.Errorf("%v: %d %q, %v, want %q", from, status, reply, err, want)
			}
		}
		_, err := a.app.Send(t.Context(), &ilp.Prepare{Destination: ilp.MustParseAddress(settlement.Destination), Condition: ilp.PeerCondition,
			ExpiresAt: time.Now().Add(time.Second), Data: []byte("from a child that has no engine")})
		if reject, ok := errors.AsType[*ilp.Reject](err); !ok || reject.Code != ilp.F01InvalidPacket {
			t.Errorf("got %v, want F01", err)
		}
		a.stop()
		b.stop()
		if _, _, err := w.engine.Ask(t.Context(), alice, "settlements", "application/json", "k", []byte(`{"amount":"1","scale":9}`)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a connector that has stopped: %v, want no answer", err)
		}
	})
}
