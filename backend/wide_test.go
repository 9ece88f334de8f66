package backend_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/interledger-go/connector/backend"
)

// wideRatio draws a ratio whose two numbers have up to 130 bits, with runs of
// ones and zeros, which is where long division goes wrong.
func wideRatio(t *testing.T, rng *rand.Rand) backend.Ratio {
	t.Helper()
	draw := func() *big.Int {
		x := new(big.Int)
		for range 1 + rng.IntN(3) {
			part := word(rng)
			if rng.IntN(3) == 0 {
				part = []uint64{0, 1, math.MaxUint64, 1 << 63, math.MaxUint64 - 1}[rng.IntN(5)]
			}
			x.Lsh(x, uint(rng.IntN(65))).Or(x, new(big.Int).SetUint64(part))
		}
		x.Rsh(x, uint(max(0, x.BitLen()-130)))
		return x.Add(x, big.NewInt(1))
	}
	r, err := backend.FromRat(new(big.Rat).SetFrac(draw(), draw()))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestApplyWideAgainstBigIntegers(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	fits := 0
	for range 40_000 {
		r, amount := wideRatio(t, rng), word(rng)
		got, ok := r.Apply(amount)
		want, wantOK := oracle(r, amount)
		if got != want || ok != wantOK {
			t.Fatalf("(%v).Apply(%d) = %d, %v; want %d, %v", r, amount, got, ok, want, wantOK)
		}
		if ok && got > 0 {
			fits++
		}
	}
	if fits < 10_000 {
		t.Fatalf("only %d results that say something", fits)
	}
}

// The estimate of long division is off by the most where the divisor's upper
// word is as small as it can be and the lower one as large.
func TestApplyWideAtTheEdges(t *testing.T) {
	edge := []uint64{0, 1, 2, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64}
	number := func(hi, lo uint64) *big.Int {
		x := new(big.Int).SetUint64(hi)
		return x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(lo))
	}
	for _, a := range edge {
		for _, b := range edge {
			for _, c := range edge {
				for _, d := range edge {
					if c|d == 0 {
						continue
					}
					r, err := backend.FromRat(new(big.Rat).SetFrac(number(a, b), number(c, d)))
					if err != nil {
						t.Fatal(err)
					}
					for _, amount := range edge {
						got, ok := r.Apply(amount)
						if want, wantOK := oracle(r, amount); got != want || ok != wantOK {
							t.Fatalf("(%v).Apply(%d) = %d, %v; want %d, %v", r, amount, got, ok, want, wantOK)
						}
					}
				}
			}
		}
	}
}

func TestApplyWideAllocatesNothing(t *testing.T) {
	r := backend.MustParseRatio("0.5123456789012345").Mul(backend.MustParseRatio("1.0834")).Mul(backend.MustParseRatio("499/500"))
	if n := testing.AllocsPerRun(100, func() { _, _ = r.Apply(1_000_000) }); n != 0 {
		t.Errorf("%v allocations for %v", n, r)
	}
}

func BenchmarkApplyUpTo128Bits(b *testing.B) {
	r := backend.MustParseRatio("0.5123456789012345").Mul(backend.MustParseRatio("1.08341234567"))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.Apply(1_000_000); !ok {
			b.Fatal("refused")
		}
	}
}
