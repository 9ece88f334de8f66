package backend

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// These bounds keep the work of reading a ratio small whoever wrote the text:
// without the second, eleven bytes would ask for a number of a gigabyte.
const (
	// MaxRatioLength is the longest text, in bytes, that ParseRatio reads.
	MaxRatioLength = 1024

	// MaxRatioExponent is the greatest exponent, up or down, that ParseRatio
	// takes: twice what two asset scales can differ by.
	MaxRatioExponent = 512
)

// ParseRatio reads a ratio, without loss. It takes a decimal number with or
// without an exponent, as rate sources write them ("1", "0.002", "1.08",
// "1.3e-7"), or a fraction of two whole numbers ("499/500"). There is no
// sign, no space and no digit grouping, and a point has digits on both sides.
// Zero is read as the zero Ratio.
func ParseRatio(s string) (Ratio, error) {
	if len(s) > MaxRatioLength {
		return Ratio{}, fmt.Errorf("backend: ratio %q has %d characters: want at most %d", brief(s), len(s), MaxRatioLength)
	}
	exponent, ok := cutRatio(s)
	if !ok {
		return Ratio{}, fmt.Errorf("backend: ratio %q: want a decimal number such as 1.08 or 1.3e-7, "+
			"or a fraction such as 499/500, without sign or spaces", brief(s))
	}
	if exponent != "" {
		e, err := strconv.Atoi(exponent)
		if err != nil || max(e, -e) > MaxRatioExponent {
			return Ratio{}, fmt.Errorf("backend: ratio %q: want an exponent between -%d and %d",
				brief(s), MaxRatioExponent, MaxRatioExponent)
		}
	}
	x, ok := parseRat(s)
	if !ok { // The form is right, so this is all that can be wrong.
		return Ratio{}, fmt.Errorf("backend: ratio %q: want a denominator other than 0", brief(s))
	}
	return fromRat(x), nil
}

// parseRat reads what has the form of a ratio. big.Rat takes the whole numbers
// of a fraction for octal when they begin with a 0, so these are read apart.
func parseRat(s string) (*big.Rat, bool) {
	top, bottom, fraction := strings.Cut(s, "/")
	if !fraction {
		return new(big.Rat).SetString(s)
	}
	num, ok := new(big.Int).SetString(top, 10)
	den, alsoOK := new(big.Int).SetString(bottom, 10)
	if !ok || !alsoOK || den.Sign() == 0 {
		return nil, false
	}
	return new(big.Rat).SetFrac(num, den), true
}

// MustParseRatio is [ParseRatio] for literals: it panics where ParseRatio
// fails.
func MustParseRatio(s string) Ratio {
	r, err := ParseRatio(s)
	if err != nil {
		panic(err)
	}
	return r
}

// cutRatio reports whether s has the form of a ratio, and returns its
// exponent, if it has one.
func cutRatio(s string) (exponent string, ok bool) {
	rest, ok := cutDigits(s)
	if ok && strings.HasPrefix(rest, "/") {
		rest, ok = cutDigits(rest[1:])
		return "", ok && rest == ""
	}
	if ok && strings.HasPrefix(rest, ".") {
		rest, ok = cutDigits(rest[1:])
	}
	if ok && (strings.HasPrefix(rest, "e") || strings.HasPrefix(rest, "E")) {
		exponent = rest[1:]
		rest = exponent
		if strings.HasPrefix(rest, "+") || strings.HasPrefix(rest, "-") {
			rest = rest[1:]
		}
		rest, ok = cutDigits(rest)
	}
	return exponent, ok && rest == ""
}

// cutDigits returns what follows the decimal digits that s begins with. ok
// says that there is at least one.
func cutDigits(s string) (rest string, ok bool) {
	rest = strings.TrimLeft(s, "0123456789")
	return rest, len(rest) < len(s)
}

// brief cuts s to a length that suits an error message.
func brief(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
