package ccp_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ccp"
)

// CCP-32: what is not told to anybody.
func TestTableSuppresses(t *testing.T) {
	for _, c := range []struct {
		name string
		best ccp.Best
		told bool
	}{
		{"own address", best("test.connie", self), true},
		{"configured route", best("test.prefix", cad), true},
		{"learnt route", best("test.a", cad, "test.cad", "test.a"), true},
		{"the global prefix itself", best("test", parent), false},
		{"another network", best("g.a", cad, "g.cad"), false},
		{"a longer word than the global prefix", best("test1.a", cad), false},
		{"a child, which our address covers", best("test.connie.child", child), false},
		{"what a child has learnt below our address", best("test.connie.child.x", child, "test.connie.child"), true},
		{"a neighbor of similar name", best("test.conniewood", cad), true},
		{"no prefix at all", best("test..a", cad), false},
		{"a path that no packet holds", best("test.a", cad, slices.Repeat([]string{"test." + strings.Repeat("x", 1000)}, 9)...), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := newTable()
			if table.Set([]ccp.Best{c.best}) != c.told {
				t.Errorf("Set = %v", !c.told)
			}
			if _, ok := table.Get(c.best.Prefix); ok != c.told {
				t.Errorf("told: %v, want %v", ok, c.told)
			}
		})
	}
}

// Each change is an epoch; what changes nothing is none (js-connector 20: a
// changed path with the same next hop is one).
func TestTableEpochs(t *testing.T) {
	table := newTable()
	other := best("test.a", cad, "test.cad")
	other.Route.Auth = ccp.Auth{1}
	for i, c := range []struct {
		name string
		set  ccp.Best
		want uint32
	}{
		{"new", best("test.a", cad, "test.cad"), 1},
		{"the same", best("test.a", cad, "test.cad"), 1},
		{"another path", best("test.a", cad, "test.cad", "test.b"), 2},
		{"another next hop", best("test.a", usd, "test.cad", "test.b"), 3},
		{"another auth", other, 4},
		{"withdrawn", none("test.a"), 5},
		{"withdrawn again", none("test.a"), 5},
		{"never known", none("test.b"), 5},
		{"back", best("test.a", cad, "test.cad"), 6},
	} {
		before := table.CurrentEpoch()
		changed := table.Set([]ccp.Best{c.set})
		if got := table.CurrentEpoch(); got != c.want || changed != (got != before) {
			t.Errorf("%d %s: epoch %d (changed: %v), want %d", i, c.name, got, changed, c.want)
		}
	}
}

// js-connector 5.5: the DRAGON rule, and (20) its undoing.
func TestTableDragon(t *testing.T) {
	type step struct {
		set  []ccp.Best
		want string
	}
	s := func(want string, set ...ccp.Best) step { return step{set, want} }
	for name, steps := range map[string][]step{
		"a cover as good makes superfluous": {
			s("test.a.b", best("test.a.b", cad, "test.cad")),
			s("test.a", best("test.a", usd, "test.usd")),
			s("test.a.b", none("test.a")),
		},
		"a better cover does": {
			s("test.a", best("test.a.b", parent, "test.p"), best("test.a", child, "test.c")),
		},
		"a worse cover does not": {
			s("test.a test.a.b", best("test.a.b", child, "test.c"), best("test.a", cad, "test.cad")),
		},
		"a cover that worsens lets go": {
			s("test.a", best("test.a.b", cad, "test.cad"), best("test.a", usd, "test.usd")),
			s("test.a test.a.b", best("test.a", parent, "test.p")),
			s("test.a", best("test.a", child, "test.c")),
		},
		"our own address covers nothing": {
			s("test.connie test.connie.c.x", best("test.connie", self), best("test.connie.c.x", child, "test.connie.c")),
		},
		"the default route covers nothing": {
			s("test.a", best("test", parent), best("test.a", parent, "test.p")),
		},
		"whole segments only": {
			s("test.a test.ab", best("test.a", cad, "test.cad"), best("test.ab", cad, "test.cad")),
			s("test.a test.a- test.ab", best("test.a-", cad, "test.cad")),
		},
		"the shortest of several": {
			s("test.a", best("test.a.b.c", cad, "test.cad"), best("test.a.b", cad, "test.cad"), best("test.a", cad, "test.cad")),
			s("test.a.b", none("test.a")),
			s("test.a.b.c", none("test.a.b")),
		},
		"many levels below": {
			s("test.a.b.c.d.e", best("test.a.b.c.d.e", cad, "test.cad")),
			s("test.a", best("test.a", cad, "test.cad")),
		},
		"a covered route that goes": {
			s("test.a", best("test.a.b", cad, "test.cad"), best("test.a", cad, "test.cad")),
			s("test.a", none("test.a.b")),
			s("", none("test.a")),
		},
		"both at once, in one batch": {
			s("test.a test.a.b", best("test.a.b", child, "test.c"), best("test.a", cad, "test.cad")),
			s("test.a.b", best("test.a.b", cad, "test.cad"), none("test.a")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			table := newTable()
			for i, step := range steps {
				table.Set(step.set)
				if got := strings.Join(announced(table), " "); got != step.want {
					t.Errorf("after step %d: %q, want %q", i, got, step.want)
				}
			}
		})
	}
}

