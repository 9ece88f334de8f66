package connectortest_test

import (
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/connectortest"
)

// Two hundred connectors learn where everybody is, and what that takes grows no
// faster than links times routes.
func TestTwoHundredNodes(t *testing.T) {
	for _, nodes := range []int{50, 200} {
		synctest.Test(t, func(t *testing.T) {
			w := connectortest.New(t, *seedFlag+1, connectortest.Options{Export: ccp.ValleyFree}).
				Build(connectortest.Economy(nodes), slow)
			took := w.Converge()
			links, messages := len(w.Links()), w.Traffic().Routes
			t.Logf("%d nodes, %d links: %d messages in %v, %.3f for each link and route", nodes, links, messages, took,
				float64(messages)/float64(links*nodes))
			if messages > links*nodes {
				t.Errorf("%d messages for %d links and %d routes: want at most one for each link and route", messages, links, nodes)
			}
			w.Check()
		})
	}
}
