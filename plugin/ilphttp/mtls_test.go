package ilphttp_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/testcert"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// HTTP-14: an account is known by the key of a client certificate, or by the
// name in one that an authority of the host has signed.
func TestClientCertificates(t *testing.T) {
	key := testcert.NewKey(t)
	known := testcert.SelfSigned(t, testcert.Subject{CommonName: "alice", Key: key})
	renewed := testcert.SelfSigned(t, testcert.Subject{CommonName: "another name", Key: key, Until: time.Now().Add(2 * time.Hour)})
	expired := testcert.SelfSigned(t, testcert.Subject{CommonName: "alice", Key: key, Until: time.Now().Add(-time.Minute)})
	stranger := testcert.SelfSigned(t, testcert.Named("alice"))
	named := testcert.SelfSigned(t, testcert.Subject{CommonName: "carol", Organization: "Peers"})
	impostor := testcert.SelfSigned(t, testcert.Subject{CommonName: "carol", Organization: "Peers"})

	start := func(auth tls.ClientAuthType) *httptest.Server {
		srv := ilphttp.NewServer(ilphttp.ServerOptions{})
		account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{ClientKeys: []ilphttp.Fingerprint{ilphttp.KeyFingerprint(known.Leaf)}, Tokens: []string{"or a token"}}}, fulfiller)
		account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{ClientSubjects: []string{"CN=carol,O=Peers"}}}, fulfiller)
		web := httptest.NewUnstartedServer(srv)
		web.Config.ErrorLog = discardLog
		web.EnableHTTP2 = true
		web.TLS = &tls.Config{ClientAuth: auth, ClientCAs: testcert.Pool(named)}
		web.StartTLS()
		t.Cleanup(web.Close)
		return web
	}
	for _, test := range []struct {
		name  string
		auth  tls.ClientAuthType
		shown *tls.Certificate
		token string
		taken bool
	}{
		{"the key", tls.RequestClientCert, &known, "", true},
		{"the key in another certificate", tls.RequestClientCert, &renewed, "", true},
		{"the key in a certificate that has expired", tls.RequestClientCert, &expired, "", false},
		{"another key", tls.RequestClientCert, &stranger, "", false},
		{"none", tls.RequestClientCert, nil, "", false},
		{"none, and a token", tls.RequestClientCert, nil, "or a token", true},
		{"the key, and a wrong token", tls.RequestClientCert, &known, "wrong", false},
		{"a name that was verified", tls.RequireAndVerifyClientCert, &named, "", true},
		{"a name that was not verified", tls.RequestClientCert, &named, "", false},
		{"the name in a certificate of somebody else", tls.RequestClientCert, &impostor, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			web := start(test.auth)
			o := ilphttp.ClientOptions{URL: web.URL, Token: test.token, TLS: trust(web)}
			if test.shown != nil {
				// Whatever authorities the server asks for.
				o.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return test.shown, nil }
			}
			a := <-send(client(t, o), newPrepare())
			if a.fulfilled() != test.taken || !test.taken && a.code() != ilp.F02Unreachable {
				t.Errorf("the answer is %v, %v; taken should be %t", a.reply, a.err, test.taken)
			}
		})
	}
}

// The versions of HTTP that are spoken: the newer by ALPN, unless one side
// does not want it.
func TestHTTPVersions(t *testing.T) {
	for name, test := range map[string]struct {
		server, client1 bool // server: has HTTP/2
		want            int
	}{
		"both have HTTP/2":          {true, false, 2},
		"the server has not":        {false, false, 1},
		"the client wants HTTP/1.1": {true, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			srv := ilphttp.NewServer(ilphttp.ServerOptions{})
			account(t, srv, tokens(token), fulfiller)
			versions := make(chan int, 10)
			web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				versions <- r.ProtoMajor
				srv.ServeHTTP(w, r)
			}))
			if web.EnableHTTP2 = test.server; !test.server {
				web.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
			}
			web.StartTLS()
			defer web.Close()
			c := client(t, ilphttp.ClientOptions{URL: web.URL, Token: token, TLS: trust(web), HTTP1: test.client1})
			defer c.Close()
			for range 2 {
				if a := <-send(c, newPrepare()); !a.fulfilled() {
					t.Fatalf("the answer is %v, %v", a.reply, a.err)
				}
				if got := <-versions; got != test.want {
					t.Errorf("HTTP/%d was spoken, want HTTP/%d", got, test.want)
				}
			}
		})
	}
}
