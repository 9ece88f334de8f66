package ccp_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

const spacing = ccp.DefaultSpacing

// span is what an update covers, and how many entries it has.
func span(u *ccp.Update) string {
	return fmt.Sprintf("%d-%d/%d +%d -%d", u.FromEpoch, u.ToEpoch, u.CurrentEpoch, len(u.NewRoutes), len(u.WithdrawnRoutes))
}

// next polls at a time at which there must be an update, and not before it.
func next(t *testing.T, s *ccp.Sender, at time.Time, want string) *ccp.Message {
	t.Helper()
	if got := s.Deadline(); !got.Equal(at) {
		t.Errorf("the deadline is %v, want %v", got.Sub(start), at.Sub(start))
	}
	if m := s.Poll(at.Add(-1)); m != nil {
		t.Errorf("an update before its time: %s", span(update(t, m)))
	}
	m := s.Poll(at)
	if got := span(update(t, m)); got != want {
		t.Errorf("the update is %s, want %s", got, want)
	}
	if again := s.Poll(at); again != nil {
		t.Error("a second update while the first is under way")
	}
	return m
}

// big is a table with n routes of cad.
func big(n int) *ccp.Table {
	var routes []ccp.Best
	for i := range n {
		routes = append(routes, best(fmt.Sprintf("test.p%d", i), cad, "test.cad"))
	}
	return newTable(routes...)
}

// CCP-34: idle until asked, and when told so.
func TestSenderIdle(t *testing.T) {
	table := big(1)
	s := ccp.NewSender(ccp.SenderOptions{Table: table, Peer: usd})
	s.TableChanged(start)
	if m := s.Poll(start.Add(time.Hour)); m != nil || !s.Deadline().IsZero() {
		t.Error("it speaks before it is asked")
	}
	s.Apply(start, &ccp.Control{Mode: ccp.Sync})
	if s.Deadline().IsZero() {
		t.Error("it does not speak when it is asked")
	}
	s.Apply(start, &ccp.Control{Mode: ccp.Idle})
	if m := s.Poll(start.Add(time.Hour)); m != nil || !s.Deadline().IsZero() || s.Status().Mode != ccp.Idle {
		t.Error("it speaks when it has been told to stop")
	}
}

// CCP-28: heartbeats, also where there is nothing to tell at all.
func TestSenderHeartbeats(t *testing.T) {
	s := newSender(newTable(), usd)
	at := start.Add(spacing)
	for range 3 {
		m := next(t, s, at, "0-0/0 +0 -0")
		s.Answered(at, m.Sequence, ccp.Fulfilled)
		at = at.Add(ccp.DefaultInterval)
	}
}

// The first batch is the reference's; a prompt peer gets larger ones, at once.
func TestSenderBatchesGrow(t *testing.T) {
	s := newSender(big(1000), usd)
	at := start.Add(spacing)
	for _, want := range []string{"0-50/1000 +50 -0", "50-150/1000 +100 -0", "150-350/1000 +200 -0"} {
		m := next(t, s, at, want)
		at = at.Add(10 * time.Millisecond)
		s.Answered(at, m.Sequence, ccp.Fulfilled)
	}
	// A slow answer does not make it grow.
	m := next(t, s, at, "350-750/1000 +400 -0")
	at = at.Add(2 * time.Second)
	s.Answered(at, m.Sequence, ccp.Fulfilled)
	m = next(t, s, at, "750-1000/1000 +250 -0")
	s.Answered(at, m.Sequence, ccp.Fulfilled)
	if got := s.Deadline().Sub(at); got != ccp.DefaultInterval {
		t.Errorf("the next update is in %v, want a heartbeat", got)
	}
}

