package middleware

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// packetRing holds the last packets of an account, in slots that are used
// again and again.
type packetRing struct {
	size   int
	shared bool // by accounts that must not wait for one another

	mu      sync.Mutex
	records []packetRecord // nil until the first packet
	next    uint64         // number of the next; number n is at n modulo size
	slot    int            // where the next is

	omitted atomic.Uint64

	// Guarded by the mu of the log.
	users    int    // accounts that write to it
	detached uint64 // in which order the last of them went
}

// packetRecord is what a slot holds: 256 bytes. The destination has what the
// rest leaves. What is looked at for every packet stands together: it is two
// lines of the processor's cache, unless the destination is long.
type packetRecord struct {
	received          int64 // in Unix nanoseconds
	latency           time.Duration
	amount            uint64
	nextHopAmount     uint64
	nextHop, account  string // the memory of the accounts
	code              [3]byte
	codeLength        uint8
	outcome           Outcome
	destinationLength uint16 // before it was cut
	destination       [loggedDestination]byte

	hash      uint64
	condition ilp.Condition
}

const loggedDestination = 144

// begin gives the slot for the next packet, until end is called; nil if the
// ring is shared and somebody is at it.
func (r *packetRing) begin() *packetRecord {
	if !r.shared {
		r.mu.Lock()
	} else if !r.mu.TryLock() {
		r.omitted.Add(1)
		return nil
	}
	if r.records == nil {
		r.records = make([]packetRecord, r.size)
	}
	return &r.records[r.slot]
}

func (r *packetRing) end() {
	r.next++
	if r.slot++; r.slot == len(r.records) {
		r.slot = 0
	}
	r.mu.Unlock()
}

// readAtOnce is how many records are copied while packets wait.
const readAtOnce = 16

// read gives copies of the records from number from on, or from the oldest
// there is, in their order. It returns the number of the next one, and how
// many were overwritten before they could be read. Those that are written
// while it runs are among them or not.
func (r *packetRing) read(from uint64, give func(*packetRecord)) (next, lost uint64) {
	copies := make([]packetRecord, 0, readAtOnce)
	_, end := r.bounds()
	for from < end {
		oldest, copied := r.copy(from, end, copies[:0])
		if oldest > from {
			lost += oldest - from
			from = oldest
		}
		for i := range copied {
			give(&copied[i])
		}
		from += uint64(len(copied))
	}
	return from, lost
}

// bounds gives the numbers of the oldest record there is, and of the next.
func (r *packetRing) bounds() (oldest, next uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.oldest(), r.next
}

func (r *packetRing) oldest() uint64 { return r.next - min(r.next, uint64(len(r.records))) }

// copy appends the records from number from on, or from the oldest there is,
// to copies, as many as have room and are below end. It gives that oldest one.
func (r *packetRing) copy(from, end uint64, copies []packetRecord) (oldest uint64, copied []packetRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	oldest = r.oldest()
	for n := max(from, oldest); n < end && len(copies) < cap(copies); n++ {
		copies = append(copies, r.records[n%uint64(r.size)])
	}
	return oldest, copies
}

// known is the destination, as far as there was room for it.
func (r *packetRecord) known() []byte {
	return r.destination[:min(int(r.destinationLength), loggedDestination)]
}

// packet gives the record as hosts see it.
func (r *packetRecord) packet() LoggedPacket {
	return LoggedPacket{
		Received: time.Unix(0, r.received).UTC(), Latency: r.latency,
		Account: r.account, Amount: r.amount,
		NextHop: r.nextHop, NextHopAmount: r.nextHopAmount,
		Destination: string(r.known()), DestinationLength: int(r.destinationLength), DestinationHash: r.hash,
		Condition: r.condition, Outcome: r.outcome, Code: ilp.Code(r.code[:r.codeLength]),
	}
}

// packetMatcher is a filter, ready for use.
type packetMatcher struct {
	PacketFilter
	hash uint64 // of Prefix, if destinations are hashed
}

func (l *PacketLog) matcher(f PacketFilter) packetMatcher {
	m := packetMatcher{PacketFilter: f}
	if l.options.HashDestinations && f.Prefix != "" {
		m.hash = l.hash(f.Prefix)
	}
	return m
}

func (m *packetMatcher) matches(r *packetRecord) bool {
	return (m.Account == "" || m.Account == r.account || m.Account == r.nextHop) &&
		(m.Outcome == 0 || m.Outcome == r.outcome) &&
		(m.Code == "" || string(m.Code) == string(r.code[:r.codeLength])) &&
		(m.Since.IsZero() || !time.Unix(0, r.received).Before(m.Since)) &&
		m.covers(r)
}

// covers reports whether the destination is Prefix, or continues it by whole
// segments.
func (m *packetMatcher) covers(r *packetRecord) bool {
	if m.hash != 0 {
		return m.hash == r.hash
	}
	prefix, known := m.Prefix, r.known()
	switch {
	case prefix == "":
		return true
	case len(prefix) > int(r.destinationLength):
		return false
	case len(prefix) > len(known):
		return string(known) == prefix[:len(known)]
	case string(known[:len(prefix)]) != prefix:
		return false
	case len(prefix) == len(known):
		return true // or what was cut off decides
	}
	return known[len(prefix)] == '.'
}
