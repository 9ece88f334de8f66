package ilphttp_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/interledger-go/connector/plugin/ilphttp"
)

// status is the status of a response to a packet with these headers.
func status(t testing.TB, srv http.Handler, headers map[string]string) int {
	t.Helper()
	r := request(t, newPrepare())
	r.Header.Del("Authorization")
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	return serve(srv, r).StatusCode
}

func authorization(text string) map[string]string { return map[string]string{"Authorization": text} }

func TestTokens(t *testing.T) {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	account(t, srv, tokens("old", "new"), fulfiller)
	for text, want := range map[string]int{
		"Bearer old": 200, "Bearer new": 200, "bearer new": 200,
		"new":                                  200, // as old clients of the reference send it
		"Bearer":                               401,
		"Bearer ":                              401,
		"Bearer ol":                            401,
		"Bearer oldx":                          401,
		"Basic new":                            401,
		"":                                     401,
		"Bearer " + strings.Repeat("x", 9<<10): 401,
	} {
		if got := status(t, srv, authorization(text)); got != want {
			t.Errorf("Authorization: %.20q gave status %d, want %d", text, got, want)
		}
	}
	r := request(t, newPrepare())
	r.Header["Authorization"] = []string{"Bearer old", "Bearer new"}
	resp := serve(srv, r)
	if resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("two Authorization headers gave status %d, want 401", resp.StatusCode)
	}
	if srv.Refused() != 8 {
		t.Errorf("%d refused requests are counted, want 8", srv.Refused())
	}
}

// A name says which account is meant, and proves nothing: the token of
// another account is as wrong as any.
func TestNameIsNoProof(t *testing.T) {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{AccountName: func(r *http.Request) string { return r.Header.Get("ILP-Peer-Name") }})
	for _, name := range []string{"alice", "bob"} {
		account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{Name: name, Tokens: []string{"token of " + name}}}, fulfiller)
	}
	for _, test := range []struct {
		name, token string
		want        int
	}{
		{"alice", "token of alice", 200},
		{"bob", "token of bob", 200},
		{"", "token of bob", 200},
		{"alice", "token of bob", 401},
		{"carol", "token of bob", 401},
	} {
		if got := status(t, srv, map[string]string{"ILP-Peer-Name": test.name, "Authorization": "Bearer " + test.token}); got != test.want {
			t.Errorf("%q with %q gave status %d, want %d", test.name, test.token, got, test.want)
		}
	}
}

func TestAccountsOfPaths(t *testing.T) {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{Name: "alice", Tokens: []string{token}}}, fulfiller)
	mux := http.NewServeMux()
	mux.Handle("/accounts/{account}/ilp", srv)
	for path, want := range map[string]int{"/accounts/alice/ilp": 200, "/accounts/bob/ilp": 401, "/accounts/alice/": 404} {
		r := request(t, newPrepare())
		r.URL.Path = path
		if got := serve(mux, r).StatusCode; got != want {
			t.Errorf("%s gave status %d, want %d", path, got, want)
		}
	}
}

// Accounts with names may have the same subject, and a name that nobody has is
// nobody's, whatever the token.
func TestJWTOfNamedAccount(t *testing.T) {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{AccountName: func(r *http.Request) string { return r.Header.Get("ILP-Peer-Name") }})
	secret := func(name string) []byte { return []byte("the secret of " + name + ", which is long") }
	for _, name := range []string{"alice", "bob", ""} {
		rules := &ilphttp.JWT{Secrets: [][]byte{secret(name)}}
		if name != "" {
			rules.Subject = "connie"
		}
		account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{Name: name, JWT: rules}}, fulfiller)
	}
	for _, test := range []struct {
		name, signer string
		want         int
	}{
		{"alice", "alice", 200}, {"bob", "bob", 200}, {"", "", 200},
		{"alice", "bob", 401}, {"bob", "", 401}, {"", "alice", 401}, {"carol", "", 401}, {"carol", "alice", 401},
	} {
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "connie", "exp": time.Now().Add(time.Hour).Unix()}).SignedString(secret(test.signer))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := status(t, srv, map[string]string{"ILP-Peer-Name": test.name, "Authorization": text}); got != test.want {
				t.Errorf("%q with a token of %q gave status %d, want %d", test.name, test.signer, got, test.want)
			}
		}
	}
}

