package btp_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// countingConn counts the writes that are made.
type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// The prepares of a burst leave in one write, and so do the replies to what
// arrived in one read. Without a burst each leaves at once.
func TestFramesOfABurstLeaveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		n.account(t, "alice", "token", newRecorder(fulfiller))
		var writes atomic.Int64
		c := n.client(t, "alice", "token", newRecorder(fulfiller), func(o *btp.ClientOptions) {
			dial := o.NetDial
			o.NetDial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dial(ctx, network, addr)
				return countingConn{conn, &writes}, err
			}
		})
		synctest.Wait()
		writes.Store(0)
		burst := plugin.NewBurst(context.Background())
		var answered atomic.Int64
		for range 100 {
			c.SendPrepare(burst.Context(), newPrepare(100), plugin.NewResponder(plugin.ReplyFunc(
				func(context.Context, ilp.Reply, error) { answered.Add(1) }), 0))
		}
		synctest.Wait()
		if n := writes.Load(); n != 0 {
			t.Errorf("%d writes before the end of the burst", n)
		}
		burst.Flush()
		synctest.Wait()
		if n := writes.Load(); n != 1 || answered.Load() != 100 {
			t.Errorf("%d writes, %d answers", n, answered.Load())
		}
		for range 3 {
			if o := get(t, ask(c, newPrepare(100))); o.fulfill == nil {
				t.Errorf("%+v", o)
			}
		}
		if n := writes.Load(); n != 4 {
			t.Errorf("%d writes for single packets", n-1)
		}
	})
}

// Bursts of several goroutines share a link: whatever each adds has left by
// the end of its own burst.
func TestBurstsOfSeveralGoroutines(t *testing.T) {
	n := newLoopback(t, btp.ServerOptions{})
	n.account(t, "alice", "token", newRecorder(fulfiller))
	h := newRecorder(fulfiller)
	c := n.client(t, "alice", "token", h, nil)
	h.await(t, true)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			burst := plugin.NewBurst(context.Background())
			for range 200 {
				var waiting sync.WaitGroup
				for range 1 + rand.N(5) {
					waiting.Add(1)
					c.SendPrepare(burst.Context(), newPrepare(10), plugin.NewResponder(plugin.ReplyFunc(
						func(_ context.Context, reply ilp.Reply, err error) {
							if _, ok := reply.(*ilp.Fulfill); !ok {
								t.Error(reply, err)
							}
							waiting.Done()
						}), 0))
				}
				burst.Flush()
				waiting.Wait() // for ever, if a frame was left behind
			}
		})
	}
	wg.Wait()
}

// A counterparty that sends more than it may is read slowly, so that refusing
// its packets does not take the time that others need: a quarter of a
// millisecond passes for each T03 or T05 that is answered here and now. What
// another node has said, or says for other reasons, costs nothing.
func TestWhoSendsTooMuchIsReadSlowly(t *testing.T) {
	const packets = 100
	for name, c := range map[string]struct {
		code  ilp.Code
		cause error
		later bool // answered by another goroutine
		want  time.Duration
	}{
		"too many in flight": {code: ilp.T03ConnectorBusy, want: packets * 250 * time.Microsecond},
		"too often":          {code: ilp.T05RateLimited, want: packets * 250 * time.Microsecond},
		"no route":           {code: ilp.F02Unreachable},
		"next hop is full":   {code: ilp.T03ConnectorBusy, cause: plugin.ErrBusy},
		"next hop says so":   {code: ilp.T03ConnectorBusy, later: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newPipeNetwork(t, btp.ServerOptions{})
				n.account(t, "alice", "token", &refuser{newRecorder(nil), &ilp.Reject{Code: c.code, Cause: c.cause}, c.later})
				client := n.client(t, "alice", "token", newRecorder(fulfiller), nil)
				synctest.Wait()
				start := time.Now()
				var answers []<-chan outcome
				for range packets {
					answers = append(answers, ask(client, newPrepare(10)))
				}
				for _, answer := range answers {
					if o := get(t, answer); o.reject == nil || o.reject.Code != c.code {
						t.Fatalf("%+v", o)
					}
				}
				get(t, ask(client, newPrepare(10))) // is read when the pause after the others is over
				if took := time.Since(start); took != c.want {
					t.Errorf("it took %v, want %v", took, c.want)
				}
			})
		})
	}
}

