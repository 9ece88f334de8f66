package backend_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/interledger-go/connector/backend"
)

// oracle is Apply in big integers: floor(amount × r).
func oracle(r backend.Ratio, amount uint64) (uint64, bool) {
	x := new(big.Int).SetUint64(amount)
	x.Mul(x, r.Rat().Num())
	x.Quo(x, r.Rat().Denom())
	if r.IsZero() || !x.IsUint64() {
		return 0, false
	}
	return x.Uint64(), true
}

// word draws a 64-bit number of any magnitude, the edges more often.
func word(rng *rand.Rand) uint64 {
	switch rng.IntN(8) {
	case 0:
		return []uint64{0, 1, 2, 3, 10, 1e9, 1e18, 1e19, math.MaxInt64, 1 << 63, math.MaxUint64 - 1, math.MaxUint64}[rng.IntN(12)]
	default:
		return rng.Uint64() >> rng.IntN(64)
	}
}

// ratio draws a ratio, wide ones among them.
func ratio(t *testing.T, rng *rand.Rand) backend.Ratio {
	t.Helper()
	r, err := backend.NewRatio(word(rng), max(word(rng), 1))
	if err != nil {
		t.Fatal(err)
	}
	if rng.IntN(4) == 0 {
		r = r.Scale(uint8(rng.Uint32()), uint8(rng.Uint32()))
	}
	return r
}

// canonical fails the test unless r is what FromRat makes of the same value:
// in lowest terms, and in machine words wherever it fits.
func canonical(t *testing.T, r backend.Ratio) {
	t.Helper()
	x := r.Rat()
	again, err := backend.FromRat(x)
	if err != nil {
		t.Fatalf("FromRat(%v): %v", x, err)
	}
	if again.Cmp(r) != 0 || again.String() != r.String() {
		t.Fatalf("%v comes back from FromRat as %v", r, again)
	}
	fits := x.Num().IsUint64() && x.Denom().IsUint64()
	if fits != (again == r) {
		t.Fatalf("%v: equal by ==: %v, fits in 64 bits: %v; want the same", r, again == r, fits)
	}
}

func TestNewRatio(t *testing.T) {
	tests := []struct {
		num, den uint64
		want     string // empty: refused
	}{
		{1, 1, "1"},
		{0, 1, "0"},
		{0, 7, "0"},
		{998, 1000, "499/500"},
		{1000, 10, "100"},
		{math.MaxUint64, math.MaxUint64, "1"},
		{math.MaxUint64, 2, "18446744073709551615/2"},
		{1, math.MaxUint64, "1/18446744073709551615"},
		{1, 0, ""},
		{0, 0, ""},
	}
	for _, test := range tests {
		r, err := backend.NewRatio(test.num, test.den)
		if test.want == "" {
			if err == nil || !r.IsZero() {
				t.Errorf("NewRatio(%d, %d) = %v, %v; want the zero Ratio and an error", test.num, test.den, r, err)
			}
			continue
		}
		if err != nil || r.String() != test.want {
			t.Errorf("NewRatio(%d, %d) = %v, %v; want %v", test.num, test.den, r, err, test.want)
		}
		canonical(t, r)
	}
}

func TestFromRat(t *testing.T) {
	wide, _ := new(big.Rat).SetString("1e30")
	for _, x := range []*big.Rat{new(big.Rat), big.NewRat(499, 500), big.NewRat(7, 1), wide, new(big.Rat).Inv(wide)} {
		r, err := backend.FromRat(x)
		if err != nil || r.Rat().Cmp(x) != 0 {
			t.Errorf("FromRat(%v) = %v, %v", x, r, err)
		}
	}
	for _, x := range []*big.Rat{nil, big.NewRat(-1, 500), new(big.Rat).Neg(wide)} {
		if r, err := backend.FromRat(x); err == nil || !r.IsZero() {
			t.Errorf("FromRat(%v) = %v, %v; want the zero Ratio and an error", x, r, err)
		}
	}
}

