package backend_test

import (
	"testing"

	"github.com/interledger-go/connector/backend"
)

func BenchmarkApply(b *testing.B) {
	for _, bench := range []struct{ name, ratio string }{
		{"words", "499/500"},
		{"words-long", "0.9183475629384756123"},
		{"wide", "499e-40"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := backend.MustParseRatio(bench.ratio)
			b.ReportAllocs()
			amount := uint64(1_000_000)
			for b.Loop() {
				result, ok := r.Apply(amount)
				if !ok {
					b.Fatal("refused")
				}
				amount += result & 1
			}
		})
	}
}

func BenchmarkMax(b *testing.B) {
	r := backend.MustParseRatio("1.0834")
	b.ReportAllocs()
	for b.Loop() {
		if r.Max() == 0 {
			b.Fatal("zero")
		}
	}
}

func BenchmarkMul(b *testing.B) {
	r, s := backend.MustParseRatio("499/500"), backend.MustParseRatio("1.0834")
	b.ReportAllocs()
	for b.Loop() {
		if r.Mul(s).IsZero() {
			b.Fatal("zero")
		}
	}
}

func BenchmarkScale(b *testing.B) {
	r := backend.MustParseRatio("1.0834")
	b.ReportAllocs()
	for b.Loop() {
		if r.Scale(9, 2).IsZero() {
			b.Fatal("zero")
		}
	}
}

func BenchmarkParseRatio(b *testing.B) {
	for _, text := range []string{"1.0834", "499/500"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := backend.ParseRatio(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
