package btp_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// raw is a counterparty that says what a test wants, and nothing else.
type raw struct {
	t    testing.TB
	conn *wsconn.Conn
}

// raw connects to the server without authentication.
func (n *network) raw(t testing.TB) *raw {
	t.Helper()
	c, err := wsconn.Dial(t.Context(), "ws://"+n.listener.Addr().String()+"/ilp", wsconn.Options{NetDial: n.dial, PingInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &raw{t, c}
}

// authenticated connects to the server as an account.
func (n *network) authenticated(t testing.TB, username, token string) *raw {
	t.Helper()
	r := n.raw(t)
	r.send(authPacket(1, username, token))
	if p := r.read(); p.Type != btp.TypeResponse || p.RequestID != 1 {
		t.Fatalf("the answer to the authentication is %+v", p)
	}
	return r
}

func authPacket(id uint32, username, token string) btp.Packet {
	return btp.Packet{Type: btp.TypeMessage, RequestID: id, Entries: []btp.Entry{
		{Name: "auth"},
		{Name: "auth_username", ContentType: btp.TextPlain, Data: []byte(username)},
		{Name: "auth_token", ContentType: btp.TextPlain, Data: []byte(token)},
	}}
}

// write sends bytes as one message.
func (r *raw) write(b []byte) {
	r.t.Helper()
	buf, err := r.conn.Begin(len(b))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.conn.End(append(buf, b...)); err != nil {
		r.t.Fatal(err)
	}
	r.conn.Flush()
}

func (r *raw) send(p btp.Packet) {
	r.t.Helper()
	b, err := p.AppendBinary(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(b)
}

// sendILP sends a packet with an ILP packet.
func (r *raw) sendILP(t btp.Type, id uint32, packet interface {
	AppendBinary([]byte) ([]byte, error)
}) {
	r.t.Helper()
	b, err := packet.AppendBinary(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.send(btp.Packet{Type: t, RequestID: id, Entries: []btp.Entry{{Name: "ilp", Data: b}}})
}

// read waits for the next packet.
func (r *raw) read() btp.Packet {
	r.t.Helper()
	p, err := r.tryRead()
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *raw) tryRead() (btp.Packet, error) {
	// In a bubble pings keep the clock going for ever.
	if err := r.conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		return btp.Packet{}, err
	}
	b, err := r.conn.ReadMessage()
	if err != nil {
		return btp.Packet{}, err
	}
	var p btp.Packet
	if err := p.Decode(b); err != nil {
		return btp.Packet{}, err
	}
	return p, nil
}

// readUntilEnd gives the packets that still come, and why there are no more.
func (r *raw) readUntilEnd() (packets []btp.Packet, err error) {
	for {
		p, err := r.tryRead()
		if err != nil {
			return packets, err
		}
		packets = append(packets, p)
	}
}

// rawServer is a server that says what a test wants.
type rawServer struct {
	listener *pipeListener
	conns    chan *raw
}

// newRawServer makes one on pipes; what it accepts comes from conns.
func newRawServer(t testing.TB) *rawServer {
	s := &rawServer{newPipeListener(), make(chan *raw)}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := wsconn.Accept(w, r, wsconn.Options{PingInterval: -1})
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { c.Close() })
		s.conns <- &raw{t, c}
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
func (s *rawServer) accept(t testing.TB) *raw {
	t.Helper()
	r := get(t, s.conns)
	r.send(btp.Packet{Type: btp.TypeResponse, RequestID: r.read().RequestID})
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