// What goes in and comes out by pointer is the caller's: writing to it leaves
// the ratio as it is.
func TestRatioSharesNothing(t *testing.T) {
	for _, text := range []string{"3/7", "1e30", "1e-30"} {
		x, _ := new(big.Rat).SetString(text)
		r, err := backend.FromRat(x)
		if err != nil {
			t.Fatal(err)
		}
		want := r.String()
		x.Num().SetInt64(5)
		x.SetInt64(5)
		out := r.Rat()
		out.Num().SetInt64(6)
		out.Denom().SetInt64(7)
		if r.String() != want {
			t.Errorf("%s became %v", want, r)
		}
	}
}

func TestApply(t *testing.T) {
	const most = math.MaxUint64
	tests := []struct {
		ratio  string
		amount uint64
		want   uint64
		ok     bool
	}{
		{"1", most, most, true},
		{"1", 0, 0, true},
		{"499/500", 500, 499, true},
		{"499/500", 499, 498, true}, // 498.002
		{"499/500", 1, 0, true},     // rounds to zero, which is forwarded as zero
		{"499/500", most, 18409850585562132511, true},
		{"1.08", 100, 108, true},
		{"2", most / 2, most - 1, true},
		{"2", most/2 + 1, 0, false},
		{"1000000000", 18446744073, 18446744073000000000, true},
		{"1000000000", 18446744074, 0, false}, // the reference delivered 290448384 here
		{"18446744073709551615/18446744073709551614", most - 1, most, true},
		{"18446744073709551615/18446744073709551614", most, 0, false}, // 2^64 and a little, rounded down
		{"1e30", 0, 0, true},
		{"1e30", 1, 0, false},
		{"1e-30", most, 0, true},
		{"1e-19", most, 1, true},
		{"18446744073709551616", 1, 0, false},
		{"18446744073709551616/18446744073709551617", most, most - 1, true},
		{"36893488147419103231/2", 1, most, true}, // 2^64 - 1/2, rounded down
	}
	for _, test := range tests {
		got, ok := backend.MustParseRatio(test.ratio).Apply(test.amount)
		if got != test.want || ok != test.ok {
			t.Errorf("(%s).Apply(%d) = %d, %v; want %d, %v", test.ratio, test.amount, got, ok, test.want, test.ok)
		}
	}
}

// The zero Ratio is "no rate": it converts nothing, not even nothing.
func TestZeroRatioRefuses(t *testing.T) {
	var r backend.Ratio
	for _, amount := range []uint64{0, 1, math.MaxUint64} {
		if got, ok := r.Apply(amount); got != 0 || ok {
			t.Errorf("Apply(%d) = %d, %v; want a refusal", amount, got, ok)
		}
	}
	if !r.IsZero() || r.Max() != 0 || r.String() != "0" || r.Rat().Sign() != 0 {
		t.Errorf("IsZero %v, Max %d, String %s, Rat %v", r.IsZero(), r.Max(), r, r.Rat())
	}
	two, wide := backend.MustParseRatio("2"), backend.MustParseRatio("2e40")
	for _, s := range []backend.Ratio{r.Mul(two), two.Mul(r), wide.Mul(r), r.Mul(wide), r.Inv(), r.Scale(0, 255), r.Scale(9, 2)} {
		if s != r {
			t.Errorf("zero became %v", s)
		}
	}
	if two.IsZero() || wide.IsZero() || wide.Inv().IsZero() {
		t.Error("IsZero of a number that is not zero")
	}
}

func TestApplyAgainstBigIntegers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 4000 {
		r, amount := ratio(t, rng), word(rng)
		got, ok := r.Apply(amount)
		want, wantOK := oracle(r, amount)
		if got != want || ok != wantOK {
			t.Fatalf("(%v).Apply(%d) = %d, %v; want %d, %v", r, amount, got, ok, want, wantOK)
		}
	}
}

// Max is the last amount that Apply takes (ILP4-52).
func TestMaxIsTheLastAmount(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	below := 0
	for range 4000 {
		r := ratio(t, rng)
		limit := r.Max()
		if _, ok := r.Apply(limit); ok == r.IsZero() {
			t.Fatalf("(%v).Apply(Max() = %d): %v", r, limit, ok)
		}
		if limit == math.MaxUint64 {
			continue
		}
		below++
		if _, ok := r.Apply(limit + 1); ok {
			t.Fatalf("(%v).Max() = %d, but Apply takes one more", r, limit)
		}
	}
	if below < 400 {
		t.Fatalf("only %d ratios with a maximum below 2^64-1", below)
	}
}

