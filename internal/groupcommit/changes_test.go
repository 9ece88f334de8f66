package groupcommit_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/interledger-go/connector/internal/groupcommit"
	"github.com/interledger-go/connector/store"
)

// What the changes of a group come to is what they would make one after the
// other of a map, each key once, in order.
func TestChanges(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var group []*store.Batch
		want := make(map[string]string) // "delete", or "put" and the value
		for range rng.IntN(4) {
			b := new(store.Batch)
			for range rng.IntN(20) {
				key := fmt.Sprintf("%d", rng.IntN(20))
				if rng.IntN(3) == 0 {
					b.Delete(key)
					want[key] = "delete"
					continue
				}
				value := fmt.Sprintf("%d", rng.Int())
				b.Put(key, []byte(value))
				want[key] = "put " + value
			}
			group = append(group, b)
		}
		puts, deletes := groupcommit.Changes(group)
		got := make(map[string]string)
		for _, op := range puts {
			got[string(op.Key)] = "put " + string(op.Value)
		}
		for _, op := range deletes {
			got[string(op.Key)] = "delete"
		}
		if !maps.Equal(got, want) || len(puts)+len(deletes) != len(want) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
		for _, ops := range [][]store.Op{puts, deletes} {
			if !slices.IsSortedFunc(ops, func(a, b store.Op) int { return slices.Compare(a.Key, b.Key) }) {
				t.Fatalf("seed %d: %v is not in the order of the keys", seed, ops)
			}
		}
	}
}
