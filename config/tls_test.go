package config_test

import (
	"context"
	"fmt"
	"log/slog"
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
	pair := testcert.SelfSigned(t, testcert.Named("peer"))
	certFile, keyFile := testcert.WritePair(t, t.TempDir(), pair)
	files := fmt.Sprintf(`"tls": {"certFile": %q, "keyFile": %q, "authorities": %q}`, certFile, keyFile, certFile)
	key := fmt.Sprintf("%x", ilphttp.KeyFingerprint(pair.Leaf))
	for name, known := range map[string]string{
		"key":  fmt.Sprintf(`"clientKeys": [%q]`, key),
		"name": `"clientSubjects": ["CN=peer"]`,
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
		`"listener": {"port": 7768, "clientKeys": ["00"], "tls": {"certFile": "c", "keyFile": "k", "authorities": "a"}}`:   "64 hexadecimal digits",
		`"listener": {"port": 7768, "clientSubjects": [""], "tls": {"certFile": "c", "keyFile": "k", "authorities": "a"}}`: "any certificate without a subject",
		`"listener": {"port": 7768, "clientSubjects": ["CN=a"], "tls": {"certFile": "c", "keyFile": "k"}}`:                 "without authorities",
		`"listener": {"port": 7768, "clientSubjects": ["CN=a"]}`:                                                           "without authorities",
		`"listener": {"port": 7768, "tls": {"certFile": "c", "keyFile": "k", "authorities": "a"}}`:                         "listener.secret",
	} {
		_, err := load(t, accounts(`"plugin": "btp"`, `"options": {`+option+`}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", option, err, want)
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
