package middleware

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
)

// PacketLog remembers the last packets of each account, for an operator who
// asks what has become of them: when, between whom, how much, where to, with
// what outcome and how soon. Their data is never kept.
//
// A packet costs it some tens of nanoseconds and no allocation. Each account
// has a ring of its own, which is made with its first packet and never grows,
// so that accounts do not wait for one another. What is kept of a packet is
// copied: the memory that it was read into is not kept.
//
// The rings of accounts that were removed stay until others need the room.
//
// All methods may be called concurrently. Its name is "packetLog". It stands
// outermost, so that it sees the packets that a limit refuses, and outcomes as
// the counterparty sees them.
type PacketLog struct {
	options PacketLogOptions
	seed    maphash.Seed // of hashes of destinations

	mu       sync.Mutex             // not held while a packet moves
	rings    map[string]*packetRing // by account id
	shared   *packetRing            // of all accounts beyond MaxAccounts; nil until needed
	detached uint64                 // counts the accounts that went

	subscriptions atomic.Pointer[[]*PacketSubscription] // nil while there are none
}

// PacketLogOptions bound what is kept. The zero value is fit for use, and
// keeps 64 MB at most, 64 KB for each account that has had packets.
type PacketLogOptions struct {
	// Packets is how many are kept for each account. 0 means 256, and 65,536
	// is the most. One takes 256 bytes.
	Packets int
	// MaxAccounts is how many accounts have a ring of their own. Those beyond
	// share one; while two of them are at it, a packet may be left out. 0
	// means 1000.
	MaxAccounts int
	// HashDestinations keeps a hash in place of each destination address,
	// under a key that ends with the process: whoever reads the log can follow
	// an address that he knows, and learns no other.
	HashDestinations bool
	// Conditions keeps the condition of each packet, by which the logs of two
	// connectors can be compared.
	Conditions bool
}

// What the zeros of PacketLogOptions mean.
const (
	DefaultLoggedPackets  = 256
	DefaultLoggedAccounts = 1000
)

const mostLoggedPackets = 1 << 16

var _ Middleware = (*PacketLog)(nil)

// NewPacketLog makes a PacketLog for one connector.
func NewPacketLog(o PacketLogOptions) *PacketLog {
	if o.Packets == 0 {
		o.Packets = DefaultLoggedPackets
	}
	if o.MaxAccounts == 0 {
		o.MaxAccounts = DefaultLoggedAccounts
	}
	return &PacketLog{options: o, seed: maphash.MakeSeed(), rings: make(map[string]*packetRing)}
}

// Name gives "packetLog".
func (l *PacketLog) Name() string { return "packetLog" }

// Attach logs what comes from a. An account that is removed and added again
// goes on with what there is of it.
func (l *PacketLog) Attach(host Host, a *account.Account) (Stages, error) {
	o := l.options
	if o.Packets < 0 || o.Packets > mostLoggedPackets || o.MaxAccounts < 0 {
		return Stages{}, fmt.Errorf("Packets is %d and MaxAccounts %d: they must be 1 to %d, and 1 or more, or 0 for %d and %d",
			o.Packets, o.MaxAccounts, mostLoggedPackets, DefaultLoggedPackets, DefaultLoggedAccounts)
	}
	ring := l.attach(a.ID)
	return Stages{
		Incoming: &packetLogStage{
			log: l, ring: ring, account: a.ID, since: Since(host),
			hashes: o.HashDestinations, conditions: o.Conditions,
		},
		Close: func() { l.detach(ring) },
	}, nil
}

// attach gives the ring of an account.
func (l *PacketLog) attach(id string) *packetRing {
	l.mu.Lock()
	defer l.mu.Unlock()
	ring := l.rings[id]
	if ring == nil && (len(l.rings) < l.options.MaxAccounts || l.evict()) {
		ring = &packetRing{size: l.options.Packets}
		l.rings[id] = ring
	}
	if ring == nil {
		if l.shared == nil {
			l.shared = &packetRing{size: l.options.Packets, shared: true}
		}
		ring = l.shared
	}
	ring.users++
	return ring
}

// evict drops the ring of the account that was removed first, and reports
// false if there is none. The caller holds mu.
func (l *PacketLog) evict() bool {
	var oldest string
	for id, ring := range l.rings {
		if ring.users == 0 && (oldest == "" || ring.detached < l.rings[oldest].detached) {
			oldest = id
		}
	}
	delete(l.rings, oldest)
	return oldest != ""
}

func (l *PacketLog) detach(ring *packetRing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detached++
	ring.users, ring.detached = ring.users-1, l.detached
}

// all gives all rings.
func (l *PacketLog) all() []*packetRing {
	l.mu.Lock()
	defer l.mu.Unlock()
	rings := make([]*packetRing, 0, len(l.rings)+1)
	for _, ring := range l.rings {
		rings = append(rings, ring)
	}
	if l.shared != nil {
		rings = append(rings, l.shared)
	}
	return rings
}

