package connectortest

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/plugin"
)

// Link joins an account of one connector to an account of another, with
// faults. Its methods may be called concurrently.
//
// It frames requests and responses under ids, as BTP does: a request that
// arrives twice is recognised and dropped, a response that arrives twice, or
// late, is handed to whoever waited for it, as often as it comes.
type Link struct {
	sides    [2]linkSide
	exchange bool // routes, between parent and child too
	seed     uint64

	// state is held while handlers are told that the link came up or went
	// down, so that these calls are in order. It is taken before mu.
	state sync.Mutex

	mu     sync.Mutex
	faults Faults
	cut    bool
	conn   *conn // nil: not connected
	sent   Traffic
	given  [2]uint64 // fulfilled by the receiver of a packet, by the side that sent it
	taken  [2]uint64 // and accepted in time by the side that sent it

	// fingerprint is that of all that was sent, and when. Two runs of a seed
	// have the same.
	fingerprint uint64
}

// linkSide is one account.
type linkSide struct {
	node     *Node
	account  string             // id at the node
	relation connector.Relation // of the account
	end      *end               // guarded by Link.mu; nil while there is no account
}

// Traffic counts the frames that were sent over a link, both ways.
type Traffic struct {
	// Packets are prepares with money in them, Routes those of the route
	// broadcasting protocol, Others the rest: configuration, probes.
	Packets, Routes, Others int
	// Responses are answers to any of them.
	Responses int
}

// conn is one connection of a link: from when both ends are there until one of
// them goes, or the link is cut. Frames do not outlive theirs.
type conn struct {
	frames map[*frame]struct{} // under way
	order  [2]order            // of what each side sent
	seen   [2]map[uint32]bool  // ids of requests that each side has got
}

// frame is a request or a response under way.
type frame struct {
	conn     *conn
	from     int
	response bool
	id       uint32
	payload  []byte // nil in a response: the handler failed
	amount   uint64 // of the request
	digest   uint64
	timer    *time.Timer
}

func newLink(seed uint64, f Faults) *Link { return &Link{seed: seed, faults: f} }

// String names the two nodes.
func (l *Link) String() string {
	return fmt.Sprintf("%s–%s", l.sides[0].node, l.sides[1].node)
}

// SetFaults changes what happens to frames that are sent from now on.
func (l *Link) SetFaults(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
}

// Traffic gives what was sent until now.
func (l *Link) Traffic() Traffic {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// Connected reports whether the link is up.
func (l *Link) Connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil
}

// Cut breaks the link. Both ends are told; frames under way are lost, and
// whoever waits for a response hears that there will be none.
func (l *Link) Cut() { l.change(func() { l.cut = true }) }

// Heal makes the link whole again, and tells both ends.
func (l *Link) Heal() { l.change(func() { l.cut = false }) }

// change does what may bring the link up or take it down, with mu held, and
// tells everybody about it.
func (l *Link) change(f func()) {
	for _, q := range l.changeState(f) {
		q.fail(plugin.ErrUnknownOutcome)
	}
}

// changeState gives the requests that are lost by the change.
func (l *Link) changeState(f func()) (lost []*request) {
	l.state.Lock()
	defer l.state.Unlock()
	l.mu.Lock()
	before := [2]*end{l.sides[0].end, l.sides[1].end}
	f()
	connected := !l.cut
	for i := range l.sides {
		connected = connected && l.sides[i].end.usable()
	}
	// An end that was put in place of another is another connection.
	if l.conn != nil && (!connected || before != [2]*end{l.sides[0].end, l.sides[1].end}) {
		for fr := range l.conn.frames {
			fr.timer.Stop()
		}
		l.conn = nil
		for _, e := range before {
			lost = append(lost, e.lose()...)
		}
	}
	if connected && l.conn == nil {
		l.conn = &conn{frames: make(map[*frame]struct{}), seen: [2]map[uint32]bool{make(map[uint32]bool), make(map[uint32]bool)}}
	}
	l.mu.Unlock()
	for _, e := range before {
		e.tell(connected)
	}
	for i := range l.sides {
		if e := l.sides[i].end; e != before[i] {
			e.tell(connected)
		}
	}
	return lost
}

