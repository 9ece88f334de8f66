package ilphttp

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The headers of the asynchronous form.
const (
	headerRequestID   = "Request-Id"
	headerCallbackURL = "Callback-Url"
)

// maxRequestID is the longest id taken from a counterparty. A UUID has 36
// characters.
const maxRequestID = 64

var errRequestID = fmt.Errorf("%s must be one value of 1 to %d visible characters", headerRequestID, maxRequestID)

// requestID gives the id of a request; empty: it has none.
func requestID(h http.Header) (string, error) {
	values := h[headerRequestID]
	if len(values) == 0 {
		return "", nil
	}
	id := values[0]
	if len(values) > 1 || id == "" || len(id) > maxRequestID {
		return "", errRequestID
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return "", errRequestID
		}
	}
	return id, nil
}

// newRequestID makes a UUID of version 4 (HTTP-03).
func newRequestID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	var text [36]byte
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// maxRequestIDs is how many ids of asynchronous requests are remembered for
// one account, of each generation.
const maxRequestIDs = 1 << 17

// requestGeneration is for how long an id is remembered, at least.
const requestGeneration = time.Minute

var errTooManyIDs = errors.New("too many requests within a minute")

// requestIDs remembers the asynchronous requests of an account, so that a
// request that is sent again is not taken for another packet.
type requestIDs struct {
	unexpected atomic.Uint64

	mu           sync.Mutex
	now, earlier map[requestKey]struct{}
	since        time.Time
}

type requestKey struct {
	user, id string
}

// add reports whether the id is new.
func (r *requestIDs) add(id *identity, request string, now time.Time) (bool, error) {
	key := requestKey{id.user, request}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil || now.Sub(r.since) >= requestGeneration {
		r.now, r.earlier, r.since = make(map[requestKey]struct{}), r.now, now
	}
	if _, ok := r.now[key]; ok {
		return false, nil
	}
	if _, ok := r.earlier[key]; ok {
		return false, nil
	}
	if len(r.now) >= maxRequestIDs {
		return false, errTooManyIDs
	}
	r.now[key] = struct{}{}
	return true, nil
}

// remove forgets a request that was refused.
func (r *requestIDs) remove(id *identity, request string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.now, requestKey{id.user, request})
	delete(r.earlier, requestKey{id.user, request})
}
