package plugin

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// Call sends prepare through p and waits for the reply: the way a program
// that has a link of its own, and no connector, pays.
//
// A Reject comes back as an error of type *ilp.Reject. A Fulfill whose
// fulfillment does not fit the condition is refused (ILP4-41). When nothing
// has come by prepare.ExpiresAt the error is a Reject with code R00 and no
// TriggeredBy. When ctx ends first the error is ctx's; the packet is then
// still on its way and may yet be fulfilled. Under a ctx that has ended
// before the call nothing is sent, and the error wraps ErrNotSent as well.
//
// What the Fulfill or Reject points to may lie in the buffer that the link
// read it into; see their Clone methods.
func Call(ctx context.Context, p Plugin, prepare *ilp.Prepare) (*ilp.Fulfill, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, context.Cause(ctx))
	}
	c := &call{done: make(chan struct{})}
	p.SendPrepare(ctx, prepare, NewResponder(c, 0))
	select { // most in-process links have answered by now: no timer then
	case <-c.done:
		return c.outcome(prepare)
	default:
	}
	expired := time.NewTimer(time.Until(prepare.ExpiresAt))
	defer expired.Stop()
	var err error
	select {
	case <-c.done:
	case <-expired.C:
		err = ilp.Rejectf(ilp.R00TransferTimedOut, "no reply before the packet expired")
	case <-ctx.Done():
		err = fmt.Errorf("plugin: waiting for a reply: %w", context.Cause(ctx))
	}
	select { // a reply that came in the same moment counts: money has moved
	case <-c.done:
		return c.outcome(prepare)
	default:
		return nil, err
	}
}

// call waits for one answer.
type call struct {
	answered atomic.Bool   // whoever sets it owns the fields below
	done     chan struct{} // closed once they are set
	fulfill  *ilp.Fulfill
	err      error
}

func (c *call) Reply(_ context.Context, _ uint64, reply ilp.Reply, err error) {
	if !c.answered.CompareAndSwap(false, true) { // a link that answers twice
		return
	}
	switch r := reply.(type) {
	case *ilp.Fulfill:
		kept := *r
		c.fulfill = &kept
	case *ilp.Reject:
		kept := *r
		c.err = &kept
	default:
		c.err = fmt.Errorf("plugin: no reply: %w", err)
	}
	close(c.done)
}

func (c *call) outcome(p *ilp.Prepare) (*ilp.Fulfill, error) {
	if c.err != nil {
		return nil, c.err
	}
	if c.fulfill.Fulfillment.Condition() != p.Condition {
		return nil, fmt.Errorf("plugin: the fulfillment %x does not fit the condition %s", c.fulfill.Fulfillment, p.Condition)
	}
	return c.fulfill, nil
}
