package ccp

import (
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/oer"
)

// TableOptions describe a table.
type TableOptions struct {
	// Address is our own. It goes first into every path (CCP-25).
	Address ilp.Address
	// GlobalPrefix is the scheme of the network: "g", or "test". Only what
	// lies below it is told to anybody. Empty means the scheme of Address.
	GlobalPrefix string
	// ID names the table. Zero means a random id.
	ID TableID
	// Random makes ids; nil means the generator of the runtime.
	Random rand.Source
}

// Best is the best route that there is for a prefix.
type Best struct {
	Prefix string
	// NextHop is where the route leads; zero if it is this connector.
	NextHop Neighbor
	// Route is as it was learnt, without our own address, or an
	// [OriginRoute]. Nil: there is no route for the prefix any more.
	Route *Route
}

// Table is the forwarding table (CCP-33): what this connector has to tell its
// peers, and in which order it came about. The host gives it the best route
// for every prefix; it decides which of them are told to anybody, and gives
// each change an epoch.
//
// Not told are: the global prefix itself and what is not below it; our
// children, which our own address covers; and, by the DRAGON rule, a route
// that a shorter prefix makes superfluous, because its own route leads to a
// neighbor that is as good a one or better. Such a route is told after all as
// soon as the shorter one goes, or leads to somebody worse.
//
// Memory is bounded by the number of routes: an entry keeps one place in the
// log, and withdrawn prefixes are forgotten when they are more than the
// routes. A Table is not safe for concurrent use.
type Table struct {
	address string
	global  string
	random  rand.Source
	fixed   bool // the global prefix was given

	id      TableID
	log     log
	entries map[string]*entry
	ordered index
	depths  []int // number of entries with so many segments
	taught  map[*Sender]struct{}

	changed []*entry // scratch of Set
	covers  []string // scratch of Set
}

// entry is what the table has for a prefix.
type entry struct {
	prefix    string
	route     *Route // the best one; nil: none
	nextHop   Neighbor
	epoch     uint32 // its place in the log, if logged
	logged    bool
	announced bool // what the log says: route is told, or nothing is
	tombstone bool // logged and not announced
	dirty     bool // changed by the Set that is running
}

// NewTable makes an empty table.
func NewTable(o TableOptions) *Table {
	t := &Table{
		global:  o.GlobalPrefix,
		fixed:   o.GlobalPrefix != "",
		id:      o.ID,
		random:  orRuntime(o.Random),
		entries: make(map[string]*entry),
		taught:  make(map[*Sender]struct{}),
	}
	t.setAddress(o.Address)
	if t.id == (TableID{}) {
		t.id = newTableID(t.random)
	}
	return t
}

func (t *Table) setAddress(a ilp.Address) {
	t.address = a.String()
	if !t.fixed {
		t.global = a.Scheme()
	}
}

// ID names the table.
func (t *Table) ID() TableID { return t.id }

// CurrentEpoch is the number of epochs that the table has had.
func (t *Table) CurrentEpoch() uint32 { return t.log.current }

// Floor is the epoch from which on withdrawals are remembered. A peer that
// knows the table as it was before starts over.
func (t *Table) Floor() uint32 { return t.log.floor }

// Len is the number of routes that are told.
func (t *Table) Len() int { return t.log.live - t.log.dead }

// Get gives the route for a prefix that is told to peers.
func (t *Table) Get(prefix string) (Best, bool) {
	e := t.entries[prefix]
	if e == nil || !e.announced {
		return Best{}, false
	}
	return Best{e.prefix, e.nextHop, e.route}, true
}

// All gives all routes that are told to peers, in the order of their prefixes.
func (t *Table) All() iter.Seq[Best] {
	return func(yield func(Best) bool) {
		for e := range t.ordered.all() {
			if e.announced && !yield(Best{e.prefix, e.nextHop, e.route}) {
				return
			}
		}
	}
}

// Log gives the changes that are remembered, each with its epoch, in order. The
// Route of a prefix that was withdrawn is nil.
func (t *Table) Log() iter.Seq2[uint32, Best] {
	return func(yield func(uint32, Best) bool) {
		for _, s := range t.log.slots {
			if !s.holds() {
				continue
			}
			best := Best{Prefix: s.entry.prefix}
			if s.entry.announced {
				best.NextHop, best.Route = s.entry.nextHop, s.entry.route
			}
			if !yield(s.epoch, best) {
				return
			}
		}
	}
}

// Set takes in what is now the best route for some prefixes, each of them
// named once; a prefix that is neither an address nor a scheme is left out. It reports whether there is something to tell; then the host
// calls TableChanged of every Sender.
func (t *Table) Set(changes []Best) bool {
	renewed := uint64(t.log.current)+uint64(len(changes))+uint64(len(t.entries)) > math.MaxUint32
	if renewed {
		t.renew()
	}
	before := t.log.current
	for i := range changes {
		t.replace(&changes[i])
	}
	for _, e := range t.changed {
		t.evaluate(e)
	}
	// Covers that were there twice, or lie below others, are done already.
	slices.Sort(t.covers)
	done := ""
	for _, prefix := range t.covers {
		if done != "" && within(prefix, done) {
			continue
		}
		for e := range t.ordered.below(prefix) {
			t.evaluate(e)
		}
		done = prefix
	}
	for _, e := range t.changed {
		t.drop(e)
	}
	clear(t.changed)
	clear(t.covers)
	t.changed, t.covers = t.changed[:0], t.covers[:0]
	for _, e := range t.log.compact(t.needed) {
		t.drop(e)
	}
	return renewed || t.log.current != before
}