func TestArithmeticAgainstBigRationals(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	ten := big.NewInt(10)
	for range 4000 {
		r, s := ratio(t, rng), ratio(t, rng)

		product := r.Mul(s)
		if want := new(big.Rat).Mul(r.Rat(), s.Rat()); product.Rat().Cmp(want) != 0 {
			t.Fatalf("(%v).Mul(%v) = %v; want %v", r, s, product, want)
		}
		canonical(t, product)

		if got, want := r.Cmp(s), r.Rat().Cmp(s.Rat()); got != want {
			t.Fatalf("(%v).Cmp(%v) = %d; want %d", r, s, got, want)
		}
		if r.Cmp(r) != 0 {
			t.Fatalf("(%v).Cmp(itself) = %d", r, r.Cmp(r))
		}

		from, to := uint8(rng.Uint32()), uint8(rng.Uint32())
		scaled := r.Scale(from, to)
		power := new(big.Rat).SetInt(new(big.Int).Exp(ten, big.NewInt(int64(max(from, to)-min(from, to))), nil))
		if to < from {
			power.Inv(power)
		}
		if want := power.Mul(power, r.Rat()); scaled.Rat().Cmp(want) != 0 {
			t.Fatalf("(%v).Scale(%d, %d) = %v; want %v", r, from, to, scaled, want)
		}
		canonical(t, scaled)

		if r.IsZero() {
			continue
		}
		inverse := r.Inv()
		if got := inverse.Mul(r); got != backend.MustParseRatio("1") {
			t.Fatalf("%v times its inverse %v = %v; want 1", r, inverse, got)
		}
		canonical(t, inverse)
	}
}

// A packet of dollars at scale 9 that becomes dollars at scale 2 loses seven
// digits, and the other way round gains them.
func TestScale(t *testing.T) {
	tests := []struct {
		ratio    string
		from, to uint8
		want     string
	}{
		{"1", 9, 9, "1"},
		{"1", 9, 2, "1/10000000"},
		{"1", 2, 9, "10000000"},
		{"1.08", 2, 9, "10800000"},
		{"499/500", 9, 2, "499/5000000000"},
		{"1", 0, 19, "10000000000000000000"},
		{"1", 0, 255, "1" + strings.Repeat("0", 255)},
		{"1", 255, 0, "1/1" + strings.Repeat("0", 255)},
	}
	for _, test := range tests {
		if got := backend.MustParseRatio(test.ratio).Scale(test.from, test.to).String(); got != test.want {
			t.Errorf("(%s).Scale(%d, %d) = %s; want %s", test.ratio, test.from, test.to, got, test.want)
		}
	}
	// What became wide comes back into words when the digits go again.
	r := backend.MustParseRatio("499/500")
	if got := r.Scale(0, 255).Scale(255, 0); got != r {
		t.Errorf("there and back: %v; want %v", got, r)
	}
}

func TestRatioAllocatesNothing(t *testing.T) {
	r, s, huge := backend.MustParseRatio("499/500"), backend.MustParseRatio("1.0834"), backend.MustParseRatio("1e19")
	tests := []struct {
		name string
		run  func()
	}{
		{"Apply", func() { _, _ = r.Apply(1_000_000) }},
		{"Apply that overflows", func() { _, _ = huge.Apply(1 << 63) }},
		{"Max", func() { _ = s.Max() }},
		{"Mul", func() { _ = r.Mul(s) }},
		{"Scale", func() { _ = r.Scale(9, 2) }},
		{"Inv", func() { _ = r.Inv() }},
		{"Cmp", func() { _ = r.Cmp(s) }},
	}
	for _, test := range tests {
		if n := testing.AllocsPerRun(100, test.run); n != 0 {
			t.Errorf("%s: %v allocations", test.name, n)
		}
	}
}
