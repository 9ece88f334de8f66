package btp_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/internal/testcert"
	"github.com/interledger-go/connector/plugin/btp"
)

// AUTH-06: an account is known by the key of a client certificate, or by the
// name in one that an authority of the host has signed; and a certificate lets
// nobody in as somebody else.
func TestClientCertificates(t *testing.T) {
	ours, theirs := testcert.NewAuthority(t), testcert.NewAuthority(t)
	key := testcert.NewKey(t)
	certificates := map[string]tls.Certificate{
		"alice":              theirs.Issue(t, testcert.Subject{CommonName: "alice", Key: key}), // known by her key, whoever signs
		"alice's next":       ours.Issue(t, testcert.Subject{CommonName: "another name", Key: key}),
		"alice's last":       ours.Issue(t, testcert.Subject{CommonName: "alice", Key: key, Until: time.Now().Add(-time.Minute)}),
		"carol":              ours.Issue(t, testcert.Named("carol")), // known by her name
		"carol of theirs":    theirs.Issue(t, testcert.Named("carol")),
		"carol, not for her": ours.Issue(t, testcert.Named("Carol")),
		"mallory":            ours.Issue(t, testcert.Named("mallory")),
	}
	accounts := []btp.Credentials{
		{Username: "alice", ClientKeys: []btp.Fingerprint{btp.KeyFingerprint(certificates["alice"].Leaf)}},
		{Username: "carol", Token: "c-token", ClientSubjects: []string{"CN=carol"}},
		{Username: "bob", Token: "b-token"},
		{ClientSubjects: []string{"CN=unnamed"}},
		{Username: "dave", ClientNames: []string{"peer.dave.example"}},
		{Username: "erin", Token: "e-token", ClientNames: []string{"spiffe://bank.example/erin"}, RequireCertificate: true},
	}
	dave := []string{"Peer.Dave.example"}
	certificates["dave"] = ours.Issue(t, testcert.Subject{CommonName: "x", Names: dave})
	certificates["dave of theirs"] = theirs.Issue(t, testcert.Subject{CommonName: "x", Names: dave})
	certificates["erin"] = ours.Issue(t, testcert.Subject{CommonName: "x", Names: []string{"spiffe://bank.example/erin"}})
	certificates["dave and erin"] = ours.Issue(t, testcert.Subject{CommonName: "x", Names: append(dave, "spiffe://bank.example/erin")})
	certificates["unnamed"] = ours.Issue(t, testcert.Named("unnamed"))
	for _, test := range []struct {
		name            string
		auth            tls.ClientAuthType
		shown           string
		username, token string
		want            int // an account, or -1
	}{
		{"a key", tls.RequestClientCert, "alice", "alice", "", 0},
		{"a key, and no user name", tls.RequestClientCert, "alice", "", "", 0},
		{"a key in another certificate", tls.RequestClientCert, "alice's next", "alice", "", 0},
		{"a key in one that has expired", tls.RequestClientCert, "alice's last", "alice", "", -1},
		{"a key, and the name of another", tls.RequestClientCert, "alice", "bob", "", -1},
		{"a key, and a name of nobody", tls.RequestClientCert, "alice", "whoever", "", -1},
		{"a key, and a wrong token", tls.RequestClientCert, "alice", "alice", "a-token", -1},
		{"a key, and the token of another", tls.RequestClientCert, "alice", "bob", "b-token", 2},
		{"a name that was verified", tls.VerifyClientCertIfGiven, "carol", "carol", "", 1},
		{"a name that was not verified", tls.RequestClientCert, "carol", "carol", "", -1},
		{"a name of another authority", tls.RequestClientCert, "carol of theirs", "carol", "", -1},
		{"a name in capitals", tls.VerifyClientCertIfGiven, "carol, not for her", "carol", "", -1},
		{"a token instead", tls.RequestClientCert, "", "carol", "c-token", 1},
		{"an account without a user name", tls.VerifyClientCertIfGiven, "unnamed", "whoever", "", 3},
		{"a DNS name", tls.VerifyClientCertIfGiven, "dave", "dave", "", 4},
		{"a DNS name, and no user name", tls.VerifyClientCertIfGiven, "dave", "", "", 4},
		{"a DNS name that was not verified", tls.RequestClientCert, "dave of theirs", "dave", "", -1},
		{"a DNS name, as somebody else", tls.VerifyClientCertIfGiven, "dave", "erin", "", -1},
		{"names of two, as one of them", tls.VerifyClientCertIfGiven, "dave and erin", "dave", "", 4},
		{"names of two", tls.VerifyClientCertIfGiven, "dave and erin", "", "", -1},
		{"a URI and the token", tls.VerifyClientCertIfGiven, "erin", "erin", "e-token", 5},
		{"the token alone, where both are asked for", tls.VerifyClientCertIfGiven, "", "erin", "e-token", -1},
		{"the token and another certificate", tls.VerifyClientCertIfGiven, "dave", "erin", "e-token", -1},
		{"the certificate alone, where both are asked for", tls.VerifyClientCertIfGiven, "erin", "erin", "", -1},
		{"the certificate and a wrong token", tls.VerifyClientCertIfGiven, "erin", "erin", "x", -1},
		{"a stranger", tls.VerifyClientCertIfGiven, "mallory", "alice", "", -1},
		{"a stranger without a name", tls.VerifyClientCertIfGiven, "mallory", "", "", -1},
		{"nothing", tls.RequestClientCert, "", "alice", "", -1},
		{"nothing, and no name", tls.RequestClientCert, "", "", "", -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
				Certificates: []tls.Certificate{ours.Issue(t, testcert.Named("server"))}, ClientAuth: test.auth, ClientCAs: ours.Pool,
			})
			if err != nil {
				t.Fatal(err)
			}
			config := &tls.Config{RootCAs: ours.Pool, ServerName: "127.0.0.1"}
			if shown, ok := certificates[test.shown]; ok {
				// Whatever authorities the server asks for.
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil }
			}
			n := serve(t, btp.ServerOptions{}, l, (&tls.Dialer{Config: config}).DialContext)
			var peers []*btp.Peer
			for _, c := range accounts {
				p, err := n.Account(c)
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Open(t.Context(), newRecorder(fulfiller)); err != nil {
					t.Fatal(err)
				}
				peers = append(peers, p)
			}
			r := n.raw(t)
			r.Send(btptest.Auth(7, test.username, test.token))
			if p := r.Read(); (p.Type == btp.TypeResponse) != (test.want >= 0) {
				t.Errorf("answered %+v", p)
			}
			for i, p := range peers {
				if p.Connected() != (i == test.want) {
					t.Errorf("account %d connected: %t, want account %d", i, p.Connected(), test.want)
				}
			}
		})
	}
}

// Accounts that could be taken for one another are refused, and so are ones
// that anybody could be taken for. What is removed can be added again.
func TestCertificatesOfAccounts(t *testing.T) {
	n := newPipeNetwork(t, btp.ServerOptions{})
	key := btp.Fingerprint{1}
	first, err := n.Account(btp.Credentials{Username: "alice", ClientKeys: []btp.Fingerprint{key}, ClientSubjects: []string{"CN=alice"}})
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]btp.Credentials{
		"this client certificate":     {Username: "bob", ClientKeys: []btp.Fingerprint{key}},
		"has this client certificate": {ClientSubjects: []string{"CN=alice"}},
		"this user name":              {Username: "alice", Token: "t"},
		"a token or a client":         {Username: "bob"},
		"subject is empty":            {ClientSubjects: []string{""}},
		"is no DNS name":              {ClientNames: []string{"*.example"}},
		"is required and none":        {Username: "bob", Token: "t", RequireCertificate: true},
	} {
		if _, err := n.Account(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	first.Close()
	if _, err := n.Account(btp.Credentials{Username: "bob", ClientKeys: []btp.Fingerprint{key}}); err != nil {
		t.Errorf("after the first is closed: %v", err)
	}
}
