package connector_test

import (
	"context"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// BenchmarkForward is one packet through the standard chain in process: taken
// from one account, routed, converted, handed to another, fulfilled, checked
// and answered.
func BenchmarkForward(b *testing.B) {
	n := newNetwork(b, connector.Config{})
	source := n.add(connector.Account{ID: "alice", Relation: connector.Child, Asset: usd9, MaxInFlight: 1 << 20})
	sink := n.add(connector.Account{ID: "bob", Relation: connector.Child, Asset: usd9})
	n.run()
	reply := &ilp.Fulfill{Fulfillment: fulfillment1}
	sink.answer = func(*ilp.Prepare) ilp.Reply { return reply }

	prepare := &ilp.Prepare{
		Amount: 1000, ExpiresAt: time.Now().Add(time.Hour).UTC(), Condition: condition1,
		Destination: ilp.MustParseAddress("test.connie.bob.wallet"), Data: make([]byte, 300),
	}
	ctx := context.Background()
	answers := &countingReplier{}
	b.ReportAllocs()
	for b.Loop() {
		source.handler.HandlePrepare(ctx, prepare, plugin.NewResponder(answers, 0))
	}
	if int(answers.fulfilled) != b.N {
		b.Fatalf("%d of %d packets were fulfilled", answers.fulfilled, b.N)
	}
}

type countingReplier struct{ fulfilled uint64 }

func (c *countingReplier) Reply(_ context.Context, _ uint64, reply ilp.Reply, _ error) {
	if _, ok := reply.(*ilp.Fulfill); ok {
		c.fulfilled++
	}
}
