package ilphttp

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/interledger-go/connector/internal/clientcert"
)

// Credentials are how the requests of an account are known: by a token or a
// JWT, or by the client certificate of their connection. At least one is
// needed, and any one of all is enough for a request, so that what a
// counterparty shows can be changed without a moment at which it is refused;
// RequireCertificate asks for both.
type Credentials struct {
	// Name is what requests for the account say by ServerOptions.AccountName;
	// with the default, the last but one segment of /accounts/{account}/ilp.
	// It says which account is meant and proves nothing. Requests that name no
	// account are given to the one that their token or certificate is of; so no
	// other account may have the same ones. The JWTs of an account with a name
	// are only taken from requests that name it.
	Name string

	// Tokens are the bearer tokens that are valid: random text of 32 bytes or
	// more (AUTH-02). They are kept as SHA-256 hashes.
	Tokens []string
	// JWT says which JSON Web Tokens are valid; nil: none.
	JWT *JWT
	// ClientKeys are the public keys of client certificates that are valid:
	// see KeyFingerprint. That the client has the private key has been shown
	// by the TLS handshake, so that any certificate for it will do, one that
	// it signed itself included.
	ClientKeys []Fingerprint
	// ClientSubjects are the distinguished names of client certificates that
	// are valid, as x509.Certificate.Subject.String gives them. They count only
	// in a certificate that the TLS configuration of the http.Server has
	// verified.
	ClientSubjects []string
	// ClientNames are DNS names and URIs of client certificates (their subject
	// alternative names) that are valid, such as peer.alice.example and
	// spiffe://bank.example/alice. They count as ClientSubjects do, and none is
	// a pattern. A certificate with names of several accounts is that of none,
	// unless the request says which one is meant.
	ClientNames []string
	// RequireCertificate asks of each request for one of the certificates, and
	// for a token or a JWT as well if the account has any.
	RequireCertificate bool
}

// certificates are those that an account is known by.
func (c *Credentials) certificates() clientcert.Known {
	return clientcert.Known{Keys: c.ClientKeys, Subjects: c.ClientSubjects, Names: c.ClientNames}
}

// JWT says which JSON Web Tokens an account shows: signed with HS256 by one
// of Secrets (AUTH-04) or with RS256 by one of Keys or of KeySet (AUTH-05).
// No other algorithm is taken, and each only with a key that was given for it.
// A token must have an expiry. Expiry and "not before" are looked at for each
// request.
type JWT struct {
	// Secrets are shared with the counterparty, any of them may be in use.
	// 32 bytes or more are asked for.
	Secrets [][]byte
	// Keys are public keys of 2048 to 8192 bits.
	Keys []*rsa.PublicKey
	// KeySet has the keys that somebody publishes.
	KeySet *KeySet

	// Subject, Issuer and Audience are what the claims sub, iss and aud must
	// be, or for aud, have among them; empty: anything. Keys and KeySet need
	// all three, since others than the counterparty may be given tokens under
	// them. An account without a Name is found by its subject; one of a server
	// may have neither.
	Subject, Issuer, Audience string

	// Leeway is how much the clocks of both sides may differ. 0 means
	// DefaultLeeway; it is at most MaxLeeway.
	Leeway time.Duration
}

// Bounds of [JWT].
const (
	DefaultLeeway = 5 * time.Second
	MaxLeeway     = time.Minute
)

const (
	minKeyBits = 2048
	maxKeyBits = 8192
)

// Fingerprint is a SHA-256 hash.
type Fingerprint = clientcert.Fingerprint

// KeyFingerprint is the hash of the public key of a certificate, its Subject
// Public Key Info. It stays the same when the certificate is renewed for the
// same key.
func KeyFingerprint(c *x509.Certificate) Fingerprint { return clientcert.KeyOf(c) }

func (c *Credentials) check() error {
	known := c.certificates()
	switch {
	case c.RequireCertificate && !known.Some():
		return errors.New("ilphttp: a certificate is required and none is known: give client keys, subjects or names")
	case len(c.Tokens) == 0 && !known.Some() && c.JWT == nil:
		return errors.New("ilphttp: an account needs credentials: anybody could send in its name without")
	}
	if err := known.Check(); err != nil {
		return fmt.Errorf("ilphttp: %w", err)
	}
	for _, token := range c.Tokens {
		if token == "" || len(token) > maxToken {
			return fmt.Errorf("ilphttp: a token has %d bytes, want 1 to %d", len(token), maxToken)
		}
	}
	if c.JWT == nil {
		return nil
	}
	return c.JWT.check()
}

func (j *JWT) check() error {
	if len(j.Secrets)+len(j.Keys) == 0 && j.KeySet == nil {
		return errors.New("ilphttp: JWTs need secrets, keys or a key set to verify them with")
	}
	if j.Leeway < 0 || j.Leeway > MaxLeeway {
		return fmt.Errorf("ilphttp: the leeway of JWTs is %v, want 0 to %v", j.Leeway, MaxLeeway)
	}
	for _, secret := range j.Secrets {
		if len(secret) == 0 {
			return errors.New("ilphttp: a secret of JWTs is empty")
		}
	}
	if len(j.Keys) == 0 && j.KeySet == nil {
		return nil
	}
	if j.Subject == "" || j.Issuer == "" || j.Audience == "" {
		return errors.New("ilphttp: JWTs with public keys need a subject, an issuer and an audience: others have tokens under these keys")
	}
	for _, key := range j.Keys {
		if err := checkKey(key); err != nil {
			return fmt.Errorf("ilphttp: a key of JWTs: %w", err)
		}
	}
	return nil
}

func checkKey(key *rsa.PublicKey) error {
	if key == nil || key.N == nil {
		return errors.New("it is nil")
	}
	if n := key.N.BitLen(); n < minKeyBits || n > maxKeyBits {
		return fmt.Errorf("it has %d bits, want %d to %d", n, minKeyBits, maxKeyBits)
	}
	if key.E < 3 || key.E%2 == 0 {
		return fmt.Errorf("its exponent is %d", key.E)
	}
	return nil
}
