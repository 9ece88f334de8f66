package rib_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/rib"
)

func source(origin rib.Origin, relation account.Relation, id string, rank int) *rib.Source {
	return &rib.Source{Origin: origin, NextHop: ccp.Neighbor{ID: id, Relation: relation}, Rank: rank}
}

func route(prefix string, hops int) *ccp.Route {
	path := make([]ilp.Address, hops)
	for i := range path {
		path[i] = ilp.MustParseAddress(fmt.Sprintf("test.hop%d", i))
	}
	return &ccp.Route{Prefix: prefix, Path: path}
}

// The order of preference: configured, local, learned (child, peer, parent;
// shorter path; lower id), default. CCP-32.
func TestPreference(t *testing.T) {
	order := []struct {
		name   string
		source *rib.Source
		hops   int
	}{
		{"configured first", source(rib.Configured, account.Parent, "z", 0), 0},
		{"configured second", source(rib.Configured, account.Child, "a", 1), 0},
		{"local", source(rib.Local, account.Child, "c", 0), 0},
		{"a child's", source(rib.Learned, account.Child, "y", 0), 9},
		{"a peer's short one", source(rib.Learned, account.Peer, "x", 0), 1},
		{"a peer's longer one, lower id", source(rib.Learned, account.Peer, "v", 0), 2},
		{"a peer's longer one, higher id", source(rib.Learned, account.Peer, "w", 0), 2},
		{"a parent's", source(rib.Learned, account.Parent, "a", 0), 1},
		{"the default", source(rib.Default, account.Parent, "a", 0), 0},
	}
	for seed := range uint64(50) {
		var b rib.Base
		for _, i := range rand.New(rand.NewPCG(seed, 1)).Perm(len(order)) {
			b.Set(order[i].source, route("test.a", order[i].hops))
		}
		for i, way := range b.Ways("test.a") {
			if way.Source != order[i].source {
				t.Fatalf("seed %d: place %d is not that of %s", seed, i, order[i].name)
			}
		}
		for i, want := range order { // taking the best away, the next is the best
			best, ok := b.Best("test.a")
			if !ok || best.Source != want.source {
				t.Fatalf("seed %d: after %d withdrawals the best is not %s", seed, i, want.name)
			}
			if !b.Withdraw(want.source, "test.a") {
				t.Fatalf("seed %d: withdrawing %s changes nothing", seed, want.name)
			}
		}
		if _, ok := b.Best("test.a"); ok || b.Len() != 0 {
			t.Fatalf("seed %d: a route is left", seed)
		}
	}
}

func TestSetReportsChanges(t *testing.T) {
	good, bad := source(rib.Learned, account.Child, "a", 0), source(rib.Learned, account.Peer, "b", 0)
	var b rib.Base
	long := route("test.a", 3)
	for i, step := range []struct {
		source *rib.Source
		route  *ccp.Route // nil: withdrawn
		want   bool
	}{
		{bad, nil, false},                 // there is none
		{bad, long, true},                 // the first
		{good, route("test.a", 1), true},  // a better one
		{bad, route("test.a", 2), false},  // behind the best
		{good, route("test.a", 1), true},  // another path of the best: it has to be told (js 11.2, 20)
		{bad, nil, false},                 // behind the best
		{good, nil, true},                 // the last
		{good, route("test.a", 1), true},  //
		{good, route("test.ab", 1), true}, // another prefix
		{bad, long, false},                //
		{good, nil, true},                 // the other is the best now
		{bad, long, false},                // the very same
	} {
		var got bool
		if step.route == nil {
			got = b.Withdraw(step.source, "test.a")
		} else {
			got = b.Set(step.source, step.route)
		}
		if got != step.want {
			t.Errorf("step %d: changed = %t, want %t", i, got, step.want)
		}
	}
}

// Property: the base gives what a list of everything that was said gives, and
// says that the best has changed exactly when it has.
func TestAgainstList(t *testing.T) {
	sources := []*rib.Source{
		source(rib.Configured, account.Peer, "a", 0), source(rib.Local, account.Child, "b", 0),
		source(rib.Learned, account.Child, "c", 0), source(rib.Learned, account.Peer, "d", 0),
		source(rib.Learned, account.Peer, "e", 0), source(rib.Default, account.Parent, "f", 0),
	}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		var b rib.Base
		said := map[string]map[*rib.Source]*ccp.Route{}
		best := func(prefix string) (w rib.Way) {
			for s, route := range said[prefix] {
				if w.Source == nil || rib.Compare(rib.Way{Source: s, Route: route}, w) < 0 {
					w = rib.Way{Source: s, Route: route}
				}
			}
			return w
		}
		for range 300 {
			prefix, s := []string{"test.a", "test.b", "test.a.c"}[r.IntN(3)], sources[r.IntN(len(sources))]
			before := best(prefix)
			var changed bool
			if r.IntN(3) == 0 {
				delete(said[prefix], s)
				changed = b.Withdraw(s, prefix)
			} else {
				if said[prefix] == nil {
					said[prefix] = map[*rib.Source]*ccp.Route{}
				}
				said[prefix][s] = route(prefix, r.IntN(4))
				changed = b.Set(s, said[prefix][s])
			}
			after := best(prefix)
			if got, _ := b.Best(prefix); got != after {
				t.Fatalf("seed %d: the best of %s is %v, want %v", seed, prefix, got, after)
			}
			if changed != (before != after) {
				t.Fatalf("seed %d: changed = %t from %v to %v", seed, changed, before, after)
			}
			if ways := b.Ways(prefix); len(ways) != len(said[prefix]) || !slices.IsSortedFunc(ways, rib.Compare) {
				t.Fatalf("seed %d: the routes for %s are %v", seed, prefix, ways)
			}
		}
		for prefix, way := range b.All() {
			if way != best(prefix) {
				t.Fatalf("seed %d: All gives %v for %s", seed, way, prefix)
			}
		}
	}
}