// refuser gives all packets the same reject.
type refuser struct {
	*recorder
	reject *ilp.Reject
	later  bool
}

func (h *refuser) HandlePrepare(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) {
	if h.later {
		go r.Reply(context.Background(), h.reject)
		return
	}
	r.Reply(ctx, h.reject)
}

// A counterparty that stops reading is not sent more than half of MaxPending:
// packets to it fail as not sent. Replies have the other half, and the first
// that does not fit any more ends the connection.
func TestCounterpartyThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{Limits: btp.Limits{MaxPending: 200_000, WriteTimeout: time.Minute, PingInterval: -1}})
		h := newHolder()
		p := n.account(t, "alice", "token", h)
		r := n.authenticated(t, "alice", "token")
		for id := range uint32(10) {
			r.SendILP(btp.TypeMessage, id, newPrepare(1))
		}
		var results []<-chan outcome
		busy := 0
		for range 20 {
			c := ask(p, newPrepare(10_000))
			select {
			case o := <-c:
				busy++
				if !errors.Is(o.err, plugin.ErrBusy) || !errors.Is(o.err, plugin.ErrNotSent) {
					t.Errorf("%+v", o)
				}
			default:
				results = append(results, c)
			}
		}
		if len(results) != 9 || busy != 11 {
			t.Fatalf("%d were taken, %d refused", len(results), busy)
		}
		if _, err := p.Request(t.Context(), &btp.Packet{Type: btp.TypeMessage, Entries: []btp.Entry{{Name: "big", Data: make([]byte, 10_000)}}}); !errors.Is(err, plugin.ErrBusy) {
			t.Errorf("a request: %v", err)
		}
		if s := p.Stats(); s.Outstanding != len(results) {
			t.Errorf("%+v", s)
		}
		start := time.Now()
		big := &ilp.Fulfill{Data: make([]byte, 30_000)}
		for range 3 {
			get(t, h.held).responder.Reply(context.Background(), big)
		}
		if s := p.Stats(); s.DroppedReplies != 0 || s.Outstanding != len(results) {
			t.Errorf("%+v", s)
		}
		get(t, h.held).responder.Reply(context.Background(), big)
		for _, c := range results {
			if o := get(t, c); !errors.Is(o.err, plugin.ErrUnknownOutcome) || time.Since(start) > 0 {
				t.Errorf("%+v after %v", o, time.Since(start))
			}
		}
		time.Sleep(2 * time.Second)
		if p.Connected() {
			t.Error("still connected")
		}
		if s := p.Stats(); s.DroppedReplies != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// Who does not read at all loses the connection after WriteTimeout.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{Limits: btp.Limits{WriteTimeout: 10 * time.Second, PingInterval: -1}})
		p := n.account(t, "alice", "token", newRecorder(fulfiller))
		n.authenticated(t, "alice", "token")
		start := time.Now()
		if o := get(t, ask(p, newPrepare(1))); !errors.Is(o.err, plugin.ErrUnknownOutcome) || time.Since(start) != 10*time.Second {
			t.Errorf("%+v after %v", o, time.Since(start))
		}
	})
}

// BTP-33: bytes in the middle that are no packet are not answered. They end
// the socket, and the log says whose they were.
func TestUnreadablePacket(t *testing.T) {
	valid, err := (&btp.Packet{Type: btp.TypeMessage, RequestID: 1, Entries: []btp.Entry{{Name: "a", Data: make([]byte, 50)}}}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty":           {},
		"truncated":       valid[:30],
		"2 GiB":           {6, 0, 0, 0, 1, 0x84, 0x80, 0, 0, 0, 1},
		"BTP 1.0":         {3, 0, 0, 0, 1, 2, 1, 0},
		"many entries":    {6, 0, 0, 0, 1, 5, 4, 255, 255, 255, 255},
		"raw ILP":         {12, 0x80, 1, 2, 3},
		"response, short": {1, 0, 0, 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log strings.Builder
			n := newPipeNetwork(t, btp.ServerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			p := n.account(t, "alice", "token", newRecorder(fulfiller))
			r := n.authenticated(t, "alice", "token")
			result := ask(p, newPrepare(1))
			r.Read()
			r.Write(b)
			if packets, err := r.ReadUntilEnd(); len(packets) != 0 || err == nil {
				t.Errorf("%s: answers %+v", name, packets)
			}
			if o := get(t, result); !errors.Is(o.err, plugin.ErrUnknownOutcome) {
				t.Errorf("%s: %+v", name, o)
			}
			synctest.Wait()
			if s := p.Stats(); s.Unreadable != 1 || p.Connected() {
				t.Errorf("%s: %+v", name, s)
			}
			if !strings.Contains(log.String(), "account=alice") {
				t.Errorf("%s: the log says %s", name, log.String())
			}
		})
	}
}

