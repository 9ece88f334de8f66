package ccp

import (
	"math/rand/v2"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// SenderOptions describe how one peer is taught.
type SenderOptions struct {
	// Peer is who is taught.
	Peer Neighbor
	// Table is what is taught.
	Table *Table
	// Export says which routes the peer gets; nil means ReferenceExport.
	Export ExportPolicy
	// HoldDown is how long the peer is told to keep our routes without an
	// update. 0 means DefaultHoldDown. It should be longer than Interval.
	HoldDown time.Duration
	// Interval is the time between two heartbeats. 0 means DefaultInterval.
	Interval time.Duration
	// Spacing is how long a change waits for others. 0 means DefaultSpacing.
	Spacing time.Duration
	// Timeout is how long an update may go without an answer before it is
	// sent again. 0 means Interval.
	Timeout time.Duration
	// Random spreads retries and makes table ids; nil means the generator of
	// the runtime.
	Random rand.Source
}

const (
	// firstBatch is how many epochs the first update covers: those of the
	// reference (CCP-28).
	firstBatch = 50
	// largestBatch bounds what fits a packet anyway.
	largestBatch = 1 << 12
	// promptAnswer is how soon a peer answers that could do with more.
	promptAnswer = time.Second
	// patience is how many failures in a row it takes until the table does
	// not wait for a peer any more with forgetting what was withdrawn.
	patience = 8
)

// Sender teaches one peer what a Table holds (CCP-28, CCP-34). It is idle
// until the peer asks. Then it sends one update after the other until the peer
// has everything, a further one when the table changes, and heartbeats. An
// epoch counts as known when the update with it is fulfilled; one that fails
// or is rejected is sent again, later each time.
//
// A peer that asks to go on from an epoch that the table cannot go on from is
// taught all of it under a new id, which nobody else sees.
//
// Keep a Sender for as long as there is the account, and tell it LinkDown when
// there is no more. It is not safe for concurrent use, and reads its Table.
type Sender struct {
	o       SenderOptions
	mode    Mode
	id      TableID // the table's name for this peer
	tableID TableID // what the table was called when id was chosen
	epoch   uint32  // the peer has everything below it
	base    uint32  // withdrawals below it do not matter to the peer
	batch   int     // how many entries the next update may have

	sequence uint64
	out      *sent     // the update that is not answered
	lastSent time.Time // zero: nothing since the peer asked
	due      time.Time // when an update is to leave, whatever is in it; zero: none is
	failures int       // in a row
	retry    time.Time // if there are failures

	counts SenderStatus
	fresh  []*entry // scratch
	gone   []*entry // scratch
}

// sent is an update under way.
type sent struct {
	at  time.Time
	to  uint32
	cut bool // there was more to say than the batch allowed
}

// NewSender makes an idle sender.
func NewSender(o SenderOptions) *Sender {
	if o.Export == nil {
		o.Export = ReferenceExport
	}
	o.HoldDown = or(o.HoldDown, DefaultHoldDown)
	o.Interval = or(o.Interval, DefaultInterval)
	o.Spacing = or(o.Spacing, DefaultSpacing)
	o.Timeout = or(o.Timeout, o.Interval)
	o.Random = orRuntime(o.Random)
	s := &Sender{o: o, batch: firstBatch}
	s.follow()
	return s
}

func or(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// HandleControl takes the packet of a Control and gives the answer to it.
func (s *Sender) HandleControl(now time.Time, p *ilp.Prepare) ilp.Reply {
	c, err := ParseControl(p, now)
	if err != nil {
		return asReject(err)
	}
	s.Apply(now, c)
	return &ilp.Fulfill{}
}

// Apply does what the peer asks for. An update that is under way stays so,
// but its answer tells nothing any more.
func (s *Sender) Apply(now time.Time, c *Control) {
	s.counts.Controls++
	s.out, s.failures = nil, 0
	s.mode = c.Mode
	if c.Mode != Sync {
		s.stop()
		return
	}
	s.o.Table.taught[s] = struct{}{}
	s.follow()
	if c.TableID == s.id && c.Epoch <= s.o.Table.log.current && max(c.Epoch, s.base) >= s.o.Table.log.floor {
		s.epoch = c.Epoch
	} else {
		s.startOver(c.TableID == s.id)
	}
	// Asking often does not make updates leave more often.
	s.due = later(now, s.lastSent).Add(s.o.Spacing)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// follow takes note that the table has been renewed: the peer knows nothing of
// the new one.
func (s *Sender) follow() {
	if t := s.o.Table; s.tableID != t.id {
		s.id, s.tableID = t.id, t.id
		s.epoch, s.base, s.out = 0, 0, nil
	}
}

// startOver teaches the whole table again. The same id will do only if every
// withdrawal there has been is still known, and the peer does not think that
// it is further than the table is; else the peer must see another id, so that
// it forgets what it has.
func (s *Sender) startOver(ahead bool) {
	t := s.o.Table
	s.epoch = 0
	if t.log.floor > 0 || ahead {
		s.id, s.base = newTableID(s.o.Random), t.log.current
		s.counts.Restarts++
	}
}

// stop makes the sender idle.
func (s *Sender) stop() {
	delete(s.o.Table.taught, s)
	s.mode, s.out, s.failures, s.batch = Idle, nil, 0, firstBatch
	s.due = time.Time{}
}

// alive reports whether the table should keep withdrawals for this peer.
func (s *Sender) alive() bool { return s.failures < patience }

// LinkDown makes the sender idle until the peer asks again.
func (s *Sender) LinkDown(time.Time) { s.stop() }

// TableChanged says that the table has something new to tell.
func (s *Sender) TableChanged(now time.Time) {
	s.follow()
	if s.mode == Sync && s.epoch != s.o.Table.log.current && s.due.IsZero() {
		s.due = now.Add(s.o.Spacing)
	}
}

// Answered says what became of the update with this sequence number. An
// answer to another than the last is ignored.
func (s *Sender) Answered(now time.Time, sequence uint64, outcome Outcome) {
	out := s.out
	if out == nil || sequence != s.sequence {
		return
	}
	s.out = nil
	s.counts.Outcomes[min(max(outcome, Fulfilled), TimedOut)]++
	if outcome != Fulfilled {
		s.fail(now)
		return
	}
	s.epoch, s.failures = out.to, 0
	if out.cut {
		s.due = now
		if now.Sub(out.at) <= promptAnswer {
			s.batch = min(2*s.batch, largestBatch)
		}
	}
}

func (s *Sender) fail(now time.Time) {
	s.failures++
	s.batch = max(s.batch/2, 1)
	s.retry = now.Add(backoff(s.failures, s.o.Random))
}

// Deadline is when Poll has something to do at the latest; zero if it has not
// before another event.
func (s *Sender) Deadline() time.Time {
	switch {
	case s.mode != Sync || s.o.Table.address == "":
		return time.Time{}
	case s.out != nil:
		return s.out.at.Add(s.o.Timeout)
	case s.failures > 0:
		return s.retry
	case !s.due.IsZero():
		return s.due
	}
	return s.lastSent.Add(s.o.Interval)
}

// Poll gives the update that is to be sent now, or nil.
func (s *Sender) Poll(now time.Time) *Message {
	s.TableChanged(now) // in case that the host did not say so
	if s.out != nil && !now.Before(s.out.at.Add(s.o.Timeout)) {
		s.Answered(now, s.sequence, TimedOut)
	}
	deadline := s.Deadline()
	if s.out != nil || deadline.IsZero() || now.Before(deadline) {
		return nil
	}
	if max(s.epoch, s.base) < s.o.Table.log.floor {
		s.startOver(false) // the peer is too slow
	}
	data, to, cut := s.encode()
	s.sequence++
	s.out = &sent{at: now, to: to, cut: cut}
	s.lastSent, s.due = now, time.Time{}
	s.counts.Updates++
	return &Message{Sequence: s.sequence, Prepare: packet(UpdateDestination, data, now.Add(MessageLifetime))}
}

// SenderStatus is what an operator wants to know.
type SenderStatus struct {
	Mode    Mode
	TableID TableID // as the peer knows it
	// Epoch is below what the peer has acknowledged; CurrentEpoch is that of
	// the table.
	Epoch, CurrentEpoch uint32
	// Failures are those in a row, since the last success.
	Failures int

	// The rest counts since the sender was made.
	Controls, Updates uint64
	Outcomes          [TimedOut + 1]uint64 // of updates, by Outcome
	Restarts          uint64               // under a new table id
}

// Status gives the state and the counters.
func (s *Sender) Status() SenderStatus {
	status := s.counts
	status.Mode, status.TableID, status.Failures = s.mode, s.id, s.failures
	status.Epoch, status.CurrentEpoch = s.epoch, s.o.Table.log.current
	return status
}
