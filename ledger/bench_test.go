package ledger_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// A packet on both of its sides: reserve, reserve, post, post.
func BenchmarkPacket(b *testing.B) {
	b.Run("volatile", func(b *testing.B) {
		h := start(b, memstore.New())
		destination, source := h.book("destination"), h.book("source")
		w := make(signal, 1)
		b.ReportAllocs()
		for b.Loop() {
			packet(b, destination, source, w)
		}
	})
	// One in flight: each is a batch of its own.
	b.Run("durable", func(b *testing.B) {
		h := start(b, instant{memstore.New()})
		destination, source := h.book("destination"), h.book("source")
		w := make(signal, 1)
		b.ReportAllocs()
		for b.Loop() {
			packet(b, destination, source, w)
		}
	})
	// A thousand in flight share batches.
	b.Run("durable/inflight=1000", func(b *testing.B) {
		h := start(b, instant{memstore.New()})
		destination, source := h.book("destination"), h.book("source")
		w := make(signal, 1000)
		ctx := context.Background()
		for range cap(w) {
			w <- struct{}{}
		}
		b.ReportAllocs()
		for b.Loop() {
			<-w
			reserve(b, source, ledger.Incoming, 5)
			reserve(b, destination, ledger.Outgoing, 5)
			_ = destination.Post(ctx, ledger.Outgoing, 5, nil)
			_ = source.Post(ctx, ledger.Incoming, 5, w)
		}
		for range cap(w) {
			<-w
		}
	})
}

// Packets of many goroutines, each between two accounts of its own.
func BenchmarkPacketParallel(b *testing.B) {
	for _, test := range []struct {
		name  string
		store store.Store
	}{{"volatile", memstore.New()}, {"durable", instant{memstore.New()}}} {
		b.Run(test.name, func(b *testing.B) {
			h := start(b, test.store)
			var n atomic.Int64
			b.SetParallelism(50)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				id := n.Add(1)
				destination, source := h.book(fmt.Sprint("destination ", id)), h.book(fmt.Sprint("source ", id))
				defer destination.Close()
				defer source.Close()
				w := make(signal, 1)
				for pb.Next() {
					packet(b, destination, source, w)
				}
			})
		})
	}
}

// A batch of this many books, from the first posting until everybody is told.
func BenchmarkCommit(b *testing.B) {
	for _, dirty := range []int{1, 1000} {
		b.Run(fmt.Sprintf("dirty=%d", dirty), func(b *testing.B) {
			h := start(b, instant{memstore.New()})
			books := make([]ledger.Book, dirty)
			for i := range books {
				books[i] = h.book(fmt.Sprintf("account %04d", i))
			}
			w := make(signal, dirty)
			b.ReportAllocs()
			for b.Loop() {
				for _, book := range books {
					_ = book.Post(context.Background(), ledger.Incoming, 0, w)
				}
				for range books {
					<-w
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*dirty), "ns/book")
		})
	}
}
