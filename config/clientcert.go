package config

import (
	"encoding/hex"
	"strings"

	"github.com/interledger-go/connector/plugin/ilphttp"
)

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

// check reports what is wrong with the certificates of the option name, which
// is that of a listener with this TLS.
func (c *clientCertificates) check(o *DriverOptions, name string, tls *Certificate) {
	for _, key := range c.ClientKeys {
		if _, ok := keyHash(key); !ok {
			o.Fault(name+".clientKeys", "holds %.80q: it must be the SHA-256 hash of a public key, in 64 hexadecimal digits", key)
		}
	}
	for _, subject := range c.ClientSubjects {
		if subject == "" {
			o.Fault(name+".clientSubjects", "holds nothing: any certificate without a subject would do")
		}
	}
	if c.some() && (tls == nil || tls.Authorities == "") {
		o.Fault(name+".tls", "is without authorities: clients are asked for certificates only where they are given")
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

// keyHash reads a hash, with colons between the bytes or without.
func keyHash(text string) (f ilphttp.Fingerprint, ok bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	return f, err == nil && copy(f[:], b) == len(f) && len(b) == len(f)
}

// claims adds what the certificates claim of a listener.
func (c *clientCertificates) claims() []string {
	return append(append([]string(nil), c.ClientKeys...), c.ClientSubjects...)
}
