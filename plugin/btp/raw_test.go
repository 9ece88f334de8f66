package btp_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/internal/pipenet"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// raw connects to the server without authentication.
func (n *network) raw(t testing.TB) *btptest.Conn {
	t.Helper()
	return btptest.Dial(t, "ws://"+n.listener.Addr().String()+"/ilp", wsconn.Options{NetDial: n.dial})
}

// authenticated connects to the server as an account.
func (n *network) authenticated(t testing.TB, username, token string) *btptest.Conn {
	t.Helper()
	r := n.raw(t)
	r.Send(btptest.Auth(1, username, token))
	if p := r.Read(); p.Type != btp.TypeResponse || p.RequestID != 1 {
		t.Fatalf("the answer to the authentication is %+v", p)
	}
	return r
}

// rawServer is a server that says what a test wants.
type rawServer struct {
	listener *pipenet.Listener
	conns    chan *btptest.Conn
}

// newRawServer makes one on pipes; what it accepts comes from conns.
func newRawServer(t testing.TB) *rawServer {
	s := &rawServer{pipenet.Listen(), make(chan *btptest.Conn)}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := wsconn.Accept(w, r, wsconn.Options{PingInterval: -1})
		if err != nil {
			t.Error(err)
			return
		}
		s.conns <- btptest.New(t, c)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(s.listener)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return s
}

// client opens a client of the raw server.
func (s *rawServer) client(t testing.TB, h plugin.Handler, set func(*btp.ClientOptions)) *btp.Client {
	t.Helper()
	o := btp.ClientOptions{URL: "btp+ws://alice:token@server.example/ilp", NetDial: s.listener.Dial}
	if set != nil {
		set(&o)
	}
	c := btp.NewClient(o)
	if err := c.Open(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// accept takes a connection and accepts its credentials.
func (s *rawServer) accept(t testing.TB) *btptest.Conn {
	t.Helper()
	r := get(t, s.conns)
	r.Send(btp.Packet{Type: btp.TypeResponse, RequestID: r.Read().RequestID})
	return r
}

// outcome is what a responder was told.
type outcome struct {
	fulfill *ilp.Fulfill
	reject  *ilp.Reject
	err     error
}

// ask sends p and gives the outcome, when there is one.
func ask(p plugin.Plugin, prepare *ilp.Prepare) <-chan outcome {
	c := make(chan outcome, 10) // room for answers that must not be there
	p.SendPrepare(context.Background(), prepare, plugin.NewResponder(plugin.ReplyFunc(
		func(_ context.Context, reply ilp.Reply, err error) {
			o := outcome{err: err}
			switch r := reply.(type) {
			case *ilp.Fulfill:
				kept := r.Clone()
				o.fulfill = &kept
			case *ilp.Reject:
				kept := r.Clone()
				o.reject = &kept
			}
			c <- o
		}), 0))
	return c
}

// get takes from a channel what must come.
func get[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Hour):
		t.Fatal("nothing comes")
		panic("not reached")
	}
}

// held is a prepare that a handler has not answered.
type held struct {
	prepare   ilp.Prepare
	responder plugin.Responder
}

// holder is a Handler that leaves the answers to the test.
type holder struct {
	*recorder
	held chan held
}

func newHolder() *holder { return &holder{newRecorder(nil), make(chan held, 1000)} }

func (h *holder) HandlePrepare(_ context.Context, p *ilp.Prepare, r plugin.Responder) {
	h.held <- held{*p, r}
}
