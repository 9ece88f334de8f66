package routetable_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/interledger-go/connector/internal/routetable"
)

// table makes a table in which each prefix is its own value.
func table(prefixes ...string) *routetable.Table[string] {
	var b routetable.Builder[string]
	for _, p := range prefixes {
		b.Set(p, p)
	}
	return b.Build()
}

const none = "nothing"

func lookup(t *routetable.Table[string], address string) string {
	prefix, v, ok := t.Lookup(address)
	if !ok {
		return none
	}
	if !strings.HasPrefix(address, prefix) {
		return fmt.Sprintf("%q, which is no part of the address", prefix)
	}
	return v
}

// wantLookups fails the test unless each address finds its prefix.
func wantLookups(t *testing.T, table *routetable.Table[string], want map[string]string) {
	t.Helper()
	for address, prefix := range want {
		if got := lookup(table, address); got != prefix {
			t.Errorf("Lookup of %q = %q, want %q", address, got, prefix)
		}
	}
}

// ADDR-10: the longest prefix by whole segments.
func TestVectorTables(t *testing.T) {
	for _, v := range load(t).Tables {
		table := table(v.Table...)
		for _, c := range v.Cases {
			want := none
			if c[1] != nil {
				want = *c[1]
			}
			if got := lookup(table, *c[0]); got != want {
				t.Errorf("%q: Lookup of %q = %q, want %q", v.Table, *c[0], got, want)
			}
		}
	}
}

// A table of one prefix is a test of it.
func TestVectorPrefixes(t *testing.T) {
	for _, v := range load(t).Prefixes {
		if got := lookup(table(v.Prefix), v.Address) == v.Prefix; got != v.Match {
			t.Errorf("%s: %q is a prefix of %q: %v, want %v", v.ID, v.Prefix, v.Address, got, v.Match)
		}
	}
}

type vectors struct {
	Tables []struct {
		Table []string
		Cases [][2]*string
	} `json:"longest_prefix_tables"`
	Prefixes []struct {
		ID, Prefix, Address string
		Match               bool
	} `json:"prefix_match"`
}

func load(t *testing.T) vectors {
	t.Helper()
	file, err := os.ReadFile("testdata/addresses.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Prefixes) == 0 {
		t.Fatal("the file has no vectors")
	}
	return v
}

// Reference tests 60, 61 and 69. A table has no order: All is sorted by
// whoever needs it so.
func TestAllAndLen(t *testing.T) {
	table := table("foo", "bar")
	if got := slices.Sorted(maps.Keys(maps.Collect(table.All()))); !slices.Equal(got, []string{"bar", "foo"}) || table.Len() != 2 {
		t.Errorf("All gives %v, Len %d", got, table.Len())
	}
	for prefix, value := range table.All() {
		if value != prefix {
			t.Errorf("All gives %q for %q", value, prefix)
		}
	}
}

// Reference test 62.
func TestLookupOfPrefixItself(t *testing.T) {
	wantLookups(t, table("foo", "bar"), map[string]string{"foo": "foo", "bar": "bar"})
}

// Reference test 63.
func TestLookupBelowPrefix(t *testing.T) {
	wantLookups(t, table("foo"), map[string]string{"foo.123": "foo", "foo.12": "foo", "foo.1": "foo"})
}

// Reference test 64.
func TestLookupFindsNothing(t *testing.T) {
	wantLookups(t, table("foo"), map[string]string{"a": none, "z": none, "foost": none, "fo": none, "": none})
}

// Reference test 65.
func TestLookupBetweenPrefixes(t *testing.T) {
	wantLookups(t, table("test", "test.foo", "test.bar"), map[string]string{
		"test.fo": "test", "test.f": "test", "test.baz": "test", "test": "test",
		"test.foo": "test.foo", "test.bar": "test.bar", "test.foo.x": "test.foo", "test.food": "test",
	})
}

// Reference test 66.
func TestLookupSkipsDepths(t *testing.T) {
	wantLookups(t, table("test", "test.a.b.c"), map[string]string{
		"test.a.b.c.d": "test.a.b.c", "test.a.b.c": "test.a.b.c",
		"test.a": "test", "test.a.b": "test", "test.a.b.x": "test", "test.a.b.cc": "test",
	})
}

