package ilphttp

import (
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The algorithms that are taken.
const (
	algorithmHS256 = "HS256"
	algorithmRS256 = "RS256"
)

var (
	errNoKey    = errors.New("ilphttp: no key for this token")
	errCritical = errors.New("ilphttp: the token has a header that is not known, and must be")
)

// verifier verifies the JWTs of one account.
type verifier struct {
	rules  JWT
	parser *jwt.Parser
}

func newVerifier(rules JWT) *verifier {
	orDefault(&rules.Leeway, DefaultLeeway)
	rules.Secrets, rules.Keys = slices.Clone(rules.Secrets), slices.Clone(rules.Keys)
	// Exactly the algorithms there are keys for: neither "none", nor a public
	// key taken for the secret of an HMAC.
	var methods []string
	if len(rules.Secrets) > 0 {
		methods = append(methods, algorithmHS256)
	}
	if len(rules.Keys) > 0 || rules.KeySet != nil {
		methods = append(methods, algorithmRS256)
	}
	options := []jwt.ParserOption{jwt.WithValidMethods(methods), jwt.WithExpirationRequired(), jwt.WithLeeway(rules.Leeway)}
	if rules.Subject != "" {
		options = append(options, jwt.WithSubject(rules.Subject))
	}
	if rules.Issuer != "" {
		options = append(options, jwt.WithIssuer(rules.Issuer))
	}
	if rules.Audience != "" {
		options = append(options, jwt.WithAudience(rules.Audience))
	}
	return &verifier{rules: rules, parser: jwt.NewParser(options...)}
}

// validity is what has to be looked at whenever a token is shown that has
// been verified before.
type validity struct {
	notBefore, expires time.Time
	keys               *publishedKeys // what a key set had then; nil without
}

// verify says until when a token is valid, or why it is not.
func (v *verifier) verify(token string) (validity, error) {
	var claims jwt.RegisteredClaims
	published := v.rules.KeySet.current()
	_, err := v.parser.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		return v.keys(t, published)
	})
	if err != nil {
		return validity{}, err
	}
	valid := validity{expires: claims.ExpiresAt.Add(v.rules.Leeway), keys: published}
	if claims.NotBefore != nil {
		valid.notBefore = claims.NotBefore.Add(-v.rules.Leeway)
	}
	return valid, nil
}

// still reports whether what was verified before holds now.
func (v *verifier) still(valid *validity, now time.Time) bool {
	return now.Before(valid.expires) && !now.Before(valid.notBefore) && v.rules.KeySet.current() == valid.keys
}

// keys gives the keys that a token of this algorithm may be signed with.
func (v *verifier) keys(t *jwt.Token, published *publishedKeys) (any, error) {
	if _, ok := t.Header["crit"]; ok { // what has to be understood (RFC 7515), and is not
		return nil, errCritical
	}
	var set jwt.VerificationKeySet
	switch t.Method.Alg() {
	case algorithmHS256:
		for _, secret := range v.rules.Secrets {
			set.Keys = append(set.Keys, secret)
		}
	case algorithmRS256:
		for _, key := range v.rules.Keys {
			set.Keys = append(set.Keys, key)
		}
		id, _ := t.Header["kid"].(string)
		for _, key := range v.rules.KeySet.find(published, id) {
			set.Keys = append(set.Keys, key)
		}
	}
	if len(set.Keys) == 0 {
		return nil, errNoKey
	}
	return set, nil
}

// unverifiedSubject is the claim sub of something that may be a JWT.
func unverifiedSubject(token string) (string, bool) {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		return "", false
	}
	return claims.Subject, true
}
