// Package clientcert reads from a TLS connection who its client has shown to
// be, by a certificate, for links that know accounts by theirs.
package clientcert

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Fingerprint is the SHA-256 hash of a public key.
type Fingerprint [sha256.Size]byte

// KeyOf is the hash of the public key of a certificate, its Subject Public Key
// Info.
func KeyOf(c *x509.Certificate) Fingerprint { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// Mark is the hash of something that an account is known by in a certificate:
// its key, or one of its names. Marks of different kinds are never the same.
type Mark = [sha256.Size]byte

// The kinds of names.
const (
	subjectKind = "subject\x00"
	dnsKind     = "dns\x00"
	uriKind     = "uri\x00"
)

func mark(kind, name string) Mark { return sha256.Sum256([]byte(kind + name)) }

// Known is what an account is known by: any of it is enough.
type Known struct {
	// Keys are the hashes of public keys.
	Keys []Fingerprint
	// Subjects are distinguished names, as x509.Certificate.Subject.String
	// gives them.
	Subjects []string
	// Names are DNS names and URIs, such as peer.alice.example and
	// spiffe://bank.example/alice.
	Names []string
}

// Some reports whether there is anything.
func (k *Known) Some() bool { return len(k.Keys)+len(k.Subjects)+len(k.Names) > 0 }

// Check says what is wrong with it.
func (k *Known) Check() error {
	if slices.Contains(k.Subjects, "") {
		return errors.New("a client subject is empty: any certificate without a subject would do")
	}
	for _, name := range k.Names {
		if _, err := nameMark(name); err != nil {
			return err
		}
	}
	return nil
}

// Marks are those of all that an account is known by. It must have been
// checked.
func (k *Known) Marks() []Mark {
	var marks []Mark
	for _, key := range k.Keys {
		marks = append(marks, Mark(key))
	}
	for _, subject := range k.Subjects {
		marks = append(marks, mark(subjectKind, subject))
	}
	for _, name := range k.Names {
		m, _ := nameMark(name)
		marks = append(marks, m)
	}
	return marks
}

// nameMark is the mark of a URI, which has a scheme, or of a DNS name.
func nameMark(name string) (Mark, error) {
	if strings.Contains(name, ":") {
		u, err := url.Parse(name)
		if err != nil || u.Scheme == "" || strings.Contains(u.Scheme, ".") || u.Host+u.Path+u.Opaque == "" {
			return Mark{}, fmt.Errorf("the client name %.100q is no URI, such as spiffe://bank.example/alice", name)
		}
		return mark(uriKind, u.String()), nil
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.ContainsFunc(label, notOfLabel) {
			return Mark{}, fmt.Errorf("the client name %.100q is no DNS name, such as peer.alice.example: it stands for itself alone, without *", name)
		}
	}
	return dnsMark(name), nil
}

func notOfLabel(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

func dnsMark(name string) Mark { return mark(dnsKind, strings.ToLower(name)) }

// Shown is what a client has shown. The handshake has proved that it has the
// private key. It is never changed.
type Shown struct {
	key Mark
	// names count only if the certificate was verified, and are empty
	// otherwise: anybody can make one with any name.
	names []Mark

	notBefore, notAfter time.Time
}

// Of gives what the client of a connection has shown; nil if that is no
// certificate. A state of nil stands for a connection without TLS.
func Of(state *tls.ConnectionState) *Shown {
	if state == nil || len(state.PeerCertificates) == 0 {
		return nil
	}
	leaf := state.PeerCertificates[0]
	if len(state.VerifiedChains) == 0 {
		return of(leaf)
	}
	return OfVerified(leaf)
}

func of(leaf *x509.Certificate) *Shown {
	return &Shown{key: Mark(KeyOf(leaf)), notBefore: leaf.NotBefore, notAfter: leaf.NotAfter}
}

// OfVerified gives what a client has shown by a certificate that was verified.
func OfVerified(leaf *x509.Certificate) *Shown {
	s := of(leaf)
	s.names = append(s.names, mark(subjectKind, leaf.Subject.String()))
	for _, name := range leaf.DNSNames {
		s.names = append(s.names, dnsMark(name))
	}
	for _, u := range leaf.URIs {
		s.names = append(s.names, mark(uriKind, u.String()))
	}
	return s
}

// Valid reports whether there is a certificate that is valid at a time: a
// connection, and a session that is resumed, may outlive it.
func (s *Shown) Valid(now time.Time) bool {
	return s != nil && !now.Before(s.notBefore) && !now.After(s.notAfter)
}

// Has reports whether something of the certificate is among marks.
func (s *Shown) Has(marks []Mark) bool {
	return slices.Contains(marks, s.key) || slices.ContainsFunc(s.names, func(m Mark) bool { return slices.Contains(marks, m) })
}

// Find gives whom the certificate is of: who has its key, or else who has one
// of its names. Nobody is found if the names are those of several: which of
// them is meant, the certificate does not say.
func Find[T comparable](s *Shown, by map[Mark]T) (found T, ok bool) {
	if found, ok = by[s.key]; ok {
		return found, true
	}
	for _, m := range s.names {
		one, has := by[m]
		if has && ok && one != found {
			var nobody T
			return nobody, false
		}
		if has {
			found, ok = one, true
		}
	}
	return found, ok
}
