package wsconn

import (
	"time"

	"github.com/gobwas/ws"
)

// quiet is how many bytes may pass in a tick of an idle connection: a ping, a
// pong and the like.
const quiet = 256

// pulse is what the timer of a connection knows. The timer sends the pings,
// looks for signs of life after each, and lets go of the memory of a
// connection that has become idle.
type pulse struct {
	asked    bool   // a ping went out at the last tick
	received uint64 // Conn.received at the last tick
	sent     uint64 // Conn.frames likewise
}

// armTimer sets the timer. The lock is held.
func (c *Conn) armTimer(d time.Duration) {
	if c.stopping {
		return
	}
	c.background.Add(1) // until the timer is stopped or tick has returned
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.tick)
		return
	}
	c.timer.Reset(d)
}

// tickInterval is the time between two pings; without pings, the timer still
// looks after memory.
func (c *Conn) tickInterval() time.Duration {
	if c.opts.PingInterval < 0 {
		return DefaultPingInterval
	}
	return c.opts.PingInterval
}

// tick is run by the timer.
func (c *Conn) tick() {
	defer c.background.Done()
	received := c.received.Load()
	c.mu.Lock()
	if c.cause != nil || c.stopping || c.closed.Load() { // CloseTimeout counts from a Close frame on
		c.mu.Unlock()
		return
	}
	if c.pulse.asked {
		silent := received == c.pulse.received
		c.pulse.asked = false
		if !silent {
			c.armTimer(max(c.opts.PingInterval-c.opts.PongTimeout, 0))
		}
		c.mu.Unlock()
		if silent {
			c.fail(ErrPingTimeout)
		}
		return
	}
	idle := received-c.pulse.received < quiet && c.frames-c.pulse.sent < 4
	c.pulse.received, c.pulse.sent = received, c.frames
	if idle {
		c.dropIdleBuffers()
	}
	next := c.tickInterval()
	if c.opts.PingInterval > 0 {
		c.appendControl(ws.OpPing, nil)
		c.pulse.asked = true
		next = c.opts.PongTimeout
	}
	c.armTimer(next)
	c.mu.Unlock()
	c.Flush()
	if idle {
		c.dropIdleSlab()
	}
}

// dropIdleBuffers lets go of what was written from. The lock is held.
func (c *Conn) dropIdleBuffers() {
	c.spare = nil
	if len(c.out) == 0 {
		c.out = nil
	}
}
