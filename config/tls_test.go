package config_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/config"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// certificate writes a certificate for this machine that is its own authority.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "peer"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// Two connectors, each from its configuration, are linked over TLS.
func TestLinkOverTLS(t *testing.T) {
	certFile, keyFile := certificate(t)
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
	certFile, keyFile := certificate(t)
	files := fmt.Sprintf(`"tls": {"certFile": %q, "keyFile": %q, "authorities": %q}`, certFile, keyFile, certFile)
	text, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("%x", ilphttp.KeyFingerprint(leaf))
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
