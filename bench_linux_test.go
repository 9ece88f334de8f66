package connector_test

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/boltstore"
)

// BenchmarkForwardLatency is one packet in flight over a store on disk, from
// its prepare to its fulfillment, which goes back when both postings are
// synced. In between it overwrites a page of a plain file in the same directory
// and syncs that, so that both meet the same disk in the same mood. It prints
// the medians, and what a packet costs in terms of a sync.
func BenchmarkForwardLatency(b *testing.B) {
	dir := b.TempDir()
	s, err := boltstore.Open(filepath.Join(dir, "books.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	n := newNetwork(b, connector.Config{Store: s})
	source := n.add(connector.Account{ID: "alice", Relation: connector.Child, MaxInFlight: 2})
	sink := n.add(connector.Account{ID: "bob", Relation: connector.Child})
	reply := &ilp.Fulfill{Fulfillment: fulfillment1}
	sink.answer = func(*ilp.Prepare) ilp.Reply { return reply }
	n.run()

	const pages = 256
	page := make([]byte, 4<<10)
	plain, err := os.Create(filepath.Join(dir, "plain"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = plain.Close() })
	overwrite := func(i int) {
		page[0]++
		if _, err := plain.WriteAt(page, int64(i%pages*len(page))); err != nil {
			b.Fatal(err)
		}
	}
	for i := range pages {
		overwrite(i)
	}
	if err := plain.Sync(); err != nil {
		b.Fatal(err)
	}

	prepare := &ilp.Prepare{
		Amount: 1000, ExpiresAt: time.Now().Add(time.Hour).UTC(), Condition: condition1,
		Destination: ilp.MustParseAddress("test.connie.bob.wallet"),
	}
	ctx := context.Background()
	place := make(places, 1)
	var syncs, packets []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		overwrite(i)
		if err := syscall.Fdatasync(int(plain.Fd())); err != nil {
			b.Fatal(err)
		}
		syncs = append(syncs, time.Since(start))

		prepare.Data = make([]byte, 300)
		binary.BigEndian.PutUint64(prepare.Data, uint64(i)) // or else it is a duplicate
		start = time.Now()
		place <- struct{}{}
		source.handler.HandlePrepare(ctx, prepare, plugin.NewResponder(place, 0))
		place <- struct{}{} // It has come back.
		packets = append(packets, time.Since(start))
		<-place
	}
	if got := n.c.Stats()[0].Incoming.Fulfilled.Count; got != uint64(len(packets)) {
		b.Fatalf("%d of %d packets were fulfilled", got, len(packets))
	}
	sync, packet := median(syncs), median(packets)
	b.ReportMetric(sync, "fdatasync-ns")
	b.ReportMetric(packet, "packet-ns")
	b.ReportMetric(packet/sync, "fdatasyncs/packet")
	b.ReportMetric(0, "ns/op") // It would be that of both.
}

func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Nanoseconds())
}

// BenchmarkForwardObserved is BenchmarkForward with more and more that looks
// on: nothing, the standard chain (which counts, and raises alerts), that with
// a meter, and that with a meter and a log of packets. The chains take turns
// of a few milliseconds, so that all of them meet the same machine in the same
// mood. It prints the medians of the processor time that a packet takes, and
// of what all of it costs more in a round. There are no links: what it costs a
// program with links is for internal/load to say.
func BenchmarkForwardObserved(b *testing.B) {
	bare, err := middleware.Without(middleware.Standard(), "stats")
	if err != nil {
		b.Fatal(err)
	}
	log := []middleware.Middleware{middleware.NewPacketLog(middleware.PacketLogOptions{})}
	chains := []struct {
		name string
		list []middleware.Middleware
	}{
		{"unobserved", bare},
		{"standard", middleware.Standard()},
		{"metered", middleware.NewMeter().Around(middleware.Standard())},
		{"metered+logged", append(log, middleware.NewMeter().Around(middleware.Standard())...)},
	}
	const turn = 10_000
	packets := newPackets(1)
	reply := &ilp.Fulfill{Fulfillment: fulfillment1}
	answers := &countingReplier{}
	links := make([]*fakeLink, len(chains))
	for i, chain := range chains {
		n := newNetwork(b, connector.Config{Middleware: chain.list})
		links[i] = n.add(connector.Account{ID: "alice", Relation: connector.Child, MaxInFlight: 1 << 20})
		n.add(connector.Account{ID: "bob", Relation: connector.Child}).answer = func(*ilp.Prepare) ilp.Reply { return reply }
		n.run()
	}
	ctx := context.Background()
	forward := func(i, times int) {
		for range times {
			links[i].handler.HandlePrepare(ctx, packets.next(), plugin.NewResponder(answers, 0))
		}
	}
	for i := range links {
		forward(i, 2*turn) // the tables of duplicates have had their busiest time
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	spent := make([][]time.Duration, len(chains))
	rounds := 0
	for b.Loop() {
		for k := range links {
			i := (k + rounds) % len(links)
			before := threadTime(b)
			forward(i, turn)
			spent[i] = append(spent[i], threadTime(b)-before)
		}
		rounds++
	}
	if want := uint64(len(chains) * turn * (rounds + 2)); answers.fulfilled != want {
		b.Fatalf("%d of %d packets were fulfilled", answers.fulfilled, want)
	}
	more := make([]time.Duration, rounds) // in thousandths of what it takes unobserved
	for i := range more {
		more[i] = 1000 * (spent[len(spent)-1][i] - spent[0][i]) / spent[0][i]
	}
	percent := median(more) / 10
	for i, chain := range chains {
		b.ReportMetric(median(spent[i])/turn, chain.name+"-ns")
	}
	b.ReportMetric(percent, "%more")
	b.ReportMetric(0, "ns/op") // It would be that of all.
}

// threadTime is the processor time that the thread of the caller has had. It is
// exact, where that of getrusage may be a count of ticks.
func threadTime(b *testing.B) time.Duration {
	var now syscall.Timespec
	if _, _, err := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPUTime, uintptr(unsafe.Pointer(&now)), 0); err != 0 {
		b.Fatal(err)
	}
	return time.Duration(now.Nano())
}

const clockThreadCPUTime = 3 // CLOCK_THREAD_CPUTIME_ID
