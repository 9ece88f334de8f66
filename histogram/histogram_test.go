package histogram_test

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/interledger-go/connector/histogram"
)

// bucketOf is the rule, without the shortcut: the first bucket whose bound is
// not below the value.
func bucketOf(value uint64) int {
	for i := range histogram.Buckets {
		if value <= histogram.Bound(i) {
			return i
		}
	}
	panic("the last bucket takes everything")
}

func TestBoundsAreThreeADecade(t *testing.T) {
	for i, want := range []uint64{1, 2, 5, 10, 20, 50, 100} {
		if got := histogram.Bound(i); got != want {
			t.Errorf("bound %d is %d, want %d", i, got, want)
		}
	}
	if got := histogram.Bound(histogram.Buckets - 2); got != 50_000_000_000 {
		t.Errorf("the last bound is %d, want 50 s in nanoseconds", got)
	}
	if got := histogram.Bound(histogram.Buckets - 1); got != math.MaxUint64 {
		t.Errorf("the bound beyond is %d, want none", got)
	}
	for i := 1; i < histogram.Buckets; i++ {
		if histogram.Bound(i) <= histogram.Bound(i-1) {
			t.Errorf("bound %d is %d, not above %d", i, histogram.Bound(i), histogram.Bound(i-1))
		}
	}
}

// Every value is counted in its bucket: those at the edges, and any.
func TestValuesAreCountedInTheirBuckets(t *testing.T) {
	values := []uint64{0, math.MaxUint64}
	for i := range histogram.Buckets - 1 {
		b := histogram.Bound(i)
		values = append(values, b-1, b, b+1)
	}
	for i := range 64 {
		values = append(values, 1<<i-1, 1<<i, 1<<i+1)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		values = append(values, r.Uint64()>>r.IntN(64))
	}
	for _, v := range values {
		var h histogram.Histogram
		h.Observe(v)
		s := h.Snapshot()
		if s.Counts[bucketOf(v)] != 1 || s.Count() != 1 || s.Sum != v {
			t.Fatalf("%d is counted as %+v, want bucket %d", v, s, bucketOf(v))
		}
	}
}

func TestQuantile(t *testing.T) {
	var h histogram.Histogram
	s := h.Snapshot()
	if got := s.Quantile(0.5); got != 0 {
		t.Errorf("the median of nothing is %d, want 0", got)
	}
	for v := range uint64(100) {
		h.Observe(v + 1)
	}
	s = h.Snapshot()
	for _, c := range []struct {
		q    float64
		want uint64
	}{{-1, 1}, {0, 1}, {0.01, 1}, {0.02, 2}, {0.5, 50}, {0.51, 100}, {1, 100}, {2, 100}} {
		if got := s.Quantile(c.q); got != c.want {
			t.Errorf("quantile %v is %d, want %d", c.q, got, c.want)
		}
	}
	h.Observe(math.MaxUint64)
	s = h.Snapshot()
	if got := s.Quantile(1); got != math.MaxUint64 {
		t.Errorf("the largest is %d, want what is beyond all bounds", got)
	}
}

func TestAdd(t *testing.T) {
	var a, b, both histogram.Histogram
	for i := range uint64(1000) {
		v := i * i * i
		both.Observe(v)
		if i%3 == 0 {
			a.Observe(v)
		} else {
			b.Observe(v)
		}
	}
	sum := a.Snapshot()
	sum.Add(b.Snapshot())
	if sum != both.Snapshot() {
		t.Errorf("the sum is %+v, want %+v", sum, both.Snapshot())
	}
}

// Run it with -race.
func TestConcurrentUse(t *testing.T) {
	var h histogram.Histogram
	var running sync.WaitGroup
	const goroutines, each = 4, 1000
	for range goroutines {
		running.Go(func() {
			for i := range uint64(each) {
				h.Observe(i)
				if i%100 == 0 {
					_ = h.Snapshot()
				}
			}
		})
	}
	running.Wait()
	s := h.Snapshot()
	if s.Count() != goroutines*each || s.Sum != goroutines*each*(each-1)/2 {
		t.Errorf("%d values with a sum of %d", s.Count(), s.Sum)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	var h histogram.Histogram
	if n := testing.AllocsPerRun(100, func() { h.Observe(12345) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	var h histogram.Histogram
	var i uint64
	b.ReportAllocs()
	for b.Loop() {
		i += 977
		h.Observe(i & (1<<30 - 1))
	}
}
