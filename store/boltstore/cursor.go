package boltstore

import (
	"bytes"
	"strings"

	"go.etcd.io/bbolt"
)

// cursor steps through the keys that begin with a prefix, as they were when it
// was made: those of the overlay, and those of bbolt that it does not cover.
// What calls bbolt is guarded, step by step, so that a panic of the visitor is
// none of ours.
type cursor struct {
	store  *Store
	tx     *bbolt.Tx
	keys   *bbolt.Cursor // nil before the first step
	prefix []byte

	over []overlaid // what is left of the overlay
	// key and value are where bbolt is, if stepped; value is nil at the end.
	stepped bool
	key     string
	value   []byte
}

func (s *Store) newCursor(prefix string) (*cursor, error) {
	c := &cursor{store: s, prefix: []byte(prefix)}
	var err error
	c.over = s.overlay.snapshot(prefix, func() {
		err = s.guard(func() (err error) {
			c.tx, err = s.db.Begin(false)
			return err
		})
	})
	if err != nil {
		return nil, s.fail(err)
	}
	return c, nil
}

// next returns the next key and its value, which is not nil, or no value when
// there are no more.
func (c *cursor) next() (key string, value []byte, err error) {
	for {
		if !c.stepped {
			if c.key, c.value, err = c.step(); err != nil {
				return "", nil, err
			}
			c.stepped = true
		}
		order := -1 // of the overlay's key and bbolt's
		switch {
		case len(c.over) == 0:
			order = 1
		case c.value != nil:
			order = strings.Compare(c.over[0].key, c.key)
		}
		if order > 0 {
			c.stepped = c.value == nil // The end stays the end.
			return c.key, c.value, nil
		}
		o := c.over[0]
		c.over = c.over[1:]
		c.stepped = order < 0 // Otherwise it covers what bbolt has.
		if o.there() {
			return o.key, o.copy(), nil
		}
	}
}

// step returns the next key of bbolt, and its value, or no value.
func (c *cursor) step() (key string, value []byte, err error) {
	err = c.store.guard(func() error {
		var k, record []byte
		if c.keys == nil {
			c.keys = c.tx.Bucket(bucketName).Cursor()
			k, record = c.keys.Seek(c.prefix)
		} else {
			k, record = c.keys.Next()
		}
		if k == nil || !bytes.HasPrefix(k, c.prefix) {
			return nil
		}
		key = string(k)
		value, err = valueOf(k, record)
		return err
	})
	if err != nil {
		return "", nil, c.store.fail(err)
	}
	return key, value, nil
}

func (c *cursor) close() {
	if err := c.store.guard(c.tx.Rollback); err != nil {
		_ = c.store.fail(err)
	}
}