// transmit sends a frame on its way. The caller holds mu.
func (l *Link) transmit(f frame) {
	key := [...]byte{byte(f.from), 0}
	if f.response {
		key[1] = 1
	}
	now := time.Now()
	what := digest(key[:], binary.BigEndian.AppendUint64(nil, f.digest), f.payload)
	l.fingerprint += digest(binary.BigEndian.AppendUint64(nil, what^uint64(now.UnixNano())))
	for _, a := range l.faults.arrivals(l.seed, what) {
		at := now.Add(a.delay)
		order := &f.conn.order[f.from]
		if last := order.before(now); !a.overtakes && !at.After(last) {
			at = last.Add(1 + time.Duration(what%1000)) // apart from others that were sent now
		}
		// Packets expire on whole milliseconds. No frame arrives on one, so
		// there is never a doubt which was first.
		if at.Nanosecond()%int(time.Millisecond) == 0 {
			at = at.Add(1)
		}
		order.note(at)
		copied := f
		f.conn.frames[&copied] = struct{}{}
		copied.timer = time.AfterFunc(at.Sub(now), func() { l.arrive(&copied) })
	}
}

// order is how far the frames of one side have got. Frames that are sent at
// the same instant, by goroutines whose order is chance, do not wait for one
// another, so that a seed gives the same run again.
type order struct {
	instant        time.Time // of the last frame that was sent
	earlier, later time.Time // the latest arrival of frames sent before it, and of all
}

// before gives the latest arrival of what was sent before now.
func (o *order) before(now time.Time) time.Time {
	if now.After(o.instant) {
		o.instant, o.earlier = now, o.later
	}
	return o.earlier
}

func (o *order) note(arrival time.Time) {
	if arrival.After(o.later) {
		o.later = arrival
	}
}

// arrive hands a frame to the end it was sent to.
func (l *Link) arrive(f *frame) {
	l.mu.Lock()
	if f.conn != l.conn { // lost with its connection
		l.mu.Unlock()
		return
	}
	delete(f.conn.frames, f)
	to := l.sides[1-f.from].end
	var deliver func()
	if f.response {
		deliver = to.response(f)
	} else if seen := f.conn.seen[1-f.from]; !seen[f.id] {
		seen[f.id] = true
		deliver = to.request(f)
	}
	if deliver != nil {
		to.calls.Add(1)
		defer to.calls.Done()
	}
	l.mu.Unlock()
	if deliver != nil {
		deliver()
	}
}

// count notes a request. The caller holds mu.
func (t *Traffic) count(destination string, amount uint64) {
	switch {
	case strings.HasPrefix(destination, "peer.route."):
		t.Routes++
	case amount > 0:
		t.Packets++
	default:
		t.Others++
	}
}

// owed is what side has not accepted of what the other has fulfilled: the
// other believes to be owed that much more than side does.
func (l *Link) owed(side int) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.given[side] - l.taken[side]
}

// join makes an end for one side, in place of the one that there was.
func (l *Link) join(side int) *end {
	e := &end{link: l, side: side, requests: make(map[uint32]*request)}
	l.change(func() { l.sides[side].end = e })
	return e
}

// kill ends what a crashed connector has of the link: from now on nothing of it
// leaves, and nothing reaches it. It gives what was in flight.
func (l *Link) kill(side int) (inFlight uint64) {
	l.change(func() {
		e := l.sides[side].end
		if e == nil {
			return
		}
		inFlight = e.inFlight()
		e.dead, e.closed = true, true
		l.sides[side].end = nil
	})
	return inFlight
}

// background is what frames are handled under: they belong to no call.
var background = context.Background()
