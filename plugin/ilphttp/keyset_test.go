package ilphttp_test

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/interledger-go/connector/plugin/ilphttp"
)

// jwk is a key as an issuer publishes it.
func jwk(id string, key *rsa.PublicKey) map[string]string {
	return map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}
}

func jwks(keys ...map[string]string) string {
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// issuer publishes what a test tells it to.
type issuer struct {
	mu      sync.Mutex
	body    string
	status  int // 0: the connection breaks; or one of those below
	fetches int
}

func (i *issuer) publish(status int, body string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.body = status, body
}

// What an issuer may do instead of answering with a status.
const (
	drips   = -1 // a byte a second, without end
	unpacks = -2 // what is small on its way and large when it is unpacked
)

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.fetches++
	status, body := i.status, i.body
	i.mu.Unlock()
	switch status {
	case 0:
		panic(http.ErrAbortHandler)
	case drips:
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Second)
		}
	case unpacks:
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		for range 10 {
			_, _ = packed.Write(make([]byte, 1<<20))
		}
		_ = packed.Close()
	default:
		w.Header().Set("Location", "http://127.0.0.1/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (i *issuer) fetched() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// keySetPair is an account of a server that trusts an issuer.
type keySetPair struct {
	issuer *issuer
	srv    *ilphttp.Server
}

// startKeySet is called in a bubble.
func startKeySet(t *testing.T, status int, body string) (p keySetPair, stop func()) {
	t.Helper()
	p.issuer = &issuer{status: status, body: body}
	l, stopIssuer := servePipes(p.issuer)
	set, err := ilphttp.NewKeySet(ilphttp.KeySetOptions{
		URL: "http://127.0.0.1/jwks.json", NetDial: l.Dial, Refresh: 10 * time.Minute, MaxAge: 2 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := set.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	p.srv = ilphttp.NewServer(ilphttp.ServerOptions{})
	account(t, p.srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{
		KeySet: set, Subject: "alice", Issuer: "issuer", Audience: "connie",
	}}}, fulfiller)
	synctest.Wait()
	return p, func() {
		cancel()
		running.Wait()
		stopIssuer()
	}
}

// show gives the status of a packet with a token that is signed now.
func (p keySetPair) show(t *testing.T, key *rsa.PrivateKey, id string) int {
	t.Helper()
	return status(t, p.srv, authorization("Bearer "+signed(t, key, id)))
}

func signed(t *testing.T, key *rsa.PrivateKey, id string) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"sub": "alice", "iss": "issuer", "aud": "connie", "exp": time.Now().Add(5 * time.Hour).Unix(),
	})
	if id != "" {
		token.Header["kid"] = id
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var otherKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// A new key is known soon after a token shows it, and one that is withdrawn is
// not used any more, not even for a token that was verified before.
func TestKeySetRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, new := rsaKey(), otherKey()
		p, stop := startKeySet(t, 200, jwks(jwk("old", &old.PublicKey)))
		defer stop()
		kept := signed(t, old, "old")
		for _, test := range []struct {
			key  *rsa.PrivateKey
			id   string
			want int
		}{{old, "old", 200}, {old, "", 200}, {new, "new", 401}, {new, "old", 401}, {new, "", 401}} {
			if got := p.show(t, test.key, test.id); got != test.want {
				t.Errorf("a key of id %q: status %d, want %d", test.id, got, test.want)
			}
		}
		if got := status(t, p.srv, authorization(kept)); got != 200 {
			t.Errorf("status %d, want 200", got)
		}
		p.issuer.publish(200, jwks(jwk("new", &new.PublicKey)))
		p.show(t, new, "new") // it is asked for
		time.Sleep(10 * time.Second)
		if got := p.show(t, new, "new"); got != 200 {
			t.Errorf("a new key: status %d, want 200", got)
		}
		if got := status(t, p.srv, authorization(kept)); got != 401 {
			t.Errorf("a token of a key that was withdrawn: status %d, want 401", got)
		}
	})
}

// Tokens with ids that nobody knows do not make the issuer busy.
func TestKeySetIsNotFetchedTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := startKeySet(t, 200, jwks(jwk("old", &rsaKey().PublicKey)))
		defer stop()
		for i := range 600 {
			p.show(t, otherKey(), fmt.Sprint("unknown ", i))
			time.Sleep(100 * time.Millisecond)
		}
		if n := p.issuer.fetched(); n > 60/4 {
			t.Errorf("the keys were fetched %d times within a minute", n)
		}
	})
}