// A packet bounds an update too (ILP4-07).
func TestSenderFillsPackets(t *testing.T) {
	s := newSender(big(5000), usd)
	at, from, largest := start.Add(spacing), uint32(0), 0
	for range 100 {
		m := s.Poll(at)
		u := update(t, m)
		if u.FromEpoch != from {
			t.Fatalf("it goes on from %d, want %d", u.FromEpoch, from)
		}
		from, largest = u.ToEpoch, max(largest, len(m.Prepare.Data))
		if len(m.Prepare.Data) > ilp.MaxDataLength {
			t.Fatalf("%d bytes", len(m.Prepare.Data))
		}
		s.Answered(at, m.Sequence, ccp.Fulfilled)
		if from == 5000 {
			if largest < ilp.MaxDataLength-200 {
				t.Errorf("the largest update has %d bytes", largest)
			}
			return
		}
	}
	t.Errorf("after 100 updates it is at epoch %d", from)
}

// js-connector 18: an update that fails, or is rejected, or is not answered,
// is sent again.
func TestSenderRetries(t *testing.T) {
	for _, outcome := range []ccp.Outcome{ccp.Rejected, ccp.Failed, ccp.TimedOut} {
		t.Run(outcome.String(), func(t *testing.T) {
			s := newSender(big(200), usd)
			at := start.Add(spacing)
			m := s.Poll(at)
			s.Answered(at, m.Sequence, ccp.Fulfilled)
			m = next(t, s, at, "50-150/200 +100 -0")
			batch, longest := 100, time.Duration(0)
			for range 12 {
				if outcome == ccp.TimedOut {
					at = at.Add(ccp.DefaultInterval) // nobody says so
					if m := s.Poll(at); m != nil {
						t.Fatal("it is sent again at once")
					}
				} else {
					s.Answered(at, m.Sequence, outcome)
				}
				wait := s.Deadline().Sub(at)
				if wait < 500*time.Millisecond || wait > 30*time.Second {
					t.Errorf("it is sent again after %v", wait)
				}
				longest = max(longest, wait)
				at = at.Add(wait)
				batch = max(batch/2, 1)
				m = next(t, s, at, fmt.Sprintf("50-%d/200 +%d -0", 50+batch, batch))
				if s.Status().Epoch != 50 {
					t.Errorf("it takes epoch %d as known", s.Status().Epoch)
				}
			}
			if longest < 15*time.Second {
				t.Errorf("the longest wait is %v", longest)
			}
			s.Answered(at, m.Sequence, ccp.Fulfilled)
			next(t, s, at, "51-53/200 +2 -0")
		})
	}
}

// An answer counts once, and only for the last update.
func TestSenderIgnoresLateAnswers(t *testing.T) {
	s := newSender(big(200), usd)
	at := start.Add(spacing)
	first := s.Poll(at)
	at = at.Add(ccp.DefaultInterval)
	s.Poll(at) // times out
	at = s.Deadline()
	second := s.Poll(at)
	s.Answered(at, first.Sequence, ccp.Fulfilled)
	if s.Status().Epoch != 0 {
		t.Error("the answer to the first counted for the second")
	}
	s.Answered(at, second.Sequence, ccp.Fulfilled)
	epoch := s.Status().Epoch
	s.Answered(at, second.Sequence, ccp.Rejected)
	s.Answered(at, second.Sequence, ccp.Fulfilled)
	if got := s.Status(); got.Epoch != epoch || got.Failures != 0 || got.Outcomes[ccp.Rejected] != 0 {
		t.Errorf("an answer counted twice: %+v", got)
	}
}

// A burst of changes is one update; what changes while an update is under way
// follows it.
func TestSenderWaitsForBursts(t *testing.T) {
	table := newTable()
	s := newSender(table, usd)
	at := start.Add(spacing)
	s.Answered(at, next(t, s, at, "0-0/0 +0 -0").Sequence, ccp.Fulfilled)

	at = at.Add(time.Second)
	change := func(at time.Time, prefix string) {
		table.Set([]ccp.Best{best(prefix, cad, "test.cad")})
		s.TableChanged(at)
	}
	change(at, "test.a")
	change(at.Add(100*time.Millisecond), "test.b")
	at = at.Add(spacing)
	m := next(t, s, at, "0-2/2 +2 -0")
	change(at, "test.c")
	change(at.Add(time.Second), "test.d")
	at = at.Add(2 * time.Second)
	s.Answered(at, m.Sequence, ccp.Fulfilled)
	if u := update(t, s.Poll(at)); span(u) != "2-4/4 +2 -0" {
		t.Errorf("the update is %s", span(u))
	}
}

