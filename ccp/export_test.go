package ccp

// Exhaust makes the table believe that it has had so many epochs.
func (t *Table) Exhaust(epochs uint32) {
	for i := range t.log.slots {
		t.log.slots[i].epoch += epochs - t.log.current
	}
	for e := range t.ordered.all() {
		e.epoch += epochs - t.log.current
	}
	t.log.current = epochs
}

// Entries is how many entries and places in the log the table has.
func (t *Table) Entries() (entries, places, indexed int) {
	for range t.ordered.all() {
		indexed++
	}
	return len(t.entries), len(t.log.slots), indexed
}

// Forget forgets all withdrawals, as if there had been too many.
func (t *Table) Forget() {
	var forgotten []*entry
	for _, s := range t.log.slots {
		if s.holds() && s.entry.tombstone {
			t.log.forget(s.entry)
			t.log.floor = s.epoch + 1
			forgotten = append(forgotten, s.entry)
		}
	}
	for _, e := range forgotten {
		t.drop(e)
	}
}

// The bounds on tombstones and paths.
const (
	KeptTombstones    = keptTombstones
	AwaitedTombstones = awaitedTombstones
	MaxPathHops       = maxPathHops
	FirstBatch        = firstBatch
)
