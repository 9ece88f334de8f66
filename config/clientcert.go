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

	"github.com/interledger-go/connector/plugin/ilphttp"
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
}

func (c *clientCertificates) some() bool { return len(c.ClientKeys)+len(c.ClientSubjects) > 0 }

// check reports what is wrong with the certificates of a listener with this
// TLS, by the names of its options.
func (c *clientCertificates) check(fault func(option, format string, args ...any), tls *Certificate) {
	for _, key := range c.ClientKeys {
		if _, ok := keyHash(key); !ok {
			fault("clientKeys", "holds %.80q: it must be the SHA-256 hash of a public key, in 64 hexadecimal digits", key)
		}
	}
	for _, subject := range c.ClientSubjects {
		if subject == "" {
			fault("clientSubjects", "holds nothing: any certificate without a subject would do")
		}
	}
	if c.some() && (tls == nil || tls.Authorities == "") {
		fault("tls", "is without authorities: clients are asked for certificates only where they are given")
	}
}

// keys gives the keys, which have been checked.
func (c *clientCertificates) keys() []ilphttp.Fingerprint {
	var keys []ilphttp.Fingerprint
	for _, text := range c.ClientKeys {
		key, _ := keyHash(text)
		keys = append(keys, key)
	}
	return keys
}

// verify says why a certificate, which the listener has verified, is none of
// these. A connection may outlive its certificate.
func (c *clientCertificates) verify(shown *x509.Certificate) error {
	if now := time.Now(); now.Before(shown.NotBefore) || now.After(shown.NotAfter) {
		return errors.New("the client certificate is not valid now")
	}
	if slices.Contains(c.keys(), ilphttp.KeyFingerprint(shown)) || slices.Contains(c.ClientSubjects, shown.Subject.String()) {
		return nil
	}
	return errors.New("the client certificate is another's")
}

// keyHash reads a hash, with colons between the bytes or without.
func keyHash(text string) (f ilphttp.Fingerprint, ok bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	return f, err == nil && copy(f[:], b) == len(f) && len(b) == len(f)
}

// claims adds what the certificates claim of a listener.
func (c *clientCertificates) claims() []string {
	return append(append([]string(nil), c.ClientKeys...), c.ClientSubjects...)
}
