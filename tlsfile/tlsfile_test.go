package tlsfile_test

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/testcert"
	"github.com/interledger-go/connector/tlsfile"
)

// directory holds the files of one side.
type directory string

func (d directory) options() tlsfile.Options {
	return tlsfile.Options{
		Certificate: filepath.Join(string(d), "cert.pem"), Key: filepath.Join(string(d), "key.pem"),
		Authorities: filepath.Join(string(d), "ca.pem"), CheckEvery: -1,
	}
}

// trust makes a whom the other side is to be signed by.
func (d directory) trust(t *testing.T, a *testcert.Authority) {
	t.Helper()
	testcert.WriteCertificate(t, d.options().Authorities, a.Certificate)
}

// newDirectory has a certificate of this name, and trusts a.
func newDirectory(t *testing.T, a *testcert.Authority, name string) directory {
	t.Helper()
	d := directory(t.TempDir())
	testcert.WritePair(t, string(d), a.Issue(t, testcert.Named(name)))
	d.trust(t, a)
	return d
}

func load(t *testing.T, o tlsfile.Options) *tlsfile.Files {
	t.Helper()
	f, err := tlsfile.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// startServer says who each client is.
func startServer(t *testing.T, config *tls.Config) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			name = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		_, _ = io.WriteString(w, name+" by "+r.Proto)
	}))
	s.Config.TLSConfig = config
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that are not let in
	l := tls.NewListener(s.Listener, config)
	s.Listener = l
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// ask connects anew, and gives who the server is, and who it takes us for.
func ask(t *testing.T, s *httptest.Server, config *tls.Config) (server, client string, err error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Get(strings.Replace(s.URL, "http:", "https:", 1))
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	name, _, _ := strings.Cut(string(text), " ")
	return resp.TLS.PeerCertificates[0].Subject.CommonName, name, err
}

func wantNames(t *testing.T, s *httptest.Server, config *tls.Config, server, client string) {
	t.Helper()
	if gotServer, gotClient, err := ask(t, s, config); err != nil || gotServer != server || gotClient != client {
		t.Errorf("%q took us for %q, %v; want %q and %q", gotServer, gotClient, err, server, client)
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	a := testcert.NewAuthority(t)
	bob, alice := newDirectory(t, a, "bob"), newDirectory(t, a, "alice")
	server := startServer(t, load(t, bob.options()).Server(&tls.Config{NextProtos: []string{"http/1.1"}}))
	client := load(t, alice.options()).Client(&tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(10)})
	wantNames(t, server, client, "bob", "alice")

	renewed := a.Issue(t, testcert.Named("bob, renewed"))
	testcert.WriteCertificate(t, bob.options().Certificate, renewed)
	wantNames(t, server, client, "bob", "alice") // the key is still missing
	testcert.WriteKey(t, bob.options().Key, renewed)
	wantNames(t, server, client, "bob, renewed", "alice")

	testcert.WritePair(t, string(alice), a.Issue(t, testcert.Named("alice-renewed")))
	wantNames(t, server, client, "bob, renewed", "alice-renewed")

	for _, name := range []string{"cert.pem", "ca.pem"} {
		if err := os.Remove(filepath.Join(string(bob), name)); err != nil {
			t.Fatal(err)
		}
	}
	wantNames(t, server, client, "bob, renewed", "alice-renewed")
}

// A server that changes whom it trusts lets the others in no more, not even
// with a session of before.
func TestAuthoritiesAreReadAgain(t *testing.T) {
	a, other := testcert.NewAuthority(t), testcert.NewAuthority(t)
	bob, alice, eve := newDirectory(t, a, "bob"), newDirectory(t, a, "alice"), newDirectory(t, other, "eve")
	resumed := 0
	count := func(s tls.ConnectionState) error { // one connection after the other
		if s.DidResume {
			resumed++
		}
		return nil
	}
	server := startServer(t, load(t, bob.options()).Server(&tls.Config{NextProtos: []string{"http/1.1"}, VerifyConnection: count}))
	eve.trust(t, a) // she trusts bob
	good, bad := load(t, alice.options()).Client(nil), load(t, eve.options()).Client(nil)
	good.ClientSessionCache = tls.NewLRUClientSessionCache(10)
	wantNames(t, server, good, "bob", "alice")
	wantNames(t, server, good, "bob", "alice")
	if resumed != 1 {
		t.Errorf("%d sessions were resumed, want 1: this tests nothing", resumed)
	}
	if _, _, err := ask(t, server, bad); err == nil {
		t.Error("a client of another authority was let in")
	}
	bob.trust(t, other)
	wantNames(t, server, bad, "bob", "eve")
	if _, _, err := ask(t, server, good); err == nil {
		t.Error("a client whose authority is not trusted any more was let in")
	}
}