// js-connector 20: neither log nor tombstones grow for ever.
func TestTableMemoryIsBounded(t *testing.T) {
	table := newTable(best("test.connie", self))
	for i := range 20 * ccp.KeptTombstones {
		prefix := fmt.Sprintf("test.p%d", i)
		table.Set([]ccp.Best{best(prefix, cad, "test.cad")})
		table.Set([]ccp.Best{best(prefix, cad, "test.cad", "test.other")})
		table.Set([]ccp.Best{none(prefix)})
	}
	entries, places, indexed := table.Entries()
	if limit := 2 * ccp.KeptTombstones; entries > limit || indexed != entries || places > 4*limit {
		t.Errorf("%d entries, %d in order, %d places in the log", entries, indexed, places)
	}
	if table.Floor() == 0 || table.Floor() > table.CurrentEpoch() {
		t.Errorf("the floor is %d of %d", table.Floor(), table.CurrentEpoch())
	}
	if table.Len() != 1 {
		t.Errorf("%d routes, want one", table.Len())
	}
	equal(t, announced(table), []string{"test.connie"})
}

// A peer that has not been told of withdrawals yet is waited for, but not for
// ever.
func TestTableKeepsWhatIsAwaited(t *testing.T) {
	table := newTable()
	sender := newSender(table, usd)
	m := sender.Poll(start.Add(ccp.DefaultSpacing))
	update(t, m)
	for i := range 3 * ccp.KeptTombstones {
		prefix := fmt.Sprintf("test.p%d", i)
		table.Set([]ccp.Best{best(prefix, cad, "test.cad")})
		table.Set([]ccp.Best{none(prefix)})
	}
	if table.Floor() != 0 {
		t.Errorf("the floor is %d: withdrawals were forgotten that a peer waits for", table.Floor())
	}
	sender.LinkDown(start)
	for i := range ccp.KeptTombstones {
		prefix := fmt.Sprintf("test.q%d", i)
		table.Set([]ccp.Best{best(prefix, cad, "test.cad")})
		table.Set([]ccp.Best{none(prefix)})
	}
	if entries, _, _ := table.Entries(); table.Floor() == 0 || entries > 2*ccp.KeptTombstones {
		t.Errorf("the floor is %d, and there are %d entries", table.Floor(), entries)
	}
}

// Epochs have 32 bits.
func TestTableRenewsBeforeEpochsEnd(t *testing.T) {
	table := newTable(best("test.a", cad, "test.cad"), best("test.b", cad, "test.cad"))
	table.Set([]ccp.Best{none("test.b")})
	table.Exhaust(math.MaxUint32 - 2)
	table.Set([]ccp.Best{best("test.c", cad, "test.cad")})
	if table.ID() == tableID || table.CurrentEpoch() != 2 || table.Floor() != 0 {
		t.Errorf("table %s at epoch %d", table.ID(), table.CurrentEpoch())
	}
	equal(t, announced(table), []string{"test.a", "test.c"})
	if entries, places, _ := table.Entries(); entries != 2 || places != 2 {
		t.Errorf("%d entries, %d places", entries, places)
	}
	table.Exhaust(math.MaxUint32)
	if !table.Set(nil) {
		t.Error("a table that has been renewed has nothing to tell")
	}
}

// What our address covers changes with it.
func TestTableSetAddress(t *testing.T) {
	table := newTable(best("test.connie.child", child), best("test.bob.child", child), best("g.x", cad, "g.cad"))
	equal(t, announced(table), []string{"test.bob.child"})
	table.SetAddress(addr("test.bob"))
	equal(t, announced(table), []string{"test.connie.child"})
	table.SetAddress(addr("g.bob"))
	equal(t, announced(table), []string{"g.x"})
	if table.ID() == tableID {
		t.Error("the table has its old id")
	}
}

// Without an address nothing can be told.
func TestTableWithoutAddress(t *testing.T) {
	table := ccp.NewTable(ccp.TableOptions{})
	table.Set([]ccp.Best{best("test.a", cad, "test.cad")})
	sender := newSender(table, usd)
	if m := sender.Poll(start.Add(ccp.DefaultInterval)); m != nil || !sender.Deadline().IsZero() {
		t.Errorf("message %v, deadline %v", m, sender.Deadline())
	}
	table.SetAddress(addr("test.connie"))
	sender.TableChanged(start)
	u := update(t, sender.Poll(start.Add(ccp.DefaultSpacing)))
	equal(t, prefixes(u.NewRoutes), []string{"test.a"})
}

