package ilphttp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/pipenet"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// trust is the TLS configuration of a client of s.
func trust(s *httptest.Server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{RootCAs: roots}
}

// servePipes serves h, until stop, on a listener that is dialled by its Dial.
func servePipes(h http.Handler) (l *pipenet.Listener, stop func()) {
	l = pipenet.Listen()
	s := ilphttp.NewHTTPServer(h)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	return l, func() {
		s.Close()
		serving.Wait()
	}
}

var (
	fulfillment = ilp.Fulfillment{1, 2, 3}
	fulfill     = &ilp.Fulfill{Fulfillment: fulfillment, Data: []byte("done")}
)

// token is what the accounts of these tests have unless they need another.
const token = "thirty-two random bytes, or more"

// fulfiller is a handler that fulfils at once.
var fulfiller = plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply { return fulfill })

// silent is a handler that never answers, and says what it has got.
type silent struct {
	plugin.HandlerFunc
	got chan plugin.Responder
}

func newSilent() *silent { return &silent{got: make(chan plugin.Responder, 100)} }

func (s *silent) HandlePrepare(_ context.Context, _ *ilp.Prepare, r plugin.Responder) { s.got <- r }

func newPrepare() *ilp.Prepare {
	return &ilp.Prepare{
		Amount:      107,
		ExpiresAt:   time.Now().Add(30 * time.Second),
		Condition:   fulfillment.Condition(),
		Destination: ilp.MustParseAddress("test.bob.wallet"),
		Data:        []byte("hello"),
	}
}

func encode(t testing.TB, p interface {
	AppendBinary([]byte) ([]byte, error)
}) []byte {
	t.Helper()
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// account adds an account and opens it.
func account(t testing.TB, srv *ilphttp.Server, o ilphttp.AccountOptions, h plugin.Handler) *ilphttp.Peer {
	t.Helper()
	p, err := srv.Account(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Open(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func tokens(all ...string) ilphttp.AccountOptions {
	return ilphttp.AccountOptions{Incoming: ilphttp.Credentials{Tokens: all}}
}

// client opens a Client.
func client(t testing.TB, o ilphttp.ClientOptions) *ilphttp.Client {
	t.Helper()
	c := ilphttp.NewClient(o)
	if err := c.Open(t.Context(), fulfiller); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// request is a request as a sound client makes it.
func request(t testing.TB, prepare *ilp.Prepare) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/ilp", bytes.NewReader(encode(t, prepare)))
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// serve gives the response to a request.
func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// replyOf decodes the reply of a response, which must be one.
func replyOf(t testing.TB, resp *http.Response) ilp.Reply {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := ilp.DecodeReply(text, new(ilp.Fulfill), new(ilp.Reject))
	if resp.StatusCode != http.StatusOK || err != nil || resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Fatalf("status %d, %v, %q: want a reply with status 200", resp.StatusCode, err, text)
	}
	return reply
}

// answer is the answer to one packet.
type answer struct {
	reply ilp.Reply
	err   error
}

// send sends a packet and gives where its answer comes.
func send(p plugin.Plugin, prepare *ilp.Prepare) <-chan answer {
	c := make(chan answer, 10)
	p.SendPrepare(context.Background(), prepare, plugin.NewResponder(plugin.ReplyFunc(func(_ context.Context, reply ilp.Reply, err error) {
		switch r := reply.(type) {
		case *ilp.Fulfill:
			kept := r.Clone()
			reply = &kept
		case *ilp.Reject:
			kept := r.Clone()
			reply = &kept
		}
		c <- answer{reply, err}
	}), 0))
	return c
}

func (a answer) code() ilp.Code {
	if reject, ok := a.reply.(*ilp.Reject); ok {
		return reject.Code
	}
	if reject, ok := errors.AsType[*ilp.Reject](a.err); ok {
		return reject.Code
	}
	return ""
}

func (a answer) fulfilled() bool {
	_, ok := a.reply.(*ilp.Fulfill)
	return ok
}

// discardLog keeps what a server says of clients that do not trust it.
var discardLog = log.New(io.Discard, "", 0)
