package ccp_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

// asks polls at a time at which there must be a Control, and not before.
func asks(t *testing.T, r *ccp.Receiver, at time.Time, want ccp.Control) *ccp.Message {
	t.Helper()
	if got := r.Deadline(); !got.Equal(at) {
		t.Errorf("the deadline is %v, want %v", got.Sub(start), at.Sub(start))
	}
	if _, m := r.Poll(at.Add(-1)); m != nil {
		t.Error("a control before its time")
	}
	_, m := r.Poll(at)
	want.Mode = ccp.Sync
	equal(t, control(t, m), &want)
	if _, again := r.Poll(at); again != nil {
		t.Error("a second control while the first is under way")
	}
	return m
}

// CCP-27: which updates are applied.
func TestReceiverEpochs(t *testing.T) {
	for _, c := range []struct {
		name     string
		update   *ccp.Update
		applied  bool
		epoch    uint32
		gaps     uint64
		stale    uint64
		newTable uint64
	}{
		{"the next", news(5, 6, by("test.a")), true, 6, 0, 0, 0},
		{"a heartbeat", news(5, 5), false, 5, 0, 0, 0},
		{"overlapping", news(3, 7, by("test.a")), true, 7, 0, 0, 0},
		{"repeated", news(4, 5, by("test.a")), true, 5, 0, 0, 0},
		{"of old", news(2, 4, by("test.a")), false, 5, 0, 1, 0},
		{"a gap", news(6, 7, by("test.a")), false, 5, 1, 0, 0},
		{"a heartbeat after a gap", news(6, 6), false, 5, 1, 0, 0},
		{"backwards", news(5, 4, by("test.a")), false, 5, 0, 1, 0},
		{"backwards from a gap", news(7, 5, by("test.a")), false, 5, 1, 0, 0},
		{"another table (CCP-26)", &ccp.Update{TableID: ccp.TableID{2}, Speaker: addr("test.usd"), CurrentEpoch: 1, ToEpoch: 1, NewRoutes: []*ccp.Route{by("test.a")}}, true, 1, 0, 0, 1},
		{"a gap in another table", &ccp.Update{TableID: ccp.TableID{2}, Speaker: addr("test.usd"), CurrentEpoch: 2, FromEpoch: 1, ToEpoch: 2}, false, 0, 1, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReceiver(t)
			r.Apply(start, news(0, 5, by("test.z")))
			r.Apply(start, c.update)
			_, applied := r.Get("test.a")
			s := r.Status()
			if applied != c.applied || s.Epoch != c.epoch || s.Gaps != c.gaps || s.Stale != c.stale || s.NewTables != c.newTable {
				t.Errorf("applied: %v, %+v", applied, s)
			}
		})
	}
}

// CCP-27: within an update withdrawals come first, and the last route counts.
func TestReceiverOrderWithinUpdate(t *testing.T) {
	r := newReceiver(t)
	u := news(0, 1, by("test.a"), by("test.b", "test.x"), by("test.b", "test.y"))
	u.WithdrawnRoutes = []string{"test.a", "test.never"}
	equal(t, said(r.Apply(start, u)), []string{"+test.a", "+test.b"})
	if got, _ := r.Get("test.b"); !slices.Equal(got.Path, path("test.usd", "test.y")) {
		t.Errorf("the path is %v", got.Path)
	}
	// Withdrawn and told again as it was: nothing has changed.
	u = news(1, 2, by("test.a"))
	u.WithdrawnRoutes = []string{"test.a"}
	kept, _ := r.Get("test.a")
	equal(t, said(r.Apply(start, u)), nil)
	if got, _ := r.Get("test.a"); got.Path[0] != kept.Path[0] {
		t.Errorf("the route is %v", got)
	}
	// js-connector 20: another path is a change.
	equal(t, said(r.Apply(start, news(2, 3, by("test.a", "test.x")))), []string{"+test.a"})
	// Properties are not kept.
	withProps := by("test.p")
	withProps.Props = []ccp.Property{{Value: make([]byte, 1000)}}
	r.Apply(start, news(3, 4, withProps))
	if got, _ := r.Get("test.p"); got.Props != nil {
		t.Error("properties are kept")
	}
}

