package boltstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
	"github.com/interledger-go/connector/store/storetest"
)

func BenchmarkStore(b *testing.B) { storetest.Bench(b, options()) }

// BenchmarkWriters is so many writers at once, each with batches of so many of
// its own accounts. One op is one batch.
func BenchmarkWriters(b *testing.B) {
	for _, writers := range []int{1, 4, 16, 64, 256} {
		for _, changes := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("writers=%d/changes=%d", writers, changes), func(b *testing.B) { benchWriters(b, writers, changes) })
		}
	}
}

func benchWriters(b *testing.B, writers, changes int) {
	s := open(b, filepath.Join(b.TempDir(), "connector.db"))
	keys := fill(b, s, 10_000)
	before := s.Groups()
	b.ReportAllocs()
	b.ResetTimer()
	var done sync.WaitGroup
	for w := range writers {
		done.Go(func() {
			value := make([]byte, 64)
			var batch store.Batch
			for i := w; i < b.N; i += writers {
				batch.Reset()
				value[0], value[1] = byte(i), byte(i>>8)
				for c := range changes {
					batch.Put(keys[(i*37+c)%len(keys)], value)
				}
				if err := s.Write(context.Background(), &batch); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
	b.StopTimer()
	after := s.Groups()
	b.ReportMetric(float64(b.N*changes)/b.Elapsed().Seconds(), "changes/s")
	b.ReportMetric(float64(b.N)/float64(after-before), "batches/commit")
}

// fill writes so many accounts, and returns their keys.
func fill(b *testing.B, s store.Store, accounts int) []string {
	b.Helper()
	keys := make([]string, accounts)
	var batch store.Batch
	for i := range keys {
		keys[i] = fmt.Sprintf("account/%06d", i)
		batch.Put(keys[i], make([]byte, 64))
	}
	if err := s.Write(context.Background(), &batch); err != nil {
		b.Fatal(err)
	}
	return keys
}

// BenchmarkOpen opens a store with so many accounts, which reads and checks
// all of the file.
func BenchmarkOpen(b *testing.B) {
	for _, accounts := range []int{100, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "connector.db")
			s := open(b, path)
			fill(b, s, accounts)
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(fileSize(b, path))
			b.ReportAllocs()
			for b.Loop() {
				s, err := boltstore.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func fileSize(b *testing.B, path string) int64 {
	b.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}
