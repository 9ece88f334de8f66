package miniaccounts

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/interledger-go/connector/store"
)

// MaxTokens is how many tokens a user may have at once: that of each of its
// devices, and both the old and the new one while they change.
const MaxTokens = 8

// The keys of the store, which are those of the reference: a name, and a
// suffix. Values under the first are what tokens hashes to in base64url, with
// spaces between; under the other one token, as earlier versions of the
// reference wrote it.
const (
	hashedSuffix = ":hashed-token"
	plainSuffix  = ":token"
	maxStoreKey  = MaxUsernameLength + len(hashedSuffix)

	noTokens = "-" // the value of a user who has been removed
)

// tokens holds who has which tokens: all of it in memory, and what somebody
// has said in the store. A name that is the hash of a token is that token's
// until somebody says otherwise, and needs no record.
type tokens struct {
	store store.Store
	max   int // users
	log   *slog.Logger
	fault func(message string, attrs ...slog.Attr) // what clients can bring about any number of times

	changing sync.Mutex // orders changes of records by the host; held while they are written
	loaded   bool

	mu      sync.RWMutex // not held while the store is waited for, once it has been read
	records map[string]*record
}

// record is what is known of one user.
type record struct {
	tokens []digest // none: the user has been removed, and nobody gets its name
	// written is closed when the store has the record, or has not taken it:
	// err, and then it is no longer in the table. nil: it has it.
	written chan struct{}
	err     error
}

func newTokens(srv *Server) *tokens {
	return &tokens{
		store: srv.options.Store, max: srv.options.MaxUsers, log: srv.log,
		fault: func(message string, attrs ...slog.Attr) {
			srv.rarely(&srv.counts.faults, slog.LevelError, message, attrs...)
		},
		records: make(map[string]*record),
	}
}

// errToken does not repeat the token, as the reference does.
func errToken(name string) error {
	return errors.New("incorrect token for account. account=" + name)
}

// lookup gives the record of a user, or the one that goes without saying. The
// lock is held.
func (t *tokens) lookup(name string) *record {
	if r := t.records[name]; r != nil {
		return r
	}
	if d, ok := digestOf(name); ok {
		return &record{tokens: []digest{d}}
	}
	return nil
}

// has looks at all tokens, whichever is right.
func (r *record) has(d digest) bool {
	found := 0
	for i := range r.tokens {
		found |= subtle.ConstantTimeCompare(r.tokens[i][:], d[:])
	}
	return found == 1
}

// login lets the token of a user in. The first one that is shown for a name
// becomes the user's; who is second, even by a moment, needs the same.
func (t *tokens) login(ctx context.Context, name string, d digest) error {
	t.mu.Lock()
	r := t.lookup(name)
	switch {
	case r != nil && !r.has(d):
		t.mu.Unlock()
		return errToken(name)
	case r != nil:
		t.mu.Unlock()
		return r.await(ctx)
	case len(t.records) >= t.max:
		t.mu.Unlock()
		return errFull
	}
	r = t.claim(name, []digest{d})
	t.mu.Unlock()
	if err := t.settle(ctx, name, r); err != nil {
		t.fault("miniaccounts: a token cannot be kept", slog.String("user", name), slog.Any("error", err))
		return errNotReady
	}
	return nil
}

// await waits until the store has r.
func (r *record) await(ctx context.Context) error {
	if r.written == nil {
		return nil
	}
	select {
	case <-r.written:
		if r.err != nil {
			return errNotReady
		}
		return nil
	case <-ctx.Done():
		return errNotReady
	}
}

// claim puts a new record in, for settle. The lock is held.
func (t *tokens) claim(name string, d []digest) *record {
	r := &record{tokens: d, written: make(chan struct{})}
	t.records[strings.Clone(name)] = r
	return r
}

// settle writes a new record, or takes it out again.
func (t *tokens) settle(ctx context.Context, name string, r *record) error {
	err := t.write(ctx, name, r.tokens)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		delete(t.records, name)
	}
	r.err = err
	close(r.written)
	return err
}

func (t *tokens) write(ctx context.Context, name string, d []digest) error {
	var b store.Batch
	b.Put(name+hashedSuffix, []byte(encode(d)))
	return t.store.Write(ctx, &b)
}

// valid reports whether a token is one of the user's.
func (t *tokens) valid(name string, d digest) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	r := t.lookup(name)
	return r != nil && r.has(d)
}

// known reports whether there is a user, if there is a record.
func (t *tokens) known(name string) (known, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	r := t.records[name]
	return r != nil && len(r.tokens) > 0, r != nil
}

// count gives how many tokens a user has, if it has a record.
func (t *tokens) count(name string) (tokens int, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	r := t.records[name]
	if r == nil {
		return 0, false
	}
	return len(r.tokens), true
}