// js-connector 17: a gap is asked for again, at once but not without end.
func TestReceiverGap(t *testing.T) {
	r := newReceiver(t)
	r.Apply(start, news(0, 5, by("test.a")))
	at := start.Add(10 * time.Second)
	r.Apply(at, news(7, 8, by("test.b")))
	m := asks(t, r, at, ccp.Control{TableID: peerTable, Epoch: 5})
	// While the question is under way another gap is none of its own.
	r.Apply(at, news(8, 9))
	r.Answered(at, m.Sequence, ccp.Fulfilled)
	if _, m := r.Poll(at); m != nil {
		t.Error("it asks twice")
	}
	equal(t, said(r.Apply(at, news(5, 9, by("test.b")))), []string{"+test.b"})

	// A peer that does not close the gap is asked for everything in the end,
	// ever more rarely.
	controls, everything := 0, false
	for end := at.Add(time.Hour); at.Before(end); at = at.Add(100 * time.Millisecond) {
		u := news(100, 101)
		if everything {
			u.TableID = ccp.TableID{byte(controls)} // broken in yet another way
		}
		r.Apply(at, u)
		if _, m := r.Poll(at); m != nil {
			controls++
			everything = everything || control(t, m).Epoch == 0
			r.Answered(at, m.Sequence, ccp.Fulfilled)
		}
	}
	if !everything || controls < 100 || controls > 300 {
		t.Errorf("%d controls in an hour, everything asked for: %v", controls, everything)
	}
}

// js-connector 16: routes are forgotten when the peer falls silent, and the
// peer is asked again.
func TestReceiverHoldDown(t *testing.T) {
	for _, c := range []struct {
		name string
		set  time.Duration
		want time.Duration
	}{
		{"the default", ccp.DefaultHoldDown, ccp.DefaultHoldDown},
		{"longer", 2 * time.Minute, 2 * time.Minute},
		{"none", 0, ccp.DefaultHoldDown},
		{"shorter than a heartbeat", time.Second, ccp.DefaultHoldDown},
		{"for ever", 1<<32*time.Millisecond - time.Millisecond, 10 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReceiver(t)
			u := news(0, 1, by("test.a"))
			u.HoldDown = c.set
			r.Apply(start, u)
			at := start.Add(c.want)
			if got := r.Deadline(); !got.Equal(at) {
				t.Fatalf("the deadline is %v, want %v", got.Sub(start), c.want)
			}
			if changes, m := r.Poll(at.Add(-1)); changes != nil || m != nil {
				t.Error("something happened too early")
			}
			changes, m := r.Poll(at)
			equal(t, said(changes), []string{"-test.a"})
			equal(t, control(t, m), &ccp.Control{Mode: ccp.Sync})
			if r.Status().Expiries != 1 || r.Len() != 0 {
				t.Errorf("%+v", r.Status())
			}
		})
	}
}

// CCP-27: each update makes the routes good for longer, and none for less.
func TestReceiverHeartbeat(t *testing.T) {
	r := newReceiver(t)
	long := news(0, 1, by("test.a"))
	long.HoldDown = 2 * time.Minute
	r.Apply(start, long)
	r.Apply(start.Add(time.Minute), news(1, 1))
	if got := r.Status().Expiry.Sub(start); got != 2*time.Minute {
		t.Errorf("expiry after %v, want 2m", got)
	}
	r.Apply(start.Add(100*time.Second), news(1, 1))
	if got := r.Status().Expiry.Sub(start); got != 145*time.Second {
		t.Errorf("expiry after %v, want 2m25s", got)
	}
}

// A peer that says yes and then nothing is asked again.
func TestReceiverSilentPeer(t *testing.T) {
	r := newReceiver(t)
	at := start
	for range 5 {
		at = at.Add(ccp.DefaultHoldDown)
		m := asks(t, r, at, ccp.Control{})
		r.Answered(at, m.Sequence, ccp.Fulfilled)
	}
}

