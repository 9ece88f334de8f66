package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
	"github.com/interledger-go/connector/store/storetest"
)

func options() storetest.Options {
	return storetest.Options{New: func(testing.TB) store.Store { return memstore.New() }}
}

func TestConformance(t *testing.T) { storetest.Run(t, options()) }

func BenchmarkStore(b *testing.B) { storetest.Bench(b, options()) }

func write(t *testing.T, s *memstore.Store, fill func(b *store.Batch)) {
	t.Helper()
	var b store.Batch
	fill(&b)
	if err := s.Write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
}

func scan(t *testing.T, s *memstore.Store, prefix string) map[string]string {
	t.Helper()
	seen := make(map[string]string)
	err := s.Scan(context.Background(), prefix, func(key string, value []byte) error {
		seen[key] = string(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func TestZeroStoreIsEmpty(t *testing.T) {
	var s memstore.Store
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get: %v, want ErrNotFound", err)
	}
	if seen := scan(t, &s, ""); len(seen) != 0 {
		t.Errorf("Scan: %v", seen)
	}
	write(t, &s, func(b *store.Batch) { b.Put("k", []byte("v")) })
	if seen := scan(t, &s, ""); !maps.Equal(seen, map[string]string{"k": "v"}) {
		t.Errorf("Scan: %v", seen)
	}
	var closed memstore.Store
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := closed.Write(t.Context(), new(store.Batch)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Write: %v, want ErrClosed", err)
	}
}

// Unlike others, this store lets visit call it: a scan holds no lock. So scans
// can be nested here, with writes in between, and each must show its own
// instant. The model is a map that is copied at the beginning of each scan.
func TestOverlappingScans(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s, model := memstore.New(), make(map[string]string)
		change := func() {
			write(t, s, func(b *store.Batch) {
				for range rng.IntN(5) {
					key := fmt.Sprintf("%c%d", 'a'+rng.IntN(3), rng.IntN(10))
					if rng.IntN(3) == 0 {
						delete(model, key)
						b.Delete(key)
						continue
					}
					model[key] = strings.Repeat("v", rng.IntN(300))
					b.Put(key, []byte(model[key]))
				}
			})
			for key, want := range model {
				if got, err := s.Get(t.Context(), key); err != nil || string(got) != want {
					t.Fatalf("seed %d: Get(%s) = %q, %v; want %q", seed, key, got, err, want)
				}
			}
		}
		var look func(depth int)
		look = func(depth int) {
			prefix := []string{"", "a", "b"}[rng.IntN(3)]
			want := maps.Clone(model)
			maps.DeleteFunc(want, func(key, _ string) bool { return !strings.HasPrefix(key, prefix) })
			var keys []string
			stop := errors.New("stop")
			err := s.Scan(t.Context(), prefix, func(key string, value []byte) error {
				keys = append(keys, key)
				if got, there := want[key]; !there || got != string(value) {
					t.Fatalf("seed %d: a scan gives %q for %s, want %q (%v)", seed, value, key, got, there)
				}
				change()
				if depth < 3 && rng.IntN(4) == 0 {
					look(depth + 1)
				}
				if rng.IntN(50) == 0 {
					return stop
				}
				return nil
			})
			if err == nil && !slices.Equal(keys, slices.Sorted(maps.Keys(want))) {
				t.Fatalf("seed %d: a scan gives %v, want %v", seed, keys, want)
			}
		}
		for range 5 {
			change()
			look(0)
			if seen := scan(t, s, ""); !maps.Equal(seen, model) {
				t.Fatalf("seed %d: the store holds %v, want %v", seed, seen, model)
			}
		}
	}
}

// A visit that panics must not leave its scan counted as under way.
func TestScanThatPanics(t *testing.T) {
	s := memstore.New()
	write(t, s, func(b *store.Batch) { b.Put("k", []byte("v")) })
	func() {
		defer func() { _ = recover() }()
		_ = s.Scan(context.Background(), "", func(string, []byte) error { panic("visit") })
	}()
	if n := testing.AllocsPerRun(100, writeAgain(t, s)); n != 0 {
		t.Errorf("Write allocates %v times after a scan that panicked", n)
	}
}

// A scan that outlives the store ends in peace.
func TestCloseDuringScan(t *testing.T) {
	s := memstore.New()
	write(t, s, func(b *store.Batch) { b.Put("a", nil); b.Put("b", nil) })
	visits := 0
	err := s.Scan(t.Context(), "", func(string, []byte) error {
		visits++
		return s.Close()
	})
	if err != nil || visits != 2 {
		t.Errorf("Scan makes %d visits: %v", visits, err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Get: %v, want ErrClosed", err)
	}
}

// The committer writes the same accounts again and again.
func TestWriteAllocatesNothing(t *testing.T) {
	s := memstore.New()
	again := writeAgain(t, s)
	again()
	if n := testing.AllocsPerRun(100, again); n != 0 {
		t.Errorf("Write of keys that are there allocates %v times", n)
	}
}

// writeAgain returns a function that fills and writes one batch.
func writeAgain(t *testing.T, s *memstore.Store) func() {
	ctx, value, keys := context.Background(), make([]byte, 64), make([]string, 100)
	for i := range keys {
		keys[i] = fmt.Sprintf("account/%d", i)
	}
	b := new(store.Batch)
	return func() {
		b.Reset()
		for _, key := range keys {
			b.Put(key, value)
		}
		if err := s.Write(ctx, b); err != nil {
			t.Error(err)
		}
	}
}
