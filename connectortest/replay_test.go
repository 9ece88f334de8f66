package connectortest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ccp"
)

// fingerprint is that of all that was sent over all links.
func (w *Network) fingerprint() (sum uint64) {
	for _, l := range w.Links() {
		l.mu.Lock()
		sum = digest([]byte(l.String())) ^ (sum*31 + l.fingerprint)
		l.mu.Unlock()
	}
	return sum
}

// A seed gives the same run again, to the nanosecond, and another one another.
func TestReplay(t *testing.T) {
	run := func(seed uint64) (fingerprint uint64) {
		synctest.Test(t, func(t *testing.T) {
			f := Faults{Jitter: 20 * time.Millisecond, Loss: 0.1, Duplication: 0.1, Reordering: 0.1}
			w := New(t, seed, Options{Export: ccp.ValleyFree}).Build(Economy(10), f)
			time.Sleep(5 * time.Second)
			nodes := w.Nodes()
			for i := range 50 {
				_ = nodes[i%10].Pay(nodes[(i*7+3)%10], 1000)
				if i == 20 {
					nodes[4].Crash()
				}
				if i == 30 {
					nodes[4].Restart()
				}
			}
			time.Sleep(time.Minute)
			fingerprint = w.fingerprint()
		})
		return fingerprint
	}
	first := run(1)
	for range 3 {
		if again := run(1); again != first {
			t.Errorf("the fingerprint of the run is %x, and was %x", again, first)
		}
	}
	if other := run(2); other == first {
		t.Error("another seed gives the same run")
	}
}
