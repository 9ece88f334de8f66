package clientcert_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/clientcert"
	"github.com/interledger-go/connector/internal/testcert"
)

// state is that of a connection whose client has shown c.
func state(c tls.Certificate, verified bool) *tls.ConnectionState {
	s := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c.Leaf}}
	if verified {
		s.VerifiedChains = [][]*x509.Certificate{{c.Leaf}}
	}
	return s
}

// A key is known in every certificate, a name only in one that was verified;
// DNS names are compared without regard to case, URIs and subjects with it.
func TestHas(t *testing.T) {
	c := testcert.SelfSigned(t, testcert.Subject{CommonName: "alice", Organization: "Peers", Names: []string{"Peer.Alice.example", "spiffe://bank.example/alice", "*.wild.example"}})
	other := testcert.SelfSigned(t, testcert.Named("alice"))
	names := func(all ...string) clientcert.Known { return clientcert.Known{Names: all} }
	subjects := func(all ...string) clientcert.Known { return clientcert.Known{Subjects: all} }
	for name, test := range map[string]struct {
		known                clientcert.Known
		verified, unverified bool
	}{
		"its key":               {clientcert.Known{Keys: []clientcert.Fingerprint{clientcert.KeyOf(c.Leaf)}}, true, true},
		"another key":           {clientcert.Known{Keys: []clientcert.Fingerprint{clientcert.KeyOf(other.Leaf)}}, false, false},
		"its subject":           {subjects("CN=bob", "CN=alice,O=Peers"), true, false},
		"a part of its subject": {subjects("CN=alice"), false, false},
		"its DNS name":          {names("peer.alice.example"), true, false},
		"in capitals":           {names("PEER.ALICE.EXAMPLE"), true, false},
		"a name below":          {names("x.peer.alice.example"), false, false},
		"a name above":          {names("alice.example"), false, false},
		"what a wildcard is":    {names("x.wild.example"), false, false},
		"its URI":               {names("spiffe://bank.example/alice"), true, false},
		"a URI below":           {names("spiffe://bank.example/alice/x"), false, false},
		"a URI in capitals":     {names("spiffe://bank.example/ALICE"), false, false},
		"its common name":       {names("alice"), false, false},
		"a subject as a name":   {subjects("peer.alice.example"), false, false},
		"nothing":               {clientcert.Known{}, false, false},
	} {
		if err := test.known.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		marks := test.known.Marks()
		if got := clientcert.Of(state(c, true)).Has(marks); got != test.verified {
			t.Errorf("%s, verified: %t, want %t", name, got, test.verified)
		}
		if got := clientcert.Of(state(c, false)).Has(marks); got != test.unverified {
			t.Errorf("%s, not verified: %t, want %t", name, got, test.unverified)
		}
	}
}

// A key says more than a name, and names of several say nothing.
func TestFind(t *testing.T) {
	c := testcert.SelfSigned(t, testcert.Subject{CommonName: "a", Names: []string{"a.example", "b.example"}})
	key := clientcert.Known{Keys: []clientcert.Fingerprint{clientcert.KeyOf(c.Leaf)}}
	a, b := clientcert.Known{Names: []string{"a.example"}}, clientcert.Known{Names: []string{"b.example"}}
	subject := clientcert.Known{Subjects: []string{"CN=a"}}
	for name, test := range map[string]struct {
		accounts map[string][]clientcert.Known
		want     string
	}{
		"a name":                      {map[string][]clientcert.Known{"a": {a}}, "a"},
		"two names of one":            {map[string][]clientcert.Known{"a": {a, b, subject}}, "a"},
		"a name of each":              {map[string][]clientcert.Known{"a": {a}, "b": {b}}, ""},
		"a name and a subject":        {map[string][]clientcert.Known{"a": {subject}, "b": {b}}, ""},
		"the key of one, names of it": {map[string][]clientcert.Known{"a": {a}, "b": {b}, "k": {key}}, "k"},
		"nobody":                      {nil, ""},
	} {
		by := make(map[clientcert.Mark]string)
		for account, all := range test.accounts {
			for _, known := range all {
				for _, m := range known.Marks() {
					by[m] = account
				}
			}
		}
		if got, ok := clientcert.Find(clientcert.Of(state(c, true)), by); got != test.want || ok != (test.want != "") {
			t.Errorf("%s: %q, %t; want %q", name, got, ok, test.want)
		}
	}
}

func TestValid(t *testing.T) {
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	shown := clientcert.Of(state(testcert.SelfSigned(t, testcert.Subject{CommonName: "a", Until: until}), false))
	for at, want := range map[time.Time]bool{
		until: true, until.Add(time.Second): false, until.Add(-2 * time.Hour): true, until.Add(-2*time.Hour - time.Second): false,
	} {
		if got := shown.Valid(at); got != want {
			t.Errorf("%v before its end: %t, want %t", until.Sub(at), got, want)
		}
	}
	if clientcert.Of(nil).Valid(until) || clientcert.Of(&tls.ConnectionState{}).Valid(until) {
		t.Error("there is a certificate where there is none")
	}
}

// What an operator may have meant otherwise is refused.
func TestCheck(t *testing.T) {
	for _, known := range []clientcert.Known{
		{Subjects: []string{"CN=a", ""}}, {Names: []string{""}}, {Names: []string{"*.example"}}, {Names: []string{"a..example"}},
		{Names: []string{"a.example."}}, {Names: []string{"a b"}}, {Names: []string{"CN=a"}}, {Names: []string{"a.example:443"}},
		{Names: []string{"spiffe:"}}, {Names: []string{"://a"}}, {Names: []string{"bücher.example"}},
	} {
		if err := known.Check(); err == nil {
			t.Errorf("%+v was taken", known)
		}
	}
}
