package ccp

import (
	"errors"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// DefaultMaxRoutes is how many routes a peer may teach where nothing else is
// said.
const DefaultMaxRoutes = 100_000

// ReceiverOptions describe how one peer is learnt from.
type ReceiverOptions struct {
	// Address is our own.
	Address ilp.Address
	// GlobalPrefix is the scheme of the network: "g", or "test". Only
	// prefixes below it are learnt. Empty means the scheme of Address.
	GlobalPrefix string
	// Within is the address of the peer if it is a child of ours: it may
	// announce that and what is below it, though it is below our own.
	Within ilp.Address
	// MaxRoutes is how many routes the peer may teach; 0 means
	// DefaultMaxRoutes. Past it new prefixes are refused, and those that are
	// known stay. It bounds memory as well: to 1 KiB for each of the routes,
	// however long their paths are, and twice that while a new table of the
	// peer replaces the former one.
	MaxRoutes int
	// MinHoldDown and MaxHoldDown bound the hold-down that the peer sets. 0
	// means DefaultHoldDown, with which a peer of the default heartbeat never
	// falls out, and 10 minutes.
	MinHoldDown, MaxHoldDown time.Duration
	// Timeout is how long a Control may go without an answer. 0 means 30
	// seconds.
	Timeout time.Duration
	// Damper makes a peer wait whose link comes and goes; nil makes none.
	Damper *Damper
	// Random spreads retries; nil means the generator of the runtime.
	Random rand.Source
}

// Change says that a peer has another route for a prefix than before.
type Change struct {
	Prefix string
	// Route is the route that the peer has now; nil: none. It must not be
	// changed.
	Route *Route
}

// Receiver learns the routes of one peer (CCP-26, CCP-27). When the link comes
// up it asks for them, and again when an update does not follow on what is
// known, when the peer falls silent, or when the question failed.
//
// When the peer begins a new table, the routes of the former one stay until
// the new one is complete, or has not grown for as long as the hold-down: a
// route that is in both does not flap.
//
// It is not safe for concurrent use.
type Receiver struct {
	o     ReceiverOptions
	rules importRules

	up      bool
	asked   bool // since the link came up
	id      TableID
	epoch   uint32
	routes  map[string]*Route
	former  map[string]*Route // of the former table, and not in the present one yet
	size    int               // what routes may take in memory, estimated
	crammed bool              // a route was refused because there were too many

	expiry       time.Time // when all is forgotten; zero: never
	formerExpiry time.Time // when former is

	want     bool // a Control is to be sent
	earliest time.Time
	out      bool // a Control is not answered
	sequence uint64
	lastSent time.Time
	failures int // Controls in a row
	gaps     int // since the last update that followed

	counts  ReceiverStatus
	touched map[string]*Route // scratch: what was known of prefixes before
	order   []string          // scratch: the same prefixes
}

// NewReceiver makes a receiver whose link is down.
func NewReceiver(o ReceiverOptions) *Receiver {
	if o.MaxRoutes <= 0 {
		o.MaxRoutes = DefaultMaxRoutes
	}
	o.MinHoldDown = or(o.MinHoldDown, DefaultHoldDown)
	o.MaxHoldDown = max(or(o.MaxHoldDown, 10*time.Minute), o.MinHoldDown)
	o.Timeout = or(o.Timeout, longestRetry)
	o.Random = orRuntime(o.Random)
	r := &Receiver{o: o, routes: make(map[string]*Route), touched: make(map[string]*Route)}
	r.setAddress(o.Address, o.Within)
	return r
}

func (r *Receiver) setAddress(own, within ilp.Address) {
	r.rules = importRules{address: own.String(), within: within.String(), global: r.o.GlobalPrefix}
	if r.rules.global == "" {
		r.rules.global = own.Scheme()
	}
}

// SetAddress changes our own address and that of the peer, if it is a child.
// Routes that may not be learnt any more go at once; all are asked for again.
func (r *Receiver) SetAddress(now time.Time, own, within ilp.Address) []Change {
	r.setAddress(own, within)
	for prefix, route := range r.All() {
		if why, refused := r.rules.refuse(route); refused {
			r.counts.Refused[why]++
			r.forget(prefix)
		}
	}
	if r.up {
		r.startOver(now)
		r.ask(now)
	}
	return r.changes()
}

// LinkUp asks the peer for its routes, a little later if the link has come and
// gone too often. If the link was up, and the peer has been asked, it asks
// again at once.
func (r *Receiver) LinkUp(now time.Time) {
	if r.up && !r.asked {
		return
	}
	r.want, r.failures, r.earliest = true, 0, now
	if r.up {
		return
	}
	r.up, r.asked = true, false
	if r.o.Damper != nil {
		r.earliest = now.Add(r.o.Damper.Delay(now))
	}
}

// LinkDown forgets everything.
func (r *Receiver) LinkDown(now time.Time) []Change {
	if r.up && r.o.Damper != nil {
		r.o.Damper.Flap(now)
	}
	r.up, r.want, r.out = false, false, false
	r.forgetAll()
	return r.changes()
}

// PeerAsked takes note of a Control of the peer, whatever the answer to it is.
// A peer that knows no table (CCP-13) has started over: it does not remember
// that it was asked for its own, so it is asked again. The link need not have
// gone down for that, if its loss was noticed at one side alone.
func (r *Receiver) PeerAsked(now time.Time, p *ilp.Prepare) {
	if !r.up || r.id == (TableID{}) {
		return // it is asked anyway
	}
	if c, err := ParseControl(p, now); err == nil && c.Mode == Sync && c.TableID == (TableID{}) {
		r.ask(now)
	}
}

// HandleUpdate takes the packet of an Update. It gives the answer to it, and
// what has changed.
func (r *Receiver) HandleUpdate(now time.Time, p *ilp.Prepare) ([]Change, ilp.Reply) {
	u, err := ParseUpdate(p, now)
	if u == nil {
		r.counts.Rejected++
		return nil, asReject(err)
	}
	if !r.up {
		return nil, RejectStranger(p.Destination)
	}
	partial, _ := errors.AsType[*RoutesError](err)
	return r.apply(now, u, partial), &ilp.Fulfill{}
}

// Apply takes an Update that has been decoded without an error. The routes in
// it belong to r from now on. Until the first Control has been sent since the
// link came up it does nothing: what the peer says goes on from what it told
// us before.
func (r *Receiver) Apply(now time.Time, u *Update) []Change { return r.apply(now, u, nil) }

func (r *Receiver) apply(now time.Time, u *Update, partial *RoutesError) []Change {
	if !r.up || !r.asked {
		return nil // the peer does not know yet that it starts over
	}
	r.counts.Updates++
	hold := now.Add(min(max(u.HoldDown, r.o.MinHoldDown), r.o.MaxHoldDown))
	if u.TableID != r.id {
		r.newTable(u.TableID, hold)
	}
	switch {
	case u.FromEpoch > r.epoch:
		r.gap(now)
	case u.ToEpoch < r.epoch, u.ToEpoch < u.FromEpoch:
		r.counts.Stale++
		r.expiry = later(r.expiry, hold)
	default:
		r.learn(u, partial)
		if r.former != nil && u.ToEpoch > r.epoch {
			r.formerExpiry = later(r.formerExpiry, hold) // the new table grows
		}
		r.epoch, r.gaps = u.ToEpoch, 0
		r.expiry = later(r.expiry, hold)
		if r.epoch >= u.CurrentEpoch {
			r.forgetFormer()
		}
		r.makeRoom(now)
	}
	return r.changes()
}

// learn takes in what u says: withdrawals first (CCP-27).
func (r *Receiver) learn(u *Update, partial *RoutesError) {
	if partial != nil {
		r.counts.Refused[Malformed] += uint64(partial.Malformed)
		for _, prefix := range partial.Prefixes {
			r.forget(prefix)
		}
	}
	for _, prefix := range u.WithdrawnRoutes {
		r.forget(prefix)
	}
	for _, route := range u.NewRoutes {
		route, ok := honest(route, u.Speaker)
		if !ok {
			r.counts.ForeignPaths++
		}
		route.Props = nil
		if why, refused := r.rules.refuse(route); refused {
			r.counts.Refused[why]++
			r.forget(route.Prefix)
		} else if !r.put(route) {
			r.counts.Refused[TooManyRoutes]++
			r.crammed = true
			r.forget(route.Prefix)
		}
	}
}

// gap asks the peer to go on from what is known. If that does not help, it
// asks for everything.
func (r *Receiver) gap(now time.Time) {
	r.counts.Gaps++
	if r.out {
		return // what is under way will help
	}
	if r.gaps++; r.gaps > 2 {
		r.startOver(now)
	}
	r.ask(now)
}

// ask has a Control sent, at once if there has not been one lately. Damped
// peers and failures have their own time.
func (r *Receiver) ask(now time.Time) {
	if r.want {
		return
	}
	r.want = true
	r.earliest = now
	if !r.lastSent.IsZero() {
		r.earliest = later(now, r.lastSent.Add(backoff(r.gaps, r.o.Random)))
	}
}

// Answered says what became of the Control with this sequence number. An
// answer to another than the last is ignored.
func (r *Receiver) Answered(now time.Time, sequence uint64, outcome Outcome) {
	if !r.out || sequence != r.sequence {
		return
	}
	r.out = false
	if outcome == Fulfilled {
		r.failures = 0
		// From here on the peer has to say something.
		r.expiry = later(r.expiry, now.Add(r.o.MinHoldDown))
		return
	}
	r.counts.FailedControls++
	r.failures++
	r.want, r.earliest = true, now.Add(backoff(r.failures, r.o.Random))
}

// Deadline is when Poll has something to do at the latest; zero if it has not
// before another event.
func (r *Receiver) Deadline() time.Time {
	deadline := soonest(r.expiry, r.formerExpiry)
	switch {
	case r.out:
		deadline = soonest(deadline, r.lastSent.Add(r.o.Timeout))
	case r.up && r.want:
		deadline = soonest(deadline, r.earliest)
	}
	return deadline
}

// soonest is the earlier of two times, of which the zero one is never.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Poll gives the Control that is to be sent now, or nil, and what has changed
// by the passing of time.
func (r *Receiver) Poll(now time.Time) ([]Change, *Message) {
	if r.out && reached(r.lastSent.Add(r.o.Timeout), now) {
		r.Answered(now, r.sequence, TimedOut)
	}
	if reached(r.expiry, now) {
		r.counts.Expiries++
		r.forgetAll()
		if r.up && !r.out {
			r.ask(now)
		}
	}
	if reached(r.formerExpiry, now) {
		r.forgetFormer()
	}
	return r.changes(), r.control(now)
}

func reached(deadline, now time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}

// control gives the Control, if it is time for one.
func (r *Receiver) control(now time.Time) *Message {
	if !r.up || !r.want || r.out || now.Before(r.earliest) {
		return nil
	}
	c := Control{Mode: Sync, TableID: r.id, Epoch: r.epoch}
	p, err := c.Prepare(now.Add(MessageLifetime))
	if err != nil {
		return nil // cannot be: the mode is known
	}
	r.want, r.asked, r.out = false, true, true
	r.lastSent = now
	r.sequence++
	r.counts.Controls++
	return &Message{Sequence: r.sequence, Prepare: p}
}

// Len is the number of routes.
func (r *Receiver) Len() int { return len(r.routes) + len(r.former) }

// Get gives the route of the peer for a prefix.
func (r *Receiver) Get(prefix string) (*Route, bool) {
	route := r.known(prefix)
	return route, route != nil
}

// All gives all routes of the peer, in no order.
func (r *Receiver) All() iter.Seq2[string, *Route] {
	return func(yield func(string, *Route) bool) {
		for _, routes := range [...]map[string]*Route{r.routes, r.former} {
			for prefix, route := range routes {
				if !yield(prefix, route) {
					return
				}
			}
		}
	}
}

// ReceiverStatus is what an operator wants to know.
type ReceiverStatus struct {
	TableID TableID
	Epoch   uint32
	Routes  int
	// Expiry is when the routes are forgotten if there is no update.
	Expiry time.Time

	// The rest counts since the receiver was made.
	//
	// Rejected updates are those that were answered with a Reject for what
	// they are; Stale ones told nothing new; Gaps did not follow on what was
	// known.
	Updates, Rejected, Stale, Gaps uint64
	NewTables, Expiries            uint64
	Controls, FailedControls       uint64
	// Refused counts routes that were not learnt, by Refusal.
	Refused Refusals
	// ForeignPaths counts routes whose path did not begin with the speaker,
	// and was learnt with it put there.
	ForeignPaths uint64
}

// Status gives the state and the counters.
func (r *Receiver) Status() ReceiverStatus {
	status := r.counts
	status.TableID, status.Epoch, status.Routes, status.Expiry = r.id, r.epoch, r.Len(), r.expiry
	return status
}