// Asking often makes no more updates leave.
func TestSenderBoundsControls(t *testing.T) {
	s := newSender(big(50), usd)
	at, updates := start, 0
	for range 1000 {
		at = at.Add(time.Millisecond)
		s.Apply(at, &ccp.Control{Mode: ccp.Sync})
		if s.Poll(at) != nil {
			updates++
		}
	}
	if updates > int(time.Second/spacing)+1 {
		t.Errorf("%d updates in a second", updates)
	}
}

// CCP-14, and js-connector 25: from where a peer is taught.
func TestSenderControl(t *testing.T) {
	for _, c := range []struct {
		name    string
		control ccp.Control
		prepare func(table *ccp.Table)
		from    uint32
		fresh   bool // under an id of its own
	}{
		{"nothing known (CCP-13)", ccp.Control{}, nil, 0, false},
		{"another table", ccp.Control{TableID: ccp.TableID{9}, Epoch: 2}, nil, 0, false},
		{"some epochs", ccp.Control{TableID: tableID, Epoch: 2}, nil, 2, false},
		{"all epochs", ccp.Control{TableID: tableID, Epoch: 4}, nil, 4, false},
		{"the future", ccp.Control{TableID: tableID, Epoch: 5}, nil, 0, true},
		{"nothing known, withdrawals forgotten", ccp.Control{}, (*ccp.Table).Forget, 0, true},
		{"below the floor", ccp.Control{TableID: tableID, Epoch: 2}, (*ccp.Table).Forget, 0, true},
		{"at the floor", ccp.Control{TableID: tableID, Epoch: 3}, (*ccp.Table).Forget, 3, false},
		{"a renewed table", ccp.Control{TableID: tableID, Epoch: 2}, func(table *ccp.Table) { table.SetAddress(addr("test.new")) }, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := newTable(best("test.a", cad, "test.cad"), best("test.b", cad, "test.cad"))
			table.Set([]ccp.Best{none("test.a"), best("test.c", cad, "test.cad")})
			if c.prepare != nil {
				c.prepare(table)
			}
			s := ccp.NewSender(ccp.SenderOptions{Table: table, Peer: usd, Random: seeded(4)})
			c.control.Mode = ccp.Sync
			s.Apply(start, &c.control)
			u := update(t, s.Poll(start.Add(spacing)))
			if u.FromEpoch != c.from || u.ToEpoch != table.CurrentEpoch() || (u.TableID != tableID) != c.fresh {
				t.Errorf("the update is %s of table %s", span(u), u.TableID)
			}
			// Another peer is not disturbed.
			if c.prepare == nil {
				other := newSender(table, eur)
				if u := update(t, other.Poll(start.Add(spacing))); u.TableID != tableID {
					t.Errorf("another peer sees table %s", u.TableID)
				}
			}
		})
	}
}

// A peer that is slower than the table forgets starts over while it is taught.
func TestSenderTooSlow(t *testing.T) {
	table := newTable(best("test.a", cad, "test.cad"), best("test.b", cad, "test.cad"))
	s := newSender(table, usd)
	at := start.Add(spacing)
	m := s.Poll(at)
	s.Answered(at, m.Sequence, ccp.Fulfilled)
	table.Set([]ccp.Best{none("test.a")})
	table.Forget()
	s.TableChanged(at)
	at = at.Add(spacing)
	m = next(t, s, at, "0-3/3 +1 -0")
	if u := update(t, m); u.TableID == tableID {
		t.Error("the peer cannot see that it must forget test.a")
	}
	// That is no reason to start over again.
	s.Answered(at, m.Sequence, ccp.Fulfilled)
	next(t, s, at.Add(ccp.DefaultInterval), "3-3/3 +0 -0")
}

