package ilphttp_test

import (
	"net/http/httptest"
	"testing"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/ilphttp"
	"github.com/interledger-go/connector/plugin/plugintest"
)

// window is how many packets are in flight: each has a connection of its own,
// or two.
const window = 200

// conformance has two servers, each with an account for the other.
func conformance(direct, http2, async bool) plugintest.Options {
	return plugintest.Options{
		New: func(t testing.TB) (first, second plugin.Plugin, stop func()) {
			left, right := ilphttp.NewServer(ilphttp.ServerOptions{}), ilphttp.NewServer(ilphttp.ServerOptions{})
			leftHTTP, rightHTTP := newHTTPServer(left, direct, http2), newHTTPServer(right, direct, http2)
			account := func(srv *ilphttp.Server, self, other *httptest.Server) *ilphttp.Peer {
				o := outgoing(other)
				o.Limits.MaxInFlight = window
				o.Token = "to " + other.URL
				if async {
					o.Async, o.CallbackURL = true, self.URL
				}
				p, err := srv.Account(ilphttp.AccountOptions{
					Incoming: ilphttp.Credentials{Tokens: []string{"to " + self.URL}}, Outgoing: o,
				})
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			return account(left, leftHTTP, rightHTTP), account(right, rightHTTP, leftHTTP), func() {
				leftHTTP.Close()
				rightHTTP.Close()
			}
		},
		Symmetric:      true,
		Connectionless: true,
		MaxInFlight:    window,
	}
}

// newHTTPServer serves a Server on loopback, as NewHTTPServer would, with or
// without a Listener.
func newHTTPServer(srv *ilphttp.Server, direct, http2 bool) *httptest.Server {
	s := httptest.NewUnstartedServer(srv)
	s.Config = ilphttp.NewHTTPServer(srv)
	s.Config.ErrorLog = discardLog
	if direct {
		s.Listener = ilphttp.NewListener(s.Listener, s.Config, func(string) (*ilphttp.Server, string) { return srv, "" })
	}
	if http2 {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	return s
}

// outgoing are the options for packets to a server.
func outgoing(s *httptest.Server) ilphttp.ClientOptions {
	o := ilphttp.ClientOptions{URL: s.URL}
	if s.TLS != nil {
		o.TLS = trust(s)
	}
	return o
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]plugintest.Options{
		"Direct":      conformance(true, false, false),
		"DirectAsync": conformance(true, false, true),
		"HTTP1":       conformance(false, false, false),
		"HTTP1Async":  conformance(false, false, true),
		"HTTP2":       conformance(false, true, false),
		"HTTP2Async":  conformance(false, true, true),
	} {
		t.Run(name, func(t *testing.T) { plugintest.Run(t, o) })
	}
}

func BenchmarkDirect(b *testing.B) { plugintest.Bench(b, conformance(true, false, false)) }
func BenchmarkHTTP1(b *testing.B)  { plugintest.Bench(b, conformance(false, false, false)) }
func BenchmarkHTTP2(b *testing.B)  { plugintest.Bench(b, conformance(false, true, false)) }
