package settlement

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
)

// guard lets in nobody but the engine.
type guard struct {
	tokens   atomic.Pointer[[][sha256.Size]byte] // nil: none are asked for
	verify   func(*x509.Certificate) error       // nil: no certificate is
	loopback bool
}

func (g *guard) accept(tokens []string) error {
	if len(tokens) == 0 {
		return errors.New("settlement: there are no tokens to accept: give at least one")
	}
	hashes := make([][sha256.Size]byte, len(tokens))
	for i, token := range tokens {
		if token == "" {
			return errors.New("settlement: a token to accept is empty: anybody has that one")
		}
		hashes[i] = sha256.Sum256([]byte(token))
	}
	g.tokens.Store(&hashes)
	return nil
}

var (
	errNoToken       = errors.New("a token is needed")
	errToken         = errors.New("the token is not the engine's")
	errNoCertificate = errors.New("a client certificate is needed that the listener has verified")
)

// check says why the request is not the engine's.
func (g *guard) check(r *http.Request) error {
	if g.loopback {
		if err := checkLoopback(r); err != nil {
			return err
		}
	}
	if tokens := g.tokens.Load(); tokens != nil {
		if err := checkToken(r, *tokens); err != nil {
			return err
		}
	}
	if g.verify == nil {
		return nil
	}
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.VerifiedChains[0]) == 0 {
		return errNoCertificate
	}
	return g.verify(r.TLS.VerifiedChains[0][0])
}

// checkToken looks at all tokens, so that the time tells nothing.
func checkToken(r *http.Request, accepted [][sha256.Size]byte) error {
	token, ok := shownToken(r)
	if !ok {
		return errNoToken
	}
	shown, right := sha256.Sum256([]byte(token)), 0
	for i := range accepted {
		right |= subtle.ConstantTimeCompare(shown[:], accepted[i][:])
	}
	if right != 1 {
		return errToken
	}
	return nil
}

// shownToken gives the token of a request: a bearer token, or the password of
// whatever user, which is what an engine shows that knows of no tokens, but can
// be given the URL http://user:token@host.
func shownToken(r *http.Request) (string, bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

// checkLoopback refuses who is not on this machine, and a browser here that a
// page from elsewhere has led to us under a name of its own.
func checkLoopback(r *http.Request) error {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("%s is not on this machine", r.RemoteAddr)
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return nil
	}
	to, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil || !to.Unmap().IsLoopback() {
		return fmt.Errorf("%q is not a name of this machine alone", r.Host)
	}
	return nil
}
