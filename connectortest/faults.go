package connectortest

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Faults is what a link does to the frames that it carries, each way. The zero
// value carries every one of them, in order, in a millisecond.
type Faults struct {
	// Delay is how long a frame takes. 0 means a millisecond.
	Delay time.Duration
	// Jitter is how much longer it may take, at most.
	Jitter time.Duration
	// Loss is the chance of a frame to be lost, from 0 to 1; Duplication that to
	// arrive twice; Reordering that to overtake those that were sent before it,
	// if its delay lets it.
	Loss, Duplication, Reordering float64
}

// defaultDelay is what a Delay of 0 means.
const defaultDelay = time.Millisecond

// arrival is one copy of a frame at the other end.
type arrival struct {
	delay     time.Duration
	overtakes bool
}

// arrivals gives what becomes of one frame. It follows from the seed of the link
// and from what the frame is, and not from the order in which goroutines
// happened to run, so that a seed gives the same run again.
func (f Faults) arrivals(seed, frame uint64) []arrival {
	random := rand.New(rand.NewPCG(seed, frame))
	copies := 1
	if random.Float64() < f.Loss {
		copies--
	}
	if random.Float64() < f.Duplication {
		copies++
	}
	arrivals := make([]arrival, 0, copies)
	for range copies {
		a := arrival{delay: f.Delay}
		if a.delay <= 0 {
			a.delay = defaultDelay
		}
		if f.Jitter > 0 {
			a.delay += time.Duration(random.Int64N(int64(f.Jitter)))
		}
		// A few nanoseconds keep frames apart that would arrive at one instant:
		// the fake clock moves only when all is done that an instant brought, so
		// they are handled one after the other.
		a.delay += time.Duration(random.Int64N(1000))
		a.overtakes = random.Float64() < f.Reordering
		arrivals = append(arrivals, a)
	}
	return arrivals
}

// digest makes one number of what tells frames apart.
func digest(parts ...[]byte) uint64 {
	h := fnv.New64a()
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum64()
}
