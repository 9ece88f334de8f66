package btp

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/interledger-go/connector/internal/btplink"
	"github.com/interledger-go/connector/internal/clientcert"
)

// Credentials are how a client of a Server shows which account it is: by a
// token, or by the certificate of its TLS connection. Where there are both,
// either is enough, unless RequireCertificate asks for both. A client with a
// certificate alone sends an empty token; one that sends a token is refused if
// that is wrong.
type Credentials struct {
	// Username of the client. If it is empty, the account is that of whoever
	// has its token or certificate, with any user name that is no other
	// account's.
	Username string
	// Token may be empty if there are certificates. The server keeps its
	// SHA-256 hash.
	Token string
	// ClientKeys are the public keys of client certificates that are right: see
	// KeyFingerprint. That the client has the private key has been shown by
	// the TLS handshake, so that any certificate for it will do, one that it
	// signed itself included.
	ClientKeys []Fingerprint
	// ClientSubjects are the distinguished names of client certificates that
	// are right, as x509.Certificate.Subject.String gives them. They count only
	// in a certificate that the TLS configuration of the http.Server has
	// verified.
	ClientSubjects []string
	// ClientNames are DNS names and URIs of client certificates (their subject
	// alternative names) that are right, such as peer.alice.example and
	// spiffe://bank.example/alice. They count as ClientSubjects do, and none is
	// a pattern. A certificate with names of several accounts is that of none,
	// unless the client says which one is meant by its user name.
	ClientNames []string
	// RequireCertificate asks for one of the certificates, and for the token as
	// well if there is one.
	RequireCertificate bool
}

// certificates are those that an account is known by.
func (c *Credentials) certificates() clientcert.Known {
	return clientcert.Known{Keys: c.ClientKeys, Subjects: c.ClientSubjects, Names: c.ClientNames}
}

// Fingerprint is a SHA-256 hash. It is the same type as ilphttp's.
type Fingerprint = clientcert.Fingerprint

// KeyFingerprint is the hash of the public key of a certificate, its Subject
// Public Key Info. It stays the same when the certificate is renewed for the
// same key.
func KeyFingerprint(c *x509.Certificate) Fingerprint { return clientcert.KeyOf(c) }

func (c *Credentials) check() error {
	known := c.certificates()
	switch {
	case c.RequireCertificate && !known.Some():
		return errors.New("btp: a certificate is required and none is known: give client keys, subjects or names")
	case c.Token == "" && !known.Some():
		return errors.New("btp: an account needs a token or a client certificate: anybody could connect without one")
	}
	if err := known.Check(); err != nil {
		return fmt.Errorf("btp: %w", err)
	}
	return nil
}

// errCredentials is all that a client is told about credentials that are not
// right.
var errCredentials = errors.New("invalid credentials")

// registry finds accounts by their credentials. Names and tokens are keys
// only as hashes, so that the time of a look-up tells nothing about them.
type registry struct {
	mu            sync.RWMutex
	byUsername    map[digest]*Peer
	byToken       map[digest][]*Peer
	byCertificate map[digest]*Peer // by the marks of certificates
}

type digest = [sha256.Size]byte

// add puts p in, unless its user name is taken, or its certificate, or there
// is no user name and the token is taken.
func (r *registry) add(p *Peer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.named && r.byUsername[p.username] != nil {
		return errors.New("btp: another account has this user name: close it before it is added again")
	}
	if !p.named && p.hasToken && slices.ContainsFunc(r.byToken[p.token], func(other *Peer) bool { return !other.named }) {
		return errors.New("btp: another account without a user name has this token: give each its own")
	}
	if slices.ContainsFunc(p.certificates, func(d digest) bool { return r.byCertificate[d] != nil }) {
		return errors.New("btp: another account has this client certificate: give each its own")
	}
	if r.byUsername == nil {
		r.byUsername, r.byToken = make(map[digest]*Peer), make(map[digest][]*Peer)
		r.byCertificate = make(map[digest]*Peer)
	}
	if p.named {
		r.byUsername[p.username] = p
	}
	if p.hasToken {
		r.byToken[p.token] = append(r.byToken[p.token], p)
	}
	for _, d := range p.certificates {
		r.byCertificate[d] = p
	}
	return nil
}

// remove takes p out.
func (r *registry) remove(p *Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.named && r.byUsername[p.username] == p {
		delete(r.byUsername, p.username)
	}
	for _, d := range p.certificates {
		if r.byCertificate[d] == p {
			delete(r.byCertificate, d)
		}
	}
	rest := slices.DeleteFunc(r.byToken[p.token], func(other *Peer) bool { return other == p })
	if len(rest) == 0 {
		delete(r.byToken, p.token)
		return
	}
	r.byToken[p.token] = rest
}

// find gives the account of what a client has shown, or nil.
func (r *registry) find(s btplink.Shown, now time.Time) *Peer {
	certificate := clientcert.Of(s.TLS)
	valid := certificate.Valid(now)
	if len(s.Token) > 0 {
		p := r.withToken(s.Username, s.Token)
		if p == nil || p.certified && !(valid && certificate.Has(p.certificates)) {
			return nil
		}
		return p
	}
	if !valid {
		return nil
	}
	p := r.withCertificate(s.Username, certificate)
	if p == nil || p.certified && p.hasToken {
		return nil
	}
	return p
}

// withCertificate gives the account of a certificate: the one that the client
// says it is or, if it names none that there is, one without a user name.
func (r *registry) withCertificate(username []byte, shown *clientcert.Shown) *Peer {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(username) > 0 {
		if named := r.byUsername[sha256.Sum256(username)]; named != nil {
			if shown.Has(named.certificates) {
				return named
			}
			return nil
		}
	}
	p, ok := clientcert.Find(shown, r.byCertificate)
	if !ok || p.named && len(username) > 0 {
		return nil
	}
	return p
}

// withToken gives the account of a user name and a token, or nil. An unknown
// user name costs what a wrong token costs.
func (r *registry) withToken(username, token []byte) *Peer {
	user, secret := sha256.Sum256(username), sha256.Sum256(token)
	r.mu.RLock()
	defer r.mu.RUnlock()
	byName := r.byUsername[user]
	byToken := r.byToken[secret]
	want := digest{}
	if byName != nil {
		want = byName.token
	}
	right := subtle.ConstantTimeCompare(want[:], secret[:]) == 1
	switch {
	case byName != nil && len(username) > 0:
		if right {
			return byName
		}
		return nil
	case len(username) == 0 && len(byToken) == 1:
		return byToken[0]
	}
	for _, p := range byToken { // at most one has no user name
		if !p.named {
			return p
		}
	}
	return nil
}
