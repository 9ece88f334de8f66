package config_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
	"github.com/interledger-go/connector/internal/testcert"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// Two connectors, each from its configuration, are linked over TLS.
func TestLinkOverTLS(t *testing.T) {
	certFile, keyFile := testcert.WritePair(t, t.TempDir(), testcert.SelfSigned(t, testcert.Named("peer")))
	server := build(t, mustLoad(t, accounts(`"plugin": "btp"`, fmt.Sprintf(`"options": {"listener": {"host": "127.0.0.1", "port": 0, "secret": "x", "path": "/ilp", "tls": {"certFile": %q, "keyFile": %q}}}`, certFile, keyFile))))
	start(t, server)
	connected := make(connections, 1)
	client, err := mustLoad(t, accounts(`"plugin": "btp"`, fmt.Sprintf(`"options": {"server": "btp+wss://:x@%s/ilp", "tls": {"authorities": %q}}`, server.ListenAddr(anywhere), certFile))).
		Build(t.Context(), config.Options{Logger: slog.New(connected)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	start(t, client)
	<-connected
}

// An account without a token is known by the key of its client's certificate,
// or by its name.
func TestLinkByClientCertificate(t *testing.T) {
	pair := testcert.SelfSigned(t, testcert.Subject{CommonName: "peer", Names: []string{"spiffe://bank.example/peer"}})
	certFile, keyFile := testcert.WritePair(t, t.TempDir(), pair)
	files := fmt.Sprintf(`"tls": {"certFile": %q, "keyFile": %q, "authorities": %q}`, certFile, keyFile, certFile)
	key := fmt.Sprintf("%x", ilphttp.KeyFingerprint(pair.Leaf))
	for name, known := range map[string]string{
		"key":  fmt.Sprintf(`"clientKeys": [%q]`, key),
		"name": `"clientSubjects": ["CN=peer"]`,
		"URI":  `"clientNames": ["spiffe://bank.example/peer"]`,
	} {
		t.Run(name, func(t *testing.T) {
			server := build(t, mustLoad(t, accounts(`"plugin": "btp"`, fmt.Sprintf(`"options": {"listener": {"host": "127.0.0.1", "port": 0, %s, %s}}`, known, files))))
			start(t, server)
			connected := make(connections, 1)
			client, err := mustLoad(t, accounts(`"plugin": "btp"`, fmt.Sprintf(`"options": {"server": "btp+wss://%s/", %s}`, server.ListenAddr(anywhere), files))).
				Build(t.Context(), config.Options{Logger: slog.New(connected)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { client.Close() })
			start(t, client)
			<-connected
		})
	}
}

func TestClientCertificatesThatAreNone(t *testing.T) {
	for option, want := range map[string]string{
		`"listener": {"port": 7768, "clientKeys": ["00"], "tls": {"certFile": "c", "keyFile": "k", "authorities": "a"}}`:                  "64 hexadecimal digits",
		`"listener": {"port": 7768, "clientSubjects": [""], "tls": {"certFile": "c", "keyFile": "k", "authorities": "a"}}`:                "any certificate without a subject",
		`"listener": {"port": 7768, "clientSubjects": ["CN=a"], "tls": {"certFile": "c", "keyFile": "k"}}`:                                "without authorities",
		`"listener": {"port": 7768, "secret": "x", "clientNames": ["*.a"], "tls": {"certFile": "c", "keyFile": "k", "authorities": "a"}}`: "no DNS name",
		`"listener": {"port": 7768, "secret": "x", "requireCertificate": true}`:                                                           "requireCertificate",
		`"listener": {"port": 7768, "clientSubjects": ["CN=a"]}`:                                                                          "without authorities",
		`"listener": {"port": 7768, "tls": {"certFile": "c", "keyFile": "k", "authorities": "a"}}`:                                        "listener.secret",
	} {
		_, err := load(t, accounts(`"plugin": "btp"`, `"options": {`+option+`}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", option, err, want)
		}
	}
}

// Where an account has a token and certificates, both are asked for, unless it
// is said that either is enough.
func TestCertificateAndToken(t *testing.T) {
	certFile, keyFile := testcert.WritePair(t, t.TempDir(), testcert.SelfSigned(t, testcert.Subject{CommonName: "peer", Names: []string{"peer.example"}}))
	files := fmt.Sprintf(`"tls": {"certFile": %q, "keyFile": %q, "authorities": %q}`, certFile, keyFile, certFile)
	const note = "needs no client certificate"
	for more, want := range map[string]struct{ both, noted bool }{
		``: {true, false}, `, "requireCertificate": true`: {true, false}, `, "requireCertificate": false`: {false, true},
	} {
		for plugin, options := range map[string]string{
			"btp":  `{"listener": {"host": "127.0.0.1", "port": 0, "secret": "x", "clientNames": ["peer.example"], %s%s}}`,
			"http": `{"incoming": {"host": "127.0.0.1", "port": 0, "staticToken": "x", "clientNames": ["peer.example"], %s%s}}`,
		} {
			plan := mustLoad(t, accounts(fmt.Sprintf(`"plugin": %q`, plugin), `"options": `+fmt.Sprintf(options, files, more)))
			if noted := strings.Contains(fmt.Sprint(plan.Notes()), note); noted != want.noted {
				t.Errorf("%s%s: the notes are %v; one that says so: %t", plugin, more, plan.Notes(), want.noted)
			}
			if plugin == "btp" {
				continue // the package is tested
			}
			server := build(t, plan)
			start(t, server)
			trust := testcert.ReadPool(t, certFile)
			shown, err := tls.LoadX509KeyPair(certFile, keyFile)
			if err != nil {
				t.Fatal(err)
			}
			for _, test := range []struct {
				token       string
				certificate []tls.Certificate
				let         bool
			}{{"x", []tls.Certificate{shown}, true}, {"", []tls.Certificate{shown}, !want.both}, {"y", []tls.Certificate{shown}, false}} {
				client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust, Certificates: test.certificate}, DisableKeepAlives: true}}
				r, err := http.NewRequest(http.MethodPost, "https://"+server.ListenAddr(anywhere).String()+"/", nil)
				if err != nil {
					t.Fatal(err)
				}
				if r.Header.Set("Content-Type", "application/octet-stream"); test.token != "" {
					r.Header.Set("Authorization", "Bearer "+test.token)
				}
				response, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				if let := response.StatusCode != http.StatusUnauthorized; let != test.let {
					t.Errorf("%s%s: with the token %q and the certificate: status %d; let in: %t", plugin, more, test.token, response.StatusCode, test.let)
				}
			}
		}
	}
}

// connections is a log that tells when a link is up.
type connections chan struct{}

func (c connections) Enabled(context.Context, slog.Level) bool { return true }
func (c connections) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c connections) WithGroup(string) slog.Handler            { return c }
func (c connections) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "btp: connected" {
		select {
		case c <- struct{}{}:
		default:
		}
	}
	return nil
}

func TestCertificatesThatAreNotThere(t *testing.T) {
	plan := mustLoad(t, accounts(`"plugin": "btp"`, `"options": {"listener": {"host": "127.0.0.1", "port": 0, "secret": "x", "tls": {"certFile": "/none", "keyFile": "/none"}}}`))
	if _, err := plan.Build(t.Context(), config.Options{}); err == nil {
		t.Error("it is served without its certificate")
	}
}
