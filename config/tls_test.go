package config_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	files := certificateFiles(t)
	pair, _, _ := strings.Cut(files, `, "authorities"`)
	pair += "}"
	for option, want := range map[string]string{
		`"listener": {"port": 7768, "clientKeys": ["00"], "tls": ` + files + `}`:                  "64 hexadecimal digits",
		`"listener": {"port": 7768, "clientSubjects": [""], "tls": ` + files + `}`:                "any certificate without a subject",
		`"listener": {"port": 7768, "clientSubjects": ["CN=a"], "tls": ` + pair + `}`:             "without authorities",
		`"listener": {"port": 7768, "secret": "x", "clientNames": ["*.a"], "tls": ` + files + `}`: "no DNS name",
		`"listener": {"port": 7768, "secret": "x", "requireCertificate": true}`:                   "requireCertificate",
		`"listener": {"port": 7768, "clientSubjects": ["CN=a"]}`:                                  "without authorities",
		`"listener": {"port": 7768, "tls": ` + files + `}`:                                        "listener.secret",
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

// certificateFiles is the option of a listener whose files are sound.
func certificateFiles(t *testing.T) string {
	certFile, keyFile := testcert.WritePair(t, t.TempDir(), testcert.SelfSigned(t, testcert.Named("peer")))
	return fmt.Sprintf(`{"certFile": %q, "keyFile": %q, "authorities": %q}`, certFile, keyFile, certFile)
}

// What is wrong with files is said by the path of the option, and by the name of
// the file, with everything else that is wrong.
func TestCertificateFilesThatAreOfNoUse(t *testing.T) {
	dir := t.TempDir()
	in := func(name string, c tls.Certificate) (certFile, keyFile string) {
		d := filepath.Join(dir, name)
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		return testcert.WritePair(t, d, c)
	}
	good, goodKey := in("good", testcert.SelfSigned(t, testcert.Named("peer")))
	_, otherKey := in("other", testcert.SelfSigned(t, testcert.Named("peer")))
	expired, expiredKey := in("expired", testcert.SelfSigned(t, testcert.Subject{CommonName: "peer", Until: time.Now().Add(-time.Hour)}))
	early, earlyKey := in("early", testcert.SelfSigned(t, testcert.Subject{CommonName: "peer", Until: time.Now().Add(24 * time.Hour)}))
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none")
	for _, test := range []struct {
		cert, key, authorities string
		option, want           string
	}{
		{none, goodKey, "", "certFile", `is "` + none + `", which cannot be read: no such file`},
		{good, none, "", "keyFile", `is "` + none + `", which cannot be read: no such file`},
		{good, goodKey, none, "authorities", `is "` + none + `", which cannot be read: no such file`},
		{dir, goodKey, "", "certFile", "cannot be read: is a directory"},
		{text, goodKey, "", "certFile", "no chain of certificates in PEM: there is none"},
		{goodKey, good, "", "certFile", "no chain of certificates in PEM: there is none"},
		{good, text, "", "keyFile", "is not the key of"},
		{good, otherKey, "", "keyFile", "private key does not match public key"},
		{expired, expiredKey, "", "certFile", "which has expired on"},
		{early, earlyKey, "", "certFile", "which is not valid before"},
		{good, goodKey, text, "authorities", "has no certificates in PEM"},
		{good, goodKey, expired, "authorities", "have all expired"},
	} {
		server := fmt.Sprintf(`{"certFile": %q, "keyFile": %q`, test.cert, test.key)
		if test.authorities != "" {
			server += fmt.Sprintf(`, "authorities": %q`, test.authorities)
		}
		server += "}"
		for path, more := range map[string][]string{
			"accounts.bob.options.listener.tls": {accounts(`"plugin": "btp"`, `"options": {"listener": {"port": 7768, "tls": `+server+`}}`)},
			"accounts.bob.options.incoming.tls": {accounts(`"plugin": "http"`, `"options": {"incoming": {"port": 7768, "path": "x", "tls": `+server+`}}`)},
			"accounts.bob.options.outgoing.tls": {accounts(`"plugin": "http"`, `"options": {"outgoing": {"url": "https://bob/", "tls": `+server+`}, "incoming": {"port": 1}}`)},
			"accounts.bob.options.tls":          {accounts(`"plugin": "btp"`, `"options": {"server": "x", "tls": `+server+`}`)},
			"accounts.bob.settlementEngine.tls": {accounts(`"settlementEngine": {"url": "https://e", "tls": ` + server + `, "listener": {"port": 1, "host": "0.0.0.0"}}`)},
			"adminApiTls":                       {"CONNECTOR_ADMIN_API_TLS=" + server, "CONNECTOR_ADMIN_API=true", "CONNECTOR_LOG_LEVEL=loud"},
		} {
			_, err := load(t, more...)
			faults, ok := errors.AsType[*config.Error](err)
			if !ok {
				t.Errorf("%s of %+v is taken", path, test)
				continue
			}
			if len(faults.Faults) != 2 {
				t.Errorf("%s: the faults are %v; want that of the file, and another", path, faults.Faults)
			}
			last := faults.Faults[len(faults.Faults)-1]
			if last.Path != path+"."+test.option || !strings.Contains(last.Problem, test.want) {
				t.Errorf("%s: the last fault is %v, want one of %s that has %q", path, last, test.option, test.want)
			}
		}
	}
}

// A client needs no certificate, but what it has must be whole.
func TestHalfACertificate(t *testing.T) {
	certFile, keyFile := testcert.WritePair(t, t.TempDir(), testcert.SelfSigned(t, testcert.Named("peer")))
	for files, want := range map[string]string{
		fmt.Sprintf(`{"certFile": %q}`, certFile):    "keyFile: is missing",
		fmt.Sprintf(`{"keyFile": %q}`, keyFile):      "certFile: is missing",
		fmt.Sprintf(`{"authorities": %q}`, certFile): "",
		`{}`: "",
	} {
		_, err := load(t, accounts(`"plugin": "btp"`, `"options": {"server": "btp+wss://a:b@c", "tls": `+files+`}`))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(strings.ReplaceAll(err.Error(), " (CONNECTOR_ACCOUNTS)", ""), want) {
			t.Errorf("%s: %v, want %q", files, err, want)
		}
	}
}

// What is gone between the plan and its start is noticed then.
func TestCertificatesThatAreNotThere(t *testing.T) {
	certFile, keyFile := testcert.WritePair(t, t.TempDir(), testcert.SelfSigned(t, testcert.Named("peer")))
	plan := mustLoad(t, accounts(`"plugin": "btp"`, fmt.Sprintf(`"options": {"listener": {"host": "127.0.0.1", "port": 0, "secret": "x", "tls": {"certFile": %q, "keyFile": %q}}}`, certFile, keyFile)))
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Build(t.Context(), config.Options{}); err == nil {
		t.Error("it is served without its certificate")
	}
}