func TestAccountRefusesBadOptions(t *testing.T) {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{Name: "taken", Tokens: []string{"taken"}}}, fulfiller)
	account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{Secrets: [][]byte{{1}}}}}, fulfiller)
	key := &rsaKey().PublicKey
	for want, o := range map[string]ilphttp.AccountOptions{
		"needs credentials":        {},
		"has 0 bytes":              tokens(""),
		"has this token":           tokens("taken"),
		"has this name":            {Incoming: ilphttp.Credentials{Name: "taken", Tokens: []string{"x"}}},
		"has this subject of JWTs": {Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{Secrets: [][]byte{{2}}}}},
		"need secrets":             {Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{}}},
		"is empty":                 {Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{Secrets: [][]byte{{}}}}},
		"need a subject":           {Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{Keys: []*rsa.PublicKey{key}, Subject: "a", Issuer: "b"}}},
		"leeway":                   {Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{Secrets: [][]byte{{1}}, Leeway: time.Hour}}},
		"subject is empty":         {Incoming: ilphttp.Credentials{ClientSubjects: []string{""}}},
		"no outgoing URL":          {Incoming: ilphttp.Credentials{Tokens: []string{"x"}}, Outgoing: ilphttp.ClientOptions{Async: true}},
		"give one of them":         {Incoming: ilphttp.Credentials{Tokens: []string{"x"}}, Outgoing: ilphttp.ClientOptions{URL: "https://b/", Token: "a", JWT: &ilphttp.SignedJWT{}}},
		"scheme":                   {Incoming: ilphttp.Credentials{Tokens: []string{"x"}}, Outgoing: ilphttp.ClientOptions{URL: "ftp://b/"}},
		"has a user":               {Incoming: ilphttp.Credentials{Tokens: []string{"x"}}, Outgoing: ilphttp.ClientOptions{URL: "https://a:b@c/"}},
		"delimiter":                {Incoming: ilphttp.Credentials{Tokens: []string{"x"}}, Outgoing: ilphttp.ClientOptions{URL: "https://c/", Delimiter: "%"}},
		"lifetime":                 {Incoming: ilphttp.Credentials{Tokens: []string{"x"}}, Outgoing: ilphttp.ClientOptions{URL: "https://c/", JWT: &ilphttp.SignedJWT{Secret: []byte{1}, Lifetime: time.Hour}}},
	} {
		if _, err := srv.Account(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
}

// Credentials are replaced in an instant, and are free for others afterwards.
func TestSetCredentials(t *testing.T) {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	p := account(t, srv, tokens("first", "second"), fulfiller)
	account(t, srv, tokens("other"), fulfiller)
	if err := p.SetCredentials(ilphttp.Credentials{Tokens: []string{"second", "other"}}); err == nil {
		t.Error("a token of another account was taken")
	}
	if err := p.SetCredentials(ilphttp.Credentials{Tokens: []string{"second", "third"}}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{"first": 401, "second": 200, "third": 200} {
		if got := status(t, srv, authorization(text)); got != want {
			t.Errorf("the %s token gave status %d, want %d", text, got, want)
		}
	}
	p.Close()
	if got := status(t, srv, authorization("second")); got != 401 {
		t.Errorf("the token of an account that is closed gave status %d, want 401", got)
	}
	account(t, srv, tokens("second"), fulfiller)
	if err := p.SetCredentials(ilphttp.Credentials{Tokens: []string{"x"}}); err == nil {
		t.Error("a closed account took credentials")
	}
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// AUTH-07: the example of the proposal. In a bubble the year is 2000, and the
// token expires in 2019. What was verified once is looked at again each time.
func TestExampleToken(t *testing.T) {
	const example = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTU1ODAzNTg2OH0.__9CiSGdn4Grhl48slun7Lp4q4xt0uq398omcipBU8M"
	secret, err := base64.StdEncoding.DecodeString("HEiMCp0FoAC903QHueY89gAWJHo/izaBnJU8/58rlSI=")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		srv := ilphttp.NewServer(ilphttp.ServerOptions{})
		account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{Secrets: [][]byte{secret}, Subject: "alice", Leeway: time.Second}}}, fulfiller)
		expires := time.Unix(1558035868, 0)
		for _, test := range []struct {
			at   time.Time
			want int
		}{{time.Now(), 200}, {expires.Add(-time.Second), 200}, {expires, 200}, {expires.Add(time.Second), 401}} {
			time.Sleep(time.Until(test.at))
			if got := status(t, srv, authorization("Bearer "+example)); got != test.want {
				t.Errorf("%v after its expiry the token gave status %d, want %d", time.Since(expires), got, test.want)
			}
		}
	})
}

