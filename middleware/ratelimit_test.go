package middleware_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

const tooManyRequests = "too many requests, throttling."

func limited(l account.RateLimit) *account.Account {
	a := child()
	a.RateLimit = &l
	return a
}

// passes sends packets until one is refused and gives the number before.
func passes(t *testing.T, c *middlewaretest.Chain) int {
	t.Helper()
	for n := range 1000 {
		out := send(t, c, incoming, 49, fulfill1())
		if _, ok := out.Reply.(*ilp.Reject); ok {
			wantReject(t, out, ilp.T05RateLimited, tooManyRequests)
			if out.Sent != nil {
				t.Error("the packet was refused and sent")
			}
			return n
		}
	}
	t.Fatal("1000 packets passed")
	return 0
}

// Reference test 37.
func TestRateLimitRefusesTheFourthPacket(t *testing.T) {
	c := attach(t, newHost(), limited(account.RateLimit{RefillCount: 3, Capacity: 3}), middleware.RateLimit())
	for range 3 {
		wantFulfill(t, send(t, c, incoming, 49, fulfill1()))
	}
	wantReject(t, send(t, c, incoming, 49, fulfill1()), ilp.T05RateLimited, tooManyRequests)
}

func TestRateLimitRefills(t *testing.T) {
	host := newHost()
	c := attach(t, host, limited(account.RateLimit{RefillCount: 4, RefillPeriod: 2 * time.Second, Capacity: 3}), middleware.RateLimit())
	if n := passes(t, c); n != 3 {
		t.Errorf("%d packets passed at once, want the capacity, 3", n)
	}
	host.Advance(499 * time.Millisecond)
	if n := passes(t, c); n != 0 {
		t.Errorf("%d packets passed just before a quarter of the period, want 0", n)
	}
	host.Advance(time.Millisecond)
	if n := passes(t, c); n != 1 {
		t.Errorf("%d packets passed after a quarter of the period, want 1", n)
	}
	host.Advance(24 * time.Hour)
	if n := passes(t, c); n != 3 {
		t.Errorf("%d packets passed after a day, want the capacity, 3", n)
	}
}

func TestRateLimitDefaults(t *testing.T) {
	host := newHost()
	c := attach(t, host, limited(account.RateLimit{RefillCount: 5}), middleware.RateLimit())
	if n := passes(t, c); n != 5 {
		t.Errorf("%d packets passed at once, want 5: no capacity means the refill count", n)
	}
	host.Advance(account.DefaultRefillPeriod)
	if n := passes(t, c); n != 5 {
		t.Errorf("%d packets passed after the default period, want 5", n)
	}
}

func TestRateLimitHugeRefillCount(t *testing.T) {
	host := newHost()
	c := attach(t, host, limited(account.RateLimit{RefillCount: 1<<64 - 1, RefillPeriod: 100 * time.Millisecond, Capacity: 2}), middleware.RateLimit())
	for range 3 {
		if n := passes(t, c); n != 2 {
			t.Errorf("%d packets passed at once, want 2", n)
		}
		host.Advance(time.Nanosecond)
	}
}

// A packet that was held on its way takes its token by the time it was
// received.
func TestRateLimitGoesByTimeOfReceipt(t *testing.T) {
	host := newHost()
	stages, err := middleware.RateLimit().Attach(host, limited(account.RateLimit{RefillCount: 1, RefillPeriod: time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	host.Advance(time.Hour)
	for _, c := range []struct {
		received time.Duration
		passes   bool
	}{{0, true}, {999 * time.Millisecond, false}, {time.Second, true}} {
		p := middleware.Packet{Prepare: prepare(1), Received: start.Add(c.received)}
		if reply := stages.Incoming.Prepare(t.Context(), &p); (reply == nil) != c.passes {
			t.Errorf("a packet received after %v was answered %v, want it let pass: %v", c.received, reply, c.passes)
		}
	}
}

// What a packet is or becomes makes no difference.
func TestRateLimitCountsEveryPacket(t *testing.T) {
	c := attach(t, newHost(), limited(account.RateLimit{RefillCount: 3}), middleware.RateLimit())
	send(t, c, incoming, 0, fulfill1())
	send(t, c, incoming, 1, &ilp.Reject{Code: ilp.F02Unreachable})
	send(t, c, incoming, 1<<63, fulfill1())
	wantReject(t, send(t, c, incoming, 1, fulfill1()), ilp.T05RateLimited, tooManyRequests)
}

func TestRateLimitLeavesTheRestAlone(t *testing.T) {
	stages, err := middleware.RateLimit().Attach(newHost(), limited(account.RateLimit{RefillCount: 1}))
	if err != nil {
		t.Fatal(err)
	}
	if stages.Outgoing != nil || stages.IncomingMoney != nil || stages.OutgoingMoney != nil {
		t.Error("packets to the account or settlements are limited")
	}
	stages, err = middleware.RateLimit().Attach(newHost(), child())
	if err != nil || stages.Incoming != nil {
		t.Errorf("an account without a limit has a stage: %v, %v", stages.Incoming, err)
	}
}

func TestRateLimitIsEachAccountsOwn(t *testing.T) {
	host, m := newHost(), middleware.RateLimit()
	first := attach(t, host, limited(account.RateLimit{RefillCount: 1}), m)
	second := attach(t, host, limited(account.RateLimit{RefillCount: 1}), m)
	passes(t, first)
	if n := passes(t, second); n != 1 {
		t.Errorf("%d packets of the second account passed, want 1", n)
	}
}

// The limit is exact, however many packets come at the same time.
func TestRateLimitConcurrent(t *testing.T) {
	c := attach(t, newHost(), limited(account.RateLimit{RefillCount: 100}), middleware.RateLimit())
	var passed atomic.Int64
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for range 50 {
				out, err := c.Send(t.Context(), incoming, prepare(1), fulfill1())
				if err == nil && out.Sent != nil {
					passed.Add(1)
				}
			}
		})
	}
	senders.Wait()
	if passed.Load() != 100 {
		t.Errorf("%d packets passed, want 100", passed.Load())
	}
}
