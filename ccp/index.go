package ccp

import (
	"iter"
	"slices"
	"strings"
)

// index keeps entries in the order of their prefixes, so that those below a
// prefix are neighbors. It is a list of short sorted lists: with a million
// entries an insertion moves some kilobytes, and an entry costs little more
// than its pointer.
type index struct {
	chunks [][]*entry // none of them empty
}

// chunkSize is the length at which a chunk is cut in two.
const chunkSize = 512

func byPrefix(e *entry, prefix string) int { return strings.Compare(e.prefix, prefix) }

// find gives the place of the first entry that is not before prefix: in the
// last chunk, behind its end, if there is none.
func (x *index) find(prefix string) (chunk, place int) {
	chunk, _ = slices.BinarySearchFunc(x.chunks, prefix, func(c []*entry, prefix string) int {
		return byPrefix(c[len(c)-1], prefix)
	})
	if chunk == len(x.chunks) {
		chunk--
	}
	if chunk < 0 {
		return 0, 0
	}
	place, _ = slices.BinarySearchFunc(x.chunks[chunk], prefix, byPrefix)
	return chunk, place
}

// insert adds e, whose prefix is not in the index.
func (x *index) insert(e *entry) {
	if len(x.chunks) == 0 {
		x.chunks = append(x.chunks, []*entry{e})
		return
	}
	i, place := x.find(e.prefix)
	c := slices.Insert(x.chunks[i], place, e)
	if len(c) > chunkSize {
		// Prefixes often come in order; then the left part never grows again.
		half := len(c) / 2
		if place == len(c)-1 {
			half = place
		}
		x.chunks = slices.Insert(x.chunks, i+1, slices.Clone(c[half:]))
		clear(c[half:])
		c = c[:half:half]
	}
	x.chunks[i] = c
}

// remove takes e out.
func (x *index) remove(e *entry) {
	i, place := x.find(e.prefix)
	if i < len(x.chunks) && place < len(x.chunks[i]) && x.chunks[i][place] == e {
		x.chunks[i] = slices.Delete(x.chunks[i], place, place+1)
		if len(x.chunks[i]) == 0 {
			x.chunks = slices.Delete(x.chunks, i, i+1)
		}
	}
}

// all gives every entry in the order of prefixes.
func (x *index) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, c := range x.chunks {
			for _, e := range c {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// below gives the entries whose prefixes continue this one by whole segments.
// All of them begin with it and a dot, and so stand together.
func (x *index) below(prefix string) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		if len(x.chunks) == 0 {
			return
		}
		i, place := x.find(prefix + ".")
		for ; i < len(x.chunks); i, place = i+1, 0 {
			for _, e := range x.chunks[i][place:] {
				if !below(e.prefix, prefix) || !yield(e) {
					return
				}
			}
		}
	}
}