// mustTell works out what a table must tell, from all routes that there are.
func mustTell(routes map[string]ccp.Best) (prefixes []string) {
	below := func(prefix, of string) bool { return strings.HasPrefix(prefix, of+".") }
	eligible := func(b ccp.Best) bool {
		return below(b.Prefix, "test") && !(below(b.Prefix, "test.connie") && len(b.Route.Path) == 0)
	}
	worth := func(n ccp.Neighbor) int {
		if n.ID == "" {
			return 3
		}
		return map[account.Relation]int{account.Parent: 0, account.Peer: 1, account.Child: 2}[n.Relation]
	}
	for prefix, b := range routes {
		tell := eligible(b)
		for i := range prefix {
			if prefix[i] != '.' {
				continue
			}
			if c, ok := routes[prefix[:i]]; ok && eligible(c) && c.NextHop.ID != "" && worth(c.NextHop) >= worth(b.NextHop) {
				tell = false
			}
		}
		if tell {
			prefixes = append(prefixes, prefix)
		}
	}
	slices.Sort(prefixes)
	return prefixes
}

// Whatever changes, in whatever batches, the table tells what the rules say,
// and the log says how it came about.
func TestTableModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	table := newTable()
	routes, logged := make(map[string]ccp.Best), make(map[string]*ccp.Route)
	reader := newSender(table, neighbor("reader", account.Child))
	at := start
	for step := range 120 {
		var changes []ccp.Best
		seen := make(map[string]bool)
		size := 1 + random.IntN(8)
		if step%40 == 0 {
			size = 1500 // more than a chunk of the index
		}
		for range size {
			prefix := []string{"test", "test", "test", "g", "test.connie"}[random.IntN(5)]
			for range random.IntN(5) {
				prefix += []string{".a", ".a-", ".a~", ".b", ".A", ".0"}[random.IntN(6)]
			}
			if seen[prefix] {
				continue
			}
			seen[prefix] = true
			b := none(prefix)
			if delete(routes, prefix); random.IntN(5) > 1 {
				b = best(prefix, modelNeighbors[random.IntN(len(modelNeighbors))], []string{"test.h1", "test.h2"}[:random.IntN(3)]...)
				routes[prefix] = b
			}
			changes = append(changes, b)
		}
		table.Set(changes)
		want := mustTell(routes)
		equal(t, announced(table), want)
		if table.Len() != len(want) {
			t.Errorf("Len = %d, want %d", table.Len(), len(want))
		}
		// What the log has told adds up to the same.
		reader.TableChanged(at)
		for at = at.Add(time.Minute); ; {
			m := reader.Poll(at)
			if m == nil {
				break
			}
			u := update(t, m)
			for _, prefix := range u.WithdrawnRoutes {
				delete(logged, prefix)
			}
			for _, r := range u.NewRoutes {
				logged[r.Prefix] = r
			}
			reader.Answered(at, m.Sequence, ccp.Fulfilled)
		}
		equal(t, slices.Sorted(maps.Keys(logged)), want)
		for prefix, r := range logged {
			if b, _ := table.Get(prefix); !slices.Equal(r.Path[1:], b.Route.Path) {
				t.Errorf("step %d: the log has an old path to %s", step, prefix)
			}
		}
		if t.Failed() {
			t.Fatalf("at step %d", step)
		}
	}
	entries, places, indexed := table.Entries()
	if entries != indexed || places < table.Len() {
		t.Errorf("%d entries, %d in order, %d places in the log", entries, indexed, places)
	}
}

// Log gives each prefix with its last change, in order; what was withdrawn has
// no route.
func TestTableLog(t *testing.T) {
	table := ccp.NewTable(ccp.TableOptions{Address: addr("test.me")})
	set := func(prefix string, there bool) {
		best := ccp.Best{Prefix: prefix}
		if there {
			best.NextHop = ccp.Neighbor{ID: "bob", Relation: account.Peer}
			best.Route = ccp.OriginRoute([]byte("secret"), prefix)
		}
		table.Set([]ccp.Best{best})
	}
	set("test.a", true)
	set("test.b", true)
	set("test.c", true)
	set("test.a", false)
	type entry struct {
		epoch  uint32
		prefix string
		told   bool
	}
	var got []entry
	for epoch, best := range table.Log() {
		got = append(got, entry{epoch, best.Prefix, best.Route != nil && best.NextHop.ID == "bob"})
	}
	want := []entry{{1, "test.b", true}, {2, "test.c", true}, {3, "test.a", false}}
	if !slices.Equal(got, want) {
		t.Errorf("the log is %v, want %v", got, want)
	}
	for range table.Log() {
		break // may be left
	}
}