// Reference tests 67 and 68.
func TestGet(t *testing.T) {
	table := table("foo")
	if got, ok := table.Get("foo"); !ok || got != "foo" {
		t.Errorf("Get of a prefix = %q, %v", got, ok)
	}
	for _, prefix := range []string{"foo123", "foo.123", "fo", "bar", ""} {
		if got, ok := table.Get(prefix); ok || got != "" {
			t.Errorf("Get of %q = %q, %v, want nothing", prefix, got, ok)
		}
	}
}

// Reference tests 71 to 74 are about the order in which the reference tries
// its prefixes. What they want of it holds here without one: the longer
// prefix is found first, and the empty one last.
func TestLookupPrefersLonger(t *testing.T) {
	wantLookups(t, table("a.b.c", "z", "a.f.c", "z.b.a", "z.b", "z.a", "a.z.c", ""), map[string]string{
		"a.b.c.x": "a.b.c", "a.f.c.x": "a.f.c", "a.z.c.x": "a.z.c", "z.b.a.x": "z.b.a",
		"z.b.x": "z.b", "z.a.x": "z.a", "z.x": "z", "a.b": "", "y": "",
	})
}

// Reference tests 70 and 75: a change makes the next table, and the ones
// before stay as they were.
func TestTablesDoNotChange(t *testing.T) {
	var b routetable.Builder[string]
	b.Set("foo", "1")
	b.Set("bar", "1")
	before := b.Build()
	b.Set("foo", "2")
	b.Delete("bar")
	b.Delete("foobar") // there is none
	wantLookups(t, before, map[string]string{"foo.x": "1", "bar.x": "1"})
	if got := b.Pending(); got != 3 {
		t.Errorf("Pending = %d, want 3", got)
	}
	after := b.Build()
	wantLookups(t, before, map[string]string{"foo.x": "1", "bar.x": "1"})
	wantLookups(t, after, map[string]string{"foo.x": "2", "bar.x": none})
	if before.Len() != 2 || after.Len() != 1 || b.Pending() != 0 {
		t.Errorf("Len = %d and %d, want 2 and 1; Pending = %d, want 0", before.Len(), after.Len(), b.Pending())
	}
	b.Delete("foo")
	wantLookups(t, b.Build(), map[string]string{"foo": none, "foo.x": none})
	wantLookups(t, after, map[string]string{"foo.x": "2"})
}

// The last of several changes of a prefix counts.
func TestLastChangeCounts(t *testing.T) {
	var b routetable.Builder[string]
	b.Set("a", "1")
	b.Delete("a")
	b.Delete("b")
	b.Set("b", "1")
	b.Set("b", "2")
	wantLookups(t, b.Build(), map[string]string{"a": none, "b": "2"})
}

// Property: after any changes, in any portions, a table holds what a plain map
// holds, however it has grown and shrunk, and so does every table before it.
func TestBuilderAgainstMap(t *testing.T) {
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 4))
		var b routetable.Builder[int]
		plain := make(map[string]int)
		var old *routetable.Table[int]
		var oldPlain map[string]int
		for _, size := range []int{10, 3000, 20_000, 2500, 5, 0, 700} {
			for len(plain) < size {
				p := fmt.Sprintf("g.%d.%d", r.IntN(100), r.IntN(10*size))
				plain[p] = r.Int()
				b.Set(p, plain[p])
			}
			for p := range plain {
				if len(plain) == size {
					break
				}
				delete(plain, p)
				b.Delete(p)
			}
			table := b.Build()
			if got := maps.Collect(table.All()); !maps.Equal(got, plain) || table.Len() != len(plain) {
				t.Fatalf("seed %d: a table of %d prefixes does not hold what was put into it", seed, size)
			}
			for p, v := range plain {
				if prefix, got, ok := table.Lookup(p + ".x"); !ok || got != v || prefix != p {
					t.Fatalf("seed %d: Lookup below %q = %q, %d, %t, want %d", seed, p, prefix, got, ok, v)
				}
			}
			if old != nil && !maps.Equal(maps.Collect(old.All()), oldPlain) {
				t.Fatalf("seed %d: the table before has changed", seed)
			}
			old, oldPlain = table, maps.Clone(plain)
		}
	}
}

func TestZeroTableIsEmpty(t *testing.T) {
	var table routetable.Table[string]
	wantLookups(t, &table, map[string]string{"": none, "g": none, "g.a": none})
	if _, ok := table.Get("g"); ok || table.Len() != 0 {
		t.Error("the zero table has a prefix")
	}
	for prefix := range table.All() {
		t.Errorf("All gives %q", prefix)
	}
	wantLookups(t, new(routetable.Builder[string]).Build(), map[string]string{"g.a": none})
}

