// Package histogram counts values in buckets: how long things take, or how
// large they are. A Histogram is counted into on the way of packets, so it is
// two atomic additions, no lock and no allocation; a Snapshot is what others
// read.
//
// All histograms have the same buckets, so that any two can be added: three
// for each power of ten, from 1 to 50 billion, and one for what is beyond.
// For durations, in nanoseconds, that is from one nanosecond to 50 seconds;
// for anything that is counted it is as far as one counts.
package histogram

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// Buckets is the number of buckets. The last one is for all that is beyond
// the others.
const Buckets = 3*decades + 1

const decades = 11

// bounds are the largest values of the buckets.
var bounds = [Buckets]uint64{
	1, 2, 5,
	10, 20, 50,
	100, 200, 500,
	1e3, 2e3, 5e3,
	1e4, 2e4, 5e4,
	1e5, 2e5, 5e5,
	1e6, 2e6, 5e6,
	1e7, 2e7, 5e7,
	1e8, 2e8, 5e8,
	1e9, 2e9, 5e9,
	1e10, 2e10, 5e10,
	math.MaxUint64,
}

// Bound gives the largest value that is counted in a bucket, from 0 to
// Buckets-1: 1, 2, 5, 10, 20 and so on, and for the last one the largest
// number there is.
func Bound(bucket int) uint64 { return bounds[bucket] }

// Histogram counts values. The zero value is empty and ready for use. It must
// not be copied. All methods may be called concurrently.
type Histogram struct {
	buckets [Buckets]bucket
}

// bucket has its own part of the sum, so that a value changes one place in
// memory and not two.
type bucket struct{ count, sum atomic.Uint64 }

// Observe counts a value.
func (h *Histogram) Observe(value uint64) {
	// Three times the decimal logarithm, from the length in bits and rounded
	// down: the bucket is that one, or one of the next few.
	i := min((bits.Len64(value|1)-1)*925>>10, Buckets-1)
	for value > bounds[i] {
		i++
	}
	h.buckets[i].count.Add(1)
	h.buckets[i].sum.Add(value)
}

// Snapshot gives what has been counted until now. Values that are counted
// while it runs may be in Counts and not in Sum, or the other way round.
func (h *Histogram) Snapshot() Snapshot {
	var s Snapshot
	for i := range h.buckets {
		s.Counts[i] = h.buckets[i].count.Load()
		s.Sum += h.buckets[i].sum.Load()
	}
	return s
}

// Snapshot is what a Histogram had counted at one moment.
type Snapshot struct {
	// Counts are the numbers of values, by bucket; see Bound.
	Counts [Buckets]uint64
	// Sum is that of all values, modulo 2^64.
	Sum uint64
}

// Count gives the number of all values.
func (s *Snapshot) Count() (count uint64) {
	for _, n := range s.Counts {
		count += n
	}
	return count
}

// Add adds what other has counted.
func (s *Snapshot) Add(other Snapshot) {
	for i, n := range other.Counts {
		s.Counts[i] += n
	}
	s.Sum += other.Sum
}

// Quantile gives a value that the share q of all values, from 0 to 1, is not
// above: the bound of the bucket in which that share is reached. It is 0 if
// there are no values.
func (s *Snapshot) Quantile(q float64) uint64 {
	count := s.Count()
	if count == 0 {
		return 0
	}
	wanted := uint64(math.Ceil(max(0, min(q, 1)) * float64(count)))
	var seen uint64
	for i, n := range s.Counts {
		if seen += n; seen > 0 && seen >= min(wanted, count) {
			return bounds[i]
		}
	}
	return bounds[Buckets-1]
}
