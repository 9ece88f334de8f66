package admin_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/backend/static"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/memstore"
)

const (
	fullToken = "a token that may do everything"
	readToken = "a token that may only look"
)

// The fulfillment of the reference's tests.
var fulfillment = ilp.Fulfillment(must(base64.RawStdEncoding.DecodeString("HS8e5Ew02XKAglyus2dh2Ohabuqmy3HDM8EXMLz22ok")))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// fixture is the connector of the reference's tests, and its handler.
type fixture struct {
	t     testing.TB
	c     *connector.Connector
	h     *admin.Handler
	links map[string]*fakeLink // by account
	sent  atomic.Uint64
	stop  func()
}

// currencies are the accounts of the reference's tests: test.cad-ledger and so
// on.
var currencies = []string{"cad", "usd", "eur", "cny"}

func ledgerOf(currency string) string { return "test." + currency + "-ledger" }

// newFixture makes the connector of the reference's tests, and runs it until
// the test ends. options changes the handler's, if it is not nil.
func newFixture(t testing.TB, options func(*admin.Options)) *fixture {
	t.Helper()
	rates := must(static.New(static.Options{Spread: "0.002", Rates: static.Rates{"EUR": {
		"USD": "1.0592", "CAD": "1.3583", "CNY": "6.5982", "AUD": "1.3901", "JPY": "130.553",
	}}}))
	c := must(connector.New(connector.Config{
		Address: "test.connie", Store: memstore.New(), Backend: rates, Middleware: logging(middleware.PacketLogOptions{}),
	}))
	f := &fixture{t: t, c: c, links: make(map[string]*fakeLink)}
	for _, currency := range currencies {
		f.add(connector.Account{
			ID: ledgerOf(currency), Relation: connector.Peer, Asset: connector.Asset{Code: strings.ToUpper(currency), Scale: 4},
			Balance: &connector.BalanceLimits{Maximum: 1000, Minimum: connector.NoMinimum},
		})
	}
	o := admin.Options{Connector: c, Tokens: []string{fullToken}, ReadTokens: []string{readToken}}
	if options != nil {
		options(&o)
	}
	f.h = must(admin.New(o))
	f.run()
	return f
}

// logging is the standard middleware behind a packet log.
func logging(o middleware.PacketLogOptions) []middleware.Middleware {
	return append([]middleware.Middleware{middleware.NewPacketLog(o)}, middleware.Standard()...)
}

func (f *fixture) add(a connector.Account) *fakeLink {
	f.t.Helper()
	l := &fakeLink{opened: make(chan struct{})}
	a.Plugin = l
	if err := f.c.AddAccount(context.Background(), a); err != nil {
		f.t.Fatal(err)
	}
	f.links[a.ID] = l
	return l
}

func (f *fixture) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.c.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			f.t.Errorf("Run: %v", err)
		}
	})
	f.t.Cleanup(f.stop)
	for _, l := range f.links {
		<-l.opened
	}
}

// learn has each account tell the route to itself, as the reference's tests
// do.
func (f *fixture) learn() {
	f.t.Helper()
	synctest.Wait()
	for _, currency := range currencies {
		id := ledgerOf(currency)
		update := ccp.Update{
			TableID: tableOfPeers, CurrentEpoch: 1, FromEpoch: 0, ToEpoch: 1,
			HoldDown: 45 * time.Second, Speaker: ilp.MustParseAddress(id),
			NewRoutes: []*ccp.Route{{Prefix: id, Path: []ilp.Address{ilp.MustParseAddress(id)}}},
		}
		reply := f.receive(id, must(update.Prepare(time.Now().Add(time.Minute))))
		if _, ok := reply.(*ilp.Fulfill); !ok {
			f.t.Fatalf("%s: the update is answered %v", id, reply)
		}
		time.Sleep(100 * time.Millisecond) // of the bubble: each change is an epoch of its own
		synctest.Wait()
	}
}

// tableOfPeers is b38e6e41-71a0-4088-baed-d2f09caa18ee.
var tableOfPeers = ccp.TableID{0xb3, 0x8e, 0x6e, 0x41, 0x71, 0xa0, 0x40, 0x88, 0xba, 0xed, 0xd2, 0xf0, 0x9c, 0xaa, 0x18, 0xee}

// receive has an account send a packet, and gives the answer.
func (f *fixture) receive(from string, p ilp.Prepare) ilp.Reply {
	f.t.Helper()
	answer := make(replyTo, 1)
	f.links[from].handler.HandlePrepare(context.Background(), &p, plugin.NewResponder(answer, 0))
	return <-answer
}

// pay sends a packet that is no duplicate of another.
func (f *fixture) pay(from, to string, amount uint64) ilp.Reply {
	return f.receive(from, ilp.Prepare{
		Amount: amount, Destination: ilp.MustParseAddress(to), Condition: fulfillment.Condition(),
		ExpiresAt: time.Now().Add(10 * time.Second).UTC().Truncate(time.Millisecond), Data: binary.BigEndian.AppendUint64(nil, f.sent.Add(1)),
	})
}

// paid sends the packet of the reference's tests.
func (f *fixture) paid() {
	f.t.Helper()
	if reply, ok := f.pay("test.usd-ledger", "test.eur-ledger.bob", 100).(*ilp.Fulfill); !ok || reply.Fulfillment != fulfillment {
		f.t.Fatalf("the packet is answered %v", reply)
	}
}

