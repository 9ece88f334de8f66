package main

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
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
	data         int // length of a packet's data
}

// client dials and waits until it is connected.
func client(ctx context.Context, o btp.ClientOptions, packets plugin.Handler) (*btp.Client, error) {
	h := &connecting{Handler: packets, connected: make(chan struct{})}
	o.Limits.MaxOutstanding = maxWindow
	c := btp.NewClient(o)
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

// account is the other end of an account of the connector at address.
func account(ctx context.Context, address, id string, packets plugin.Handler) (*btp.Client, error) {
	return client(ctx, btp.ClientOptions{URL: "btp+ws://" + address + accountsPath, Username: id, Token: id}, packets)
}

// user is one of those behind the account many.
func user(ctx context.Context, address, token string) (*btp.Client, error) {
	return client(ctx, btp.ClientOptions{URL: "btp+ws://" + address + usersPath, Token: token}, sender)
}

// connecting is a handler that says when its link is up for the first time.
type connecting struct {
	plugin.Handler
	once      sync.Once
	connected chan struct{}
}

func (h *connecting) HandleState(connected bool, _ error) {
	if connected {
		h.once.Do(func() { close(h.connected) })
	}
}

// sender takes no packets, fulfiller all of them.
var (
	sender plugin.HandlerFunc = func(context.Context, *ilp.Prepare) ilp.Reply {
		return ilp.Rejectf(ilp.F02Unreachable, "this end only sends")
	}
	fulfiller plugin.HandlerFunc = func(context.Context, *ilp.Prepare) ilp.Reply {
		return &ilp.Fulfill{Fulfillment: fulfillment}
	}
	fulfillment = ilp.Fulfillment{1, 2, 3}
)

// numberSize is the length of the number that the data of a packet begins with.
const numberSize = 8

// Packets are numbered; those of other processes begin elsewhere.
var (
	firstNumber = rand.Uint64()
	numbers     atomic.Uint64
)

// mark makes a packet with these data unlike all others, so that none is the
// duplicate of another.
func mark(data []byte) { binary.BigEndian.PutUint64(data, firstNumber+numbers.Add(1)) }

// prepareTo is a packet to an account of the connector that expires in life.
func prepareTo(account string, life time.Duration) ilp.Prepare {
	return ilp.Prepare{
		Amount: 1_000_000, Condition: fulfillment.Condition(), ExpiresAt: time.Now().Add(life),
		Destination: ilp.MustParseAddress("test.load." + account + ".wallet"),
	}
}

// join connects the pair to the connector at address. The packets have data
// bytes of data.
func join(ctx context.Context, address string, data int) (*pair, error) {
	p := &pair{data: data}
	var err error
	if p.sink, err = account(ctx, address, sink, fulfiller); err != nil {
		return nil, err
	}
	if p.source, err = account(ctx, address, source, sender); err != nil {
		return nil, errors.Join(err, p.sink.Close())
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
	r.prepare = prepareTo(sink, length+30*time.Second)
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
	mark(prepare.Data)
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
