package routetable_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/routetable"
)

// BenchmarkLookup looks addresses up among a million routes of the form
// g.region.connector[.sub[.leaf]]. Nine addresses of ten are below a route; the
// others miss at the last segment. Hot lookups go to a thousand addresses,
// cold ones to 200,000 in turn, which do not fit into a cache. While changing,
// a thousand routes a second change, ten at a time. B/route is what the table
// takes besides the text of the prefixes, with a pointer for a value.
func BenchmarkLookup(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	prefixes := routes(r, 1_000_000)
	target := new(int)
	before := heap()
	builder := new(routetable.Builder[*int])
	for _, p := range prefixes {
		builder.Set(p, target)
	}
	built := builder.Build()
	*builder = routetable.Builder[*int]{} // with it the memory for the changes
	bytes := float64(heap()-before) / float64(len(prefixes))
	addresses := make([]string, 200_000)
	for i := range addresses {
		addresses[i] = address(r, prefixes[r.IntN(len(prefixes))])
	}
	for _, c := range []struct {
		name     string
		among    []string
		changing bool
	}{
		{"hot", addresses[:1000], false}, {"cold", addresses, false},
		{"hot/changing", addresses[:1000], true}, {"cold/changing", addresses, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			var table atomic.Pointer[routetable.Table[*int]]
			table.Store(built)
			if c.changing {
				defer keepChanging(&table, prefixes, target)()
			}
			b.ReportAllocs()
			i, found := 0, 0
			for b.Loop() {
				if _, _, ok := table.Load().Lookup(c.among[i]); ok {
					found++
				}
				if i++; i == len(c.among) {
					i = 0
				}
			}
			if found == 0 {
				b.Fatal("no address was found")
			}
			b.ReportMetric(bytes, "B/route")
		})
	}
}

// keepChanging takes ten routes out of the table and puts them back, a hundred
// times a second, until it is told to stop.
func keepChanging(table *atomic.Pointer[routetable.Table[*int]], prefixes []string, target *int) (stop func()) {
	var builder routetable.Builder[*int]
	for _, p := range prefixes {
		builder.Set(p, target)
	}
	table.Store(builder.Build())
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i += 5 {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			for j := range 5 {
				builder.Delete(prefixes[(i+j)%len(prefixes)])
				builder.Set(prefixes[(i+j+len(prefixes)-5)%len(prefixes)], target)
			}
			table.Store(builder.Build())
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}

// heap is how much memory is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// routes makes n different prefixes.
func routes(r *rand.Rand, n int) []string {
	seen := make(map[string]bool, n)
	all := make([]string, 0, n)
	for len(all) < n {
		p := fmt.Sprintf("g.region%02d.connector-%05d", r.IntN(40), r.IntN(50_000))
		if r.IntN(4) > 0 {
			p += fmt.Sprintf(".sub%03d", r.IntN(1000))
			if r.IntN(3) == 0 {
				p += "." + name(r, 7)
			}
		}
		if !seen[p] {
			seen[p] = true
			all = append(all, p)
		}
	}
	return all
}

// address makes an address below a prefix, or one that misses it at its last
// segment.
func address(r *rand.Rand, prefix string) string {
	if r.IntN(10) == 0 {
		prefix = prefix[:strings.LastIndexByte(prefix, '.')+1] + name(r, 9)
	}
	return prefix + "." + name(r, 8) + ".~" + name(r, 18)
}

func name(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[r.IntN(36)]
	}
	return string(b)
}

// BenchmarkBuild is what ten changes cost among a million routes.
func BenchmarkBuild(b *testing.B) {
	prefixes := routes(rand.New(rand.NewPCG(1, 2)), 1_000_000)
	var builder routetable.Builder[int]
	for _, p := range prefixes {
		builder.Set(p, 1)
	}
	builder.Build()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		for range 10 {
			builder.Set(prefixes[i%len(prefixes)], i)
			i += 7919
		}
		builder.Build()
	}
}
