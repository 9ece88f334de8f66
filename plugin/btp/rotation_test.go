package btp_test

import (
	"crypto/tls"
	"testing"

	"github.com/interledger-go/connector/internal/testcert"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/plugintest"
	"github.com/interledger-go/connector/tlsfile"
)

// A client that dials again shows the certificate that is in its file by then.
func TestRotatedClientCertificate(t *testing.T) {
	authority := testcert.NewAuthority(t)
	files := tlsfile.Options{CheckEvery: -1}
	dir := t.TempDir()
	files.Certificate, files.Key = testcert.WritePair(t, dir, authority.Issue(t, testcert.Named("old")))
	client, err := tlsfile.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{authority.Issue(t, testcert.Named("server"))},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool,
	})
	if err != nil {
		t.Fatal(err)
	}
	n := serve(t, btp.ServerOptions{}, l, nil)
	for _, name := range []string{"old", "new"} {
		p, err := n.Account(btp.Credentials{ClientSubjects: []string{"CN=" + name}})
		if err != nil {
			t.Fatal(err)
		}
		h := &plugintest.Recorder{}
		if err := p.Open(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if name == "old" {
			c := btp.NewClient(btp.ClientOptions{
				URL: "btp+wss://" + l.Addr().String() + "/", TLS: client.Client(&tls.Config{RootCAs: authority.Pool, ClientSessionCache: tls.NewLRUClientSessionCache(10)}),
				MinBackoff: 1, MaxBackoff: 1,
			})
			if err := c.Open(t.Context(), newRecorder(fulfiller)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		}
		if err := h.AwaitState(t.Context(), true); err != nil {
			t.Fatalf("the client is not known as %s: %v", name, err)
		}
		testcert.WritePair(t, dir, authority.Issue(t, testcert.Named("new")))
		p.Close()
	}
}
