package ilp_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// streamAddress is as long as the addresses that STREAM servers hand out: a
// node, an account and a token.
const streamAddress = "g.connie.bob.7XKJzB1cUsVyU2Rlg8xz3kjHa9-Wk2mcpS2SUyPqXuM"

func encode(tb testing.TB, p interface {
	AppendBinary([]byte) ([]byte, error)
}) []byte {
	tb.Helper()
	b, err := p.AppendBinary(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func benchPrepare(destination string, dataSize int) *ilp.Prepare {
	return &ilp.Prepare{
		Amount:      1_000_000,
		ExpiresAt:   time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
		Condition:   ilp.Fulfillment{1, 2, 3}.Condition(),
		Destination: ilp.MustParseAddress(destination),
		Data:        bytes.Repeat([]byte{0x5a}, dataSize),
	}
}

// What a packet costs goes by the length of its destination, not of its data.
func BenchmarkPrepareDecode(b *testing.B) {
	for _, c := range []struct {
		name, destination string
		data              int
	}{
		{"data=300/destination=13", "example.alice", 300},
		{"data=300/destination=56", streamAddress, 300},
		{"data=32767/destination=56", streamAddress, ilp.MaxDataLength},
	} {
		packet := encode(b, benchPrepare(c.destination, c.data))
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var p ilp.Prepare
			for b.Loop() {
				if err := p.Decode(packet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A packet that is forwarded: the bytes it came in with two fields changed.
func BenchmarkPrepareAppendForwarded(b *testing.B) {
	packet := encode(b, benchPrepare(streamAddress, 300))
	var p ilp.Prepare
	if err := p.Decode(packet); err != nil {
		b.Fatal(err)
	}
	p.Amount--
	p.ExpiresAt = p.ExpiresAt.Add(-time.Second)
	dst := make([]byte, 0, ilp.MaxPrepareSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.AppendBinary(dst); err != nil {
			b.Fatal(err)
		}
	}
}

// A packet that a host made.
func BenchmarkPrepareAppendNew(b *testing.B) {
	p := benchPrepare(streamAddress, 300)
	dst := make([]byte, 0, ilp.MaxPrepareSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.AppendBinary(dst); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRewrite(b *testing.B) {
	p := benchPrepare(streamAddress, 300)
	packet := encode(b, p)
	b.ReportAllocs()
	for b.Loop() {
		if err := ilp.Rewrite(packet, 999_999, p.ExpiresAt); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFulfillDecode(b *testing.B) {
	packet := encode(b, &ilp.Fulfill{Data: make([]byte, 300)})
	var f ilp.Fulfill
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Decode(packet); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFulfillAppend(b *testing.B) {
	f := &ilp.Fulfill{Data: make([]byte, 300)}
	dst := make([]byte, 0, ilp.MaxFulfillSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.AppendBinary(dst); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRejectDecode(b *testing.B) {
	packet := encode(b, &ilp.Reject{
		Code:        ilp.R01InsufficientSourceAmount,
		TriggeredBy: ilp.MustParseAddress("g.connie"),
		Message:     "the amount is too small to forward",
	})
	var r ilp.Reject
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Decode(packet); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRejectAppend(b *testing.B) {
	r := ilp.Rejectf(ilp.F02Unreachable, "no route found")
	r.TriggeredBy = ilp.MustParseAddress("g.connie")
	dst := make([]byte, 0, ilp.MaxRejectSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.AppendBinary(dst); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAddress(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ilp.ParseAddress(streamAddress); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFulfillmentCondition(b *testing.B) {
	f := ilp.Fulfillment{1, 2, 3}
	b.ReportAllocs()
	for b.Loop() {
		if f.Condition() == ilp.PeerCondition {
			b.Fatal("two fulfillments of one condition")
		}
	}
}
