package groupcommit

import (
	"bytes"
	"slices"

	"github.com/interledger-go/connector/store"
)

// Changes returns what the batches of a group come to, in the order in which
// they are: for each key the last change, in ascending order of the keys. The
// order is the same for all groups, so transactions that lock rows in it make
// no deadlock. The slices of the changes point into the batches.
func Changes(group []*store.Batch) (puts, deletes []store.Op) {
	n := 0
	for _, b := range group {
		n += b.Len()
	}
	all := make([]store.Op, 0, n)
	for _, b := range group {
		all = slices.AppendSeq(all, b.Ops())
	}
	slices.SortStableFunc(all, func(a, b store.Op) int { return bytes.Compare(a.Key, b.Key) })
	puts = all[:0] // Never beyond what has been read.
	for i, op := range all {
		switch {
		case i+1 < len(all) && bytes.Equal(op.Key, all[i+1].Key):
		case op.Delete:
			deletes = append(deletes, op)
		default:
			puts = append(puts, op)
		}
	}
	return puts, deletes
}
