package groupcommit

import (
	"sync"

	"github.com/interledger-go/connector/store"
)

// Calls counts the calls of a store that are under way, and refuses new ones
// when it has ended. Its zero value is that of an open store.
type Calls struct {
	mu  sync.Mutex
	end error // why the store has ended; nil while it is open
	// underWay is not added to once end is set.
	underWay sync.WaitGroup
	release  sync.Once
}

// Begin begins a call: the caller calls Done at its end. It returns why the
// store has ended, if it has, and then there is no call.
func (c *Calls) Begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.underWay.Add(1)
	}
	return c.end
}

// Done ends a call.
func (c *Calls) Done() { c.underWay.Done() }

// Fail makes the store end itself: later calls give reason, which wraps
// store.ErrClosed. It returns what they give, which is an earlier reason if
// there is one.
func (c *Calls) Fail(reason error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.end = reason
	}
	return c.end
}

// Close makes the store end, waits for the calls that are under way, and then
// calls release. When it is called again it waits as well, and leaves release
// alone.
func (c *Calls) Close(release func()) {
	_ = c.Fail(store.ErrClosed)
	c.underWay.Wait()
	c.release.Do(release)
}
