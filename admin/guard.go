package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// MinTokenLength is the length of the shortest token, in bytes.
const MinTokenLength = 16

// role is what somebody may do. A higher one may do what a lower one may.
type role int

const (
	anyone role = iota
	reader
	operator
)

// guard knows who may do what.
type guard struct {
	known atomic.Pointer[knownTokens]
	hosts []string // lower case
}

// knownTokens are those of a moment.
type knownTokens struct {
	tokens   []knownToken
	loopback bool // without a token
}

type knownToken struct {
	hash [sha256.Size]byte
	role role
}

func newGuard(o *Options, fault func(field, format string, args ...any)) *guard {
	g := &guard{hosts: []string{"localhost"}}
	g.known.Store(readTokens(o, fault))
	for _, host := range o.Hosts {
		g.hosts = append(g.hosts, strings.ToLower(host))
	}
	return g
}

// readTokens reads those of o.
func readTokens(o *Options, fault func(field, format string, args ...any)) *knownTokens {
	k := &knownTokens{loopback: o.LoopbackWithoutToken}
	add := func(field string, tokens []string, r role) {
		for i, token := range tokens {
			if len(token) < MinTokenLength {
				fault(field, "token %d has %d bytes: it must have %d at least, such as those of `openssl rand -hex 16`", i, len(token), MinTokenLength)
			}
			k.tokens = append(k.tokens, knownToken{sha256.Sum256([]byte(token)), r})
		}
	}
	add("Tokens", o.Tokens, operator)
	add("ReadTokens", o.ReadTokens, reader)
	for i, token := range o.ReadTokens {
		if slices.Contains(o.Tokens, token) {
			fault("ReadTokens", "token %d is one of Tokens: it must be another", i)
		}
	}
	if len(k.tokens) == 0 && !k.loopback {
		fault("Tokens", "there is none: set one, or LoopbackWithoutToken if the handler is served to this machine alone")
	}
	return k
}

// SetTokens replaces those of Options, and Options.LoopbackWithoutToken, from
// the next request on. Event streams of tokens that are gone end with their
// next event. An error says what is wrong, and changes nothing.
func (h *Handler) SetTokens(tokens, readers []string, loopbackWithoutToken bool) error {
	var faults []error
	known := readTokens(&Options{Tokens: tokens, ReadTokens: readers, LoopbackWithoutToken: loopbackWithoutToken}, faultsOf(&faults))
	if err := errors.Join(faults...); err != nil {
		return err
	}
	h.guard.known.Store(known)
	return nil
}

// faultsOf appends faults of Options to a list.
func faultsOf(faults *[]error) func(field, format string, args ...any) {
	return func(field, format string, args ...any) {
		*faults = append(*faults, fmt.Errorf("admin: Options.%s: %s", field, fmt.Sprintf(format, args...)))
	}
}

// admit says why whoever has sent r may not do what needs a role.
func (g *guard) admit(r *http.Request, need role) error {
	if need == anyone {
		return nil
	}
	granted, err := g.role(r)
	if err == nil && granted < need {
		err = problemf(http.StatusForbidden, "this token may look, and change nothing: use one that may do everything")
	}
	return err
}

func (g *guard) role(r *http.Request) (role, error) {
	header := r.Header.Get("Authorization")
	known := g.known.Load()
	if header == "" && known.loopback {
		return operator, g.checkLocal(r)
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return anyone, problemf(http.StatusUnauthorized, "a token is needed: Authorization: Bearer TOKEN")
	}
	if granted := known.lookUp(strings.TrimSpace(token)); granted != anyone {
		return granted, nil
	}
	return anyone, problemf(http.StatusUnauthorized, "the token is none of those that are known")
}

// lookUp gives the role of a token. It takes as long for any: it looks at all
// that are known, at all of their bytes.
func (k *knownTokens) lookUp(token string) role {
	hash, granted := sha256.Sum256([]byte(token)), 0
	for _, known := range k.tokens {
		same := subtle.ConstantTimeCompare(hash[:], known.hash[:])
		granted = subtle.ConstantTimeSelect(same, int(known.role), granted)
	}
	return role(granted)
}

// checkLocal says why a request without a token is refused. It comes from a
// program of this machine, which may be a browser that shows the page of
// somebody else: one that has its own name point here (DNS rebinding) names
// this machine by that in Host, and one that asks across sites says so.
func (g *guard) checkLocal(r *http.Request) error {
	switch {
	case !fromThisMachine(r):
		return problemf(http.StatusUnauthorized, "only this machine needs no token: Authorization: Bearer TOKEN")
	case r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != "":
		return problemf(http.StatusForbidden, "this request was handed on by a proxy: without a token it must come from this machine")
	case !g.meansThisMachine(r.Host):
		return problemf(http.StatusForbidden, "%.100q is no name of this machine: use localhost, or add it to Options.Hosts", r.Host)
	case crossOrigin(r):
		return problemf(http.StatusForbidden, "the page of another site has made this request: without a token it must be this one")
	}
	return nil
}

func fromThisMachine(r *http.Request) bool {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return true
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && remote.Addr().Unmap().IsLoopback()
}

func (g *guard) meansThisMachine(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if address, err := netip.ParseAddr(name); err == nil {
		return address.Unmap().IsLoopback()
	}
	return slices.Contains(g.hosts, strings.ToLower(name))
}

// crossOrigin reports whether a browser says that the page of another origin
// has made the request.
func crossOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none": // none: the person has typed it in
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, r.Host)
}

// logChange writes down who has changed what.
func logChange(logger *slog.Logger, r *http.Request, err error) {
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("from", r.RemoteAddr),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	logger.LogAttrs(r.Context(), slog.LevelInfo, "admin request", attrs...)
}
