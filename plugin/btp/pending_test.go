package btp_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// Replies find their requests in whatever order they come.
func TestRepliesOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHolder()
		_, c := linked(t, h, newRecorder(fulfiller), btp.ServerOptions{})
		var outcomes []<-chan outcome
		var open []held
		for i := range 100 {
			p := newPrepare(10)
			p.Amount = uint64(i)
			outcomes = append(outcomes, ask(c, p))
			open = append(open, get(t, h.held))
		}
		if s := c.Stats(); s.Outstanding != 100 {
			t.Errorf("%+v", s)
		}
		for i := range open {
			o := open[(i*37+11)%100]
			o.responder.Reply(context.Background(), ilp.Rejectf(ilp.F99ApplicationError, "%d", o.prepare.Amount))
		}
		for i, c := range outcomes {
			if o := <-c; o.reject == nil || o.reject.Message != fmt.Sprint(i) {
				t.Fatalf("request %d: %+v", i, o)
			}
		}
	})
}

// Replies that nobody asked for, and second replies, are counted and change
// nothing (BTP-32: they are not answered either).
func TestUnexpectedReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		p := n.account(t, "alice", "token", newRecorder(fulfiller))
		r := n.authenticated(t, "alice", "token")
		result := ask(p, newPrepare(10))
		id := r.Read().RequestID
		r.SendILP(btp.TypeResponse, id+1, fulfill)
		r.Send(btp.Packet{Type: btp.TypeError, RequestID: id + 2, Error: *btp.Errorf("T00", "x")})
		r.SendILP(btp.TypeResponse, id, fulfill)
		r.SendILP(btp.TypeResponse, id, fulfill)
		r.Send(btp.Packet{Type: btp.TypeMessage, RequestID: 1}) // so that there is an answer
		if a := r.Read(); a.Type != btp.TypeResponse || a.RequestID != 1 {
			t.Errorf("answer %+v", a)
		}
		if o := get(t, result); o.fulfill == nil {
			t.Errorf("%+v", o)
		}
		if s := p.Stats(); s.UnknownReplies != 3 || s.LateReplies != 0 || s.Outstanding != 0 {
			t.Errorf("%+v", s)
		}
		select {
		case o := <-result:
			t.Errorf("a second answer: %+v", o)
		default:
		}
	})
}

// A reply is delivered until LateWindow after the packet's expiry. Then the
// request is given up, and what comes later is counted as late, for as long
// again.
func TestLateWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{Limits: btp.Limits{LateWindow: 8 * time.Second, PingInterval: -1}})
		p := n.account(t, "alice", "token", newRecorder(fulfiller))
		r := n.authenticated(t, "alice", "token")
		start := time.Now()
		send := func(expiry time.Duration) (<-chan outcome, uint32) {
			prepare := newPrepare(10)
			prepare.ExpiresAt = start.Add(expiry)
			return ask(p, prepare), r.Read().RequestID
		}
		inTime, idInTime := send(30 * time.Second)
		never, idNever := send(30 * time.Second)
		early, _ := send(5 * time.Second)
		expired, _ := send(-time.Second)
		forgotten, idForgotten := send(0)

		for _, test := range []struct {
			c     <-chan outcome
			after time.Duration
		}{{expired, 7 * time.Second}, {forgotten, 8 * time.Second}, {early, 13 * time.Second}} {
			if o := get(t, test.c); !errors.Is(o.err, plugin.ErrUnknownOutcome) {
				t.Errorf("%+v", o)
			}
			// Sweeps come at most once in an eighth of the window.
			if d := time.Since(start); d < test.after || d > test.after+time.Second {
				t.Errorf("given up after %v, want %v", d, test.after)
			}
		}
		time.Sleep(37*time.Second - time.Since(start))
		r.SendILP(btp.TypeResponse, idInTime, fulfill)
		if o := get(t, inTime); o.fulfill == nil {
			t.Errorf("in the window: %+v", o)
		}
		if o := get(t, never); !errors.Is(o.err, plugin.ErrUnknownOutcome) {
			t.Errorf("%+v", o)
		}
		if s := p.Stats(); s.LateReplies != 0 || s.UnknownReplies != 0 || s.Outstanding != 0 {
			t.Errorf("%+v", s)
		}
		r.SendILP(btp.TypeResponse, idNever, fulfill)
		r.SendILP(btp.TypeResponse, idForgotten, fulfill) // 30 s after it was given up
		synctest.Wait()
		if s := p.Stats(); s.LateReplies != 1 || s.UnknownReplies != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// A packet that expires before those that were sent earlier is given up in
