package settlement_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/interledger-go/connector/internal/testcert"
	"github.com/interledger-go/connector/settlement"
)

func trustAll(*x509.Certificate) error { return nil }

// statusFrom gives what a request is answered that asks for nothing: 404 to
// the engine, 401 to everybody else.
func statusFrom(e *settlement.Engine, change func(*http.Request)) int {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/", nil)
	r.RemoteAddr = "127.0.0.1:4711"
	change(r)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w.Code
}

func authorized(value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", value) }
}

func basic(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

func TestTokens(t *testing.T) {
	e := newEngine(t, answers(201), func(o *settlement.Options) { o.AcceptTokens = []string{"old", "new"} })
	for value, want := range map[string]int{
		"Bearer old": 404, "Bearer new": 404, "bearer  new ": 404, basic("engine:new"): 404, basic(":old"): 404,
		"": 401, "old": 401, "Bearer": 401, "Bearer ": 401, "Bearer older": 401, "Bearer ol": 401, "Bearer old new": 401,
		"Basic old": 401, basic("old"): 401, basic("old:"): 401, basic("old:x"): 401, "Digest old": 401,
	} {
		if got := statusFrom(e, authorized(value)); got != want {
			t.Errorf("%q: %d, want %d", value, got, want)
		}
	}
	if err := e.SetAcceptTokens(); err == nil {
		t.Error("no token at all is taken: anybody could speak as the engine")
	}
	if err := e.SetAcceptTokens("newer", ""); err == nil {
		t.Error("an empty token is taken")
	}
	if got := statusFrom(e, authorized("Bearer old")); got != 404 {
		t.Errorf("after a change that failed: %d, want 404", got)
	}
	if err := e.SetAcceptTokens("newer", "new"); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]int{"Bearer newer": 404, "Bearer new": 404, "Bearer old": 401} {
		if got := statusFrom(e, authorized(value)); got != want {
			t.Errorf("%q after the change: %d, want %d", value, got, want)
		}
	}
}

func TestRefusalTellsNothing(t *testing.T) {
	f := join(t, newEngine(t, answers(201)))
	r := settled("k", `{"amount":"1","scale":9}`)
	r.header = http.Header{"Authorization": {"Bearer wrong"}}
	known, body, header := f.does(r)
	r.path = "/accounts/nobody/settlements"
	unknown, other, _ := f.does(r)
	if known != 401 || unknown != 401 || body != other || len(header["Www-Authenticate"]) != 2 {
		t.Errorf("%d %q and %d %q, want 401 for both and the same words", known, body, unknown, other)
	}
	if len(f.connector.Money()) != 0 {
		t.Error("it is booked")
	}
}

func TestLoopbackOnly(t *testing.T) {
	e := newEngine(t, answers(201), func(o *settlement.Options) { o.AcceptTokens, o.LoopbackOnly = nil, true })
	for _, test := range []struct {
		from, host string
		want       int
	}{
		{"127.0.0.1:1", "localhost:7771", 404},
		{"[::1]:1", "[::1]:7771", 404},
		{"[::ffff:127.0.0.1]:1", "127.0.0.1", 404},
		{"127.3.2.1:1", "LOCALHOST", 404},
		{"[::1]:1", "[::1]", 404},
		{"192.0.2.1:1", "localhost", 401},
		{"@", "localhost", 401},
		{"127.0.0.1:1", "evil.example", 401}, // a name that was made to lead here
		{"127.0.0.1:1", "localhost.evil.example:7771", 401},
		{"127.0.0.1:1", "192.0.2.1", 401},
		{"127.0.0.1:1", "", 401},
	} {
		got := statusFrom(e, func(r *http.Request) { r.RemoteAddr, r.Host = test.from, test.host })
		if got != test.want {
			t.Errorf("from %s to %s: %d, want %d", test.from, test.host, got, test.want)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	engine := &x509.Certificate{Raw: []byte("engine")}
	other := &x509.Certificate{Raw: []byte("other")}
	verify := func(c *x509.Certificate) error {
		if c != engine {
			return errors.New("not the engine")
		}
		return nil
	}
	by := func(c ...*x509.Certificate) func(*http.Request) {
		return func(r *http.Request) { r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{c}} }
	}
	only := newEngine(t, answers(201), func(o *settlement.Options) { o.AcceptTokens, o.VerifyClient = nil, verify })
	both := newEngine(t, answers(201), func(o *settlement.Options) { o.VerifyClient = verify })
	for name, test := range map[string]struct {
		e      *settlement.Engine
		change func(*http.Request)
		want   int
	}{
		"the engine's":      {only, by(engine, other), 404},
		"another's":         {only, by(other, engine), 401},
		"no TLS":            {only, func(*http.Request) {}, 401},
		"an empty chain":    {only, by(), 401},
		"not verified":      {only, func(r *http.Request) { r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{engine}} }, 401},
		"and a token":       {both, func(r *http.Request) { by(engine)(r); authorized("Bearer secret")(r) }, 404},
		"without the token": {both, by(engine), 401},
		"the token alone":   {both, authorized("Bearer secret"), 401},
	} {
		if got := statusFrom(test.e, test.change); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

// Over a real listener, with certificates of two authorities.
func TestMutualTLS(t *testing.T) {
	e := newEngine(t, answers(201), func(o *settlement.Options) {
		o.AcceptTokens = nil
		o.VerifyClient = func(c *x509.Certificate) error {
			if c.Subject.CommonName != "engine" {
				return errors.New("not the engine")
			}
			return nil
		}
	})
	trusted, stranger := testcert.NewAuthority(t), testcert.NewAuthority(t)
	server := httptest.NewUnstartedServer(e)
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: trusted.Pool}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	ask := func(certificates ...tls.Certificate) int {
		transport := server.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = certificates
		defer transport.CloseIdleConnections()
		response, err := (&http.Client{Transport: transport}).Post(server.URL+"/accounts/x/settlements", "application/json", strings.NewReader(""))
		if err != nil {
			return -1
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	for name, test := range map[string]struct {
		certificates []tls.Certificate
		want         int
	}{
		"the engine's":              {[]tls.Certificate{trusted.Issue(t, testcert.Named("engine"))}, 404},
		"another's":                 {[]tls.Certificate{trusted.Issue(t, testcert.Named("wallet"))}, 401},
		"none":                      {nil, 401},
		"one that anybody can make": {[]tls.Certificate{stranger.Issue(t, testcert.Named("engine"))}, 401}, // the client keeps it to itself
	} {
		if got := ask(test.certificates...); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
