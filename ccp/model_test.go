package ccp_test

import (
	"container/heap"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

var seedFlag = flag.Uint64("ccp.seed", 0, "run the model of this seed only")

// teacher and learner are the two ends of a link, ours or the reference's.
type teacher interface {
	control(now time.Time, p *ilp.Prepare) ilp.Reply
	changed(now time.Time)
	linkDown(now time.Time)
	machine
}

type learner interface {
	update(now time.Time, p *ilp.Prepare) ilp.Reply
	linkUp(now time.Time)
	linkDown(now time.Time)
	routes() map[string]string
	machine
}

type machine interface {
	poll(now time.Time) *ccp.Message
	answered(now time.Time, sequence uint64, outcome ccp.Outcome)
	deadline() time.Time
}

// world is a link under a clock of its own, whose messages may be lost,
// doubled, late, and overtake each other.
type world struct {
	*rand.Rand
	t       *testing.T
	now     time.Time
	queue   events
	table   *ccp.Table
	policy  ccp.ExportPolicy
	teacher teacher
	learner learner

	lossy bool          // messages and answers get lost and doubled
	delay time.Duration // the longest way
}

type event struct {
	at    time.Time
	order int
	do    func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].order < q[j].order
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func (w *world) after(d time.Duration, do func()) {
	heap.Push(&w.queue, event{w.now.Add(d), w.Int(), do})
}

func (w *world) way() time.Duration { return time.Duration(w.Int64N(int64(w.delay))) }
func (w *world) chance(percent int) bool {
	return w.lossy && w.IntN(100) < percent
}

// send brings a message to the other end, and its answer back.
func (w *world) send(m *ccp.Message, from machine, to func(time.Time, *ilp.Prepare) ilp.Reply) {
	if m == nil {
		return
	}
	bytes := wire(w.t, m.Prepare, nil)
	arrive := func() {
		var p ilp.Prepare
		if err := p.Decode(append([]byte(nil), bytes...)); err != nil {
			w.t.Fatal(err)
		}
		reply := to(w.now, &p)
		clear(p.Data) // nobody keeps anything of it
		if w.chance(15) {
			return
		}
		w.after(w.way(), func() { from.answered(w.now, m.Sequence, ccp.OutcomeOf(reply, nil)) })
	}
	if !w.chance(15) {
		w.after(w.way(), arrive)
	} else if w.chance(50) {
		w.after(w.way(), func() { from.answered(w.now, m.Sequence, ccp.Failed) })
	}
	if w.chance(15) {
		w.after(w.way(), arrive)
	}
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for range 1_000_000 {
		w.send(w.teacher.poll(w.now), w.teacher, w.learner.update)
		w.send(w.learner.poll(w.now), w.learner, w.teacher.control)
		next := end
		for _, at := range []time.Time{w.teacher.deadline(), w.learner.deadline()} {
			if !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		if len(w.queue) > 0 && !w.queue[0].at.After(next) {
			e := heap.Pop(&w.queue).(event)
			w.now = e.at
			e.do()
			continue
		}
		if next.Equal(w.now) && next.Before(end) {
			w.t.Fatal("a deadline has come, and nothing was done about it")
		}
		if w.now = next; !w.now.Before(end) {
			return
		}
	}
	w.t.Fatal("the two never come to rest")
}

var modelNeighbors = []ccp.Neighbor{self, cad, eur, usd, child, child2, parent}

// change changes some routes.
func (w *world) change() {
	var changes []ccp.Best
	seen := make(map[string]bool)
	for range 1 + w.IntN(60) {
		prefix := fmt.Sprintf("test.%c", 'a'+w.IntN(8))
		for range w.IntN(3) {
			prefix += fmt.Sprintf(".%c", 'a'+w.IntN(8))
		}
		if seen[prefix] {
			continue
		}
		seen[prefix] = true
		if w.IntN(3) == 0 {
			changes = append(changes, none(prefix))
			continue
		}
		by := modelNeighbors[w.IntN(len(modelNeighbors))]
		hops := []string{"test.h1", "test.h2", "test.h3"}[:w.IntN(4)]
		changes = append(changes, best(prefix, by, hops...))
	}
	if w.table.Set(changes) && w.IntN(4) > 0 {
		w.teacher.changed(w.now) // a host that forgets it only loses time
	}
}

// want is what the learner must know in the end.
func (w *world) want() map[string]string {
	want := make(map[string]string)
	for b := range w.table.All() {
		if b.NextHop != usd && w.policy(usd, b.NextHop) {
			want[b.Prefix] = fmt.Sprint(append(path("test.connie"), b.Route.Path...))
		}
	}
	return want
}

func (w *world) reset() {
	w.teacher.linkDown(w.now)
	w.learner.linkDown(w.now)
	w.learner.linkUp(w.now)
}

// live runs chaos for a while, then peace, and compares.
func (w *world) live(chaos []func()) {
	w.learner.linkUp(w.now)
	delay := w.delay
	for range 3 {
		w.lossy = true
		for range 40 {
			w.change()
			for _, f := range chaos {
				if w.IntN(10) == 0 {
					f()
				}
			}
			w.run(w.way())
		}
		w.lossy, w.delay = false, 50*time.Millisecond
		w.run(10 * time.Minute)
		w.delay = delay
		got, want := w.learner.routes(), w.want()
		if !maps.Equal(got, want) {
			w.t.Fatalf("the learner has %d routes, want %d\n%s", len(got), len(want), difference(got, want))
		}
	}
}

func difference(got, want map[string]string) string {
	var b strings.Builder
	for prefix := range got {
		if got[prefix] != want[prefix] {
			fmt.Fprintf(&b, "%s: has %q, want %q\n", prefix, got[prefix], want[prefix])
		}
	}
	for prefix := range want {
		if _, ok := got[prefix]; !ok {
			fmt.Fprintf(&b, "%s: missing %q\n", prefix, want[prefix])
		}
	}
	return b.String()
}

// worlds runs a test in many worlds.
func worlds(t *testing.T, f func(w *world)) {
	seeds := []uint64{*seedFlag}
	if *seedFlag == 0 {
		seeds = nil
		for range 25 {
			seeds = append(seeds, rand.Uint64()>>32)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("ccp.seed=%d", seed), func(t *testing.T) {
			w := &world{Rand: rand.New(rand.NewPCG(seed, 0)), t: t, now: start, policy: ccp.ReferenceExport}
			w.delay = []time.Duration{50 * time.Millisecond, 5 * time.Second, 50 * time.Second}[w.IntN(3)]
			w.table = ccp.NewTable(ccp.TableOptions{Address: addr("test.connie"), Random: w.Rand})
			f(w)
		})
	}
}

// Whatever gets lost, late, doubled or cut off, the receiver comes to know
// exactly what the policy exports.
func TestModel(t *testing.T) {
	worlds(t, func(w *world) {
		if w.IntN(2) == 0 {
			w.policy = ccp.ValleyFree
		}
		sender, receiver := w.sender(), w.receiver()
		w.teacher, w.learner = sender, receiver
		w.live([]func(){
			w.reset,
			func() { sender.linkDown(w.now) }, // only one side sees it
			func() { receiver.linkDown(w.now); receiver.linkUp(w.now) },
			w.table.Forget,
			func() { w.table.SetAddress(addr("test.connie")); sender.changed(w.now) },
			func() { w.run(2 * time.Minute) }, // long enough to fall silent
			func() { w.table.Exhaust(w.table.CurrentEpoch() + 1000) },
		})
	})
}

// The reference's receiver, which forgets nothing and asks for nothing, comes
// to know the same from our sender, as long as its link is the only thing that
// is ever renewed.
func TestModelReferenceReceiver(t *testing.T) {
	worlds(t, func(w *world) {
		w.teacher = w.sender()
		w.learner = &referenceReceiver{own: "test.bob"}
		w.live([]func(){w.reset})
	})
}

// Our receiver comes to know the same from the reference's sender, which stops
// when an update is lost.
func TestModelReferenceSender(t *testing.T) {
	worlds(t, func(w *world) {
		w.teacher = &referenceSender{w: w}
		w.learner = w.receiver()
		w.live([]func(){w.reset})
	})
}

// ourSender and ourReceiver give our machines the shape of the model.
type ourSender struct{ s *ccp.Sender }

func (w *world) sender() ourSender {
	return ourSender{ccp.NewSender(ccp.SenderOptions{Peer: usd, Table: w.table, Export: w.policy, Random: w.Rand})}
}

func (o ourSender) control(now time.Time, p *ilp.Prepare) ilp.Reply { return o.s.HandleControl(now, p) }
func (o ourSender) changed(now time.Time)                           { o.s.TableChanged(now) }
func (o ourSender) linkDown(now time.Time)                          { o.s.LinkDown(now) }
func (o ourSender) poll(now time.Time) *ccp.Message                 { return o.s.Poll(now) }
func (o ourSender) deadline() time.Time                             { return o.s.Deadline() }
func (o ourSender) answered(now time.Time, sequence uint64, outcome ccp.Outcome) {
	o.s.Answered(now, sequence, outcome)
}

type ourReceiver struct {
	t *testing.T
	r *ccp.Receiver
	// rib is what the changes add up to.
	rib map[string]*ccp.Route
}

func (w *world) receiver() *ourReceiver {
	r := ccp.NewReceiver(ccp.ReceiverOptions{Address: addr("test.bob"), Random: w.Rand})
	return &ourReceiver{w.t, r, make(map[string]*ccp.Route)}
}

// take applies changes, and checks that they add up.
func (o *ourReceiver) take(changes []ccp.Change) {
	seen := make(map[string]bool)
	for _, c := range changes {
		if seen[c.Prefix] || o.rib[c.Prefix] == c.Route {
			o.t.Fatalf("a change of %s that is none", c.Prefix)
		}
		seen[c.Prefix] = true
		o.rib[c.Prefix] = c.Route
		if c.Route == nil {
			delete(o.rib, c.Prefix)
		}
	}
	if !maps.Equal(o.rib, maps.Collect(o.r.All())) || o.r.Len() != len(o.rib) {
		o.t.Fatalf("the changes add up to %d routes, the receiver has %d", len(o.rib), o.r.Len())
	}
}

func (o *ourReceiver) update(now time.Time, p *ilp.Prepare) ilp.Reply {
	changes, reply := o.r.HandleUpdate(now, p)
	o.take(changes)
	return reply
}
func (o *ourReceiver) linkUp(now time.Time)   { o.r.LinkUp(now) }
func (o *ourReceiver) linkDown(now time.Time) { o.take(o.r.LinkDown(now)) }
func (o *ourReceiver) deadline() time.Time    { return o.r.Deadline() }
func (o *ourReceiver) answered(now time.Time, sequence uint64, outcome ccp.Outcome) {
	o.r.Answered(now, sequence, outcome)
}
func (o *ourReceiver) poll(now time.Time) *ccp.Message {
	changes, m := o.r.Poll(now)
	o.take(changes)
	return m
}
func (o *ourReceiver) routes() map[string]string {
	routes := make(map[string]string)
	for prefix, route := range o.r.All() {
		routes[prefix] = fmt.Sprint(route.Path)
	}
	return routes
}

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
