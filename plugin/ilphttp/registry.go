package ilphttp

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/internal/clientcert"
)

type digest = [sha256.Size]byte

// maxToken is the longest token that is looked at, in bytes.
const maxToken = 8 << 10

// maxVerified is how many JWTs are remembered as verified.
const maxVerified = 4096

// identity is who a request can be of: an account or, of one with many users,
// one of these.
type identity struct {
	peer *Peer
	user string // the segment of its address; empty for the account itself

	name         digest
	named        bool
	tokens       []digest
	jwt          *verifier         // nil: no JWTs
	certificates []clientcert.Mark // what it is known by in them
	certified    bool              // each request needs one of these

	removed atomic.Bool
}

func newIdentity(p *Peer, user string, c Credentials) *identity {
	id := &identity{peer: p, user: user, named: c.Name != "", name: sha256.Sum256([]byte(c.Name))}
	for _, token := range c.Tokens {
		id.tokens = append(id.tokens, sha256.Sum256([]byte(token)))
	}
	known := c.certificates()
	id.certificates, id.certified = known.Marks(), c.RequireCertificate
	if c.JWT != nil {
		id.jwt = newVerifier(*c.JWT)
	}
	return id
}

// isCalled reports whether a request that says this name may mean id by its
// JWT.
func (id *identity) isCalled(name string) bool {
	if name == "" {
		return !id.named
	}
	return id.named && id.name == sha256.Sum256([]byte(name))
}

// certificate is that of the client of a connection, which is looked at when it
// is needed, and once.
type certificate struct {
	state *tls.ConnectionState // nil: without TLS
	once  bool
	shown *clientcert.Shown
}

// valid gives the certificate, if it is valid now.
func (c *certificate) valid() (*clientcert.Shown, bool) {
	if !c.once {
		c.shown, c.once = clientcert.Of(c.state), true
	}
	return c.shown, c.shown.Valid(time.Now())
}

// isOf reports whether it is one of id's.
func (c *certificate) isOf(id *identity) bool {
	shown, ok := c.valid()
	return ok && shown.Has(id.certificates)
}

// registry finds out whose a request is. Names, tokens and the like are keys
// only as hashes, so that the time of a look-up tells nothing about them.
type registry struct {
	mu         sync.RWMutex
	byName     map[digest]*identity
	byToken    map[digest]*identity
	byMark     map[digest]*identity // of certificates
	byJWT      map[digest]*identity // by the claim sub
	identities map[*identity]struct{}

	verifiedMu sync.RWMutex
	verified   map[digest]verified // JWTs, by their hashes
}

// verified is a JWT whose signature and claims are known to be right. Its
// times, and what may have changed since, are looked at each time.
type verified struct {
	identity *identity
	validity validity
}

// indexes are the maps of the registry with the hashes by which id is found.
func (r *registry) indexes(id *identity) []index {
	all := []index{
		{r.byToken, id.tokens, "token"}, {r.byMark, id.certificates, "client certificate"},
	}
	if id.named {
		all = append(all, index{r.byName, []digest{id.name}, "name"})
	}
	if id.jwt != nil && !id.named {
		all = append(all, index{r.byJWT, []digest{sha256.Sum256([]byte(id.jwt.rules.Subject))}, "subject of JWTs"})
	}
	return all
}

type index struct {
	of   map[digest]*identity
	keys []digest
	what string
}

// replace takes old out, if it is not nil, and puts id in. It changes nothing
// when another identity has something that id should be found by.
func (r *registry) replace(old, id *identity) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.identities == nil {
		r.identities = make(map[*identity]struct{})
		r.byName, r.byToken = make(map[digest]*identity), make(map[digest]*identity)
		r.byMark, r.byJWT = make(map[digest]*identity), make(map[digest]*identity)
	}
	for _, index := range r.indexes(id) {
		for _, key := range index.keys {
			if other := index.of[key]; other != nil && other != old {
				return errors.New("ilphttp: another account has this " + index.what + ": give each its own")
			}
		}
	}
	if old != nil {
		r.removeLocked(old)
	}
	for _, index := range r.indexes(id) {
		for _, key := range index.keys {
			index.of[key] = id
		}
	}
	r.identities[id] = struct{}{}
	return nil
}

// remove takes ids out.
func (r *registry) remove(ids ...*identity) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		r.removeLocked(id)
	}
}

func (r *registry) removeLocked(id *identity) {
	id.removed.Store(true)
	delete(r.identities, id)
	for _, index := range r.indexes(id) {
		for _, key := range index.keys {
			if index.of[key] == id {
				delete(index.of, key)
			}
		}
	}
}