// A reply to a socket that has gone is dropped, and counted.
func TestReplyToASocketThatHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		h := newHolder()
		p := n.account(t, "alice", "token", h)
		r := n.authenticated(t, "alice", "token")
		r.SendILP(btp.TypeMessage, 1, newPrepare(1))
		old := get(t, h.held)
		r.Close()
		synctest.Wait()
		fresh := n.authenticated(t, "alice", "token")
		old.responder.Reply(context.Background(), fulfill)
		fresh.Send(btp.Packet{Type: btp.TypeMessage, RequestID: 2})
		if a := fresh.Read(); a.RequestID != 2 {
			t.Errorf("the new socket got %+v", a)
		}
		if s := p.Stats(); s.DroppedReplies != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// Under load from both sides, with connections that come and go, each packet
// has exactly one outcome.
func TestEachPacketHasOneOutcome(t *testing.T) {
	n := newLoopback(t, btp.ServerOptions{})
	h, hc := newRecorder(fulfiller), newRecorder(fulfiller)
	p := n.account(t, "alice", "token", h)
	c := n.client(t, "alice", "token", hc, func(o *btp.ClientOptions) { o.MinBackoff, o.MaxBackoff = time.Millisecond, time.Millisecond })
	hc.await(t, true)
	const each = 3000
	outcomes := make([]atomic.Int32, 4*each)
	var fulfilled atomic.Int64
	var waiting, senders sync.WaitGroup
	for w := range 4 {
		side := []plugin.Plugin{p, c}[w%2]
		senders.Go(func() {
			for i := range each {
				waiting.Add(1)
				side.SendPrepare(context.Background(), newPrepare(50), plugin.NewResponder(plugin.ReplyFunc(
					func(_ context.Context, reply ilp.Reply, _ error) {
						if reply != nil {
							fulfilled.Add(1)
						}
						if outcomes[w*each+i].Add(1) == 1 {
							waiting.Done()
						}
					}), 0))
			}
		})
	}
	stop := make(chan struct{})
	var disturbance sync.WaitGroup
	disturbance.Go(func() { // other sockets of the account take the place of the client's
		for {
			select {
			case <-stop:
				return
			default:
				n.authenticated(t, "alice", "token").Close()
			}
		}
	})
	senders.Wait()
	close(stop)
	disturbance.Wait()
	for { // the client comes back, and packets go through
		if _, err := plugin.Call(t.Context(), c, newPrepare(50)); err == nil {
			break
		} else if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	p.Close()
	c.Close()
	waiting.Wait()
	for i := range outcomes {
		if v := outcomes[i].Load(); v != 1 {
			t.Fatalf("packet %d had %d outcomes", i, v)
		}
	}
	t.Logf("%d of %d packets went through", fulfilled.Load(), len(outcomes))
}

// Nothing is allocated for a packet, on either side, but the slabs it is read
// into.
func TestRoundTripAllocatesNothing(t *testing.T) {
	n := newLoopback(t, btp.ServerOptions{})
	n.account(t, "alice", "token", newRecorder(fulfiller))
	h := newRecorder(fulfiller)
	c := n.client(t, "alice", "token", h, nil)
	h.await(t, true)
	run := func(packets int) {
		w := &windowed{p: c, prepare: newPrepare(300), done: make(chan struct{}), left: packets - 50, flying: 50}
		burst := plugin.NewBurst(context.Background())
		for range w.flying {
			c.SendPrepare(burst.Context(), w.prepare, plugin.NewResponder(w, 0))
		}
		burst.Flush()
		<-w.done
		if w.failed != nil {
			t.Fatal(w.failed)
		}
	}
	run(1000) // until all buffers have grown
	const packets = 10_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(packets)
	runtime.ReadMemStats(&after)
	if n := float64(after.Mallocs-before.Mallocs) / packets; n > 0.5 {
		t.Errorf("%.2f allocations for each packet", n)
	}
}
