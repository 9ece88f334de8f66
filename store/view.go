package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// MaxNameSize is the length of the longest name of a view, in bytes.
const MaxNameSize = 128

// separator follows the name of a view in the keys of the store under it. No
// name contains it, so no two names begin the same keys: in the reference,
// which had none, the key bc of a plugin named a was the key c of one named
// ab.
const separator = "/"

// View is the part of a store that belongs to one user of it, such as a
// plugin: a store of its own, whose keys are those keys of the underlying
// store that begin with the view's name and a separator, without them. Two
// views with different names share no key.
//
// A view has less room for keys: [View.MaxKeySize]. Views may be nested. They
// keep the contract of [Store] if the store under them does, and are safe for
// concurrent use.
type View struct {
	under  Store
	prefix string // name and separator
	maxKey int    // what the store under it takes, less the prefix
	closed atomic.Bool
	// batches are for Write to put the prefix in.
	batches sync.Pool
}

var _ Store = (*View)(nil)

// NewView returns the view of s with the given name: 1 to [MaxNameSize] of the
// ASCII characters A-Z, a-z, 0-9 and . _ - ~, or an error that wraps
// [ErrInvalid].
func NewView(s Store, name string) (*View, error) {
	if len(name) == 0 || len(name) > MaxNameSize || strings.ContainsFunc(name, notInName) {
		return nil, fmt.Errorf("%w: name of a view %.200q: want 1 to %d characters of A-Z, a-z, 0-9 and . _ - ~",
			ErrInvalid, name, MaxNameSize)
	}
	room := MaxKeySize
	if outer, ok := s.(*View); ok {
		room = outer.maxKey
	}
	v := &View{under: s, prefix: name + separator}
	if v.maxKey = room - len(v.prefix); v.maxKey < 1 {
		return nil, fmt.Errorf("%w: view %s within views: their names leave no room for a key: want fewer or shorter ones",
			ErrInvalid, name)
	}
	v.batches.New = func() any { return new(Batch) }
	return v, nil
}

func notInName(c rune) bool {
	switch {
	case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return false
	}
	return !strings.ContainsRune("_-~.", c)
}

// MaxKeySize returns the length of the longest key of the view, in bytes: what
// its name, and those of the views that it lies in, leave of [MaxKeySize].
func (v *View) MaxKeySize() int { return v.maxKey }

// Get is [Store.Get] for a key of the view.
func (v *View) Get(ctx context.Context, key string) ([]byte, error) {
	if v.closed.Load() {
		return nil, ErrClosed
	}
	if err := check(len(key), v.maxKey, 0); err != nil {
		return nil, err
	}
	return v.under.Get(ctx, v.prefix+key)
}

// Scan is [Store.Scan] for the keys of the view.
func (v *View) Scan(ctx context.Context, prefix string, visit func(key string, value []byte) error) error {
	if v.closed.Load() {
		return ErrClosed
	}
	if err := checkPrefix(len(prefix), v.maxKey); err != nil {
		return err
	}
	return v.under.Scan(ctx, v.prefix+prefix, func(key string, value []byte) error {
		return visit(key[len(v.prefix):], value)
	})
}

// Write is [Store.Write] for keys of the view.
func (v *View) Write(ctx context.Context, b *Batch) error {
	if v.closed.Load() {
		return ErrClosed
	}
	if err := b.Err(); err != nil {
		return err
	}
	prefixed := v.batches.Get().(*Batch)
	defer v.batches.Put(prefixed)
	prefixed.Reset()
	for op := range b.Ops() {
		add(prefixed, v.prefix, v.maxKey, op.Key, op.Value, op.Delete)
	}
	return v.under.Write(ctx, prefixed)
}

// Close ends the view. The store under it stays open: it belongs to the host,
// and so do its other views.
func (v *View) Close() error {
	v.closed.Store(true)
	return nil
}
