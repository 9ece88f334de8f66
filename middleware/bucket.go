package middleware

import (
	"math/bits"
	"sync"
	"time"
)

// bucket is a token bucket in exact arithmetic: it gains refill tokens every
// period, evenly, keeps at most capacity, and starts full.
type bucket struct {
	capacity, refill uint64
	period           uint64 // nanoseconds

	mu     sync.Mutex
	tokens uint64
	part   uint64 // of the next token, in 1/period
	last   time.Time
}

func newBucket(capacity, refill uint64, period time.Duration, now time.Time) *bucket {
	return &bucket{capacity: capacity, refill: refill, period: uint64(period), tokens: capacity, last: now}
}

// take removes n tokens, or none and reports false.
func (b *bucket) take(n uint64, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gain(now)
	if b.tokens < n {
		return false
	}
	b.tokens -= n
	return true
}

// gain adds what has come since the last call. A time before that adds
// nothing: packets that came at the same moment may be taken in another order
// than they came in. By more than a period only a clock that was set goes
// back, and time goes on from there; the bucket would else stay dry until the
// clock is again where it was.
func (b *bucket) gain(now time.Time) {
	elapsed := now.Sub(b.last)
	if elapsed <= 0 {
		if elapsed < -time.Duration(b.period) {
			b.last = now
		}
		return
	}
	b.last = now
	hi, lo := bits.Mul64(uint64(elapsed), b.refill)
	lo, carry := bits.Add64(lo, b.part, 0)
	hi += carry
	if hi >= b.period { // more than 2^64 tokens
		b.fill()
		return
	}
	gained, part := bits.Div64(hi, lo, b.period)
	if gained >= b.capacity-b.tokens {
		b.fill()
		return
	}
	b.tokens += gained
	b.part = part
}

func (b *bucket) fill() { b.tokens, b.part = b.capacity, 0 }
