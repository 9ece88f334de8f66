package oer_test

import (
	"testing"
	"time"

	"github.com/interledger-go/connector/oer"
)

func BenchmarkReader(b *testing.B) {
	in := append(make([]byte, 8), 0x07)
	in = append(in, "g.alice"...)
	in = oer.AppendOctets(in, make([]byte, 300))
	in = oer.AppendUint(in, 1<<40)
	b.ReportAllocs()
	for b.Loop() {
		r := oer.NewReader(in)
		r.Uint64()
		r.Octets()
		r.Octets()
		r.Uint()
		if err := r.Err(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	data := make([]byte, 300)
	dst := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		out := oer.AppendString(dst, "g.alice")
		out = oer.AppendOctets(out, data)
		oer.AppendUint(out, 1<<40)
	}
}

func BenchmarkParseTimestamp(b *testing.B) {
	wire := []byte("20260102030405678")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := oer.ParseTimestamp(wire); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutTimestamp(b *testing.B) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	wire := make([]byte, oer.TimestampSize)
	b.ReportAllocs()
	for b.Loop() {
		if err := oer.PutTimestamp(wire, at); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseGeneralizedTime(b *testing.B) {
	text := []byte("20260102030405.678Z")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := oer.ParseGeneralizedTime(text); err != nil {
			b.Fatal(err)
		}
	}
}
