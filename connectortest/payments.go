package connectortest

import (
	"sync"
)

// mostPairs is how many pairs of nodes CheckPayments has pay each other.
const mostPairs = 1000

// CheckPayments has every app pay every other one that the routes lead to, or,
// in a large network, some that are drawn from the seed, all at the same time. A
// payment that is lost on its way is tried again, a few times. What is not
// fulfilled fails the test.
func (w *Network) CheckPayments() {
	w.t.Helper()
	pairs := w.pairs()
	if len(pairs) > mostPairs {
		w.Rand.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
		pairs = pairs[:mostPairs]
	}
	var all sync.WaitGroup
	for i, p := range pairs {
		all.Go(func() {
			if err := p.pay(uint64(1000 + i)); err != nil {
				w.t.Errorf("%s cannot pay %s: %v", p.from, p.to, err)
			}
		})
	}
	all.Wait()
}

// pair is who pays whom.
type pair struct{ from, to *Node }

// tries is how often a payment is tried.
const tries = 10

func (p pair) pay(amount uint64) (err error) {
	for range tries {
		if err = p.from.Pay(p.to, amount); err == nil {
			return nil
		}
	}
	return err
}

// pairs gives all pairs of nodes that the routes join.
func (w *Network) pairs() (pairs []pair) {
	w.t.Helper()
	m := w.observe()
	nodes := w.Nodes()
	for _, from := range nodes {
		for _, to := range nodes {
			a, b := m.byName[from.name], m.byName[to.name]
			if from == to || a == nil || b == nil || b.address == "" {
				continue
			}
			if _, fault := m.walk(a, b); fault == "" {
				pairs = append(pairs, pair{from, to})
			}
		}
	}
	return pairs
}

// Check is CheckRoutes, CheckPayments and CheckBooks, with time for packets to
// be answered in between.
func (w *Network) Check() {
	w.t.Helper()
	w.CheckRoutes()
	w.CheckPayments()
	w.Drain()
	w.CheckBooks()
}
