package routetable_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/interledger-go/connector/internal/routetable"
)

// BenchmarkLookup looks addresses up among a million routes of the form
// g.region.connector[.sub[.leaf]]. Nine addresses of ten are below a route; the
// others miss at the last segment. Hot lookups go to a thousand addresses,
// cold ones to 200,000 in turn, which do not fit into a cache. B/route is
// what the table takes besides the text of the prefixes, with a pointer for a
// value.
func BenchmarkLookup(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	prefixes := routes(r, 1_000_000)
	target := new(int)
	before := heap()
	values := make(map[string]*int, len(prefixes))
	for _, p := range prefixes {
		values[p] = target
	}
	table := routetable.New(values)
	bytes := float64(heap()-before) / float64(len(prefixes))
	addresses := make([]string, 200_000)
	for i := range addresses {
		addresses[i] = address(r, prefixes[r.IntN(len(prefixes))])
	}
	for _, c := range []struct {
		name  string
		among []string
	}{{"hot", addresses[:1000]}, {"cold", addresses}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			i, found := 0, 0
			for b.Loop() {
				if _, ok := table.Lookup(c.among[i]); ok {
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
	runtime.KeepAlive(values)
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

// BenchmarkNew is what a change of the routes costs besides the copy of the
// map: a look at each of 100,000 prefixes.
func BenchmarkNew(b *testing.B) {
	values := make(map[string]int)
	for _, p := range routes(rand.New(rand.NewPCG(1, 2)), 100_000) {
		values[p] = 1
	}
	b.ReportAllocs()
	for b.Loop() {
		routetable.New(values)
	}
}
