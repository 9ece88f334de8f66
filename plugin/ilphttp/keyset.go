package ilphttp

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Defaults of [KeySetOptions].
const (
	DefaultKeyRefresh = 15 * time.Minute
	DefaultKeyMaxAge  = 24 * time.Hour
)

// What a key set may cost.
const (
	maxKeySetBytes  = 64 << 10
	maxKeys         = 100
	keyFetchTimeout = 10 * time.Second
	minKeyBackoff   = 5 * time.Second // also between two fetches for an unknown key
	maxKeyBackoff   = 5 * time.Minute
)

// KeySetOptions say where a KeySet gets its keys from. URL is needed.
type KeySetOptions struct {
	// URL of a JWK Set (RFC 7517): https, or http for a loopback address.
	// Redirects are not followed.
	URL string
	// TLS is the configuration of the client; nil means the zero one.
	TLS *tls.Config
	// NetDial replaces the net.Dialer if it is not nil.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Refresh is how often the keys are fetched. A token with the id of a key
	// that is not known has them fetched sooner. 0 means DefaultKeyRefresh.
	Refresh time.Duration
	// MaxAge is for how long keys are used that could not be fetched again. 0
	// means DefaultKeyMaxAge.
	MaxAge time.Duration
	// Logger gets what could not be fetched. nil: no log.
	Logger *slog.Logger
}

// KeySet is the public keys that an issuer of JWTs publishes (JWKS). Run
// fetches them in the background. Requests are judged by the keys that are
// known, and wait for none: an issuer that is down, or slow, keeps nobody
// waiting. A KeySet may be shared by many accounts, and all its methods may be
// called concurrently. As long as Run has not fetched any keys, it has none.
type KeySet struct {
	options KeySetOptions
	log     *slog.Logger
	keys    atomic.Pointer[publishedKeys]
	missing chan struct{} // a key was asked for that is not here
}

// publishedKeys are never changed.
type publishedKeys struct {
	byID    map[string][]*rsa.PublicKey
	expires time.Time
}

// NewKeySet makes a KeySet without keys: call Run.
func NewKeySet(o KeySetOptions) (*KeySet, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil, fmt.Errorf("ilphttp: the URL of a key set is %q, want https://…: the keys decide who is believed", o.URL)
	}
	orDefault(&o.Refresh, DefaultKeyRefresh)
	orDefault(&o.MaxAge, DefaultKeyMaxAge)
	return &KeySet{options: o, log: cmp.Or(o.Logger, discard), missing: make(chan struct{}, 1)}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Run fetches the keys at once, and again and again until ctx ends; then it
// returns nil. After a failure it waits longer each time, with jitter.
func (s *KeySet) Run(ctx context.Context) error {
	client := &http.Client{
		Transport: &http.Transport{
			DialContext: s.options.NetDial, TLSClientConfig: s.options.TLS,
			ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeaderBytes,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	failures := 0
	for {
		wait, missing := s.options.Refresh, s.missing
		if err := s.fetch(ctx, client); ctx.Err() != nil {
			return nil
		} else if err != nil {
			failures++
			wait, missing = min(minKeyBackoff<<min(failures-1, 10), maxKeyBackoff, s.options.Refresh), nil
			s.log.LogAttrs(ctx, slog.LevelWarn, "ilphttp: the keys of JWTs cannot be fetched",
				slog.String("url", s.options.URL), slog.Any("error", err), slog.Int("failures", failures))
		} else {
			failures = 0
		}
		if !s.wait(ctx, jitter(wait), missing) {
			return nil
		}
	}
}

// wait waits for so long, or until a key is missing, though not for less than
// minKeyBackoff. It reports false when ctx ends.
func (s *KeySet) wait(ctx context.Context, d time.Duration, missing <-chan struct{}) bool {
	least := min(minKeyBackoff, d)
	for _, step := range []struct {
		d       time.Duration
		missing <-chan struct{}
	}{{least, nil}, {d - least, missing}} {
		timer := time.NewTimer(step.d)
		select {
		case <-timer.C:
		case <-step.missing:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
	return true
}

// jitter gives a duration that is up to a tenth shorter.
func jitter(d time.Duration) time.Duration {
	return d - rand.N(d/10+1)
}

func (s *KeySet) fetch(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, keyFetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.options.URL, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP status %d", resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySetBytes+1))
	if err != nil {
		return err
	}
	if len(text) > maxKeySetBytes {
		return fmt.Errorf("more than %d bytes", maxKeySetBytes)
	}
	byID, err := parseKeySet(text)
	if err != nil {
		return err
	}
	s.keys.Store(&publishedKeys{byID: byID, expires: time.Now().Add(s.options.MaxAge)})
	return nil
}

// current is what is known now. The nil KeySet has no keys.
func (s *KeySet) current() *publishedKeys {
	if s == nil {
		return nil
	}
	keys := s.keys.Load()
	if keys == nil || time.Now().After(keys.expires) {
		return nil
	}
	return keys
}

// find gives the keys of this id, or, for a token that names none, all keys
// if they are few.
func (s *KeySet) find(keys *publishedKeys, id string) []*rsa.PublicKey {
	if s == nil {
		return nil
	}
	if keys != nil {
		if id == "" {
			var all []*rsa.PublicKey
			for _, some := range keys.byID {
				all = append(all, some...)
			}
			if len(all) > maxTried {
				return nil
			}
			return all
		}
		if found := keys.byID[id]; len(found) > 0 {
			return found[:min(len(found), maxTried)]
		}
	}
	select {
	case s.missing <- struct{}{}:
	default:
	}
	return nil
}

// maxTried is how many keys are tried for one token.
const maxTried = 5

// parseKeySet reads a JWK Set. Keys that are not for RS256 signatures are
// passed over, and so are those that are not sound.
func parseKeySet(text []byte) (map[string][]*rsa.PublicKey, error) {
	var set struct {
		Keys []struct {
			Type      string `json:"kty"`
			Use       string `json:"use"`
			Algorithm string `json:"alg"`
			ID        string `json:"kid"`
			N         string `json:"n"`
			E         string `json:"e"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("no JWK Set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%d keys, at most %d are taken", len(set.Keys), maxKeys)
	}
	byID := make(map[string][]*rsa.PublicKey)
	for _, k := range set.Keys {
		if k.Type != "RSA" || k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != algorithmRS256 {
			continue
		}
		if key, err := parseKey(k.N, k.E); err == nil {
			byID[k.ID] = append(byID[k.ID], key)
		}
	}
	if len(byID) == 0 {
		return nil, errors.New("no usable RSA key for signatures among its keys")
	}
	return byID, nil
}

func parseKey(modulus, exponent string) (*rsa.PublicKey, error) {
	n, err := base64.RawURLEncoding.DecodeString(modulus)
	if err != nil {
		return nil, err
	}
	e, err := base64.RawURLEncoding.DecodeString(exponent)
	if err != nil {
		return nil, err
	}
	if len(e) > 4 {
		return nil, errors.New("the exponent is too large")
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	return key, checkKey(key)
}
