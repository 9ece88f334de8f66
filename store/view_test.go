package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
	"github.com/interledger-go/connector/store/storetest"
)

func view(t testing.TB, s store.Store, name string) *store.View {
	t.Helper()
	v, err := store.NewView(s, name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func put(t testing.TB, s store.Store, key, value string) {
	t.Helper()
	var b store.Batch
	b.Put(key, []byte(value))
	if err := s.Write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
}

func contents(t testing.TB, s store.Store, prefix string) map[string]string {
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

// A view is a store. So is a view in a view, among neighbours.
func TestViewConformance(t *testing.T) {
	type crowded struct {
		*store.View
		under store.Store
	}
	const outer, inner = "plugins", "bob"
	open := func(t testing.TB, under store.Store) store.Store {
		return crowded{view(t, view(t, under, outer), inner), under}
	}
	storetest.Run(t, storetest.Options{
		New: func(t testing.TB) store.Store {
			under := memstore.New()
			for _, neighbour := range []string{"a", "plugins", "plugins.", "plugins/bo", "plugins/bob", "plugins/bobby/a", "plugins/bob0", "z"} {
				put(t, under, neighbour, "not ours")
			}
			return open(t, under)
		},
		Reopen: func(t testing.TB, closed store.Store) store.Store {
			return open(t, closed.(crowded).under)
		},
		MaxKeySize: store.MaxKeySize - len(outer) - len(inner) - 2,
	})
}

// Reference tests 97, 101 and 102, and the pattern ^[A-Za-z0-9_\-~.]+$.
func TestViewNames(t *testing.T) {
	s := memstore.New()
	for _, name := range []string{
		"a-name-with-dashes", "a", "A", "0", "_", "-", "~", ".", "..", "mini-accounts.v2_~", strings.Repeat("n", store.MaxNameSize),
	} {
		if v, err := store.NewView(s, name); err != nil || v == nil {
			t.Errorf("NewView(%q): %v, %v", name, v, err)
		}
	}
	for _, name := range []string{
		`"; drop table "Users; --`, "", " ", "a b", "a/b", "/", "a:b", "a\x00", "é", "\xff", "a\n", "*", "%", strings.Repeat("n", store.MaxNameSize+1),
	} {
		v, err := store.NewView(s, name)
		if err == nil || v != nil {
			t.Errorf("NewView(%q): %v, want an error", name, v)
			continue
		}
		if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), fmt.Sprintf("%.200q", name)) {
			t.Errorf("NewView(%q): %v, want ErrInvalid with the name", name, err)
		}
	}
}

// In the reference the key bc of a plugin named a was the key c of one named
// ab.
func TestViewsShareNothing(t *testing.T) {
	s := memstore.New()
	a, ab := view(t, s, "a"), view(t, s, "ab")
	put(t, a, "bc", "of a")
	put(t, ab, "c", "of ab")
	put(t, a, "b/c", "of a, too")
	put(t, s, "abc", "of the host")
	if got, want := contents(t, a, ""), map[string]string{"bc": "of a", "b/c": "of a, too"}; !maps.Equal(got, want) {
		t.Errorf("a holds %v, want %v", got, want)
	}
	if got, want := contents(t, ab, ""), map[string]string{"c": "of ab"}; !maps.Equal(got, want) {
		t.Errorf("ab holds %v, want %v", got, want)
	}
	var b store.Batch
	b.Delete("bc")
	b.Delete("b/c")
	if err := a.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, a, ""); len(got) != 0 {
		t.Errorf("a holds %v after all has been deleted", got)
	}
	if got := contents(t, s, ""); len(got) != 2 {
		t.Errorf("the store holds %v, want what others wrote", got)
	}
}

// Two views of one name are the same part of the store.
func TestViewsOfOneName(t *testing.T) {
	s := memstore.New()
	put(t, view(t, s, "a"), "k", "v")
	if got, err := view(t, s, "a").Get(t.Context(), "k"); err != nil || string(got) != "v" {
		t.Errorf("Get: %q, %v", got, err)
	}
}

