package settlement_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/plugintest"
	"github.com/interledger-go/connector/settlement"
)

// transport brings requests to handlers, by host, without sockets, so that it
// works in a bubble.
type transport map[string]http.Handler

func (tr transport) RoundTrip(r *http.Request) (*http.Response, error) {
	handler := tr[r.URL.Host]
	if handler == nil {
		return nil, errors.New("connection refused")
	}
	served := r.Clone(r.Context())
	served.RemoteAddr, served.Host = "127.0.0.1:4711", r.URL.Host
	served.RequestURI = r.URL.RequestURI()
	if served.Body == nil {
		served.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		handler.ServeHTTP(recorder, served)
	}()
	select {
	case aborted := <-done:
		if aborted != nil {
			return nil, io.ErrUnexpectedEOF
		}
		response := recorder.Result()
		response.Request = r
		return response, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// asked is a request that an engine got.
type asked struct {
	method, path, key, contentType, authorization, body string
}

// scripted is an engine that answers as it is told, and keeps what it was
// asked. It may be used concurrently.
type scripted struct {
	mu     sync.Mutex
	asked  []asked
	answer func(asked, http.ResponseWriter, *http.Request)
}

// answers makes an engine that gives this status to all but the creation of
// accounts.
func answers(status int) *scripted {
	return &scripted{answer: func(q asked, w http.ResponseWriter, _ *http.Request) {
		if q.path == "/accounts" {
			w.WriteHeader(http.StatusCreated)
			return
		}
		w.WriteHeader(status)
	}}
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	q := asked{method: r.Method, path: r.URL.EscapedPath(), key: r.Header.Get("Idempotency-Key"),
		contentType: r.Header.Get("Content-Type"), authorization: r.Header.Get("Authorization"), body: string(body)}
	s.mu.Lock()
	s.asked = append(s.asked, q)
	answer := s.answer
	s.mu.Unlock()
	answer(q, w, r)
}

func (s *scripted) answers(answer func(asked, http.ResponseWriter, *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// at gives what it was asked at paths that end so.
func (s *scripted) at(suffix string) []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []asked
	for _, q := range s.asked {
		if strings.HasSuffix(q.path, suffix) {
			found = append(found, q)
		}
	}
	return found
}

// newEngine makes an engine whose API a handler serves, at http://engine.
func newEngine(t testing.TB, handler http.Handler, change ...func(*settlement.Options)) *settlement.Engine {
	t.Helper()
	o := settlement.Options{
		URL:          "http://engine/api",
		Client:       &http.Client{Transport: transport{"engine": http.StripPrefix("/api", handler)}},
		AcceptTokens: []string{"secret"},
	}
	for _, f := range change {
		f(&o)
	}
	e, err := settlement.NewEngine(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var usd = ilp.Asset{Code: "USD", Scale: 9}

// fixture is one account with an engine, a connector and a peer.
type fixture struct {
	t         testing.TB
	engine    *settlement.Engine
	account   *settlement.Account
	peer      *inproc.End // the counterparty's end of the link
	connector *plugintest.Recorder
}

// join joins an account "bob" to an engine and opens it. It is closed with the
// test.
func join(t testing.TB, e *settlement.Engine) *fixture {
	t.Helper()
	peer, end := inproc.Pipe()
	account, err := e.Account(end, settlement.AccountOptions{ID: "bob", Asset: usd})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, engine: e, account: account, peer: peer, connector: &plugintest.Recorder{}}
	if err := account.Open(t.Context(), f.connector); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := account.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// report is a request of the engine's that something has arrived.
type report struct {
	method, path, key, contentType, body string
	header                               http.Header // on top
}

// settled is the report of a body under a key.
func settled(key, body string) report {
	return report{path: "/accounts/bob/settlements", key: key, contentType: "application/json", body: body}
}

// aborted is the status of a request that was not answered.
const aborted = 0

// does makes a request, as the engine.
func (f *fixture) does(q report) (status int, body string, header http.Header) {
	f.t.Helper()
	return serve(f.t.Context(), f.engine, q)
}

func serve(ctx context.Context, e *settlement.Engine, q report) (status int, body string, header http.Header) {
	method := q.method
	if method == "" {
		method = http.MethodPost
	}
	r := httptest.NewRequestWithContext(ctx, method, "http://connector"+q.path, bytes.NewReader([]byte(q.body)))
	r.Header.Set("Authorization", "Bearer secret")
	if q.key != "" {
		r.Header.Set("Idempotency-Key", q.key)
	}
	if q.contentType != "" {
		r.Header.Set("Content-Type", q.contentType)
	}
	for name, values := range q.header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	if !finishes(func() { e.ServeHTTP(w, r) }) {
		return aborted, "", nil
	}
	return w.Code, strings.TrimSpace(w.Body.String()), w.Header()
}

// finishes reports whether serve has answered, and not given up the
// connection.
func finishes(serve func()) (ok bool) {
	defer func() {
		if reason := recover(); reason != nil && reason != http.ErrAbortHandler {
			panic(reason)
		}
	}()
	serve()
	return true
}

// pay sends money, as the ledger does.
func (f *fixture) pay(amount uint64, key string) error {
	return f.account.SendMoney(f.t.Context(), plugin.Money{Amount: amount, Key: key})
}

// bookkeeper is a connector that keeps books alone.
type bookkeeper struct{ books *books }

func (k bookkeeper) HandlePrepare(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) {
	r.Reply(ctx, ilp.Rejectf(ilp.F02Unreachable, "nobody is here"))
}

func (k bookkeeper) HandleMalformed(ctx context.Context, err error, r plugin.Responder) {
	r.Reply(ctx, ilp.Rejectf(ilp.F01InvalidPacket, "%v", err))
}

func (k bookkeeper) HandleMoney(_ context.Context, m plugin.Money) error { return k.books.book(m) }

func (k bookkeeper) HandleState(bool, error) {}
