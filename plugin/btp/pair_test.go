package btp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/pipenet"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// network is a BTP server behind a listener, on a real loopback socket or, in
// a synctest bubble, on pipes.
type network struct {
	*btp.Server
	http     *http.Server
	listener net.Listener
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	served   sync.WaitGroup
}

// newPipeNetwork serves o on pipes.
func newPipeNetwork(t testing.TB, o btp.ServerOptions) *network {
	l := pipenet.Listen()
	return serve(t, o, l, l.Dial)
}

// newLoopback serves o on a loopback socket.
func newLoopback(t testing.TB, o btp.ServerOptions) *network {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, o, l, nil)
}

// newTLSLoopback serves o over TLS, and gives what a client needs to trust it.
func newTLSLoopback(t testing.TB, o btp.ServerOptions) (*network, *tls.Config) {
	with := httptest.NewUnstartedServer(nil) // for its certificate
	with.StartTLS()
	defer with.Close()
	roots := x509.NewCertPool()
	roots.AddCert(with.Certificate())
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: with.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, o, l, nil), &tls.Config{RootCAs: roots}
}

func serve(t testing.TB, o btp.ServerOptions, l net.Listener, dial func(context.Context, string, string) (net.Conn, error)) *network {
	n := &network{Server: btp.NewServer(o), listener: l, dial: dial}
	n.http = &http.Server{Handler: n.Server, ReadHeaderTimeout: 5 * time.Second}
	n.served.Go(func() { n.http.Serve(l) })
	t.Cleanup(n.stop)
	return n
}

// stop ends the server as a host would.
func (n *network) stop() {
	n.http.Close()
	n.Server.Close()
	n.served.Wait()
}

// url is the BTP URL of an account.
func (n *network) url(username, token string) string {
	u := url.URL{Scheme: "btp+ws", User: url.UserPassword(username, token), Host: n.listener.Addr().String(), Path: "/ilp"}
	return u.String()
}

// account adds an account and opens it.
func (n *network) account(t testing.TB, username, token string, h plugin.Handler) *btp.Peer {
	t.Helper()
	p, err := n.Account(btp.Credentials{Username: username, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Open(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// client opens a client of an account.
func (n *network) client(t testing.TB, username, token string, h plugin.Handler, set func(*btp.ClientOptions)) *btp.Client {
	t.Helper()
	o := btp.ClientOptions{URL: n.url(username, token), NetDial: n.dial}
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

// recorder is a Handler that answers with fn and notes the states.
type recorder struct {
	plugin.HandlerFunc
	mu     sync.Mutex
	states []bool
	change chan struct{}
}

func newRecorder(fn func(ctx context.Context, p *ilp.Prepare) ilp.Reply) *recorder {
	return &recorder{HandlerFunc: fn, change: make(chan struct{}, 1000)}
}

func (r *recorder) HandleState(connected bool, _ error) {
	r.mu.Lock()
	r.states = append(r.states, connected)
	r.mu.Unlock()
	r.change <- struct{}{}
}

// await waits until the last state is connected or not.
func (r *recorder) await(t testing.TB, connected bool) {
	t.Helper()
	for {
		r.mu.Lock()
		n := len(r.states)
		ok := n > 0 && r.states[n-1] == connected
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-r.change:
		case <-time.After(10 * time.Second):
			t.Fatalf("not connected=%v in time", connected)
		}
	}
}

var (
	fulfillment = ilp.Fulfillment{1, 2, 3}
	fulfill     = &ilp.Fulfill{Fulfillment: fulfillment, Data: []byte("done")}
)

func fulfiller(context.Context, *ilp.Prepare) ilp.Reply { return fulfill }

func newPrepare(size int) *ilp.Prepare {
	return &ilp.Prepare{
		Amount:      107,
		ExpiresAt:   time.Now().Add(30 * time.Second),
		Condition:   fulfillment.Condition(),
		Destination: ilp.MustParseAddress("test.bob.wallet"),
		Data:        make([]byte, size),
	}
}
