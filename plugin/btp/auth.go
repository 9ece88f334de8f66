package btp

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"sync"
)

// Credentials are how a client of a Server shows which account it is.
type Credentials struct {
	// Username of the client. If it is empty, the account is that of whoever
	// has its token, with any user name that is no other account's.
	Username string
	// Token must not be empty. The server keeps its SHA-256 hash.
	Token string
}

// errCredentials is all that a client is told about credentials that are not
// right.
var errCredentials = errors.New("invalid credentials")

// registry finds accounts by their credentials. Names and tokens are keys
// only as hashes, so that the time of a look-up tells nothing about them.
type registry struct {
	mu         sync.RWMutex
	byUsername map[digest]*Peer
	byToken    map[digest][]*Peer
}

type digest = [sha256.Size]byte

// add puts p in, unless its user name is taken, or there is no user name and
// the token is taken.
func (r *registry) add(p *Peer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.named && r.byUsername[p.username] != nil {
		return errors.New("btp: another account has this user name: close it before it is added again")
	}
	if !p.named && slices.ContainsFunc(r.byToken[p.token], func(other *Peer) bool { return !other.named }) {
		return errors.New("btp: another account without a user name has this token: give each its own")
	}
	if r.byUsername == nil {
		r.byUsername, r.byToken = make(map[digest]*Peer), make(map[digest][]*Peer)
	}
	if p.named {
		r.byUsername[p.username] = p
	}
	r.byToken[p.token] = append(r.byToken[p.token], p)
	return nil
}

// remove takes p out.
func (r *registry) remove(p *Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.named && r.byUsername[p.username] == p {
		delete(r.byUsername, p.username)
	}
	rest := slices.DeleteFunc(r.byToken[p.token], func(other *Peer) bool { return other == p })
	if len(rest) == 0 {
		delete(r.byToken, p.token)
		return
	}
	r.byToken[p.token] = rest
}

// find gives the account of a user name and a token, or nil. An unknown user
// name costs what a wrong token costs.
func (r *registry) find(username, token []byte) *Peer {
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
