package backend_test

import (
	"sync"
	"testing"

	"github.com/interledger-go/connector/backend"
)

// Whatever has been forgotten, what is found is right.
func TestMemoForgetsAndNeverErrs(t *testing.T) {
	const keys = 4 * backend.MemoSize
	ratio := func(key uint64) backend.Ratio {
		r, err := backend.NewRatio(key+1, 7)
		if err != nil {
			t.Error(err)
		}
		return r
	}
	var m backend.Memo
	if _, ok := m.Get(0); ok {
		t.Fatal("an empty memo remembers something")
	}
	var callers sync.WaitGroup
	for range 2 {
		callers.Go(func() {
			for key := range uint64(keys) {
				m.Put(key, ratio(key))
				if r, ok := m.Get(key); ok && r != ratio(key) {
					t.Errorf("%d gives %v", key, r)
				}
			}
		})
	}
	callers.Wait()
	found := 0
	for key := range uint64(keys) {
		r, ok := m.Get(key)
		if !ok {
			continue
		}
		found++
		if r != ratio(key) {
			t.Errorf("%d gives %v", key, r)
		}
	}
	if found < backend.MemoSize/2 || found > backend.MemoSize {
		t.Errorf("%d of %d results are remembered; there is room for %d", found, keys, backend.MemoSize)
	}
}

// The pairs of a connector's accounts have their places, all at once: none
// pushes out another, packet by packet.
func TestMemoHoldsWhatAConnectorUses(t *testing.T) {
	var m backend.Memo
	var keys []uint64
	for from := range uint64(12) {
		for to := range uint64(12) {
			for _, scales := range []uint64{9<<8 | 9, 9<<8 | 2, 2<<8 | 9} {
				keys = append(keys, (from+1)<<36|(to+1)<<16|scales)
			}
		}
	}
	for _, key := range keys {
		m.Put(key, backend.MustParseRatio("1"))
	}
	missing := 0
	for _, key := range keys {
		if _, ok := m.Get(key); !ok {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d pairs have no place", missing, len(keys))
	}
}
