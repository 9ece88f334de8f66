package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/interledger-go/connector/internal/clientcert"
	"github.com/interledger-go/connector/tlsfile"
)

// config reads the files; nil stands for the system's.
func (c *ClientTLS) config(logger *slog.Logger) (*tls.Config, error) {
	if c == nil {
		return nil, nil
	}
	files, err := tlsfile.Load(tlsfile.Options{Certificate: c.CertFile, Key: c.KeyFile, Authorities: c.Authorities, Logger: logger})
	if err != nil {
		return nil, err
	}
	return files.Client(nil), nil
}

// clientCertificates are how an account is known by the certificate of its TLS
// connection.
type clientCertificates struct {
	// ClientKeys are SHA-256 hashes of public keys (their SubjectPublicKeyInfo),
	// in hexadecimal.
	ClientKeys []string `json:"clientKeys"`
	// ClientSubjects are distinguished names, such as CN=alice,O=Peers.
	ClientSubjects []string `json:"clientSubjects"`
	// ClientNames are DNS names and URIs, such as peer.alice.example.
	ClientNames []string `json:"clientNames"`
}

// known is what an account is known by. They have been checked.
func (c *clientCertificates) known() *clientcert.Known {
	return &clientcert.Known{Keys: c.keys(), Subjects: c.ClientSubjects, Names: c.ClientNames}
}

func (c *clientCertificates) some() bool { return c.known().Some() }

// linkCertificates are those of the counterparty of a link.
type linkCertificates struct {
	clientCertificates
	// RequireCertificate asks for a certificate besides the token; false: either
	// is enough. Where it is not set, and there are both, both are asked for:
	// that is what whoever has configured a certificate expects.
	RequireCertificate *bool `json:"requireCertificate"`
}

// required reports whether the counterparty needs a certificate.
func (c *linkCertificates) required() bool {
	return c.some() && (c.RequireCertificate == nil || *c.RequireCertificate)
}

// notes say what an operator may not have meant. token is whether the account
// has one.
func (c *linkCertificates) notes(token bool) []string {
	if c.some() && token && !c.required() {
		return []string{"requireCertificate is false: whoever has the token needs no client certificate"}
	}
	return nil
}

// check is that of the certificates, and of what is said of them.
func (c *linkCertificates) check(fault func(option, format string, args ...any), tls *Certificate) {
	c.clientCertificates.check(fault, tls)
	if !c.some() && c.RequireCertificate != nil && *c.RequireCertificate {
		fault("requireCertificate", "is there without clientKeys, clientSubjects or clientNames: say which certificates are right")
	}
}

// check reports what is wrong with the certificates of a listener with this
// TLS, by the names of its options.
func (c *clientCertificates) check(fault func(option, format string, args ...any), tls *Certificate) {
	for _, key := range c.ClientKeys {
		if _, ok := keyHash(key); !ok {
			fault("clientKeys", "holds %.80q: it must be the SHA-256 hash of a public key, in 64 hexadecimal digits", key)
		}
	}
	if err := (&clientcert.Known{Subjects: c.ClientSubjects}).Check(); err != nil {
		fault("clientSubjects", "is wrong: %v", err)
	}
	if err := (&clientcert.Known{Names: c.ClientNames}).Check(); err != nil {
		fault("clientNames", "is wrong: %v", err)
	}
	if c.some() && (tls == nil || tls.Authorities == "") {
		fault("tls", "is without authorities: clients are asked for certificates only where they are given")
	}
}

// keys gives the keys, which have been checked.
func (c *clientCertificates) keys() []clientcert.Fingerprint {
	var keys []clientcert.Fingerprint
	for _, text := range c.ClientKeys {
		key, _ := keyHash(text)
		keys = append(keys, key)
	}
	return keys
}

// verify says why a certificate, which the listener has verified, is none of
// these. A connection may outlive its certificate.
func (c *clientCertificates) verify(shown *x509.Certificate) error {
	s := clientcert.OfVerified(shown)
	switch {
	case !s.Valid(time.Now()):
		return errors.New("the client certificate is not valid now")
	case !s.Has(c.known().Marks()):
		return errors.New("the client certificate is another's")
	}
	return nil
}

// keyHash reads a hash, with colons between the bytes or without.
func keyHash(text string) (f clientcert.Fingerprint, ok bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	return f, err == nil && copy(f[:], b) == len(f) && len(b) == len(f)
}

// claims adds what the certificates claim of a listener.
func (c *clientCertificates) claims() []string {
	return slices.Concat(c.ClientKeys, c.ClientSubjects, c.ClientNames)
}
