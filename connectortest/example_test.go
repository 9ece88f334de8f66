package connectortest_test

import (
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/connectortest"
)

// A connector in the middle crashes. Its neighbors have no way to each other
// until it is back; then everybody pays everybody, and the books agree.
func Example() {
	_ = func(t *testing.T) { // TestCrashInTheMiddle
		synctest.Test(t, func(t *testing.T) {
			w := connectortest.New(t, 1, connectortest.Options{})
			a, b, c := w.Node("a"), w.Node("b"), w.Node("c")
			w.Link(a, b, connector.Peer, connectortest.Faults{Duplication: 0.1})
			w.Link(b, c, connector.Peer, connectortest.Faults{})
			w.Converge()
			b.Crash()
			w.Converge()
			if err := a.Pay(c, 1000); err == nil {
				t.Error("a has paid c, with nobody between them")
			}
			b.Restart()
			w.Converge()
			w.Check()
		})
	}
}

// The example is a test.
func TestCrashInTheMiddle(t *testing.T) {
	bubble(t, func(t *testing.T, w *connectortest.Network) {
		a, b, c := w.Node("a"), w.Node("b"), w.Node("c")
		w.Link(a, b, connector.Peer, connectortest.Faults{Duplication: 0.1})
		w.Link(b, c, connector.Peer, connectortest.Faults{})
		w.Converge()
		b.Crash()
		w.Converge()
		if err := a.Pay(c, 1000); err == nil {
			t.Error("a has paid c, with nobody between them")
		}
		b.Restart()
		w.Converge()
		w.Check()
	})
}