func TestViewLeavesTheStoreOpen(t *testing.T) {
	s := memstore.New()
	a, b := view(t, s, "a"), view(t, s, "b")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, b, "k", "v")
	put(t, s, "k", "v")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(t.Context(), "k"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Get of a view whose store is closed: %v, want ErrClosed", err)
	}
}

// A view has less room for keys, and says how much.
func TestViewMaxKeySize(t *testing.T) {
	s := store.Store(memstore.New())
	room := store.MaxKeySize
	long := strings.Repeat("n", store.MaxNameSize)
	for _, name := range []string{"a", long, "bcd", long, long} {
		v := view(t, s, name)
		if room -= len(name) + 1; v.MaxKeySize() != room {
			t.Errorf("MaxKeySize %d, want %d", v.MaxKeySize(), room)
		}
		put(t, v, strings.Repeat("k", room), "v")
		_, err := v.Get(t.Context(), strings.Repeat("k", room+1))
		if want := fmt.Sprintf("key of %d bytes: want 1 to %d", room+1, room); !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("Get: %v, want ErrInvalid and %q", err, want)
		}
		s = v
	}
	// A name has to leave room for a key.
	if v := view(t, s, strings.Repeat("n", room-2)); v.MaxKeySize() != 1 {
		t.Errorf("MaxKeySize %d, want 1", v.MaxKeySize())
	}
	v, err := store.NewView(s, strings.Repeat("n", room-1))
	if v != nil || !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "no room for a key") {
		t.Errorf("NewView: %v, %v; want ErrInvalid", v, err)
	}
}

func TestViewWriteAllocatesNothingPerChange(t *testing.T) {
	v := view(t, memstore.New(), "ledger")
	ctx := context.Background()
	var b store.Batch
	for i := range 1000 {
		b.Put(fmt.Sprintf("account/%d", i), make([]byte, 64))
	}
	var err error
	n := testing.AllocsPerRun(100, func() { err = errors.Join(err, v.Write(ctx, &b)) })
	if err != nil {
		t.Fatal(err)
	}
	// The batch that the view fills comes from a pool, which a garbage
	// collection and the race detector may empty. It then grows again.
	if n > 100 {
		t.Errorf("%v allocations for 1000 changes", n)
	}
}

func FuzzViewsShareNothing(f *testing.F) {
	f.Add("a", "bc", "ab", "c")
	f.Add("a", "k", "a", "k")
	f.Add("a.", "/k", "a", "./k")
	f.Add("a", "/", "a", "")
	f.Fuzz(func(t *testing.T, nameA, keyA, nameB, keyB string) {
		s := memstore.New()
		a, errA := store.NewView(s, nameA)
		b, errB := store.NewView(s, nameB)
		if errA != nil || errB != nil {
			return
		}
		var batch store.Batch
		batch.Put(keyA, []byte("of a"))
		if err := a.Write(t.Context(), &batch); err != nil {
			if !errors.Is(err, store.ErrInvalid) || len(keyA) > 0 && len(keyA) <= a.MaxKeySize() {
				t.Fatal(err)
			}
			return
		}
		if got := contents(t, a, ""); !maps.Equal(got, map[string]string{keyA: "of a"}) {
			t.Fatalf("a holds %q, want %q", got, keyA)
		}
		_, err := b.Get(t.Context(), keyB)
		if same := nameA == nameB && keyA == keyB; same != (err == nil) {
			t.Fatalf("%q of %q is %q of %q: %v, want %v (%v)", keyA, nameA, keyB, nameB, err == nil, same, err)
		}
		if got := contents(t, b, ""); nameA != nameB && len(got) != 0 {
			t.Fatalf("b holds %q", got)
		}
	})
}

func BenchmarkView(b *testing.B) {
	under := memstore.New()
	storetest.Bench(b, storetest.Options{New: func(t testing.TB) store.Store { return view(t, under, "ledger") }})
}
