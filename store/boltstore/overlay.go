package boltstore

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

// overlay is what has been acknowledged and is not yet in bbolt: the last
// change of each key. Its zero value is ready for use.
//
// Only the leader changes it, and only adds to it or empties it. It empties it
// when a transaction has brought all of it into bbolt, so that in between both
// say the same.
type overlay struct {
	mu      sync.RWMutex
	changes map[string]*change
}

// change is what a key has been changed to. The value is never written to
// again: readers keep it longer than the lock.
type change struct {
	value []byte // nil: the key is not there
}

func (c change) there() bool { return c.value != nil }

// copy returns a copy of the value, which is not nil.
func (c change) copy() []byte { return bytes.Clone(c.value) }

// overlaid is a change with its key.
type overlaid struct {
	key string
	change
}

// get returns a copy of the value of key. known says whether the overlay has
// anything to say about it, and there whether that is a value.
func (o *overlay) get(key string) (value []byte, there, known bool) {
	o.mu.RLock()
	c, known := o.changes[key]
	if known {
		value = c.value
	}
	o.mu.RUnlock()
	if value == nil {
		return nil, false, known
	}
	return bytes.Clone(value), true, true
}

// snapshot returns the changes of keys that begin with prefix, in the order of
// the keys, and calls begin at the same instant: the overlay does not change
// meanwhile.
func (o *overlay) snapshot(prefix string, begin func()) []overlaid {
	o.mu.RLock()
	var list []overlaid
	for key, c := range o.changes {
		if strings.HasPrefix(key, prefix) {
			list = append(list, overlaid{key, *c})
		}
	}
	begin()
	o.mu.RUnlock()
	slices.SortFunc(list, func(a, b overlaid) int { return strings.Compare(a.key, b.key) })
	return list
}

// all returns all changes, in the order of the keys.
func (o *overlay) all() []overlaid { return o.snapshot("", func() {}) }

// size returns the number of keys. Only the leader calls it.
func (o *overlay) size() int { return len(o.changes) }

// add makes the changes of the payload of a record, all at once. The overlay
// keeps the payload.
func (o *overlay) add(payload []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changes == nil {
		o.changes = make(map[string]*change)
	}
	for len(payload) > 0 {
		key, c, rest, err := cutChange(payload)
		if err != nil {
			return err
		}
		if old, ok := o.changes[string(key)]; ok {
			*old = c
		} else {
			o.changes[string(key)] = &c
		}
		payload = rest
	}
	return nil
}

// clear empties the overlay.
func (o *overlay) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.changes)
}
