package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/interledger-go/connector/store"
)

// changes writes a batch out, for comparison.
func changes(b *store.Batch) []string {
	var list []string
	for op := range b.Ops() {
		if op.Delete {
			list = append(list, fmt.Sprintf("delete %s%s", op.Key, op.Value))
		} else {
			list = append(list, fmt.Sprintf("put %s=%s", op.Key, op.Value))
		}
	}
	return list
}

func TestBatch(t *testing.T) {
	var b store.Batch
	if b.Len() != 0 || b.Err() != nil || changes(&b) != nil {
		t.Errorf("the zero batch: Len %d, Err %v, Ops %v", b.Len(), b.Err(), changes(&b))
	}
	b.Put("a", []byte("1"))
	b.Delete("a")
	b.Put("b", nil)
	b.Put("a", []byte("2"))
	want := []string{"put a=1", "delete a", "put b=", "put a=2"}
	if got := changes(&b); !slices.Equal(got, want) || b.Len() != 4 {
		t.Errorf("Len %d, Ops %q; want %q", b.Len(), got, want)
	}
	for range b.Ops() {
		break // An iteration may end early, and begin again.
	}
	if got := changes(&b); !slices.Equal(got, want) {
		t.Errorf("the second time: %q", got)
	}
	b.Reset()
	if b.Len() != 0 || changes(&b) != nil {
		t.Errorf("after Reset: Len %d, Ops %v", b.Len(), changes(&b))
	}
}

func TestBatchCopies(t *testing.T) {
	var b store.Batch
	value := []byte("right")
	b.Put("a", value)
	b.Put("b", []byte("right"))
	copy(value, "wrong")
	for op := range b.Ops() {
		_ = append(op.Key, "wrong"...)
		_ = append(op.Value, "wrong"...)
	}
	if got, want := changes(&b), []string{"put a=right", "put b=right"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestBatchRemembersWhatItRefuses(t *testing.T) {
	longest, largest := strings.Repeat("k", store.MaxKeySize), make([]byte, store.MaxValueSize)
	tests := []struct {
		name string
		fill func(b *store.Batch)
		says string // empty: taken
	}{
		{"the longest key and the largest value", func(b *store.Batch) { b.Put(longest, largest) }, ""},
		{"the longest key to delete", func(b *store.Batch) { b.Delete(longest) }, ""},
		{"no key", func(b *store.Batch) { b.Put("", nil) }, "key of 0 bytes: want 1 to 512"},
		{"no key to delete", func(b *store.Batch) { b.Delete("") }, "key of 0 bytes: want 1 to 512"},
		{"a key too long", func(b *store.Batch) { b.Put(longest+"k", nil) }, "key of 513 bytes: want 1 to 512"},
		{"a key too long to delete", func(b *store.Batch) { b.Delete(longest + "k") }, "key of 513 bytes: want 1 to 512"},
		{"a value too large", func(b *store.Batch) { b.Put("k", append(largest, 0)) }, "value of 1048577 bytes: want at most 1048576"},
	}
	for _, test := range tests {
		var b store.Batch
		b.Put("before", nil)
		test.fill(&b)
		b.Put("after", nil)
		err := b.Err()
		if test.says == "" {
			if err != nil || b.Len() != 3 {
				t.Errorf("%s: Err %v, Len %d", test.name, err, b.Len())
			}
			continue
		}
		if !errors.Is(err, store.ErrInvalid) || !errors.Is(err, store.ErrNotWritten) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want ErrInvalid, ErrNotWritten and %q", test.name, err, test.says)
		}
		if b.Put("", nil); b.Err() != err {
			t.Errorf("%s: the first error is gone: %v", test.name, b.Err())
		}
		if b.Reset(); b.Err() != nil {
			t.Errorf("%s: after Reset still %v", test.name, b.Err())
		}
	}
}

// The committer fills one batch with thousands of accounts again and again.
func TestBatchAllocatesNothing(t *testing.T) {
	keys, value := make([]string, 1000), make([]byte, 64)
	for i := range keys {
		keys[i] = fmt.Sprintf("account/%d", i)
	}
	var b store.Batch
	size := 0
	n := testing.AllocsPerRun(10, func() {
		b.Reset()
		for i, key := range keys {
			if i%10 == 0 {
				b.Delete(key)
			} else {
				b.Put(key, value)
			}
		}
		for op := range b.Ops() {
			size += len(op.Key) + len(op.Value)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for a batch that has been used before", n)
	}
	if size == 0 {
		t.Error("the batch is empty")
	}
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte("key"), []byte("value"))
	f.Add([]byte{0}, []byte{0xff})
	f.Add(make([]byte, 513), make([]byte, 10))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		var b store.Batch
		b.Put("first", value)
		b.Put(string(key), value)
		b.Delete(string(key))
		good := store.CheckKey(string(key)) == nil
		if (b.Err() == nil) != good {
			t.Fatalf("Err %v of a key that is good: %v", b.Err(), good)
		}
		want := []string{"put first=" + string(value)}
		if good {
			want = append(want, fmt.Sprintf("put %s=%s", key, value), "delete "+string(key))
		}
		if got := changes(&b); !slices.Equal(got, want) || b.Len() != len(want) {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

func BenchmarkBatch(b *testing.B) {
	keys, value := make([]string, 1000), make([]byte, 64)
	for i := range keys {
		keys[i] = fmt.Sprintf("account/%d", i)
	}
	var batch store.Batch
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		for _, key := range keys {
			batch.Put(key, value)
		}
		size := 0
		for op := range batch.Ops() {
			size += len(op.Value)
		}
		if size != len(keys)*len(value) {
			b.Fatal(size)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(keys)), "ns/change")
}
