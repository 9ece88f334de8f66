package inproc

import (
	"math"
	"sync/atomic"
)

// gate lets calls in until it is closed, and then waits for those inside, so
// that none begins after that. It is the only thing that the calls of one
// direction share, and costs two additions each.
type gate struct {
	inside atomic.Int64  // how many; from shut upwards once it is closed
	empty  chan struct{} // holds a token when the last one has left a closed gate
}

const shut = math.MinInt64

func newGate() gate { return gate{empty: make(chan struct{}, 1)} }

// enter reports whether the caller may go in. It then has to leave.
func (g *gate) enter() bool {
	if g.inside.Add(1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if g.inside.Add(-1) == shut {
		select {
		case g.empty <- struct{}{}:
		default:
		}
	}
}

// close is called once.
func (g *gate) close() {
	if g.inside.Add(shut) != shut {
		<-g.empty
	}
}