// CCP-15, js-connector 17: a Control that fails is sent again.
func TestReceiverRetries(t *testing.T) {
	for _, outcome := range []ccp.Outcome{ccp.Rejected, ccp.Failed, ccp.TimedOut} {
		t.Run(outcome.String(), func(t *testing.T) {
			r := ccp.NewReceiver(ccp.ReceiverOptions{Address: addr("test.connie"), Random: seeded(5)})
			r.LinkUp(start)
			at, longest := start, time.Duration(0)
			for range 12 {
				m := asks(t, r, at, ccp.Control{})
				if outcome == ccp.TimedOut {
					at = r.Deadline() // nobody says so
					if _, m := r.Poll(at); m != nil {
						t.Fatal("it is sent again at once")
					}
				} else {
					r.Answered(at, m.Sequence, outcome)
				}
				wait := r.Deadline().Sub(at)
				if wait < 500*time.Millisecond || wait > 30*time.Second {
					t.Errorf("it is sent again after %v", wait)
				}
				longest = max(longest, wait)
				at = at.Add(wait)
			}
			if longest < 15*time.Second {
				t.Errorf("the longest wait is %v", longest)
			}
			// js-connector 25: no retry outlives the link.
			r.LinkDown(at)
			if _, m := r.Poll(at.Add(time.Hour)); m != nil || !r.Deadline().IsZero() {
				t.Error("it goes on without a link")
			}
		})
	}
}

// js-connector 19: a new table flushes the old one, without a flap for what
// is in both.
func TestReceiverNewTable(t *testing.T) {
	r := newReceiver(t)
	r.Apply(start, news(0, 3, by("test.a"), by("test.b"), by("test.c")))
	fresh := func(from, to, current uint32, routes ...*ccp.Route) *ccp.Update {
		u := news(from, to, routes...)
		u.TableID, u.CurrentEpoch = ccp.TableID{2}, current
		return u
	}
	t.Run("in one update", func(t *testing.T) {
		r := newReceiver(t)
		r.Apply(start, news(0, 3, by("test.a"), by("test.b"), by("test.c")))
		equal(t, said(r.Apply(start, fresh(0, 2, 2, by("test.a"), by("test.b", "test.x"), by("test.d")))), []string{"+test.b", "+test.d", "-test.c"})
		equal(t, learnt(r), []string{"test.a", "test.b", "test.d"})
	})
	t.Run("in several", func(t *testing.T) {
		equal(t, said(r.Apply(start, fresh(0, 1, 3, by("test.a")))), nil)
		equal(t, learnt(r), []string{"test.a", "test.b", "test.c"})
		equal(t, said(r.Apply(start, fresh(1, 2, 3, by("test.b")))), nil)
		equal(t, said(r.Apply(start, fresh(2, 3, 3, by("test.d")))), []string{"+test.d", "-test.c"})
		equal(t, learnt(r), []string{"test.a", "test.b", "test.d"})
	})
	t.Run("withdrawn meanwhile", func(t *testing.T) {
		u := fresh(0, 1, 3)
		u.TableID, u.WithdrawnRoutes = ccp.TableID{3}, []string{"test.d"}
		equal(t, said(r.Apply(start, u)), []string{"-test.d"})
	})
	t.Run("never completed", func(t *testing.T) {
		if got := r.Deadline(); !got.Equal(start.Add(ccp.DefaultHoldDown)) {
			t.Errorf("the deadline is %v", got.Sub(start))
		}
		heartbeat := fresh(1, 1, 3)
		heartbeat.TableID = ccp.TableID{3}
		r.Apply(start.Add(30*time.Second), heartbeat)
		changes, _ := r.Poll(start.Add(ccp.DefaultHoldDown))
		equal(t, said(changes), []string{"-test.a", "-test.b"})
	})
	t.Run("slowly", func(t *testing.T) {
		r := newReceiver(t)
		r.Apply(start, news(0, 2, by("test.a"), by("test.b")))
		at := start
		for i := range uint32(20) {
			equal(t, said(r.Apply(at, fresh(i, i+1, 22))), nil)
			at = at.Add(30 * time.Second)
			if changes, m := r.Poll(at); changes != nil || m != nil {
				t.Fatalf("at %v: %v", at.Sub(start), said(changes))
			}
		}
		equal(t, said(r.Apply(at, fresh(20, 21, 22, by("test.a")))), nil)
		equal(t, said(r.Apply(at, fresh(21, 22, 22))), []string{"-test.b"})
	})
	t.Run("one after the other", func(t *testing.T) {
		r := newReceiver(t)
		for i := range 100 { // each forgets the one before the last
			u := fresh(0, 1, 2, by(fmt.Sprintf("test.p%d", i)))
			u.TableID = ccp.TableID{byte(i + 1)}
			r.Apply(start, u)
		}
		equal(t, learnt(r), []string{"test.p98", "test.p99"})
	})
}

