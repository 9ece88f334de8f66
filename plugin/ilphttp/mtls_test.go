package ilphttp_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
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

// An account may be known by a name in the certificate, and may need the
// certificate and the token both; directly as by net/http, of either version.
func TestCertificateAndToken(t *testing.T) {
	authority := testcert.NewAuthority(t)
	certificates := map[string]tls.Certificate{
		"dave":     authority.Issue(t, testcert.Subject{CommonName: "x", Names: []string{"peer.dave.example"}}),
		"erin":     authority.Issue(t, testcert.Subject{CommonName: "x", Names: []string{"spiffe://bank.example/erin"}}),
		"both":     authority.Issue(t, testcert.Subject{CommonName: "x", Names: []string{"peer.dave.example", "peer.grace.example"}}),
		"expired":  authority.Issue(t, testcert.Subject{CommonName: "x", Names: []string{"spiffe://bank.example/erin"}, Until: time.Now().Add(-time.Minute)}),
		"grace":    authority.Issue(t, testcert.Subject{CommonName: "x", Names: []string{"peer.grace.example"}}),
		"stranger": testcert.SelfSigned(t, testcert.Subject{CommonName: "x", Names: []string{"spiffe://bank.example/erin", "peer.dave.example"}}),
	}
	accounts := map[string]ilphttp.Credentials{
		"dave":  {ClientNames: []string{"Peer.Dave.example"}},
		"erin":  {ClientNames: []string{"spiffe://bank.example/erin"}, Tokens: []string{"e-token"}, RequireCertificate: true},
		"frank": {ClientNames: []string{"peer.frank.example"}, JWT: &ilphttp.JWT{Secrets: [][]byte{jwtSecret}, Subject: "frank"}, RequireCertificate: true},
		"grace": {ClientNames: []string{"peer.grace.example"}, RequireCertificate: true},
	}
	for _, test := range []struct {
		shown, token string
		want         string // the account; empty: none
	}{
		{"dave", "", "dave"},
		{"dave", "e-token", ""},
		{"erin", "e-token", "erin"},
		{"erin", "", ""},
		{"erin", "wrong", ""},
		{"", "e-token", ""},
		{"expired", "e-token", ""},
		{"stranger", "e-token", ""},
		{"stranger", "", ""},
		{"grace", "", "grace"},
		{"both", "", ""},
		{"both", "e-token", ""},
		{"erin", "frank", ""},
	} {
		for way, http1 := range map[string]bool{"/ilp": true, "/ilp?x": true, "/ilp#2": false} {
			t.Run(test.shown+" with "+test.token+" at "+way, func(t *testing.T) {
				inner := listenTCP(t)
				d := serveDirect(t, inner, newCounter(), func(web *http.Server) {
					web.TLSConfig = &tls.Config{
						Certificates: []tls.Certificate{authority.Issue(t, testcert.Named("bob"))},
						ClientAuth:   tls.VerifyClientCertIfGiven, ClientCAs: authority.Pool,
					}
					if test.shown == "stranger" || test.shown == "expired" { // as a host might that knows accounts by keys
						web.TLSConfig.ClientAuth = tls.RequestClientCert
					}
				})
				defer d.stop(t)
				taken := make(map[string]*counter)
				for name, c := range accounts {
					taken[name] = newCounter()
					account(t, d.srv, ilphttp.AccountOptions{Incoming: c}, taken[name])
				}
				o := ilphttp.ClientOptions{
					URL: "https://" + inner.Addr().String() + way, Token: test.token, HTTP1: http1,
					TLS: &tls.Config{RootCAs: authority.Pool},
				}
				if shown, ok := certificates[test.shown]; ok {
					o.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil }
				}
				if test.token == "frank" {
					o.Token, o.JWT = "", &ilphttp.SignedJWT{Secret: jwtSecret, Subject: "frank"}
				}
				c := client(t, o)
				defer c.Close()
				a := <-send(c, newPrepare())
				if a.fulfilled() != (test.want != "") || test.want == "" && a.code() != ilp.F02Unreachable {
					t.Errorf("the answer is %v, %v; want that of %q", a.reply, a.err, test.want)
				}
				for name, h := range taken {
					if n := h.prepares.Load(); (n == 1) != (name == test.want) {
						t.Errorf("%s had %d packets; it is the packet of %q", name, n, test.want)
					}
				}
			})
		}
	}
}

// A certificate that is right no more lets nobody in: neither over a
// connection, nor in a session, of when it was.
func TestCertificateOfBefore(t *testing.T) {
	authority := testcert.NewAuthority(t)
	alice, bob := authority.Issue(t, testcert.Named("alice")), authority.Issue(t, testcert.Named("bob"))
	var resumed atomic.Int64
	inner := listenTCP(t)
	d := serveDirect(t, inner, newCounter(), func(web *http.Server) {
		web.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{bob}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: authority.Pool,
			VerifyConnection: func(s tls.ConnectionState) error {
				if s.DidResume {
					resumed.Add(1)
				}
				return nil
			},
		}
	})
	defer d.stop(t)
	right := ilphttp.Credentials{ClientSubjects: []string{"CN=alice"}}
	p := account(t, d.srv, ilphttp.AccountOptions{Incoming: right}, fulfiller)
	o := ilphttp.ClientOptions{
		URL: "https://" + inner.Addr().String() + "/ilp", HTTP1: true,
		TLS: &tls.Config{RootCAs: authority.Pool, Certificates: []tls.Certificate{alice}, ClientSessionCache: tls.NewLRUClientSessionCache(10)},
	}
	for _, test := range []struct {
		credentials ilphttp.Credentials // from the second packet of a connection on
		first, then bool
	}{
		{right, true, true},
		{ilphttp.Credentials{ClientSubjects: []string{"CN=alice again"}}, true, false},
		{ilphttp.Credentials{ClientKeys: []ilphttp.Fingerprint{ilphttp.KeyFingerprint(bob.Leaf)}}, false, false},
		{right, false, true},
		{right, true, true},
	} {
		c := client(t, o)
		if a := <-send(c, newPrepare()); a.fulfilled() != test.first {
			t.Errorf("in a session of before: the answer is %v, %v; let in should be %t", a.reply, a.err, test.first)
		}
		if err := p.SetCredentials(test.credentials); err != nil {
			t.Fatal(err)
		}
		if a := <-send(c, newPrepare()); a.fulfilled() != test.then {
			t.Errorf("over a connection of before: the answer is %v, %v; let in should be %t", a.reply, a.err, test.then)
		}
		c.Close()
	}
	if n := resumed.Load(); n != 4 {
		t.Errorf("%d sessions were resumed, want 4: this tests nothing", n)
	}
}