// its own time.
func TestGivenUpInOrderOfExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{Limits: btp.Limits{LateWindow: 8 * time.Second, PingInterval: -1}})
		p := n.account(t, "alice", "token", newRecorder(fulfiller))
		r := n.authenticated(t, "alice", "token")
		go r.ReadUntilEnd()
		start := time.Now()
		for i := 30; i > 0; i-- {
			prepare := newPrepare(1)
			prepare.ExpiresAt = start.Add(time.Duration(i) * 10 * time.Second)
			result := ask(p, prepare)
			go func() {
				get(t, result)
				due := prepare.ExpiresAt.Add(8 * time.Second)
				if late := time.Since(due); late < 0 || late > time.Second {
					t.Errorf("packet %d was given up %v after it was due", i, late)
				}
			}()
		}
		synctest.Wait()
		if s := p.Stats(); s.Outstanding != 30 {
			t.Errorf("%+v", s)
		}
		time.Sleep(310 * time.Second)
		if s := p.Stats(); s.Outstanding != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// The number of requests that wait for answers is bounded. One that was
// answered or given up makes room.
func TestMaxOutstanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHolder()
		_, c := linked(t, h, newRecorder(fulfiller), btp.ServerOptions{Limits: btp.Limits{MaxOutstanding: 3}})
		first := ask(c, newPrepare(1))
		ask(c, newPrepare(1))
		ask(c, newPrepare(1))
		if o := get(t, ask(c, newPrepare(1))); !errors.Is(o.err, plugin.ErrBusy) || !errors.Is(o.err, plugin.ErrNotSent) {
			t.Errorf("one too many: %+v", o)
		}
		if _, err := c.Request(t.Context(), &btp.Packet{Type: btp.TypeMessage}); !errors.Is(err, plugin.ErrBusy) {
			t.Errorf("a request too many: %v", err)
		}
		get(t, h.held).responder.Reply(context.Background(), fulfill)
		<-first
		ask(c, newPrepare(1))
		if o := get(t, ask(c, newPrepare(1))); !errors.Is(o.err, plugin.ErrBusy) {
			t.Errorf("one too many: %+v", o)
		}
		time.Sleep(time.Minute)
		if s := c.Stats(); s.Outstanding != 0 {
			t.Errorf("%+v", s)
		}
		ask(c, newPrepare(1))
		if s := c.Stats(); s.Outstanding != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// A stream of packets that expired long ago does not put off the moment at
// which they are given up.
func TestStreamOfExpiredPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{Limits: btp.Limits{LateWindow: 8 * time.Second, PingInterval: -1}})
		p := n.account(t, "alice", "token", newRecorder(fulfiller))
		r := n.authenticated(t, "alice", "token")
		go r.ReadUntilEnd()
		expired := newPrepare(1)
		expired.ExpiresAt = time.Now().Add(-time.Hour)
		first := ask(p, expired)
		start := time.Now()
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			ask(p, expired)
		}
		if o := get(t, first); !errors.Is(o.err, plugin.ErrUnknownOutcome) {
			t.Errorf("%+v", o)
		}
		if s := p.Stats(); s.Outstanding > 11 {
			t.Errorf("after %v: %+v", time.Since(start), s)
		}
	})
}
