// Package clientcert reads from a TLS connection who its client has shown to
// be, by a certificate, for links that know accounts by theirs.
package clientcert

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"time"
)

// Fingerprint is the SHA-256 hash of a public key.
type Fingerprint [sha256.Size]byte

// KeyOf is the hash of the public key of a certificate, its Subject Public Key
// Info.
func KeyOf(c *x509.Certificate) Fingerprint { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// Shown is what a client has shown. The handshake has proved that it has the
// private key.
type Shown struct {
	Key Fingerprint
	// Subject is the hash of the distinguished name. It counts only if the
	// certificate was verified: anybody can make one with any name.
	Subject  [sha256.Size]byte
	Verified bool
}

// Of gives what the client of a connection has shown, if that is a certificate
// that is valid now: a connection, and a session that is resumed, may outlive
// it. nil stands for a connection without TLS.
func Of(state *tls.ConnectionState, now time.Time) (s Shown, ok bool) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return s, false
	}
	leaf := state.PeerCertificates[0]
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return s, false
	}
	return Shown{Key: KeyOf(leaf), Subject: SubjectOf(leaf.Subject.String()), Verified: len(state.VerifiedChains) > 0}, true
}

// SubjectOf is the hash of a distinguished name, as x509.Certificate's
// Subject.String gives it.
func SubjectOf(name string) [sha256.Size]byte { return sha256.Sum256([]byte(name)) }
