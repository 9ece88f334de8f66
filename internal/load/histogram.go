package main

import (
	"math/bits"
	"time"
)

// histogram counts durations by their size, to within about 3 percent.
type histogram struct {
	counts [64 * 32]int
	total  int
}

// add counts d: by its highest bit, and the five bits behind it.
func (h *histogram) add(d time.Duration) {
	v := max(uint64(d), 32)
	shift := bits.Len64(v) - 6
	h.counts[shift*32+int(v>>shift)-32]++
	h.total++
}

func (h *histogram) percentile(p int) time.Duration {
	left := h.total * p / 100
	for i, n := range h.counts {
		if left -= n; left < 0 {
			return time.Duration((uint64(i%32) + 32) << (i / 32)).Round(time.Microsecond)
		}
	}
	return 0
}
