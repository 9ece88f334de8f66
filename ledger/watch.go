package ledger

import (
	"sync"
	"time"
)

// watch looks at the clock while the committer writes: it says so when an
// attempt takes long, and gives up a batch when the ledger is to stop and the
// batch takes longer still.
type watch struct {
	slowAfter, giveUpAfter time.Duration
	isSlow                 func()

	mu       sync.Mutex // held by isSlow too, so that it never speaks of an attempt that has ended
	began    time.Time  // the attempt that is under way; zero between two
	batch    bool       // a batch is under way
	stopping bool
	slow     *time.Timer
	giveUp   *time.Timer
}

func newWatch(o LocalOptions, isSlow, giveUp func()) *watch {
	w := &watch{slowAfter: o.SlowAfter, giveUpAfter: o.CloseTimeout, isSlow: isSlow}
	w.slow = time.AfterFunc(w.slowAfter, w.look)
	w.giveUp = time.AfterFunc(w.giveUpAfter, giveUp)
	w.slow.Stop()
	w.giveUp.Stop()
	return w
}

// look is run by the timer, perhaps when the attempt it was set for has ended.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.began.IsZero() && time.Since(w.began) >= w.slowAfter {
		w.isSlow()
	}
}

// stop says that the ledger is to stop.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopping = true
	if w.batch {
		w.giveUp.Reset(w.giveUpAfter)
	}
}

func (w *watch) beginBatch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batch = true
	if w.stopping {
		w.giveUp.Reset(w.giveUpAfter)
	}
}

func (w *watch) endBatch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batch = false
	w.giveUp.Stop()
}

func (w *watch) beginAttempt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began = time.Now()
	w.slow.Reset(w.slowAfter)
}

func (w *watch) endAttempt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began = time.Time{}
	w.slow.Stop()
}
