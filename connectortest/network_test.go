package connectortest_test

import (
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/connectortest"
)

var (
	seedsFlag = flag.Int("seeds", 1, "run each scenario with so many seeds")
	seedFlag  = flag.Uint64("seed", 0, "run the scenarios with this seed only")
)

// seeds runs f with each seed that the flags ask for.
func seeds(t *testing.T, f func(t *testing.T, seed uint64)) {
	t.Helper()
	first, count := uint64(1), *seedsFlag
	if *seedFlag != 0 {
		first, count = *seedFlag, 1
	}
	for seed := first; seed < first+uint64(count); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, seed) })
			if t.Failed() {
				t.Logf("to see it again: go test ./connectortest -run '%s' -seed=%d", t.Name(), seed)
			}
		})
	}
}

var topologies = []struct {
	name    string
	shape   connectortest.Topology
	options connectortest.Options
}{
	{"line", connectortest.Line(5), connectortest.Options{}},
	{"star", connectortest.Star(5), connectortest.Options{}},
	{"ring", connectortest.Ring(6), connectortest.Options{}},
	{"mesh", connectortest.Mesh(5), connectortest.Options{}},
	{"tree", connectortest.Tree(7), connectortest.Options{Spread: "0.002"}},
	{"six nodes", connectortest.SixNodes(), connectortest.Options{}},
	{"economy", connectortest.Economy(12), connectortest.Options{Export: ccp.ValleyFree}},
}

// everywhere runs a scenario in each topology, with each seed.
func everywhere(t *testing.T, f connectortest.Faults, scenario func(w *connectortest.Network)) {
	for _, topology := range topologies {
		t.Run(topology.name, func(t *testing.T) {
			seeds(t, func(t *testing.T, seed uint64) {
				w := connectortest.New(t, seed, topology.options).Build(topology.shape, f)
				scenario(w)
			})
		})
	}
}

func TestQuiet(t *testing.T) {
	everywhere(t, connectortest.Faults{}, func(w *connectortest.Network) {
		w.Converge()
		w.Check()
		time.Sleep(time.Hour)
		w.Check()
	})
}