// CCP-29: who is told what.
func TestExportPolicies(t *testing.T) {
	for _, c := range []struct {
		to, from              ccp.Neighbor
		reference, valleyFree bool
	}{
		{cad, self, true, true}, {cad, child, true, true}, {cad, usd, true, false}, {cad, parent, true, false},
		{child, self, true, true}, {child, child2, true, true}, {child, usd, true, true}, {child, parent, true, true},
		{parent, self, true, true}, {parent, child, true, true}, {parent, usd, false, false},
		{parent, neighbor("parent2", account.Parent), false, false},
	} {
		if got := ccp.ReferenceExport(c.to, c.from); got != c.reference {
			t.Errorf("ReferenceExport(%v, %v) = %v", c.to, c.from, got)
		}
		if got := ccp.ValleyFree(c.to, c.from); got != c.valleyFree {
			t.Errorf("ValleyFree(%v, %v) = %v", c.to, c.from, got)
		}
	}
}

// CCP-29, js-connector 24: a route that is not for the peer is withdrawn from
// it, and one that leads to the peer always is.
func TestSenderExports(t *testing.T) {
	for _, c := range []struct {
		name      string
		peer      ccp.Neighbor
		policy    ccp.ExportPolicy
		want      []string
		withdrawn []string
	}{
		{"to a peer", usd, nil, []string{"test.own", "test.peer", "test.child", "test.parent"}, []string{"test.usd"}},
		{"to a peer, valley-free", usd, ccp.ValleyFree, []string{"test.own", "test.child"}, []string{"test.usd", "test.peer", "test.parent"}},
		{"to a parent", parent, nil, []string{"test.own", "test.child"}, []string{"test.usd", "test.peer", "test.parent"}},
		{"to a child", child, ccp.ValleyFree, []string{"test.own", "test.usd", "test.peer", "test.parent"}, []string{"test.child"}},
		{"whatever the policy says", usd, func(_, _ ccp.Neighbor) bool { return true }, []string{"test.own", "test.peer", "test.child", "test.parent"}, []string{"test.usd"}},
		{"nothing", usd, func(_, _ ccp.Neighbor) bool { return false }, nil, []string{"test.own", "test.usd", "test.peer", "test.child", "test.parent"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := newTable(best("test.own", self), best("test.usd", usd, "test.usd"), best("test.peer", cad, "test.cad"),
				best("test.child", child, "test.child"), best("test.parent", parent, "test.parent"))
			s := ccp.NewSender(ccp.SenderOptions{Table: table, Peer: c.peer, Export: c.policy})
			s.Apply(start, &ccp.Control{Mode: ccp.Sync})
			u := update(t, s.Poll(start.Add(spacing)))
			equal(t, prefixes(u.NewRoutes), c.want)
			equal(t, u.WithdrawnRoutes, c.withdrawn)
		})
	}
}

// js-connector 18: a link that comes back is taught anew, when it asks.
func TestSenderLinkDown(t *testing.T) {
	s := newSender(big(200), usd)
	at := start.Add(spacing)
	m := s.Poll(at)
	s.LinkDown(at)
	s.Answered(at, m.Sequence, ccp.Fulfilled)
	if got := s.Status(); got.Mode != ccp.Idle || got.Epoch != 0 || !s.Deadline().IsZero() || s.Poll(at.Add(time.Hour)) != nil {
		t.Errorf("it is not idle: %+v", got)
	}
	at = at.Add(time.Minute)
	s.Apply(at, &ccp.Control{Mode: ccp.Sync})
	next(t, s, at.Add(spacing), "0-50/200 +50 -0")
}

// CCP-12.
func TestSenderHandleControl(t *testing.T) {
	s := ccp.NewSender(ccp.SenderOptions{Table: big(1), Peer: usd})
	p, err := (&ccp.Control{Mode: ccp.Sync}).Prepare(start)
	if err != nil {
		t.Fatal(err)
	}
	if reply, ok := s.HandleControl(start.Add(1), &p).(*ilp.Reject); !ok || reply.Message != "CCP route control request packet is expired." || s.Status().Mode != ccp.Idle {
		t.Errorf("the answer to an expired one is %v", reply)
	}
	if reply := s.HandleControl(start, &p); ccp.OutcomeOf(reply, nil) != ccp.Fulfilled || s.Status().Mode != ccp.Sync {
		t.Errorf("the answer is %v", reply)
	}
}
