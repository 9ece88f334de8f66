package backend

import (
	"errors"
	"math"
	"math/big"
	"math/bits"
	"strconv"
)

// Ratio is an exact, non-negative rational number: a rate of exchange, or a
// factor that goes into one. It is an immutable value of three words, safe
// for concurrent use.
//
// The zero value is the number zero, and as a rate it means that there is no
// rate: nobody sells for nothing, so [Ratio.Apply] refuses it.
//
// A ratio is kept in lowest terms. When numerator and denominator both fit in
// 64 bits, which is so for practically every pair of currencies, its
// operations work in machine words without allocation (Apply is one
// multiplication and one division), and two such ratios are equal exactly
// when == says so. Beyond that (prices of sixteen digits, scales that differ
// by twenty) a ratio stays exact behind a pointer to big integers. Up to 128
// bits, Apply still works in words; past them it costs some 150 nanoseconds
// and three allocations. Only [Ratio.Cmp] tells whether two such are equal.
type Ratio struct {
	// Lowest terms. Both are zero if the ratio is zero or wide: a denominator
	// of zero makes the one comparison in Apply catch those cases too.
	num, den uint64
	// wide is the whole value if it does not fit in 64/64 bits, else nil. It
	// is never written to.
	wide *big.Rat
}

// one is the ratio 1/1.
var one = Ratio{num: 1, den: 1}

// One returns the ratio 1/1: amounts stay as they are.
func One() Ratio { return one }

// NewRatio returns num/den in lowest terms. A denominator of zero is an
// error.
func NewRatio(num, den uint64) (Ratio, error) {
	if den == 0 {
		return Ratio{}, errors.New("backend: ratio with the denominator 0: want 1 or more")
	}
	if num == 0 {
		return Ratio{}, nil
	}
	g := gcd(num, den)
	return Ratio{num: num / g, den: den / g}, nil
}

// FromRat returns the value of x, exactly. It keeps no reference to x. A
// negative x, or none, is an error.
func FromRat(x *big.Rat) (Ratio, error) {
	if x == nil {
		return Ratio{}, errors.New("backend: ratio from a nil *big.Rat")
	}
	if x.Sign() < 0 {
		return Ratio{}, errors.New("backend: negative ratio " + brief(x.RatString()) + ": want 0 or more")
	}
	return fromRat(new(big.Rat).Set(x)), nil
}

// fromRat is FromRat for an x that is not negative and that nobody else
// holds.
func fromRat(x *big.Rat) Ratio {
	if x.Sign() == 0 {
		return Ratio{}
	}
	if x.Num().IsUint64() && x.Denom().IsUint64() {
		return Ratio{num: x.Num().Uint64(), den: x.Denom().Uint64()}
	}
	return Ratio{wide: x}
}

// IsZero reports whether r is zero, which as a rate means that there is none.
func (r Ratio) IsZero() bool { return r.num == 0 && r.wide == nil }

// Apply returns amount × r rounded down. ok is false, and the result 0, if
// that exceeds 2^64-1 or if r is zero.
func (r Ratio) Apply(amount uint64) (result uint64, ok bool) {
	hi, lo := bits.Mul64(amount, r.num)
	if hi >= r.den {
		return r.applyWide(amount)
	}
	result, _ = bits.Div64(hi, lo, r.den)
	return result, true
}

// applyWide finishes Apply for a result that overflows, for zero, and for a
// wide ratio.
func (r Ratio) applyWide(amount uint64) (uint64, bool) {
	if r.wide == nil {
		return 0, false
	}
	if num, ok := pairOf(r.wide.Num()); ok {
		if den, ok := pairOf(r.wide.Denom()); ok {
			return mulDiv(amount, num, den)
		}
	}
	x := new(big.Int).SetUint64(amount)
	x.Mul(x, r.wide.Num())
	x.Quo(x, r.wide.Denom())
	if !x.IsUint64() {
		return 0, false
	}
	return x.Uint64(), true
}