// The empty prefix covers every address, and an empty address has no other.
func TestEmptyPrefix(t *testing.T) {
	wantLookups(t, table(""), map[string]string{"": "", "g": "", "g.a.b": "", strings.Repeat("a.", 600) + "a": ""})
	wantLookups(t, table("", "g"), map[string]string{"": "", "g": "g", "g.a": "g", "h": ""})
}

// chain is a prefix of n segments.
func chain(n int) string { return strings.TrimSuffix(strings.Repeat("a.", n), ".") }

// Around the depth at which the lookup changes its way, at the depth of the
// longest address (512 segments in 1023 bytes), and beyond.
func TestDepths(t *testing.T) {
	for _, depth := range []int{1, 2, 23, 24, 25, 26, 63, 64, 65, 128, 511, 512, 513, 600} {
		t.Run(fmt.Sprint(depth), func(t *testing.T) {
			deep := chain(depth)
			wantLookups(t, table("", deep), map[string]string{
				deep: deep, deep + ".b": deep, deep + ".b.c": deep, deep + "b": "", chain(depth - 1): "", "a.b": cover(depth),
			})
			if depth > 1 {
				wantLookups(t, table("a", deep), map[string]string{deep: deep, chain(depth - 1): "a", deep + "b": "a", "b": none})
			}
			below := chain(depth + 1)
			wantLookups(t, table(deep, below), map[string]string{deep: deep, below: below, below + ".a": below, deep + ".b": deep})
		})
	}
	if longest := chain(512); len(longest) != 1023 {
		t.Errorf("512 segments have %d bytes, want those of the longest address", len(longest))
	}
}

// cover is the prefix that a.b has besides the empty one.
func cover(depth int) string {
	if depth == 1 {
		return "a"
	}
	return ""
}

// naive is the table as one would write it without a thought for time.
func naive(prefixes []string, address string) string {
	longest := none
	for _, p := range prefixes {
		covers := p == "" || address == p || strings.HasPrefix(address, p+".")
		if covers && (longest == none || len(p) > len(longest)) {
			longest = p
		}
	}
	return longest
}

// Property: a table gives what a search through all prefixes gives. The
// segments are few, so that there are many prefixes of prefixes.
func TestAgainstLinearSearch(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		deepest := []int{1, 3, 8, 24, 25, 40}[r.IntN(6)]
		some := func() string {
			segments := make([]string, 1+r.IntN(deepest))
			for i := range segments {
				segments[i] = []string{"a", "a", "a", "b", "ab"}[r.IntN(5)]
			}
			return strings.Join(segments, ".")
		}
		var prefixes []string
		for range r.IntN(60) {
			prefixes = append(prefixes, some())
		}
		if r.IntN(3) == 0 {
			prefixes = append(prefixes, "")
		}
		table := table(prefixes...)
		for range 200 {
			address := some()
			if len(prefixes) > 0 && r.IntN(2) == 0 { // near a prefix
				address = strings.TrimPrefix(prefixes[r.IntN(len(prefixes))]+[]string{"", ".a", ".b.a", "a"}[r.IntN(4)], ".")
			}
			if got, want := lookup(table, address), naive(prefixes, address); got != want {
				t.Fatalf("seed %d: among %q Lookup of %q = %q, want %q", seed, prefixes, address, got, want)
			}
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	for name, prefix := range map[string]string{"quick": "g.region.connector", "deep": chain(100)} {
		table, address := table("g", prefix), prefix+".account.~interaction"
		if n := testing.AllocsPerRun(100, func() {
			if _, _, ok := table.Lookup(address); !ok {
				t.Error("nothing found")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations for each lookup, want none", name, n)
		}
	}
}

// A lookup may go on while others do: a table is only read. Run it with -race.
func TestLookupConcurrently(t *testing.T) {
	table := table("g", "g.a", chain(30))
	t.Run("group", func(t *testing.T) {
		for range 4 {
			t.Run("reader", func(t *testing.T) {
				t.Parallel()
				for range 1000 {
					wantLookups(t, table, map[string]string{"g.a.b": "g.a", "g.b": "g", chain(31): chain(30)})
				}
			})
		}
	})
}