// authenticate gives the identity whose credentials are right, or nil. name is
// what the request says whose it is; it may be empty.
func (r *registry) authenticate(req *http.Request, name string) *identity {
	c := certificate{state: req.TLS}
	switch headers := req.Header["Authorization"]; len(headers) {
	case 0:
		return r.byCertificate(&c, name)
	case 1:
		return r.byAuthorization(headers[0], name, &c)
	}
	return nil
}

// byAuthorization gives the identity whose token or JWT the header has, and
// whose certificate the client has shown if it needs one, or nil.
func (r *registry) byAuthorization(header, name string, c *certificate) *identity {
	id := r.withHeader(header, name)
	if id == nil || id.certified && !c.isOf(id) {
		return nil
	}
	return id
}

func (r *registry) withHeader(header, name string) *identity {
	token := bearer(header)
	if token == "" || len(token) > maxToken {
		return nil
	}
	hash := sha256.Sum256([]byte(token))
	if id := r.withToken(hash, name); id != nil {
		return id
	}
	return r.withJWT(token, hash, name)
}

// bearer is the token of an Authorization header. The reference's old options
// send it without a scheme.
func bearer(header string) string {
	const scheme = "Bearer "
	if len(header) > len(scheme) && strings.EqualFold(header[:len(scheme)], scheme) {
		return header[len(scheme):]
	}
	return header
}

// find gives the one that is named, or, where nobody is, the one with this key.
func (r *registry) find(in map[digest]*identity, key digest, name string) *identity {
	if name != "" {
		return r.byName[sha256.Sum256([]byte(name))]
	}
	return in[key]
}

// has compares in a time that depends on the number of hashes alone.
func has(all []digest, one digest) bool {
	found := 0
	for i := range all {
		found |= subtle.ConstantTimeCompare(all[i][:], one[:])
	}
	return found == 1
}

func (r *registry) withToken(hash digest, name string) *identity {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if id := r.find(r.byToken, hash, name); id != nil && has(id.tokens, hash) {
		return id
	}
	return nil
}

// byCertificate gives the identity whose certificate the client has shown, and
// who needs nothing else, or nil.
func (r *registry) byCertificate(c *certificate, name string) *identity {
	shown, ok := c.valid()
	if !ok {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	var id *identity
	if name != "" {
		id = r.byName[sha256.Sum256([]byte(name))]
		ok = id != nil && shown.Has(id.certificates)
	} else {
		id, ok = clientcert.Find(shown, r.byMark)
	}
	if !ok || id.certified && (len(id.tokens) > 0 || id.jwt != nil) {
		return nil
	}
	return id
}

func (r *registry) withJWT(token string, hash digest, name string) *identity {
	if strings.Count(token, ".") != 2 {
		return nil
	}
	if v, ok := r.remembered(hash); ok && v.identity.isCalled(name) {
		return v.identity
	}
	id := r.claimant(token, name)
	if id == nil || id.jwt == nil {
		return nil
	}
	valid, err := id.jwt.verify(token)
	if err != nil {
		return nil
	}
	r.remember(hash, verified{id, valid})
	return id
}

// claimant is whose a JWT would be if it were valid.
func (r *registry) claimant(token, name string) *identity {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if name != "" {
		return r.byName[sha256.Sum256([]byte(name))]
	}
	subject, ok := unverifiedSubject(token)
	if !ok {
		return nil
	}
	if id := r.byJWT[sha256.Sum256([]byte(subject))]; id != nil {
		return id
	}
	return r.byJWT[sha256.Sum256(nil)] // one that asks for no subject
}

// remembered gives a JWT that was verified before and holds now.
func (r *registry) remembered(hash digest) (verified, bool) {
	r.verifiedMu.RLock()
	defer r.verifiedMu.RUnlock()
	v, ok := r.verified[hash]
	if !ok || v.identity.removed.Load() || !v.identity.jwt.still(&v.validity, time.Now()) {
		return verified{}, false
	}
	return v, true
}

// remember keeps a valid JWT. Those that are not valid are not kept, so that
// nobody without credentials can fill the table.
func (r *registry) remember(hash digest, v verified) {
	r.verifiedMu.Lock()
	defer r.verifiedMu.Unlock()
	if r.verified == nil || len(r.verified) >= maxVerified {
		r.verified = make(map[digest]verified)
	}
	r.verified[hash] = v
}
