package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// pair is two BTP clients: one that sends, and one that fulfils.
type pair struct {
	source, sink *btp.Client
	prepare      ilp.Prepare
	data         int // length of a packet's data
	numbers      atomic.Uint64
}

// numberSize is the length of the number that a packet begins with.
const numberSize = 8

// client dials and waits until it is connected.
func client(ctx context.Context, url string, answer plugin.HandlerFunc) (*btp.Client, error) {
	h := &connecting{HandlerFunc: answer, connected: make(chan struct{})}
	c := btp.NewClient(btp.ClientOptions{URL: url, Limits: btp.Limits{MaxOutstanding: maxWindow}})
	if err := c.Open(ctx, h); err != nil {
		return nil, err
	}
	select {
	case <-h.connected:
		return c, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), c.Close())
	}
}

// connecting is a handler that says when its link is up for the first time.
type connecting struct {
	plugin.HandlerFunc
	once      sync.Once
	connected chan struct{}
}

func (h *connecting) HandleState(connected bool, _ error) {
	if connected {
		h.once.Do(func() { close(h.connected) })
	}
}

// join connects the pair to the connector at address. The packets have data
// bytes of data, of which the first eight are a number: no packet is a
// duplicate of another.
func join(ctx context.Context, address string, data int) (*pair, error) {
	fulfillment := ilp.Fulfillment{1, 2, 3}
	p := &pair{data: data}
	var err error
	p.sink, err = client(ctx, fmt.Sprintf("btp+ws://%s:%s@%s", sink, sink, address), func(context.Context, *ilp.Prepare) ilp.Reply {
		return &ilp.Fulfill{Fulfillment: fulfillment}
	})
	if err != nil {
		return nil, err
	}
	p.source, err = client(ctx, fmt.Sprintf("btp+ws://%s:%s@%s", source, source, address), func(context.Context, *ilp.Prepare) ilp.Reply {
		return ilp.Rejectf(ilp.F02Unreachable, "this end only sends")
	})
	if err != nil {
		return nil, errors.Join(err, p.sink.Close())
	}
	p.prepare = ilp.Prepare{
		Amount: 1_000_000, Condition: fulfillment.Condition(),
		Destination: ilp.MustParseAddress("test.load." + sink + ".wallet"),
	}
	return p, nil
}

func (p *pair) close() {
	p.source.Close()
	p.sink.Close()
}

// run keeps window packets in flight for as long as length.
func (p *pair) run(window int, length time.Duration) *run {
	r := &run{
		pair: p, start: time.Now(), length: length, done: make(chan struct{}),
		sent: make([]time.Duration, window), data: make([][]byte, window),
	}
	for slot := range r.data {
		r.data[slot] = make([]byte, p.data)
	}
	r.prepare = p.prepare
	r.prepare.ExpiresAt = r.start.Add(length + 30*time.Second)
	r.running.Store(int64(window))
	burst := plugin.NewBurst(context.Background())
	for slot := range window {
		r.send(burst.Context(), uint64(slot))
	}
	burst.Flush()
	<-r.done
	r.elapsed = time.Since(r.start)
	return r
}

// run is one measurement. The next packet of a slot is sent when the former
// one is answered.
type run struct {
	pair    *pair
	prepare ilp.Prepare
	start   time.Time
	length  time.Duration
	sent    []time.Duration // since start, by slot
	data    [][]byte        // by slot
	running atomic.Int64    // slots that have not ended
	done    chan struct{}

	elapsed time.Duration

	mu        sync.Mutex // guards what follows, until done
	packets   int
	failed    int
	failure   error
	latencies histogram
}

func (r *run) send(ctx context.Context, slot uint64) {
	r.sent[slot] = time.Since(r.start)
	prepare := r.prepare
	prepare.Data = r.data[slot]
	binary.BigEndian.PutUint64(prepare.Data, r.pair.numbers.Add(1))
	r.pair.source.SendPrepare(ctx, &prepare, plugin.NewResponder(r, slot))
}

// Reply counts the answer and sends the next packet of the slot.
func (r *run) Reply(ctx context.Context, slot uint64, reply ilp.Reply, err error) {
	now := time.Since(r.start)
	if r.count(now-r.sent[slot], reply, err) && now < r.length {
		r.send(ctx, slot)
		return
	}
	if r.running.Add(-1) == 0 {
		close(r.done)
	}
}

// count reports whether all packets have been fulfilled up to now.
func (r *run) count(latency time.Duration, reply ilp.Reply, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packets++
	r.latencies.add(latency)
	if _, ok := reply.(*ilp.Fulfill); !ok {
		r.failed++
		if reject, ok := reply.(*ilp.Reject); ok {
			err = reject
		}
		r.failure = err
	}
	return r.failed == 0
}

func (r *run) percentile(p int) time.Duration { return r.latencies.percentile(p) }

// histogram counts durations by their size, to within about 3 percent.
type histogram struct {
	counts [64 * 32]int
	total  int
}

// add counts d: by its highest bit, and the five bits behind it.
func (h *histogram) add(d time.Duration) {
	v := max(uint64(d), 32)
	shift := bits.Len64(v) - 6
	h.counts[shift*32+int(v>>shift)-32]++
	h.total++
}

func (h *histogram) percentile(p int) time.Duration {
	left := h.total * p / 100
	for i, n := range h.counts {
		if left -= n; left < 0 {
			return time.Duration((uint64(i%32) + 32) << (i / 32)).Round(time.Microsecond)
		}
	}
	return 0
}
