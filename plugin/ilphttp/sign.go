package ilphttp

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// DefaultLifetime is how long tokens of a [SignedJWT] are valid;
// MaxLifetime is the longest that may be chosen (AUTH-06).
const (
	DefaultLifetime = time.Minute
	MaxLifetime     = 5 * time.Minute
)

// SignedJWT has JSON Web Tokens made for outgoing requests. A token is used
// until half of its life is over. One of Secret and Key is needed.
type SignedJWT struct {
	Secret []byte          // signs with HS256; shared with the counterparty
	Key    *rsa.PrivateKey // signs with RS256
	KeyID  string          // names Key in the header kid; empty: nothing does

	// Subject, Issuer and Audience are the claims of these names; empty: the
	// token has none.
	Subject, Issuer, Audience string
	// Lifetime of a token, in whole seconds. 0 means DefaultLifetime.
	Lifetime time.Duration
}

func (j *SignedJWT) check() error {
	if (len(j.Secret) == 0) == (j.Key == nil) {
		return errors.New("ilphttp: JWTs are signed with a secret or with a key: give one of them")
	}
	if j.Lifetime < 0 || j.Lifetime > MaxLifetime || j.Lifetime > 0 && j.Lifetime < 2*time.Second {
		return fmt.Errorf("ilphttp: the lifetime of JWTs is %v, want 2s to %v", j.Lifetime, MaxLifetime)
	}
	if j.Key != nil {
		if err := checkKey(&j.Key.PublicKey); err != nil {
			return fmt.Errorf("ilphttp: the key of JWTs: %w", err)
		}
	}
	return nil
}

// sign makes a token.
func (j *SignedJWT) sign(now time.Time, lifetime time.Duration) (string, error) {
	claims := jwt.RegisteredClaims{
		Subject: j.Subject, Issuer: j.Issuer,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(lifetime)),
	}
	if j.Audience != "" {
		claims.Audience = jwt.ClaimStrings{j.Audience}
	}
	if j.Key == nil {
		return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(j.Secret)
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	if j.KeyID != "" {
		t.Header["kid"] = j.KeyID
	}
	return t.SignedString(j.Key)
}

// headers has the headers of outgoing requests. They are the same for many
// requests, and nobody changes them.
type headers struct {
	base   requestHeaders // without Authorization
	scheme string         // before a token
	jwt    *SignedJWT     // nil: base, with the token, is used for ever

	current atomic.Pointer[requestHeaders]
	mu      sync.Mutex // held while a token is made
}

// requestHeaders are headers in the two forms that they are needed in.
type requestHeaders struct {
	header http.Header
	lines  []byte    // each ended by CRLF
	renew  time.Time // when its token is to be replaced, if it has a JWT
}

// write makes lines of the header.
func (r *requestHeaders) write() {
	var lines bytes.Buffer
	_ = r.header.Write(&lines) // memory takes everything
	r.lines = lines.Bytes()
}

func newHeaders(o *ClientOptions) (*headers, error) {
	header := http.Header{"Content-Type": octetStream, "Accept": octetStream, "User-Agent": {"interledger-go"}}
	h := &headers{base: requestHeaders{header: header}, scheme: "Bearer "}
	if o.BareToken {
		h.scheme = ""
	}
	if o.PeerName != "" {
		header.Set("ILP-Peer-Name", o.PeerName)
	}
	switch {
	case o.JWT != nil && o.Token != "":
		return nil, errors.New("ilphttp: a token and JWTs are in the options: give one of them")
	case o.JWT != nil:
		if err := o.JWT.check(); err != nil {
			return nil, err
		}
		signed := *o.JWT
		orDefault(&signed.Lifetime, DefaultLifetime)
		signed.Lifetime = signed.Lifetime.Truncate(time.Second)
		h.jwt = &signed
	case o.Token != "":
		header.Set("Authorization", h.scheme+o.Token)
	}
	for name := range header {
		if strings.ContainsFunc(header.Get(name), func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, fmt.Errorf("ilphttp: what goes into the header %s holds a character that cannot be sent", name)
		}
	}
	h.base.write()
	return h, nil
}

// get gives the headers of a request that is sent now. They are not to be
// changed.
func (h *headers) get() (*requestHeaders, error) {
	if h.jwt == nil {
		return &h.base, nil
	}
	now := time.Now()
	if r := h.current.Load(); r != nil && now.Before(r.renew) {
		return r, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.current.Load(); r != nil && now.Before(r.renew) {
		return r, nil
	}
	token, err := h.jwt.sign(now, h.jwt.Lifetime)
	if err != nil {
		return nil, fmt.Errorf("ilphttp: signing a JWT: %w", err)
	}
	r := &requestHeaders{header: h.base.header.Clone(), renew: now.Add(h.jwt.Lifetime / 2)}
	r.header.Set("Authorization", h.scheme+token)
	r.write()
	h.current.Store(r)
	return r, nil
}

// anew has the next request sign a new token, since the last was refused.
func (h *headers) anew() { h.current.Store(nil) }
