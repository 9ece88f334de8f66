package ccp_test

import (
	"fmt"
	"time"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

// referenceReceiver behaves as the reference does (js-connector 5.6).
type referenceReceiver struct {
	own      string
	up, out  bool
	sequence uint64
	sent     time.Time
	due      time.Time // of the next Control; zero: none
	id       ccp.TableID
	epoch    uint32
	table    map[string]string
}

func (r *referenceReceiver) update(now time.Time, p *ilp.Prepare) ilp.Reply {
	if !r.up {
		return ccp.RejectStranger(p.Destination)
	}
	u, err := ccp.ParseUpdate(p, now)
	if err != nil {
		return err.(*ilp.Reject)
	}
	if u.TableID != r.id {
		r.id, r.epoch = u.TableID, 0
	}
	if u.FromEpoch > r.epoch || r.epoch > u.ToEpoch {
		return &ilp.Fulfill{}
	}
	for _, prefix := range u.WithdrawnRoutes {
		delete(r.table, prefix)
	}
	for _, route := range u.NewRoutes {
		r.table[route.Prefix] = fmt.Sprint(route.Path)
	}
	r.epoch = u.ToEpoch
	return &ilp.Fulfill{}
}

func (r *referenceReceiver) linkUp(now time.Time) {
	*r = referenceReceiver{own: r.own, sequence: r.sequence, up: true, due: now, table: make(map[string]string)}
}
func (r *referenceReceiver) linkDown(time.Time)        { r.up, r.out, r.table = false, false, nil }
func (r *referenceReceiver) routes() map[string]string { return r.table }
func (r *referenceReceiver) deadline() time.Time {
	switch {
	case !r.up:
		return time.Time{}
	case r.out:
		return r.sent.Add(35 * time.Second)
	}
	return r.due
}
func (r *referenceReceiver) answered(now time.Time, sequence uint64, outcome ccp.Outcome) {
	if !r.up || !r.out || sequence != r.sequence {
		return
	}
	if r.out = false; outcome != ccp.Fulfilled {
		r.due = now.Add(30 * time.Second)
	}
}
func (r *referenceReceiver) poll(now time.Time) *ccp.Message {
	if r.up && r.out && !now.Before(r.deadline()) {
		r.answered(now, r.sequence, ccp.TimedOut)
	}
	if !r.up || r.out || r.due.IsZero() || now.Before(r.due) {
		return nil
	}
	r.sequence++
	r.out, r.sent, r.due = true, now, time.Time{}
	p, _ := (&ccp.Control{Mode: ccp.Sync, TableID: r.id, Epoch: r.epoch}).Prepare(now.Add(time.Minute))
	return &ccp.Message{Sequence: r.sequence, Prepare: p}
}

// referenceSender behaves as the reference does: after a failure it stops
// until something changes or it is asked, and a Reject is as good as a
// Fulfill. Its table is ours, read through a sender that nobody disturbs.
type referenceSender struct {
	w        *world
	sync     bool
	out      bool
	sequence uint64
	last     time.Time
	due      time.Time // zero: it has stopped
	known    uint32    // advanced before the answer
	before   uint32
}

func (s *referenceSender) control(now time.Time, p *ilp.Prepare) ilp.Reply {
	c, err := ccp.ParseControl(p, now)
	if err != nil {
		return err.(*ilp.Reject)
	}
	s.sync, s.known = c.Mode == ccp.Sync, 0
	if c.TableID == s.w.table.ID() {
		s.known = c.Epoch
	}
	s.schedule(now)
	return &ilp.Fulfill{}
}

func (s *referenceSender) schedule(now time.Time) {
	s.due = time.Time{}
	if !s.sync {
		return
	}
	var wait time.Duration
	if s.known >= s.w.table.CurrentEpoch() {
		wait = ccp.DefaultInterval - now.Sub(s.last)
	}
	s.due = now.Add(max(wait, ccp.DefaultSpacing))
}

func (s *referenceSender) changed(now time.Time)  { s.schedule(now) }
func (s *referenceSender) linkDown(now time.Time) { s.sync, s.out, s.due = false, false, time.Time{} }
func (s *referenceSender) deadline() time.Time {
	if s.out {
		return s.last.Add(ccp.DefaultInterval)
	}
	return s.due
}
func (s *referenceSender) answered(now time.Time, sequence uint64, outcome ccp.Outcome) {
	if !s.out || sequence != s.sequence {
		return
	}
	if s.out = false; outcome == ccp.Failed || outcome == ccp.TimedOut {
		s.known = s.before
		return
	}
	s.schedule(now)
}
func (s *referenceSender) poll(now time.Time) *ccp.Message {
	if s.out && !now.Before(s.deadline()) {
		s.answered(now, s.sequence, ccp.TimedOut)
	}
	if s.out || s.due.IsZero() || now.Before(s.due) {
		return nil
	}
	// What the table has from here on, at most 50 epochs of it.
	reader := ccp.NewSender(ccp.SenderOptions{Peer: usd, Table: s.w.table, Export: s.w.policy})
	reader.Apply(now.Add(-ccp.DefaultSpacing), &ccp.Control{Mode: ccp.Sync, TableID: s.w.table.ID(), Epoch: s.known})
	m := reader.Poll(now)
	reader.LinkDown(now)
	var u ccp.Update
	if err := u.Decode(m.Prepare.Data); err != nil {
		s.w.t.Fatal(err)
	}
	s.sequence++
	s.out, s.last, s.due = true, now, time.Time{}
	s.before, s.known = s.known, u.ToEpoch
	m.Sequence = s.sequence
	return m
}