type replyTo chan ilp.Reply

func (r replyTo) Reply(_ context.Context, _ uint64, reply ilp.Reply, err error) {
	switch answer := reply.(type) {
	case *ilp.Fulfill:
		kept := answer.Clone()
		r <- &kept
	case *ilp.Reject:
		kept := answer.Clone()
		r <- &kept
	default:
		r <- ilp.Rejectf(ilp.T00InternalError, "%v", err)
	}
}

// answer is what a request was answered with.
type answer struct {
	*httptest.ResponseRecorder
}

// ask sends a request with a token; body is a string, or a value that becomes
// JSON, or nil.
func (f *fixture) ask(token, method, path string, body any) answer {
	f.t.Helper()
	return serve(f.h, request(method, path, token, body))
}

func request(method, path, token string, body any) *http.Request {
	text, isText := body.(string)
	if !isText && body != nil {
		text = string(must(json.Marshal(body)))
	}
	r := httptest.NewRequest(method, path, strings.NewReader(text))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func serve(h http.Handler, r *http.Request) answer {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w}
}

// want fails the test unless the answer has this status and is this JSON,
// which may leave keys out. It is compared with the names of its keys alone.
func (a answer) want(t testing.TB, status int, wanted string) {
	t.Helper()
	if a.Code != status {
		t.Fatalf("the status is %d, want %d: %s", a.Code, status, a.Body)
	}
	if wanted == "" {
		if a.Body.Len() > 0 {
			t.Errorf("the body is %s, want none", a.Body)
		}
		return
	}
	var got, want any
	if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
	if err := json.Unmarshal([]byte(wanted), &want); err != nil {
		t.Fatal(err)
	}
	if at := missing(want, got, ""); at != "" {
		t.Errorf("the answer differs at %s: it is\n%swant\n%s", at, a.Body, wanted)
	}
}

// missing gives a place at which got does not have what want has.
func missing(want, got any, at string) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return at + ": no object"
		}
		for key, value := range w {
			if place := missing(value, g[key], at+"/"+key); place != "" {
				return place
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return at + ": another length"
		}
		for i := range w {
			if place := missing(w[i], g[i], fmt.Sprintf("%s/%d", at, i)); place != "" {
				return place
			}
		}
	default:
		if want != got {
			return fmt.Sprintf("%s: %v, want %v", at, got, want)
		}
	}
	return ""
}

// wantProblem fails the test unless the answer is a problem whose detail
// contains a text.
func (a answer) wantProblem(t testing.TB, status int, detail string) {
	t.Helper()
	var p admin.Problem
	if err := json.Unmarshal(a.Body.Bytes(), &p); err != nil {
		t.Fatalf("the answer %d is no problem: %v: %s", a.Code, err, a.Body)
	}
	if a.Code != status || p.Status != status || p.Title != http.StatusText(status) || p.Type != "about:blank" ||
		!strings.Contains(p.Detail, detail) || a.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("the answer is %d %s, want %d with %q", a.Code, a.Body, status, detail)
	}
}

// fakeLink is a plugin whose counterparty fulfills everything, unless answer
// says otherwise.
type fakeLink struct {
	answer func(p *ilp.Prepare) ilp.Reply // nil fulfills; a nil reply never comes
	paid   func(m plugin.Money) error     // nil takes it

	handler plugin.Handler
	opened  chan struct{}

	mu      sync.Mutex
	offline bool
	waiting []plugin.Responder
}

var (
	_ plugin.MoneySender = (*fakeLink)(nil)
	_ plugin.Informer    = (*fakeLink)(nil)
	_ plugin.Instructor  = (*fakeLink)(nil)
)

func (l *fakeLink) Open(_ context.Context, h plugin.Handler) error {
	l.handler = h
	close(l.opened)
	return nil
}

func (l *fakeLink) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	switch {
	case p.Destination.Scheme() == "peer":
		r.Reply(ctx, &ilp.Fulfill{})
	case l.answer == nil:
		r.Reply(ctx, &ilp.Fulfill{Fulfillment: fulfillment})
	default:
		if reply := l.answer(p); reply != nil {
			r.Reply(ctx, reply)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.waiting = append(l.waiting, r)
	}
}

func (l *fakeLink) Connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.offline
}

func (l *fakeLink) Close() error {
	l.mu.Lock()
	waiting := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	for _, r := range waiting {
		r.Fail(context.Background(), plugin.ErrUnknownOutcome)
	}
	return nil
}

func (l *fakeLink) SendMoney(_ context.Context, m plugin.Money) error {
	if l.paid == nil {
		return nil
	}
	return l.paid(m)
}

func (l *fakeLink) AdminInfo(context.Context) (any, error) {
	return map[string]string{"foo": "bar"}, nil
}

func (l *fakeLink) SendAdminInfo(_ context.Context, message []byte) (any, error) {
	switch {
	case bytes.Contains(message, []byte("fail")):
		return nil, errors.New("it failed")
	case bytes.Contains(message, []byte("wrong")):
		return nil, fmt.Errorf("%w: say something else", plugin.ErrInstruction)
	}
	return map[string]json.RawMessage{"foo": message}, nil
}

// bareLink is a plugin with no abilities.
type bareLink struct{ plugin.Plugin }

func (l bareLink) Unwrap() plugin.Plugin { return nil }