func TestServerAsksForCertificates(t *testing.T) {
	a := testcert.NewAuthority(t)
	bob := newDirectory(t, a, "bob")
	files := load(t, bob.options())
	onlyTrust := directory(t.TempDir())
	onlyTrust.trust(t, a)
	client := load(t, tlsfile.Options{Authorities: onlyTrust.options().Authorities}).Client(nil)

	if _, _, err := ask(t, startServer(t, files.Server(&tls.Config{NextProtos: []string{"http/1.1"}})), client); err == nil {
		t.Error("a client without a certificate was let in")
	}
	optional := startServer(t, files.Server(&tls.Config{NextProtos: []string{"http/1.1"}, ClientAuth: tls.VerifyClientCertIfGiven}))
	wantNames(t, optional, client, "bob", "nobody")
	o := bob.options()
	o.Authorities = ""
	wantNames(t, startServer(t, load(t, o).Server(&tls.Config{NextProtos: []string{"http/1.1"}})), client, "bob", "nobody")
	if _, _, err := ask(t, optional, &tls.Config{}); err == nil {
		t.Error("a client trusts an authority that it does not know")
	}
}

func TestServerOffersHTTP2(t *testing.T) {
	a := testcert.NewAuthority(t)
	files := load(t, newDirectory(t, a, "bob").options())
	config := files.Server(nil)
	inner, err := config.GetConfigForClient(nil)
	if err != nil || len(config.NextProtos) != 2 || len(inner.NextProtos) != 2 || inner.ClientCAs == nil {
		t.Errorf("the configuration offers %q and %q, %v", config.NextProtos, inner.NextProtos, err)
	}
	if again, _ := config.GetConfigForClient(nil); again != inner {
		t.Error("each connection gets a configuration of its own: no session can be resumed")
	}
}

// Files are looked at once in an interval.
func TestCheckEvery(t *testing.T) {
	a := testcert.NewAuthority(t)
	bob := newDirectory(t, a, "bob")
	o := bob.options()
	o.CheckEvery = time.Hour
	files := load(t, o)
	config := files.Server(nil)
	name := func() string {
		c, err := config.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.Subject.CommonName
	}
	name()
	testcert.WritePair(t, string(bob), a.Issue(t, testcert.Named("new")))
	if got := name(); got != "bob" {
		t.Errorf("within the interval the certificate is that of %q", got)
	}
	if err := files.Reload(); err != nil || name() != "new" {
		t.Errorf("after Reload the certificate is that of %q, %v", name(), err)
	}
}

func TestLoadRefuses(t *testing.T) {
	a := testcert.NewAuthority(t)
	bob := newDirectory(t, a, "bob")
	good := bob.options()
	bad := newDirectory(t, a, "bad")
	testcert.WriteKey(t, bad.options().Key, a.Issue(t, testcert.Named("other")))
	for want, o := range map[string]tlsfile.Options{
		"neither":             {},
		"needs its key":       {Certificate: good.Certificate},
		"no such file":        {Certificate: good.Certificate, Key: good.Key + "x"},
		"does not match":      bad.options(),
		"has no certificate":  {Authorities: good.Key},
		"the authorities: op": {Authorities: good.Authorities + "x"},
	} {
		if _, err := tlsfile.Load(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
	only := load(t, tlsfile.Options{Authorities: good.Authorities})
	if _, err := only.Server(nil).GetCertificate(nil); err == nil {
		t.Error("a server without a certificate has one")
	}
}
