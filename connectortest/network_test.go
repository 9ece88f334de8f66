package connectortest_test

import (
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/connectortest"
)

var (
	seedsFlag = flag.Int("seeds", 1, "run each scenario in each topology with so many seeds")
	seedFlag  = flag.Uint64("seed", 0, "run the scenarios with this seed only")
)

// seeds runs f with each seed that the flags ask for. They begin elsewhere for
// each test, so that the fifty or so of a plain run are all different.
func seeds(t *testing.T, f func(t *testing.T, seed uint64)) {
	t.Helper()
	name := fnv.New32a()
	_, _ = name.Write([]byte(t.Name()))
	first, count := 1+uint64(name.Sum32()), *seedsFlag
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

// faulty is a link that does everything that a link can do to frames.
var faulty = connectortest.Faults{
	Delay: 5 * time.Millisecond, Jitter: 50 * time.Millisecond, Loss: 0.05, Duplication: 0.1, Reordering: 0.2,
}

// slow delays frames, and does no more.
var slow = connectortest.Faults{Delay: 5 * time.Millisecond, Jitter: 30 * time.Millisecond}

// pays has apps pay each other, some pairs at a time, until stop is called.
// Whether they succeed does not matter.
func pays(w *connectortest.Network) (stop func()) {
	nodes := w.Nodes()
	stopped := make(chan struct{})
	var all sync.WaitGroup
	for i := range 2 * len(nodes) {
		random := rand.New(rand.NewPCG(w.Rand.Uint64(), uint64(i)))
		all.Go(func() {
			for {
				select {
				case <-stopped:
					return
				case <-time.After(time.Duration(random.Int64N(int64(400 * time.Millisecond)))):
				}
				from, to := nodes[random.IntN(len(nodes))], nodes[random.IntN(len(nodes))]
				if from != to {
					_ = from.Pay(to, 1+random.Uint64N(100_000))
				}
			}
		})
	}
	return func() {
		close(stopped)
		all.Wait()
	}
}

func TestFaultyLinks(t *testing.T) {
	everywhere(t, faulty, func(w *connectortest.Network) {
		stop := pays(w)
		time.Sleep(2 * time.Minute)
		stop()
		for _, l := range w.Links() {
			l.SetFaults(slow)
		}
		w.Converge()
		w.Check()
	})
}

// one gives one of the links, or nodes.
func one[T any](w *connectortest.Network, list []T) T { return list[w.Rand.IntN(len(list))] }

func TestCutAndHeal(t *testing.T) {
	everywhere(t, slow, func(w *connectortest.Network) {
		w.Converge()
		stop := pays(w)
		for range 3 {
			l := one(w, w.Links())
			time.Sleep(time.Duration(w.Rand.Int64N(int64(5 * time.Second))))
			l.Cut()
			w.Converge()
			w.CheckRoutes()
			l.Heal()
			w.Converge()
			w.CheckRoutes()
		}
		stop()
		w.Check()
	})
}

func TestFlappingLink(t *testing.T) {
	everywhere(t, slow, func(w *connectortest.Network) {
		w.Converge()
		stop := pays(w)
		l := one(w, w.Links())
		for range 10 {
			l.Cut()
			time.Sleep(time.Duration(w.Rand.Int64N(int64(2 * time.Second))))
			l.Heal()
			time.Sleep(time.Duration(w.Rand.Int64N(int64(2 * time.Second))))
		}
		stop()
		w.Converge()
		w.Check()
	})
}

func TestCrashAndRestart(t *testing.T) {
	everywhere(t, slow, func(w *connectortest.Network) {
		w.Converge()
		stop := pays(w)
		for range 4 {
			n := one(w, w.Nodes())
			time.Sleep(time.Duration(w.Rand.Int64N(int64(5 * time.Second))))
			n.Crash()
			if w.Rand.IntN(2) == 0 {
				w.Converge()
				w.CheckRoutes()
			}
			n.Restart()
		}
		time.Sleep(time.Second)
		stop()
		w.Converge()
		w.Check()
	})
}

func TestAccountsComeAndGo(t *testing.T) {
	everywhere(t, slow, func(w *connectortest.Network) {
		w.Converge()
		stop := pays(w)
		for range 4 {
			l := one(w, w.Links())
			time.Sleep(time.Duration(w.Rand.Int64N(int64(3 * time.Second))))
			l.Remove()
			if w.Rand.IntN(2) == 0 {
				w.Converge()
				w.CheckRoutes()
			}
			l.Restore()
		}
		stop()
		w.Converge()
		w.Check()
	})
}

// Everything at once, one thing before the last is over.
func TestChaos(t *testing.T) {
	everywhere(t, faulty, func(w *connectortest.Network) {
		stop := pays(w)
		down, removed := make(map[*connectortest.Node]bool), make(map[*connectortest.Link]bool)
		for range 15 {
			time.Sleep(time.Duration(w.Rand.Int64N(int64(3 * time.Second))))
			l, n := one(w, w.Links()), one(w, w.Nodes())
			switch w.Rand.IntN(4) {
			case 0:
				l.Cut()
			case 1:
				l.Heal()
			case 2:
				if down[n] {
					n.Restart()
				} else {
					n.Crash()
				}
				down[n] = !down[n]
			case 3:
				if removed[l] {
					l.Restore()
				} else {
					l.Remove()
				}
				removed[l] = !removed[l]
			}
		}
		for _, n := range w.Nodes() {
			n.Restart()
		}
		for _, l := range w.Links() {
			if removed[l] {
				l.Restore()
			}
			l.Heal()
			l.SetFaults(slow)
		}
		stop()
		w.Converge()
		w.Check()
	})
}
