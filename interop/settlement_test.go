package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/internal/testenv"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/settlement"
	"github.com/interledger-go/connector/store/memstore"
)

// settler is a connector whose account "peer" settles through an engine.
type settler struct {
	c      *connector.Connector
	engine atomic.Pointer[settlement.Engine] // nil until it is there
	lose   atomic.Bool                       // the next answer to the engine
	asked  atomic.Int64                      // how often the engine said that money has arrived
	server *httptest.Server
}

func newSettler(t *testing.T) *settler {
	s := &settler{}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

// url is what the engine is given: it has no other way to show a token.
func (s *settler) url() string {
	return strings.Replace(s.server.URL, "http://", "http://engine:secret@", 1)
}

func (s *settler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/settlements") {
		s.asked.Add(1)
	}
	if s.lose.CompareAndSwap(true, false) {
		s.engine.Load().ServeHTTP(httptest.NewRecorder(), r) // it is booked
		panic(http.ErrAbortHandler)
	}
	s.engine.Load().ServeHTTP(w, r)
}

func (s *settler) run(t *testing.T, name, engineURL string, link *inproc.End) {
	t.Helper()
	rates, err := onetoone.New(onetoone.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.c, err = connector.New(connector.Config{Address: "test." + name, Store: memstore.New(), Backend: rates, Middleware: middleware.Standard()}); err != nil {
		t.Fatal(err)
	}
	engine, err := settlement.NewEngine(settlement.Options{URL: engineURL, AcceptTokens: []string{"secret"}})
	if err != nil {
		t.Fatal(err)
	}
	s.engine.Store(engine)
	peer, err := engine.Join(connector.Account{ID: "peer", Relation: connector.Peer, Asset: connector.Asset{Code: "USD", Scale: 9}, Plugin: link})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.c.AddAccount(t.Context(), peer); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// awaitBook waits until the peer's balance is this, and nothing is being
// settled.
func (s *settler) awaitBook(t *testing.T, balance int64, remainder uint64) {
	t.Helper()
	deadline := time.Now().Add(callTimeout)
	for {
		got := s.c.Accounts()[0].Book
		if got.Balance == balance && got.Remainder == remainder && len(got.Settlements) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the book is %+v, want a balance of %d and a remainder of %d", got, balance, remainder)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Engines built on ilp-settlement-core, which is what deployed ones stand on,
// settle between two of our connectors.
func TestSettlementEngines(t *testing.T) {
	testenv.NeedFile(t, "js/node_modules/ilp-settlement-core", "npm ci --prefix interop/js")
	alice, bob := newSettler(t), newSettler(t)
	engines := startProcess(t, "engines", "engine.js", map[string]any{
		"account": "peer", "connectors": map[string]string{"alice": alice.url(), "bob": bob.url()}})
	var urls struct{ Alice, Bob string }
	call(t, engines, "start", nil, &urls)
	first, second := inproc.Pipe()
	alice.run(t, "alice", urls.Alice, first)
	bob.run(t, "bob", urls.Bob, second)

	call(t, engines, "accounts", nil, nil) // money for an account that it does not know is lost by this engine

	// The engine's ledger has six decimals; what is finer waits for more.
	paid := int64(0)
	for _, test := range []struct {
		amount uint64
		got    int64 // by bob, in all
	}{{1_500, 1_000}, {2_500, 4_000}, {999, 4_000}, {1, 5_000}} {
		if _, err := alice.c.Settle(t.Context(), "peer", test.amount); err != nil {
			t.Fatal(err)
		}
		paid += int64(test.amount)
		alice.awaitBook(t, paid, 0)
		bob.awaitBook(t, -test.got, 0)
	}

	// An answer that is lost: the engine asks again, and it is booked once.
	before := bob.asked.Load()
	bob.lose.Store(true)
	if _, err := alice.c.Settle(t.Context(), "peer", 7_000); err != nil {
		t.Fatal(err)
	}
	alice.awaitBook(t, 12_000, 0)
	bob.awaitBook(t, -12_000, 0)
	for deadline := time.Now().Add(callTimeout); bob.asked.Load() < before+2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the engine has not asked again")
		}
	}

	// Fractions are ours from then on: the engine has nothing left to bring.
	for range 2 {
		call(t, engines, "credit", map[string]string{"engine": "bob", "amount": "0.0000000014"}, nil)
	}
	bob.awaitBook(t, -12_002, 800_000_000_000_000_000)
	call(t, engines, "credit", map[string]string{"engine": "bob", "amount": "0.000000001", "id": "a-key"}, nil)
	call(t, engines, "credit", map[string]string{"engine": "bob", "amount": "0.000000001", "id": "a-key"}, nil)
	bob.awaitBook(t, -12_003, 800_000_000_000_000_000)
	var left string
	if call(t, engines, "uncredited", map[string]string{"engine": "bob"}, &left); left != "0" {
		t.Errorf("the engine thinks that %s was not credited", left)
	}

	// An engine that uses a key again, with more than it brought under it
	// before, keeps what that leaves, and brings it with the next; with less,
	// it drops what is booked already.
	call(t, engines, "credit", map[string]string{"engine": "bob", "amount": "0.000000003", "id": "a-key"}, nil)
	call(t, engines, "credit", map[string]string{"engine": "bob", "amount": "0.000000005"}, nil)
	call(t, engines, "credit", map[string]string{"engine": "bob", "amount": "0.0000000005", "id": "a-key"}, nil)
	bob.awaitBook(t, -12_010, 800_000_000_000_000_000)
	if call(t, engines, "uncredited", map[string]string{"engine": "bob"}, &left); left != "0" {
		t.Errorf("the engine thinks that %s was not credited after that", left)
	}

	var reply json.RawMessage
	call(t, engines, "message", map[string]string{"engine": "alice", "text": "hello"}, &reply)
	if want := `{"reader":"bob","read":{"text":"hello"}}`; string(reply) != want {
		t.Errorf("bob's engine replies %s, want %s", reply, want)
	}

	var payments []struct{ From, Amount string }
	call(t, engines, "payments", nil, &payments)
	sum := 0
	for _, p := range payments {
		var units int
		if _, err := fmt.Sscanf(p.Amount, "0.%06d", &units); err != nil || p.From != "alice" {
			t.Errorf("a payment of %+v: %v", p, err)
		}
		sum += units
	}
	if sum != 12 {
		t.Errorf("%d millionths have moved, want 12: %v", sum, payments)
	}
	bob.awaitBook(t, -12_010, 800_000_000_000_000_000) // nothing came twice
}

func call(t *testing.T, p *process, method string, with, result any) {
	t.Helper()
	if with == nil {
		with = struct{}{}
	}
	if err := p.call(t.Context(), method, with, result); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}