// Max returns the largest amount that [Ratio.Apply] can convert: 2^64-1 for a
// ratio up to 1, less above it, and 0 if r is zero. It is the maximum amount
// that a reject with code F08 tells the sender (ILP4-52).
func (r Ratio) Max() uint64 {
	switch {
	case r.wide != nil:
		return r.maxWide()
	case r.num == 0:
		return 0
	case r.num <= r.den:
		return math.MaxUint64
	}
	// amount × num / den < 2^64 holds up to amount = (2^64 × den - 1) / num.
	limit, _ := bits.Div64(r.den-1, math.MaxUint64, r.num)
	return limit
}

func (r Ratio) maxWide() uint64 {
	x := new(big.Int).Lsh(r.wide.Denom(), 64)
	x.Sub(x, big.NewInt(1))
	x.Quo(x, r.wide.Num())
	if !x.IsUint64() {
		return math.MaxUint64
	}
	return x.Uint64()
}

// Mul returns r × s, exactly. What does not fit in 64 bits grows: a product
// of many wide ratios is as long as all its factors together.
func (r Ratio) Mul(s Ratio) Ratio {
	if r.IsZero() || s.IsZero() {
		return Ratio{}
	}
	if r.wide == nil && s.wide == nil {
		// Both are in lowest terms, so dividing crosswise leaves the product
		// in lowest terms.
		g, h := gcd(r.num, s.den), gcd(s.num, r.den)
		overNum, num := bits.Mul64(r.num/g, s.num/h)
		overDen, den := bits.Mul64(r.den/h, s.den/g)
		if overNum|overDen == 0 {
			return Ratio{num: num, den: den}
		}
	}
	x := r.Rat()
	return fromRat(x.Mul(x, s.Rat()))
}

// Inv returns 1/r. The inverse of zero is zero: where there is no rate one
// way, this gives none the other way.
func (r Ratio) Inv() Ratio {
	if r.wide != nil {
		return fromRat(new(big.Rat).Inv(r.wide))
	}
	return Ratio{num: r.den, den: r.num}
}

// Scale turns a rate between whole units into one between smallest units: it
// returns r × 10^(to-from), where from is the asset scale of the source and
// to that of the destination.
func (r Ratio) Scale(from, to uint8) Ratio {
	if to < from {
		return r.Mul(pow10(from - to).Inv())
	}
	return r.Mul(pow10(to - from))
}

// pow10 returns 10^n.
func pow10(n uint8) Ratio {
	if n > 19 { // 10^19 is the last power below 2^64.
		x := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
		return fromRat(new(big.Rat).SetInt(x))
	}
	x := uint64(1)
	for range n {
		x *= 10
	}
	return Ratio{num: x, den: 1}
}

// Cmp returns -1 if r is less than s, 0 if they are equal and +1 if r is
// greater.
func (r Ratio) Cmp(s Ratio) int {
	if r.wide != nil || s.wide != nil {
		return r.Rat().Cmp(s.Rat())
	}
	// A denominator of zero stands for 1 here; its numerator is zero.
	rHi, rLo := bits.Mul64(r.num, max(s.den, 1))
	sHi, sLo := bits.Mul64(s.num, max(r.den, 1))
	switch {
	case rHi == sHi && rLo == sLo:
		return 0
	case rHi < sHi || rHi == sHi && rLo < sLo:
		return -1
	}
	return 1
}

// Rat returns the value of r. The result is the caller's.
func (r Ratio) Rat() *big.Rat {
	x := new(big.Rat)
	if r.wide != nil {
		return x.Set(r.wide)
	}
	return x.SetFrac(new(big.Int).SetUint64(r.num), new(big.Int).SetUint64(max(r.den, 1)))
}

// String returns r in lowest terms, such as "499/500", or "3" for a whole
// number. [ParseRatio] reads it back, up to [MaxRatioLength].
func (r Ratio) String() string {
	if r.wide != nil {
		return r.wide.RatString()
	}
	text := strconv.FormatUint(r.num, 10)
	if r.den > 1 {
		text += "/" + strconv.FormatUint(r.den, 10)
	}
	return text
}

// gcd returns the greatest common divisor of a and b, not both zero.
func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
