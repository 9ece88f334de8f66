package store

import "iter"

// Batch is a list of changes that a [Store] makes together. The zero value is
// an empty batch.
//
// A batch copies what it is given, and keeps its memory when it is reset:
// whoever writes a batch again and again fills it without allocating. It is
// not safe for concurrent use, but several may read a batch that nobody
// changes.
type Batch struct {
	ops []operation
	// bytes holds the keys and values of all operations, one after the other.
	bytes []byte
	err   error // the first key or value that was refused
}

// operation locates one change in Batch.bytes: the key from start to mid, the
// value from mid to end.
type operation struct {
	start, mid, end int
	delete          bool
}

// Op is one change of a [Batch]. Its slices point into the batch: they are
// for reading alone, and valid until the batch is next changed.
type Op struct {
	Key   []byte
	Value []byte // empty, perhaps nil, for a deletion
	// Delete says that the key is removed, if it is there. Otherwise it gets
	// the value.
	Delete bool
}

// Put makes value the value of key. Both are copied. A key or a value outside
// the limits is remembered as the error of the batch; see [Batch.Err].
func (b *Batch) Put(key string, value []byte) {
	add(b, "", MaxKeySize, key, value, false)
}

// Delete removes key. It is no error if the store does not have it. The limits
// of keys hold as in Put.
func (b *Batch) Delete(key string) {
	add(b, "", MaxKeySize, key, nil, true)
}

// add appends a change of prefix+key, where key has at most maxKey bytes.
func add[K string | []byte](b *Batch, prefix string, maxKey int, key K, value []byte, del bool) {
	if err := check(len(key), maxKey, len(value)); err != nil {
		if b.err == nil {
			b.err = err
		}
		return
	}
	op := operation{start: len(b.bytes), delete: del}
	b.bytes = append(b.bytes, prefix...)
	b.bytes = append(b.bytes, key...)
	op.mid = len(b.bytes)
	b.bytes = append(b.bytes, value...)
	op.end = len(b.bytes)
	b.ops = append(b.ops, op)
}

// Err returns an error that wraps ErrInvalid, and so ErrNotWritten, if a Put
// or Delete since the last Reset was given a key or a value outside the
// limits. Write refuses such a batch as a whole.
func (b *Batch) Err() error { return b.err }

// Len returns the number of changes.
func (b *Batch) Len() int { return len(b.ops) }

// Reset empties the batch. It keeps the memory of the largest batch so far.
func (b *Batch) Reset() {
	b.ops, b.bytes, b.err = b.ops[:0], b.bytes[:0], nil
}

// Ops returns the changes, in the order in which they take effect: of two
// changes of one key the later one counts.
func (b *Batch) Ops() iter.Seq[Op] {
	return func(yield func(Op) bool) {
		for _, op := range b.ops {
			// Capacities end where the part ends: an append copies.
			if !yield(Op{
				Key:    b.bytes[op.start:op.mid:op.mid],
				Value:  b.bytes[op.mid:op.end:op.end],
				Delete: op.delete,
			}) {
				return
			}
		}
	}
}
