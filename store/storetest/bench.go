package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/interledger-go/connector/store"
)

// Bench measures a store, with values of 64 bytes: the writes of a committer
// that fills one batch again and again with the accounts that have moved,
// writes of one key by many at once, by a number of writers that each wait for
// their own, reads, and scans.
func Bench(b *testing.B, opts Options) {
	b.Helper()
	if opts.New == nil {
		b.Fatal("storetest: Options.New is nil: want a function that returns an empty store")
	}
	for _, changes := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("Write/changes=%d", changes), func(b *testing.B) { benchWrite(b, opts, changes) })
	}
	b.Run("Write/parallel", func(b *testing.B) { benchWriteParallel(b, opts) })
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("Write/writers=%d", writers), func(b *testing.B) { benchWriters(b, opts, writers) })
	}
	b.Run("Get", func(b *testing.B) { benchGet(b, opts) })
	b.Run("Get/parallel", func(b *testing.B) { benchGetParallel(b, opts) })
	b.Run("Scan/keys=10000", func(b *testing.B) { benchScan(b, opts) })
}

const (
	benchKeys      = 10_000
	benchValueSize = 64
)

// filled returns a store with benchKeys keys, and the keys.
func filled(b *testing.B, opts Options) (store.Store, []string) {
	s := open(b, opts)
	keys := make([]string, benchKeys)
	var batch store.Batch
	for i := range keys {
		keys[i] = fmt.Sprintf("account/%06d", i)
		batch.Put(keys[i], make([]byte, benchValueSize))
	}
	if err := s.write(&batch); err != nil {
		b.Fatal(err)
	}
	return s.Store, keys
}

func benchWrite(b *testing.B, opts Options, changes int) {
	s, keys := filled(b, opts)
	value := make([]byte, benchValueSize)
	var batch store.Batch
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		for _, key := range keys[:changes] {
			batch.Put(key, value)
		}
		if err := s.Write(context.Background(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*changes), "ns/change")
}

func benchWriteParallel(b *testing.B, opts Options) {
	s, keys := filled(b, opts)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		value := make([]byte, benchValueSize)
		var batch store.Batch
		for i := 0; pb.Next(); i++ {
			batch.Reset()
			batch.Put(keys[i%len(keys)], value)
			if err := s.Write(context.Background(), &batch); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// benchWriters measures writers that write the same key of their own, each
// with another value every time.
func benchWriters(b *testing.B, opts Options, writers int) {
	s := open(b, opts)
	next := make(chan int)
	failed := make(chan error, writers)
	for w := range writers {
		go func() {
			var batch store.Batch
			var err error
			for i := range next {
				batch.Reset()
				batch.Put(fmt.Sprintf("account/%d", w), fmt.Appendf(nil, "%064d", i))
				if e := s.Write(context.Background(), &batch); e != nil {
					err = e
				}
			}
			failed <- err
		}()
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		next <- i
		i++
	}
	close(next)
	for range writers {
		if err := <-failed; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "writes/s")
}

func benchGet(b *testing.B, opts Options) {
	s, keys := filled(b, opts)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := s.Get(context.Background(), keys[i%len(keys)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func benchGetParallel(b *testing.B, opts Options) {
	s, keys := filled(b, opts)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := s.Get(context.Background(), keys[i%len(keys)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func benchScan(b *testing.B, opts Options) {
	s, keys := filled(b, opts)
	b.ReportAllocs()
	for b.Loop() {
		visits := 0
		err := s.Scan(context.Background(), "account/", func(string, []byte) error {
			visits++
			return nil
		})
		if err != nil || visits != len(keys) {
			b.Fatalf("%d visits, %v", visits, err)
		}
	}
}
