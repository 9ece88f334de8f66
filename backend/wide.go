package backend

import (
	"math/big"
	"math/bits"
)

// pair128 is a number of 128 bits.
type pair128 struct{ hi, lo uint64 }

// pairOf returns x, which is not negative, if it fits in 128 bits and the
// machine's words are of 64.
func pairOf(x *big.Int) (pair128, bool) {
	words := x.Bits()
	switch {
	case bits.UintSize != 64 || len(words) > 2 || len(words) == 0:
		return pair128{}, false
	case len(words) == 2:
		return pair128{uint64(words[1]), uint64(words[0])}, true
	}
	return pair128{0, uint64(words[0])}, true
}

// mulDiv returns amount × num / den rounded down. ok is false if that exceeds
// 2^64-1. den is not 0.
func mulDiv(amount uint64, num, den pair128) (result uint64, ok bool) {
	// The product, 192 bits.
	p1, p0 := bits.Mul64(amount, num.lo)
	p2, mid := bits.Mul64(amount, num.hi)
	p1, carry := bits.Add64(p1, mid, 0)
	p2 += carry // cannot overflow: the product is below 2^192

	// It is below den × 2^64 exactly if the result fits.
	if p2 > den.hi || p2 == den.hi && p1 >= den.lo {
		return 0, false
	}
	if den.hi == 0 {
		result, _ = bits.Div64(p1, p0, den.lo) // p2 is 0 and p1 < den.lo
		return result, true
	}
	// Knuth's algorithm D for one digit: shift until the divisor's top bit is
	// set, divide the upper words, and correct the estimate, which is at most
	// two too large.
	shift := uint(bits.LeadingZeros64(den.hi))
	d1, d0 := den.hi<<shift|den.lo>>1>>(63-shift), den.lo<<shift
	n2, n1, n0 := p2<<shift|p1>>1>>(63-shift), p1<<shift|p0>>1>>(63-shift), p0<<shift
	var rest uint64
	if n2 >= d1 { // equal: the estimate would be 2^64
		result = 1<<64 - 1
		var over uint64
		if rest, over = bits.Add64(n1, d1, 0); over != 0 {
			return result, true
		}
	} else {
		result, rest = bits.Div64(n2, n1, d1)
	}
	for {
		hi, lo := bits.Mul64(result, d0)
		if hi < rest || hi == rest && lo <= n0 {
			return result, true
		}
		result--
		var over uint64
		if rest, over = bits.Add64(rest, d1, 0); over != 0 {
			return result, true
		}
	}
}
