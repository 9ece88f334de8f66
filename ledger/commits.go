package ledger

import (
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/histogram"
)

// Measured is implemented by a Ledger that measures how it makes postings
// durable.
type Measured interface {
	Ledger
	// Commits gives what was measured since the ledger was made. It may be
	// called at any time, concurrently.
	Commits() Commits
}

// Commits is what a ledger has written. There is a commit for each batch that
// was written, however often that was tried.
type Commits struct {
	// Durations are how long commits took, in nanoseconds.
	Durations histogram.Snapshot
	// Records are how many records of the store each of them changed.
	Records histogram.Snapshot
	// Waiters are how many fulfillments and settlements waited for each of
	// them.
	Waiters histogram.Snapshot
	// Failures counts attempts to write that failed.
	Failures uint64
	// Failing says that nothing can be made durable at the moment, or only
	// slowly: no packets are taken.
	Failing bool
}

var _ Measured = (*Local)(nil)

// Commits gives what was measured since the ledger was made.
func (l *Local) Commits() Commits {
	return Commits{
		Durations: l.commits.durations.Snapshot(),
		Records:   l.commits.records.Snapshot(),
		Waiters:   l.commits.waiters.Snapshot(),
		Failures:  l.commits.failures.Load(),
		Failing:   l.unwell.Load(),
	}
}

// commits counts what the committer does.
type commits struct {
	durations, records, waiters histogram.Histogram
	failures                    atomic.Uint64
}

func (c *commits) observe(b *batch, took time.Duration) {
	c.durations.Observe(uint64(max(took, 0)))
	c.records.Observe(uint64(b.Len()))
	c.waiters.Observe(uint64(len(b.waiters)))
}
