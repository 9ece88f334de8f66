package boltstore_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/interledger-go/connector/store"
)

// BenchmarkLatency is one writer that changes one of a thousand accounts at a
// time, among other accounts. In between it overwrites a page of a plain file
// and syncs that with fdatasync, and another with fsync, so that all three meet
// the same disk in the same mood. It prints their medians, and what a Write
// costs in terms of each sync.
func BenchmarkLatency(b *testing.B) {
	const accounts, moving = 10_000, 1000
	dir := b.TempDir()
	s := open(b, filepath.Join(dir, "connector.db"))
	keys := fill(b, s, accounts)
	data, full := newPlainFile(b, filepath.Join(dir, "data")), newPlainFile(b, filepath.Join(dir, "full"))
	var batch store.Batch
	value := make([]byte, 64)
	var fdatasyncs, fsyncs, writes []time.Duration
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		value[0], value[1] = byte(i), byte(i>>8)
		batch.Reset()
		batch.Put(keys[i*37%moving], value)
		fdatasyncs = append(fdatasyncs, clock(b, func() error {
			return data.overwrite(i, func() error { return syscall.Fdatasync(int(data.Fd())) })
		}))
		fsyncs = append(fsyncs, clock(b, func() error { return full.overwrite(i, full.Sync) }))
		writes = append(writes, clock(b, func() error { return s.Write(context.Background(), &batch) }))
	}
	fdatasync, fsync, write := median(fdatasyncs), median(fsyncs), median(writes)
	b.ReportMetric(fdatasync, "fdatasync-ns")
	b.ReportMetric(fsync, "fsync-ns")
	b.ReportMetric(write, "write-ns")
	b.ReportMetric(write/fdatasync, "fdatasyncs/write")
	b.ReportMetric(write/fsync, "fsyncs/write")
	b.ReportMetric(0, "ns/op") // It would be that of all three.
}

// plainFile is a file whose pages are all on the disk.
type plainFile struct {
	*os.File
	page []byte
}

const plainPages = 256

func newPlainFile(b *testing.B, path string) *plainFile {
	b.Helper()
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = file.Close() })
	f := &plainFile{file, make([]byte, os.Getpagesize())}
	for i := range plainPages {
		if err := f.overwrite(i, func() error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return f
}

// overwrite writes one page, another one each time, and syncs it.
func (f *plainFile) overwrite(i int, sync func() error) error {
	f.page[0]++
	if _, err := f.WriteAt(f.page, int64(i*37%plainPages*len(f.page))); err != nil {
		return err
	}
	return sync()
}

func clock(b *testing.B, f func() error) time.Duration {
	start := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Nanoseconds())
}
