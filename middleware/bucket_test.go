package middleware_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/interledger-go/connector/middleware"
)

func TestBucketStartsFullAndEmpties(t *testing.T) {
	b := middleware.NewBucket(3, 3, time.Minute, start)
	for i := range 3 {
		if !b.Take(1, start) {
			t.Errorf("token %d of 3 was refused", i+1)
		}
	}
	if b.Take(1, start) {
		t.Error("a fourth token was given")
	}
}

// What is refused costs nothing, and what is taken is taken whole.
func TestBucketTakesAllOrNothing(t *testing.T) {
	b := middleware.NewBucket(5, 5, time.Minute, start)
	if b.Take(6, start) {
		t.Error("6 of 5 tokens were given")
	}
	if !b.Take(5, start) || b.Take(1, start) {
		t.Error("want 5 tokens and no more")
	}
	if !b.Take(0, start) {
		t.Error("no tokens were refused")
	}
}

// Tokens come evenly, to the nanosecond, and parts of one are kept.
func TestBucketRefillIsExact(t *testing.T) {
	const period = time.Second
	b := middleware.NewBucket(3, 3, period, start) // one in 333333333.3 ns
	b.Take(3, start)
	now := start
	for _, c := range []struct {
		wait time.Duration
		want bool
	}{
		{333_333_333, false}, // 999999999/10^9 of a token
		{1, true},            // 1000000002/10^9, of which 2 are left
		{333_333_332, false}, // 999999998/10^9
		{1, true},            // 1000000001/10^9
		{333_333_332, false}, // 999999997/10^9
		{1, true},            // 10^9 exactly
		{0, false},
	} {
		now = now.Add(c.wait)
		if got := b.Take(1, now); got != c.want {
			t.Fatalf("%v after the start a token is given: %v, want %v (level %v)", now.Sub(start), got, c.want, b.Level())
		}
	}
	if now.Sub(start) != period || b.Level().Sign() != 0 {
		t.Errorf("after %v the level is %v, want 0 after a period", now.Sub(start), b.Level())
	}
}

// However often it is looked at, a bucket gains the same.
func TestBucketDoesNotLosePartsOfTokens(t *testing.T) {
	b := middleware.NewBucket(1000, 7, time.Second, start)
	b.Take(1000, start)
	for i := range 100_000 { // each 10 microseconds
		b.Take(1001, start.Add(time.Duration(i+1)*10*time.Microsecond))
	}
	if want := big.NewRat(7, 1); b.Level().Cmp(want) != 0 {
		t.Errorf("the level is %v after a period, want 7", b.Level())
	}
}

func TestBucketNeverHoldsMoreThanCapacity(t *testing.T) {
	b := middleware.NewBucket(10, 1, time.Second, start)
	b.Take(10, start)
	now := start.Add(9*time.Second + 999*time.Millisecond)
	b.Take(0, now)
	if want := big.NewRat(9999, 1000); b.Level().Cmp(want) != 0 {
		t.Errorf("the level is %v, want %v", b.Level(), want)
	}
	now = now.Add(2 * time.Millisecond)
	b.Take(0, now) // full, with no part of a token more
	if want := big.NewRat(10, 1); b.Level().Cmp(want) != 0 {
		t.Errorf("the level is %v, want %v", b.Level(), want)
	}
	b.Take(1, now)
	if b.Take(10, now.Add(999*time.Millisecond)) {
		t.Error("the part of a token beyond the capacity was kept")
	}
}

// The part of a token that is carried over may take the sum beyond 64 bits.
func TestBucketCarriesIntoTheHighWord(t *testing.T) {
	const refill = math.MaxUint64 / 255 // without a rest: what comes in 255 ns has all bits set
	b := middleware.NewBucket(math.MaxUint64, refill, time.Second, start)
	b.Take(math.MaxUint64, start)
	b.Take(0, start.Add(1))
	b.Take(0, start.Add(256))
	want := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(256), big.NewInt(refill)), big.NewInt(1e9))
	if b.Level().Cmp(want) != 0 {
		t.Errorf("the level is %v, want %v", b.Level(), want)
	}
}

// Long idle: the elapsed time saturates at 292 years, and the tokens that
// would have come pass 64 bits.
func TestBucketAfterLongIdle(t *testing.T) {
	for _, refill := range []uint64{1, 1000, math.MaxUint64} {
		for _, capacity := range []uint64{1, 1 << 40, math.MaxUint64} {
			t.Run(fmt.Sprintf("%d of %d", refill, capacity), func(t *testing.T) {
				// 292 years of at least a token each 100 ms are 9*10^10.
				b := middleware.NewBucket(capacity, refill, 100*time.Millisecond, start)
				b.Take(capacity, start)
				now := start.AddDate(500, 0, 0)
				b.Take(0, now)
				earned := new(big.Int).Mul(big.NewInt(math.MaxInt64), new(big.Int).SetUint64(refill))
				want := new(big.Rat).SetFrac(earned, big.NewInt(100e6))
				if most := new(big.Rat).SetInt(new(big.Int).SetUint64(capacity)); want.Cmp(most) > 0 {
					want = most
				}
				if b.Level().Cmp(want) != 0 {
					t.Errorf("the level is %v, want %v", b.Level(), want)
				}
			})
		}
	}
}

