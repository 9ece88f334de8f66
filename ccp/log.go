package ccp

import "slices"

// log is the history of a table: which entry changed at which epoch. A place
// in it counts for nothing once its entry has changed again; such places are
// removed from time to time, so that there are never many more than entries.
type log struct {
	slots   []slot
	current uint32 // the next epoch
	floor   uint32 // withdrawals of epochs below are not remembered
	live    int    // places that count
	dead    int    // tombstones among them: entries that are withdrawn
	next    uint64 // the epoch to look at compact again
}

type slot struct {
	epoch uint32
	entry *entry
}

// holds reports whether the place counts.
func (s slot) holds() bool { return s.entry.logged && s.entry.epoch == s.epoch }

// append gives e the next epoch.
func (l *log) append(e *entry) {
	l.forget(e)
	e.logged, e.epoch = true, l.current
	l.slots = append(l.slots, slot{l.current, e})
	l.current++
	l.live++
	if !e.announced {
		l.dead++
	}
	e.tombstone = !e.announced
}

// forget makes the place of e count for nothing.
func (l *log) forget(e *entry) {
	if !e.logged {
		return
	}
	e.logged = false
	l.live--
	if e.tombstone {
		e.tombstone = false
		l.dead--
	}
}

// since gives the places from an epoch on; some may not count.
func (l *log) since(epoch uint32) []slot {
	i, _ := slices.BinarySearchFunc(l.slots, epoch, func(s slot, epoch uint32) int {
		switch {
		case s.epoch < epoch:
			return -1
		case s.epoch > epoch:
			return 1
		}
		return 0
	})
	return l.slots[i:]
}

// The number of tombstones that a table keeps for peers that are late: as many
// as it has routes, and some anyway; and how many more while a peer is being
// taught that has not got to them.
const (
	keptTombstones    = 1 << 10
	awaitedTombstones = 1 << 20
)

// compact removes the places that do not count, if there are many, and the
// oldest tombstones, if there are too many. Those from the epoch that needed
// gives are awaited by a peer, and kept for longer. It gives the entries that
// it forgot.
func (l *log) compact(needed func() uint32) (forgotten []*entry) {
	limit := max(keptTombstones, l.live-l.dead)
	excess, hard := 0, 0
	if l.dead > limit {
		excess = l.dead - limit/2
		hard = max(0, l.dead-max(awaitedTombstones, limit))
	}
	if excess == 0 && len(l.slots) <= 2*l.live+64 || uint64(l.current) < l.next {
		return nil
	}
	// A pass takes as long as the log is, and may find nothing to remove.
	l.next = uint64(l.current) + uint64(len(l.slots)/4+64)
	awaited := needed()
	kept := l.slots[:0]
	for _, s := range l.slots {
		if !s.holds() {
			continue
		}
		if s.entry.tombstone && excess > 0 && (s.epoch < awaited || hard > 0) {
			l.floor = s.epoch + 1
			l.forget(s.entry)
			forgotten = append(forgotten, s.entry)
			excess--
			hard--
			continue
		}
		kept = append(kept, s)
	}
	clear(l.slots[len(kept):])
	l.slots = kept
	if cap(kept) > 4*len(kept)+64 {
		l.slots = slices.Clone(kept)
	}
	return forgotten
}
