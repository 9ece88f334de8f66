package connector_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
	"github.com/interledger-go/connector/store/memstore"
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

	packets := newPackets(1)
	ctx := context.Background()
	answers := &countingReplier{}
	b.ReportAllocs()
	for b.Loop() {
		source.handler.HandlePrepare(ctx, packets.next(), plugin.NewResponder(answers, 0))
	}
	if int(answers.fulfilled) != b.N {
		b.Fatalf("%d of %d packets were fulfilled", answers.fulfilled, b.N)
	}
}

// BenchmarkForwardInFlight keeps a number of packets in flight, over a store
// in memory and over one on disk. On disk a packet counts when its
// fulfillment may go back: when both postings are synced.
func BenchmarkForwardInFlight(b *testing.B) {
	stores := []struct {
		name string
		open func(b *testing.B) store.Store
	}{
		{"memory", func(*testing.B) store.Store { return memstore.New() }},
		{"disk", func(b *testing.B) store.Store {
			s, err := boltstore.Open(filepath.Join(b.TempDir(), "books.db"))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { s.Close() })
			return s
		}},
	}
	for _, s := range stores {
		for _, window := range []int{1, 50, 1000} {
			b.Run(fmt.Sprintf("%s/window=%d", s.name, window), func(b *testing.B) { forwardInFlight(b, s.open(b), window) })
		}
	}
}

func forwardInFlight(b *testing.B, s store.Store, window int) {
	n := newNetwork(b, connector.Config{Store: s})
	// A packet that has been answered still counts for a moment.
	source := n.add(connector.Account{ID: "alice", Relation: connector.Child, MaxInFlight: 2 * window})
	sink := n.add(connector.Account{ID: "bob", Relation: connector.Child})
	reply := &ilp.Fulfill{Fulfillment: fulfillment1}
	sink.answer = func(*ilp.Prepare) ilp.Reply { return reply }
	n.run()

	packets := newPackets(1 << 14)
	ctx := context.Background()
	places := make(places, window)
	b.ReportAllocs()
	for b.Loop() {
		places <- struct{}{}
		source.handler.HandlePrepare(ctx, packets.next(), plugin.NewResponder(places, 0))
	}
	for range window { // all have come back
		places <- struct{}{}
	}
	if got := n.c.Stats()[0].Incoming.Fulfilled.Count; got != uint64(b.N) {
		b.Fatalf("%d of %d packets were fulfilled", got, b.N)
	}
}

// packets makes packets that differ in their data, each of 300 bytes, in
// memory that is used again.
type packets struct {
	prepare ilp.Prepare
	data    [][]byte
	made    uint64
}

// newPackets makes packets of which the latest so many may be in use.
func newPackets(inUse int) *packets {
	p := &packets{data: make([][]byte, inUse), prepare: ilp.Prepare{
		Amount: 1000, ExpiresAt: time.Now().Add(time.Hour).UTC(), Condition: condition1,
		Destination: ilp.MustParseAddress("test.connie.bob.wallet"),
	}}
	for i := range p.data {
		p.data[i] = make([]byte, 300)
	}
	return p
}

func (p *packets) next() *ilp.Prepare {
	p.made++
	p.prepare.Data = p.data[p.made%uint64(len(p.data))]
	binary.BigEndian.PutUint64(p.prepare.Data, p.made)
	return &p.prepare
}

// places is a Replier that frees a place for each answer.
type places chan struct{}

func (p places) Reply(context.Context, uint64, ilp.Reply, error) { <-p }

type countingReplier struct{ fulfilled uint64 }

func (c *countingReplier) Reply(_ context.Context, _ uint64, reply ilp.Reply, _ error) {
	if _, ok := reply.(*ilp.Fulfill); ok {
		c.fulfilled++
	}
}