// An issuer that is down, or sends what is no key set, changes nothing until
// the keys are too old; then its tokens are refused, and nobody else's.
func TestKeySetOutlivesItsIssuer(t *testing.T) {
	key := rsaKey()
	many := make([]map[string]string, 101)
	for i := range many {
		many[i] = jwk(fmt.Sprint(i), &key.PublicKey)
	}
	for name, bad := range map[string]struct {
		status int
		body   string
	}{
		"down":     {0, ""},
		"drips":    {drips, ""},
		"unpacks":  {unpacks, ""},
		"error":    {500, jwks()},
		"moved":    {302, jwks(jwk("old", &otherKey().PublicKey))},
		"garbage":  {200, "<html>"},
		"empty":    {200, "{}"},
		"no keys":  {200, jwks()},
		"huge":     {200, `{"keys":[],"x":"` + strings.Repeat("x", 100<<10) + `"}`},
		"too many": {200, jwks(many...)},
		"useless":  {200, jwks(map[string]string{"kty": "EC", "kid": "old"})},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stop := startKeySet(t, 200, jwks(jwk("old", &key.PublicKey)))
				defer stop()
				account(t, p.srv, tokens("another account"), fulfiller)
				p.issuer.publish(bad.status, bad.body)
				time.Sleep(time.Hour)
				if got := p.show(t, key, "old"); got != 200 {
					t.Errorf("an hour later: status %d, want 200", got)
				}
				if n := p.issuer.fetched(); n < 6 || n > 40 {
					t.Errorf("the keys were asked for %d times within the hour", n)
				}
				time.Sleep(2 * time.Hour)
				if got := p.show(t, key, "old"); got != 401 {
					t.Errorf("three hours later: status %d, want 401", got)
				}
				if got := status(t, p.srv, authorization("another account")); got != 200 {
					t.Errorf("another account: status %d, want 200", got)
				}
				p.issuer.publish(200, jwks(jwk("old", &key.PublicKey)))
				time.Sleep(10 * time.Minute)
				if got := p.show(t, key, "old"); got != 200 {
					t.Errorf("when the issuer is back: status %d, want 200", got)
				}
			})
		})
	}
}

// While the issuer has never answered, requests are refused at once.
func TestKeySetOfSilentIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set, err := ilphttp.NewKeySet(ilphttp.KeySetOptions{URL: "https://issuer/", NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = set.Run(ctx) })
		srv := ilphttp.NewServer(ilphttp.ServerOptions{})
		account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{
			KeySet: set, Subject: "alice", Issuer: "issuer", Audience: "connie",
		}}}, fulfiller)
		start := time.Now()
		if got := (keySetPair{srv: srv}).show(t, rsaKey(), "x"); got != 401 || time.Since(start) != 0 {
			t.Errorf("status %d after %v, want 401 at once", got, time.Since(start))
		}
		cancel()
		running.Wait()
	})
}

func TestNewKeySetRefusesBadURLs(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://issuer/jwks.json": true, "http://127.0.0.1:80/": true, "http://[::1]/": true, "http://localhost/": true,
		"http://issuer/jwks.json": false, "ftp://issuer/": false, "issuer": false, "": false, "http://127.0.0.1.issuer/": false,
	} {
		if _, err := ilphttp.NewKeySet(ilphttp.KeySetOptions{URL: url}); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// Keys that are not sound are passed over.
func TestUnsoundKeys(t *testing.T) {
	good := jwk("good", &rsaKey().PublicKey)
	with := func(name, value string) map[string]string {
		k := map[string]string{}
		for n, v := range good {
			k[n] = v
		}
		k["kid"], k[name] = "bad", value
		return k
	}
	short := base64.RawURLEncoding.EncodeToString(rsaKey().N.Bytes()[:100])
	long := base64.RawURLEncoding.EncodeToString(make([]byte, 2000))
	for _, bad := range []map[string]string{
		with("kty", "EC"), with("use", "enc"), with("alg", "HS256"), with("alg", "RS512"),
		with("n", short), with("n", long), with("n", "***"), with("n", ""), with("e", ""), with("e", "AQ"), with("e", "Ag"), with("e", "AQABAQAB"),
	} {
		keys, err := ilphttp.ParseKeySet([]byte(jwks(good, bad)))
		if err != nil || len(keys) != 1 || len(keys["good"]) != 1 {
			t.Errorf("with %v there are %d keys, %v; want the good one alone", bad, len(keys), err)
		}
	}
}

func FuzzParseKeySet(f *testing.F) {
	f.Add([]byte(jwks(jwk("a", &rsaKey().PublicKey))))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := ilphttp.ParseKeySet(text)
		if err == nil && len(keys) == 0 {
			t.Error("no error, and no keys")
		}
		for _, some := range keys {
			for _, k := range some {
				if k.N.BitLen() < 2048 || k.N.BitLen() > 8192 || k.E < 3 {
					t.Errorf("a key of %d bits with exponent %d was taken", k.N.BitLen(), k.E)
				}
			}
		}
	})
}
