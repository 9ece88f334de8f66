package middleware_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// twoWays is a packet through the stages of its source and of its
// destination, without the core between them.
type twoWays struct {
	in, out            middleware.Packet
	incoming, outgoing *middleware.Chain
	prepare            ilp.Prepare
	fulfill            ilp.Fulfill
	done               int
}

func newTwoWays(t testing.TB) *twoWays {
	t.Helper()
	a := child()
	a.MaxPacketAmount = 1 << 40
	a.RateLimit = &account.RateLimit{RefillCount: 1 << 60, RefillPeriod: time.Second}
	p, err := middleware.Attach(middleware.Standard(), newHost(), a)
	if err != nil {
		t.Fatal(err)
	}
	w := &twoWays{incoming: p.Incoming, outgoing: p.Outgoing, prepare: prepare(100), fulfill: *fulfill1()}
	w.prepare.Data = make([]byte, 300)
	return w
}

func (w *twoWays) Pass(ctx context.Context, p *middleware.Packet) {
	if p == &w.in {
		w.out.Prepare = p.Prepare
		w.out.Run(ctx, w.outgoing, w)
		return
	}
	w.in.NextHopReply = &w.fulfill
	p.Answer(ctx, &w.fulfill)
}

func (w *twoWays) Done(ctx context.Context, p *middleware.Packet, reply ilp.Reply) {
	if p == &w.out {
		w.in.Answer(ctx, reply)
		return
	}
	if _, ok := reply.(*ilp.Fulfill); ok {
		w.done++
	}
}

func (w *twoWays) run(ctx context.Context) {
	w.in.Reset()
	w.out.Reset()
	binary.BigEndian.PutUint64(w.prepare.Data, uint64(w.done)) // no packet is a duplicate
	w.in.Prepare, w.in.Received = w.prepare, start
	w.in.Run(ctx, w.incoming, w)
}

// The standard chain allocates nothing for a packet that is fulfilled.
func TestStandardChainAllocatesNothing(t *testing.T) {
	w := newTwoWays(t)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { w.run(ctx) }); n != 0 {
		t.Errorf("%v allocations for each packet, want none", n)
	}
	if w.done != 101 {
		t.Errorf("%d packets were fulfilled, want 101", w.done)
	}
}

// BenchmarkStandardChain is one packet through all incoming and outgoing
// stages and back. Most of it is the SHA-256 of the fulfillment.
func BenchmarkStandardChain(b *testing.B) {
	w := newTwoWays(b)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		w.run(ctx)
	}
	if w.done < b.N {
		b.Fatalf("%d of %d packets were fulfilled", w.done, b.N)
	}
}

// BenchmarkDeduplicate is what one packet costs that is no duplicate, where
// as many are remembered as may be.
func BenchmarkDeduplicate(b *testing.B) {
	s, err := middleware.Deduplicate(middleware.DeduplicateOptions{}).Attach(newHost(), child())
	if err != nil {
		b.Fatal(err)
	}
	stages := middleware.NewChain(s.Outgoing)
	e := &quietEnd{reply: fulfill1()}
	p, n := prepare(100), uint64(0)
	p.Data = make([]byte, 300)
	ctx := context.Background()
	send := func() {
		n++
		binary.BigEndian.PutUint64(p.Data, n)
		e.packet.Reset()
		e.packet.Prepare, e.packet.Received = p, start
		e.packet.Run(ctx, stages, e)
	}
	for range middleware.DefaultMaxPackets {
		send()
	}
	b.ReportAllocs()
	for b.Loop() {
		send()
	}
}

// BenchmarkStages is the chain engine alone: five stages that do nothing.
func BenchmarkStages(b *testing.B) {
	nothing := middleware.PrepareFunc(func(context.Context, *middleware.Packet) ilp.Reply { return nil })
	stages := middleware.NewChain(nothing, nothing, nothing, nothing, nothing)
	e := &quietEnd{reply: fulfill1()}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		e.packet.Run(ctx, stages, e)
	}
}

// BenchmarkStatsParallel is what counting costs when all processors count for
// the same account.
func BenchmarkStatsParallel(b *testing.B) {
	s, err := middleware.NewStats().Attach(newHost(), child())
	if err != nil {
		b.Fatal(err)
	}
	stages := middleware.NewChain(s.Incoming)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		e := &quietEnd{reply: fulfill1()}
		e.packet.Prepare.Amount = 1 << 20
		for pb.Next() {
			e.packet.Run(context.Background(), stages, e)
		}
	})
}