// Reference 5.6: when the link is lost all routes go; when it is back they are
// asked for from the beginning.
func TestReceiverLinkDown(t *testing.T) {
	r := newReceiver(t)
	r.Apply(start, news(0, 2, by("test.a"), by("test.b")))
	equal(t, said(r.LinkDown(start)), []string{"-test.a", "-test.b"})
	equal(t, said(r.LinkDown(start)), nil)
	equal(t, said(r.Apply(start, news(2, 3, by("test.a")))), nil)
	p, err := news(2, 3, by("test.a")).Prepare(start)
	if err != nil {
		t.Fatal(err)
	}
	if _, reply := r.HandleUpdate(start, &p); ccp.OutcomeOf(reply, nil) != ccp.Rejected {
		t.Error("an update without a link was taken")
	}
	r.LinkUp(start.Add(time.Minute))
	asks(t, r, start.Add(time.Minute), ccp.Control{})
	// Reference 5.6: connected again without a loss, it asks again.
	r.LinkUp(start.Add(2 * time.Minute))
	if r.Deadline().IsZero() {
		t.Error("it does not ask")
	}
}

// When our own address changes, routes that claim it go, and all are asked
// for again.
func TestReceiverSetAddress(t *testing.T) {
	r := newReceiver(t)
	r.Apply(start, news(0, 3, by("test.a"), by("test.new"), by("test.b", "test.new")))
	equal(t, said(r.SetAddress(start.Add(time.Minute), addr("test.new"), ilp.Address{})), []string{"-test.b", "-test.new"})
	if _, m := r.Poll(start.Add(time.Minute)); control(t, m).Epoch != 0 {
		t.Error("it does not ask for everything")
	}
}

// An update that is no good is answered in the reference's words (js 5.6).
func TestReceiverHandleUpdate(t *testing.T) {
	r := newReceiver(t)
	p, err := news(0, 1, by("test.a")).Prepare(start)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*ilp.Prepare)
		code   ilp.Code
		want   string
	}{
		{"expired", func(p *ilp.Prepare) { p.ExpiresAt = start.Add(-1) }, ilp.F00BadRequest, "CCP route update request packet is expired."},
		{"condition", func(p *ilp.Prepare) { p.Condition[0]++ }, ilp.F01InvalidPacket, "condition must be peer protocol condition."},
		{"malformed", func(p *ilp.Prepare) { p.Data = p.Data[:40] }, ilp.F00BadRequest, "ccp: route update: oer: truncated"},
	} {
		bad := p
		c.change(&bad)
		changes, reply := r.HandleUpdate(start, &bad)
		if reject, ok := reply.(*ilp.Reject); !ok || changes != nil || reject.Code != c.code || reject.Message != c.want {
			t.Errorf("%s: %v, %v", c.name, changes, reply)
		}
	}
	changes, reply := r.HandleUpdate(start, &p)
	equal(t, said(changes), []string{"+test.a"})
	if ccp.OutcomeOf(reply, nil) != ccp.Fulfilled || r.Status().Rejected != 3 {
		t.Errorf("%v, %+v", reply, r.Status())
	}
}

// A link that comes and goes has its routes learnt later and later.
func TestReceiverDamped(t *testing.T) {
	damper := ccp.NewDamper(ccp.DamperOptions{})
	r := newReceiver(t, func(o *ccp.ReceiverOptions) { o.Damper = damper })
	at, last := start, time.Duration(-1)
	for i := range 5 {
		r.LinkDown(at)
		r.LinkUp(at)
		wait := r.Deadline().Sub(at)
		if i == 0 && wait != 0 || wait <= last {
			t.Errorf("after %d losses it asks after %v, before after %v", i+1, wait, last)
		}
		last = wait
		r.LinkUp(at) // said twice
		if got := r.Deadline().Sub(at); got != wait {
			t.Errorf("now it asks after %v", got)
		}
		if i > 0 {
			// What the peer says before it is asked anew is not learnt.
			equal(t, said(r.Apply(at, news(0, 1, by("test.a")))), nil)
		}
	}
}
