package middleware

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// recentPackets are the packets to one account that are on their way, and
// those that it has fulfilled and that are remembered for a while.
//
// It is a hash table with chains. The entries of those fulfilled are in a list
// too, in the order in which that was. Entries refer to one another by number:
// the garbage collector has nothing to follow in them. They are made a few at
// a time as they are needed, never moved, and used again, so that a table
// which has had its busiest time allocates nothing.
type recentPackets struct {
	seed     maphash.Seed
	max      uint32
	lifetime time.Duration

	mu     sync.Mutex
	heads  []entryNumber // of the chains: two for each entry or more, a power of two
	blocks []*recentBlock
	made   uint32 // entries that were made
	free   entryNumber
	oldest entryNumber // of those fulfilled
	newest entryNumber
}

// entryNumber is the place of an entry, from 1 on; 0 is none.
type entryNumber uint32

const blockSize = 32

type recentBlock [blockSize]recentPacket

// recentPacket is one entry.
type recentPacket struct {
	condition ilp.Condition
	hash      uint64 // keyed, of all that makes a packet the same
	amount    uint64
	until     int64 // in Unix milliseconds: when it may be forgotten
	number    entryNumber
	chained   entryNumber // the next of the chain, or of the free ones
	older     entryNumber // in the list of those fulfilled
	newer     entryNumber
	state     packetState
}

type packetState uint8

const (
	packetUnknown    packetState = iota
	packetOnItsWay               // in a chain
	packetFulfilled              // in a chain, and in the list
	packetSuperseded             // on its way, in no chain: a larger one has taken its place
)

func newRecentPackets(most int, lifetime time.Duration) *recentPackets {
	return &recentPackets{seed: maphash.MakeSeed(), max: uint32(most), lifetime: lifetime}
}

// enter looks for the packet that p is a duplicate of and gives its state. If
// there is none it remembers p, gives the entry to leave with, or nil if there
// is no room, and packetUnknown.
func (r *recentPackets) enter(p *ilp.Prepare, now time.Time) (*recentPacket, packetState) {
	hash := r.hash(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetOld(now.UnixMilli())
	if e := r.find(hash, p); e != nil {
		if p.Amount <= e.amount && (e.state == packetOnItsWay || e.until >= now.UnixMilli()) {
			return nil, e.state
		}
		r.supersede(e)
	}
	e := r.take()
	if e == nil {
		return nil, packetUnknown
	}
	e.condition, e.hash, e.amount, e.state = p.Condition, hash, p.Amount, packetOnItsWay
	e.until = p.ExpiresAt.Add(r.lifetime).UnixMilli()
	head := r.head(hash)
	e.chained, *head = *head, e.number
	return e, packetUnknown
}

// leave is told, once, what became of the packet of e.
func (r *recentPackets) leave(e *recentPacket, fulfilled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case e.state == packetSuperseded:
		r.release(e)
	case fulfilled:
		e.state, e.older, e.newer = packetFulfilled, r.newest, 0
		if r.newest != 0 {
			r.entry(r.newest).newer = e.number
		} else {
			r.oldest = e.number
		}
		r.newest = e.number
	default:
		r.unchain(e)
		r.release(e)
	}
}

// hash is of the parts of p that make packets the same. It is keyed, so that
// nobody can choose packets that fall together; and since a duplicate is
// refused, two that do by chance cost nobody anything but the sending of one
// again.
func (r *recentPackets) hash(p *ilp.Prepare) uint64 {
	condition := maphash.Bytes(r.seed, p.Condition[:])
	destination := maphash.String(r.seed, p.Destination.String())
	return condition ^ bits.RotateLeft64(destination, 21) ^ bits.RotateLeft64(maphash.Bytes(r.seed, p.Data), 42)
}

func (r *recentPackets) entry(n entryNumber) *recentPacket {
	return &r.blocks[(n-1)/blockSize][(n-1)%blockSize]
}

func (r *recentPackets) head(hash uint64) *entryNumber {
	return &r.heads[hash&uint64(len(r.heads)-1)]
}

func (r *recentPackets) find(hash uint64, p *ilp.Prepare) *recentPacket {
	if len(r.heads) == 0 {
		return nil
	}
	for n := *r.head(hash); n != 0; {
		e := r.entry(n)
		if e.hash == hash && e.condition == p.Condition {
			return e
		}
		n = e.chained
	}
	return nil
}

// supersede makes room for another packet of the same kind: a chain has one of
// each, so that it stays short whatever is sent.
func (r *recentPackets) supersede(e *recentPacket) {
	if e.state == packetFulfilled {
		r.drop(e)
		return
	}
	r.unchain(e)
	e.state = packetSuperseded
}

// forgetOld drops what is too old. Two at a time are enough, since one comes
// at a time; entries that expire later than others behind them keep those a
// little longer.
func (r *recentPackets) forgetOld(now int64) {
	for range 2 {
		if r.oldest == 0 {
			return
		}
		e := r.entry(r.oldest)
		if e.until >= now {
			return
		}
		r.drop(e)
	}
}

// drop forgets a packet that was fulfilled.
func (r *recentPackets) drop(e *recentPacket) {
	r.unchain(e)
	if e.older != 0 {
		r.entry(e.older).newer = e.newer
	} else {
		r.oldest = e.newer
	}
	if e.newer != 0 {
		r.entry(e.newer).older = e.older
	} else {
		r.newest = e.older
	}
	r.release(e)
}

// unchain takes e out of its chain, which it is in.
func (r *recentPackets) unchain(e *recentPacket) {
	at := r.head(e.hash)
	for *at != e.number {
		at = &r.entry(*at).chained
	}
	*at = e.chained
}

// release makes e free.
func (r *recentPackets) release(e *recentPacket) {
	e.state, e.chained, r.free = packetUnknown, r.free, e.number
}

// take gives a free entry: one that was used before, or a new one, or that of
// the packet which was fulfilled first; nil if all are on their way.
func (r *recentPackets) take() *recentPacket {
	if r.free == 0 && r.made == r.max && r.oldest != 0 {
		r.drop(r.entry(r.oldest))
	}
	if r.free != 0 {
		e := r.entry(r.free)
		r.free = e.chained
		return e
	}
	if r.made == r.max {
		return nil
	}
	return r.fresh()
}

// fresh makes an entry, and with it now and then room for more.
func (r *recentPackets) fresh() *recentPacket {
	if r.made%blockSize == 0 {
		r.blocks = append(r.blocks, new(recentBlock))
	}
	if 2*int(r.made) >= len(r.heads) {
		r.grow()
	}
	r.made++
	e := r.entry(entryNumber(r.made))
	e.number = entryNumber(r.made)
	return e
}

// grow doubles the number of chains.
func (r *recentPackets) grow() {
	former := r.heads
	r.heads = make([]entryNumber, max(2*blockSize, 2*len(former)))
	for _, n := range former {
		for n != 0 {
			e := r.entry(n)
			next, head := e.chained, r.head(e.hash)
			e.chained, *head = *head, n
			n = next
		}
	}
}