// replace puts the route of b into its entry, and notes what that may change.
func (t *Table) replace(b *Best) {
	e := t.entries[b.Prefix]
	if e == nil {
		if b.Route == nil || !validPrefix(b.Prefix) {
			return
		}
		e = t.add(b.Prefix)
	}
	rank := t.rank(e)
	nextHop := b.NextHop
	if b.Route == nil {
		nextHop = Neighbor{}
	}
	if !e.route.same(b.Route) || e.nextHop != nextHop {
		e.dirty = true
	}
	e.route, e.nextHop = b.Route, nextHop
	t.changed = append(t.changed, e)
	if t.rank(e) != rank && t.deeper(e.prefix) {
		t.covers = append(t.covers, e.prefix)
	}
}

// evaluate brings what is told of e up to date.
func (t *Table) evaluate(e *entry) {
	tell := t.eligible(e) && !t.filtered(e)
	if tell != e.announced || tell && e.dirty {
		e.announced = tell
		t.log.append(e)
	}
	e.dirty = false
}

// eligible reports whether e may be told to peers if nothing covers it.
func (t *Table) eligible(e *entry) bool {
	switch {
	case e.route == nil, !below(e.prefix, t.global):
		return false
	case len(e.route.Path) == 0 && below(e.prefix, t.address):
		return false // a child of ours
	}
	return t.size(e) <= maxRouteSize
}

// maxRouteSize is the size of the longest route that is told: a quarter of a
// packet, which no honest one comes near to.
const maxRouteSize = ilp.MaxDataLength / 4

// size is the number of bytes that the route takes in an update.
func (t *Table) size(e *entry) int {
	count := 2 // the number of hops
	if len(e.route.Path) >= 255 {
		count = 3
	}
	return oer.OctetsSize(len(e.prefix)) + count + oer.OctetsSize(len(t.address)) + pathSize(e.route.Path) + len(Auth{}) + 2
}

// rank is how good a route below must be not to be made superfluous by e:
// better than that. Nothing is, by a route that ends here or is not told.
func (t *Table) rank(e *entry) int {
	if e.route == nil || e.nextHop.ID == "" || !t.eligible(e) {
		return -1
	}
	return e.nextHop.priority()
}

// filtered reports whether a shorter prefix makes the route superfluous.
func (t *Table) filtered(e *entry) bool {
	priority := e.nextHop.priority()
	depth := segments(e.prefix)
	for prefix := e.prefix; depth > 1; {
		prefix = prefix[:strings.LastIndexByte(prefix, '.')]
		if depth--; t.depths[depth] == 0 {
			continue
		}
		if cover := t.entries[prefix]; cover != nil && t.rank(cover) >= priority {
			return true
		}
	}
	return false
}

func segments(prefix string) int { return 1 + strings.Count(prefix, ".") }

// deeper reports whether there are entries with more segments than prefix.
func (t *Table) deeper(prefix string) bool {
	depth := segments(prefix)
	for i := depth + 1; i < len(t.depths); i++ {
		if t.depths[i] > 0 {
			return true
		}
	}
	return false
}

func (t *Table) add(prefix string) *entry {
	e := &entry{prefix: prefix}
	t.entries[prefix] = e
	t.ordered.insert(e)
	depth := segments(prefix)
	for len(t.depths) <= depth {
		t.depths = append(t.depths, 0)
	}
	t.depths[depth]++
	return e
}

// drop removes e if neither a route nor the log needs it.
func (t *Table) drop(e *entry) {
	if e.route != nil || e.logged || t.entries[e.prefix] != e {
		return
	}
	delete(t.entries, e.prefix)
	t.ordered.remove(e)
	t.depths[segments(e.prefix)]--
}

// needed is the lowest epoch that a peer which is being taught has yet to
// get to.
func (t *Table) needed() uint32 {
	needed := t.log.current
	for s := range t.taught {
		if s.alive() {
			needed = min(needed, max(s.epoch, s.base))
		}
	}
	return needed
}

// SetAddress changes our own address, which is in every path. The table gets
// a new id and all senders start over: call TableChanged of each.
func (t *Table) SetAddress(a ilp.Address) {
	t.setAddress(a)
	t.renew()
}

// renew begins a new count of epochs.
func (t *Table) renew() {
	t.id = newTableID(t.random)
	t.log = log{}
	var gone []*entry
	for e := range t.ordered.all() {
		e.logged, e.announced, e.tombstone = false, false, false
		if e.route == nil {
			gone = append(gone, e)
		}
	}
	for _, e := range gone {
		t.drop(e)
	}
	for e := range t.ordered.all() {
		t.evaluate(e)
	}
}