// LoggedPacket is what is kept of a packet. Amounts are in the units of the
// accounts.
type LoggedPacket struct {
	// Received is when it came, and Latency how long it took to answer it.
	Received time.Time
	Latency  time.Duration
	// Account is the id of that which it came from, and Amount what it carried.
	Account string
	Amount  uint64
	// NextHop is the id of the account that it went to, or was to go to, and
	// NextHopAmount what went there; empty and 0 if there is none.
	NextHop       string
	NextHopAmount uint64
	// Destination is the address, or its first 144 bytes if DestinationLength,
	// its length, is more; empty if DestinationHash stands in its place.
	Destination       string
	DestinationLength int
	DestinationHash   uint64
	// Condition is zero unless the log keeps conditions.
	Condition ilp.Condition
	Outcome   Outcome
	// Code is that of the reject; empty if there was none.
	Code ilp.Code
}

// PacketFilter says which packets are wanted. The zero value wants all.
type PacketFilter struct {
	// Account is one that a packet came from or went to.
	Account string
	// Prefix covers destinations by whole segments, such as "g.alice", or "g".
	// Of one that was cut, the part that is known decides. A log that hashes
	// destinations finds those that are equal to it.
	Prefix string
	// Outcome and Code are what became of it; zero stands for any.
	Outcome Outcome
	Code    ilp.Code
	// Since leaves out what was received before.
	Since time.Time
}

// DefaultPacketLimit is how many packets Packets gives at most if it is not
// told.
const DefaultPacketLimit = 1000

// Packets gives the logged packets that f wants, the last received first, at
// most limit of them; 0 means DefaultPacketLimit. Packets that are not
// answered yet are not among them.
func (l *PacketLog) Packets(f PacketFilter, limit int) []LoggedPacket {
	if limit <= 0 {
		limit = DefaultPacketLimit
	}
	m := l.matcher(f)
	var found []LoggedPacket
	keep := func(r *packetRecord) {
		if !m.matches(r) {
			return
		}
		if found = append(found, r.packet()); len(found) >= 2*limit {
			found = last(found, limit)
		}
	}
	for _, ring := range l.all() {
		ring.read(0, keep)
	}
	found = last(found, limit)
	slices.Reverse(found)
	return found
}

// last gives the n packets that were received last, in the order in which they
// were.
func last(packets []LoggedPacket, n int) []LoggedPacket {
	slices.SortStableFunc(packets, func(a, b LoggedPacket) int { return a.Received.Compare(b.Received) })
	return slices.Delete(packets, 0, max(0, len(packets)-n))
}

// Omitted gives the number of packets that were left out, because accounts
// that share a ring were at it at the same moment.
func (l *PacketLog) Omitted() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shared == nil {
		return 0
	}
	return l.shared.omitted.Load()
}

// packetLogStage is the outermost incoming Stage.
type packetLogStage struct {
	replyOnly
	log     *PacketLog
	ring    *packetRing
	account string
	since   func(time.Time) time.Duration

	hashes, conditions bool // those of the log, which is elsewhere in memory
}

func (s *packetLogStage) Reply(_ context.Context, p *Packet, reply ilp.Reply) ilp.Reply {
	latency := p.Took(s.since)
	record := s.ring.begin()
	if record == nil {
		return reply
	}
	record.received, record.latency = p.Received.UnixNano(), latency
	record.amount = p.Prepare.Amount
	if record.account != s.account { // as a rule the slot was this account's before
		record.account = s.account
	}
	nextHop := ""
	if p.Destination != nil {
		nextHop = p.Destination.ID
	}
	if record.nextHop != nextHop {
		record.nextHop = nextHop
	}
	record.nextHopAmount = p.DestinationAmount
	if s.hashes {
		record.hash = s.log.hash(p.Prepare.Destination.String())
	} else {
		destination := p.Prepare.Destination.String()
		record.destinationLength = uint16(len(destination)) // 1023 at most
		copy(record.destination[:], destination)
	}
	if s.conditions {
		record.condition = p.Prepare.Condition
	}
	record.outcome, record.codeLength = OutcomeOf(p, reply), 0
	if reject, ok := reply.(*ilp.Reject); ok {
		record.codeLength = uint8(copy(record.code[:], reject.Code))
	}
	if subscriptions := s.log.subscriptions.Load(); subscriptions != nil {
		for _, subscription := range *subscriptions {
			subscription.tell(record)
		}
	}
	s.ring.end()
	return reply
}

// hash is never 0, which stands for none.
func (l *PacketLog) hash(destination string) uint64 {
	return cmp.Or(maphash.String(l.seed, destination), 1)
}