func TestJWT(t *testing.T) {
	secret := []byte("the secret that both sides share")
	key, public := rsaKey(), &rsaKey().PublicKey
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(public)})
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{
		Secrets: [][]byte{[]byte("an older secret, still in use"), secret}, Subject: "shared", Audience: "connie",
	}}}, fulfiller)
	account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{
		Keys: []*rsa.PublicKey{&other.PublicKey, public}, Subject: "public", Issuer: "issuer", Audience: "connie",
	}}}, fulfiller)

	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	sharedClaims := jwt.MapClaims{"sub": "shared", "aud": "connie", "exp": in(time.Minute)}
	publicClaims := jwt.MapClaims{"sub": "public", "iss": "issuer", "aud": []string{"x", "connie"}, "exp": in(time.Minute)}
	with := func(claims jwt.MapClaims, name string, value any) jwt.MapClaims {
		c := maps.Clone(claims)
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return c
	}
	for _, test := range []struct {
		name   string
		method jwt.SigningMethod
		key    any
		claims jwt.MapClaims
		want   int
	}{
		{"HS256", jwt.SigningMethodHS256, secret, sharedClaims, 200},
		{"an older secret", jwt.SigningMethodHS256, []byte("an older secret, still in use"), sharedClaims, 200},
		{"RS256", jwt.SigningMethodRS256, key, publicClaims, 200},
		{"a skewed clock", jwt.SigningMethodHS256, secret, with(with(sharedClaims, "nbf", in(3*time.Second)), "iat", in(3*time.Second)), 200},
		{"none", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, sharedClaims, 401},
		{"none for a public key", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, publicClaims, 401},
		{"the public key as a secret", jwt.SigningMethodHS256, publicPEM, publicClaims, 401},
		{"the secret of another account", jwt.SigningMethodHS256, secret, publicClaims, 401},
		{"RS256 where a secret is asked for", jwt.SigningMethodRS256, key, sharedClaims, 401},
		{"HS384", jwt.SigningMethodHS384, secret, sharedClaims, 401},
		{"PS256", jwt.SigningMethodPS256, key, publicClaims, 401},
		{"a wrong secret", jwt.SigningMethodHS256, []byte("wrong"), sharedClaims, 401},
		{"expired", jwt.SigningMethodHS256, secret, with(sharedClaims, "exp", in(-10*time.Second)), 401},
		{"no expiry", jwt.SigningMethodHS256, secret, with(sharedClaims, "exp", nil), 401},
		{"an expiry that is no number", jwt.SigningMethodHS256, secret, with(sharedClaims, "exp", "soon"), 401},
		{"not yet valid", jwt.SigningMethodHS256, secret, with(sharedClaims, "nbf", in(time.Minute)), 401},
		{"a wrong subject", jwt.SigningMethodHS256, secret, with(sharedClaims, "sub", "other"), 401},
		{"no subject", jwt.SigningMethodHS256, secret, with(sharedClaims, "sub", nil), 401},
		{"a wrong audience", jwt.SigningMethodHS256, secret, with(sharedClaims, "aud", "other"), 401},
		{"no audience", jwt.SigningMethodHS256, secret, with(sharedClaims, "aud", nil), 401},
		{"a wrong issuer", jwt.SigningMethodRS256, key, with(publicClaims, "iss", "other"), 401},
		{"no issuer", jwt.SigningMethodRS256, key, with(publicClaims, "iss", nil), 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, err := jwt.NewWithClaims(test.method, test.claims).SignedString(test.key)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time it may be remembered
				if got := status(t, srv, authorization("Bearer "+text)); got != test.want {
					t.Errorf("status %d, want %d", got, test.want)
				}
			}
			cut := text[:len(text)-4]
			if got := status(t, srv, authorization("Bearer "+cut)); got != 401 {
				t.Errorf("with its signature cut short: status %d, want 401", got)
			}
		})
	}
}

// Remembered tokens go with the credentials that they were verified by.
func TestRememberedTokenIsForgotten(t *testing.T) {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	secret := []byte("the first secret of this account")
	rules := func(secret []byte) ilphttp.Credentials {
		return ilphttp.Credentials{JWT: &ilphttp.JWT{Secrets: [][]byte{secret}, Subject: "alice"}}
	}
	p := account(t, srv, ilphttp.AccountOptions{Incoming: rules(secret)}, fulfiller)
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	if got := status(t, srv, authorization(text)); got != 200 {
		t.Fatalf("status %d, want 200", got)
	}
	if err := p.SetCredentials(rules([]byte("the second secret of this account"))); err != nil {
		t.Fatal(err)
	}
	if got := status(t, srv, authorization(text)); got != 401 {
		t.Errorf("after its secret was replaced the token gave status %d, want 401", got)
	}
}

// Tokens that a client signs are renewed when half of their life is over.
func TestSignedJWT(t *testing.T) {
	for name, sign := range map[string]ilphttp.SignedJWT{
		"HS256": {Secret: []byte("the secret that both sides share")},
		"RS256": {Key: rsaKey()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := ilphttp.NewServer(ilphttp.ServerOptions{})
				rules := &ilphttp.JWT{Subject: "alice", Issuer: "us", Audience: "them"}
				if sign.Key != nil {
					rules.Keys = []*rsa.PublicKey{&sign.Key.PublicKey}
				} else {
					rules.Secrets = [][]byte{sign.Secret}
				}
				account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{JWT: rules}}, fulfiller)
				seen := make(map[string]int)
				l, stop := servePipes(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					seen[r.Header.Get("Authorization")]++
					srv.ServeHTTP(w, r)
				}))
				defer stop()
				signed := sign
				signed.Subject, signed.Issuer, signed.Audience, signed.Lifetime = "alice", "us", "them", 10*time.Second
				c := client(t, ilphttp.ClientOptions{URL: "http://bob/", JWT: &signed, NetDial: l.Dial})
				defer c.Close()
				for range 10 {
					if a := <-send(c, newPrepare()); !a.fulfilled() {
						t.Fatalf("the answer is %v", a)
					}
					time.Sleep(2 * time.Second)
				}
				if len(seen) != 4 { // at 0, 6, 12 and 18 seconds
					t.Errorf("%d tokens were used, want 4: %v", len(seen), fmt.Sprint(seen))
				}
			})
		})
	}
}
