package ilphttp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// selfSigned makes a certificate that nobody but its owner has signed.
func selfSigned(t *testing.T, name string, key *ecdsa.PrivateKey, until time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"Peers"}},
		NotBefore: until.Add(-2 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// HTTP-14: an account is known by the key of a client certificate, or by the
// name in one that an authority of the host has signed.
func TestClientCertificates(t *testing.T) {
	key, later := ecKey(t), time.Now().Add(time.Hour)
	known := selfSigned(t, "alice", key, later)
	renewed := selfSigned(t, "another name", key, later.Add(time.Hour))
	expired := selfSigned(t, "alice", key, time.Now().Add(-time.Minute))
	stranger := selfSigned(t, "alice", ecKey(t), later)
	named := selfSigned(t, "carol", ecKey(t), later)
	impostor := selfSigned(t, "carol", ecKey(t), later)

	start := func(auth tls.ClientAuthType) *httptest.Server {
		srv := ilphttp.NewServer(ilphttp.ServerOptions{})
		account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{ClientKeys: []ilphttp.Fingerprint{ilphttp.KeyFingerprint(known.Leaf)}, Tokens: []string{"or a token"}}}, fulfiller)
		account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{ClientSubjects: []string{"CN=carol,O=Peers"}}}, fulfiller)
		web := httptest.NewUnstartedServer(srv)
		web.Config.ErrorLog = discardLog
		web.EnableHTTP2 = true
		web.TLS = &tls.Config{ClientAuth: auth, ClientCAs: x509.NewCertPool()}
		web.TLS.ClientCAs.AddCert(named.Leaf)
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