// size is how many users have a record.
func (t *tokens) size() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.records)
}

// each calls f with the name of each user that has a record. Nobody is let in
// meanwhile.
func (t *tokens) each(f func(name string)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for name := range t.records {
		f(name)
	}
}

// add gives a user one more token.
func (t *tokens) add(ctx context.Context, name string, d digest) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	if err := t.loadOnce(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	r := t.lookup(name)
	if r == nil {
		r = t.claim(name, []digest{d})
		t.mu.Unlock()
		return t.settle(ctx, name, r)
	}
	t.mu.Unlock()
	if err := r.await(ctx); err != nil {
		return err
	}
	switch {
	case r.has(d):
		return nil
	case len(r.tokens) >= MaxTokens:
		return refusalf("it has %d tokens, which is as many as it may: revoke one before", len(r.tokens))
	}
	next := append(slices.Clone(r.tokens), d)
	if err := t.write(ctx, name, next); err != nil {
		return err
	}
	t.replace(name, next)
	return nil
}

// revoke takes the tokens from a user that drop says: in memory at once, and
// from the store, if there is no error, for good.
func (t *tokens) revoke(ctx context.Context, name string, drop func(digest) bool) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	if err := t.loadOnce(ctx); err != nil {
		return err
	}
	t.mu.RLock()
	r := t.lookup(name)
	t.mu.RUnlock()
	if r == nil {
		return ErrUnknownUser
	}
	if err := r.await(ctx); err != nil {
		return err
	}
	next := slices.DeleteFunc(slices.Clone(r.tokens), drop)
	t.replace(name, next)
	return t.write(ctx, name, next)
}

// replace changes a record that is written, or has not been one.
func (t *tokens) replace(name string, d []digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.records[strings.Clone(name)] = &record{tokens: d}
}

// encode is the value of some tokens.
func encode(d []digest) string {
	if len(d) == 0 {
		return noTokens
	}
	texts := make([]string, len(d))
	for i := range d {
		texts[i] = d[i].String()
	}
	return strings.Join(texts, " ")
}

// decode reads what encode has written.
func decode(value string) ([]digest, error) {
	if value == noTokens {
		return nil, nil
	}
	var all []digest
	for text := range strings.SplitSeq(value, " ") {
		d, ok := digestOf(text)
		if !ok || len(all) == MaxTokens {
			return nil, errors.New("it is no list of hashed tokens")
		}
		all = append(all, d)
	}
	return all, nil
}

// load reads the store, once.
func (t *tokens) load(ctx context.Context) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	return t.loadOnce(ctx)
}

// loadOnce is load with changing held. Tokens that the reference has stored
// as they are are hashed, and then no longer in the store.
func (t *tokens) loadOnce(ctx context.Context) error {
	if t.loaded {
		return nil
	}
	plain := make(map[string]digest)
	t.mu.Lock()
	defer t.mu.Unlock() // nobody is let in before
	err := t.store.Scan(ctx, "", func(key string, value []byte) error {
		if name, ok := strings.CutSuffix(key, hashedSuffix); ok && t.usable(name) {
			d, err := decode(string(value))
			if err != nil { // nobody gets in by it, nor gets its name
				t.log.LogAttrs(ctx, slog.LevelError, "miniaccounts: the tokens of a user cannot be read", slog.String("user", name), slog.Any("error", err))
			}
			t.records[name] = &record{tokens: d}
		} else if name, ok := strings.CutSuffix(key, plainSuffix); ok && t.usable(name) {
			plain[name] = hash(string(value))
		}
		return nil
	})
	if err == nil {
		err = t.migrate(ctx, plain)
	}
	t.loaded = err == nil
	return err
}

// usable reports whether a key of the store is about a user. In the reference
// names could be anything.
func (t *tokens) usable(name string) bool {
	if validName(name) {
		return true
	}
	t.log.Warn("miniaccounts: a name in the store is no segment of an address; its user cannot come", slog.String("user", brief(name)))
	return false
}

// migrate puts hashes in the place of tokens. The lock is held.
func (t *tokens) migrate(ctx context.Context, plain map[string]digest) error {
	var b store.Batch
	for name, d := range plain {
		if t.records[name] == nil {
			t.records[name] = &record{tokens: []digest{d}}
			b.Put(name+hashedSuffix, []byte(d.String()))
		}
		b.Delete(name + plainSuffix)
		if b.Len() < migrateBatch {
			continue
		}
		if err := t.store.Write(ctx, &b); err != nil {
			return err
		}
		b.Reset()
	}
	if b.Len() == 0 {
		return nil
	}
	return t.store.Write(ctx, &b)
}

// migrateBatch is how many changes migrate writes together.
const migrateBatch = 1000