// A packet that came earlier and is taken later earns nothing, and what was
// earned is not earned again.
func TestBucketTimesOutOfOrder(t *testing.T) {
	b := middleware.NewBucket(10, 10, time.Second, start)
	b.Take(10, start)
	now := start.Add(500 * time.Millisecond)
	if !b.Take(5, now) {
		t.Error("5 tokens were refused after half a period")
	}
	if b.Take(1, now.Add(-400*time.Millisecond)) {
		t.Error("a token was given for a time in the past")
	}
	if b.Take(1, now) {
		t.Error("the time before was earned twice")
	}
	if !b.Take(1, now.Add(100*time.Millisecond)) {
		t.Error("a token was refused after its time")
	}
}

// A clock that was set back by more than a period gives nothing for that, and
// goes on to earn from there.
func TestBucketClockGoesBack(t *testing.T) {
	b := middleware.NewBucket(10, 10, time.Second, start)
	b.Take(10, start)
	now := start.Add(-time.Hour)
	if b.Take(1, now) {
		t.Error("a token was given for a clock that went back")
	}
	if b.Take(1, now.Add(99*time.Millisecond)) {
		t.Error("a token was given before its time")
	}
	if !b.Take(1, now.Add(100*time.Millisecond)) {
		t.Error("a token was refused although its time has passed since the clock was set")
	}
}

// modelBucket is the bucket in arithmetic of any size.
type modelBucket struct {
	capacity, level, rate *big.Rat // rate in tokens a nanosecond
	period                time.Duration
	last                  time.Time
}

func (m *modelBucket) take(n uint64, now time.Time) bool {
	switch elapsed := now.Sub(m.last); {
	case elapsed > 0:
		m.last = now
		m.level.Add(m.level, new(big.Rat).Mul(m.rate, new(big.Rat).SetInt64(int64(elapsed))))
		if m.level.Cmp(m.capacity) > 0 {
			m.level.Set(m.capacity)
		}
	case elapsed < -m.period:
		m.last = now
	}
	want := new(big.Rat).SetInt(new(big.Int).SetUint64(n))
	if m.level.Cmp(want) < 0 {
		return false
	}
	m.level.Sub(m.level, want)
	return true
}

// Property: the bucket is that of exact arithmetic, whatever its size and
// whatever the clock does.
func TestBucketAgainstBigRationals(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		capacity, refill := anyUint64(r)|1, anyUint64(r)|1
		period := time.Duration(100e6 + r.Int64N(int64(2*time.Hour)))
		b := middleware.NewBucket(capacity, refill, period, start)
		whole := new(big.Rat).SetInt(new(big.Int).SetUint64(capacity))
		m := &modelBucket{
			capacity: whole, level: new(big.Rat).Set(whole), period: period, last: start,
			rate: new(big.Rat).SetFrac(new(big.Int).SetUint64(refill), big.NewInt(int64(period))),
		}
		now := start
		for step := range 100 {
			now = now.Add(anyWait(r, period))
			n := anyAmount(r, m.level, capacity)
			got, want := b.Take(n, now), m.take(n, now)
			if got != want || b.Level().Cmp(m.level) != 0 {
				t.Fatalf("seed %d, step %d: %d tokens of a bucket of %d, %d in %v: given %v and left %v, want %v and %v",
					seed, step, n, capacity, refill, period, got, b.Level(), want, m.level)
			}
		}
	}
}

// anyUint64 gives numbers of all sizes.
func anyUint64(r *rand.Rand) uint64 { return r.Uint64() >> r.IntN(64) }

// anyWait gives steps of all sizes, some of them back.
func anyWait(r *rand.Rand, period time.Duration) time.Duration {
	wait := time.Duration(anyUint64(r) >> 1)
	switch r.IntN(8) {
	case 0:
		return 0
	case 1:
		return -wait % (2 * period)
	case 2:
		return wait % (100 * 365 * 24 * time.Hour)
	}
	return wait % (2 * period)
}

// anyAmount gives amounts around what there is.
func anyAmount(r *rand.Rand, level *big.Rat, capacity uint64) uint64 {
	whole := new(big.Int).Quo(level.Num(), level.Denom()).Uint64()
	switch r.IntN(4) {
	case 0:
		return whole
	case 1:
		return min(whole, math.MaxUint64-1) + 1
	case 2:
		return anyUint64(r) % capacity
	}
	return anyUint64(r)
}
