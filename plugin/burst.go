package plugin

import "context"

// Burst joins the frames that one read leads to into as few writes as there
// are links they leave by.
//
// A plugin that reads from a stream makes a Burst for each of its readers
// and passes the burst's context to HandlePrepare and Responder.Reply. The
// context travels with the packet, unchanged, to the plugin that sends it
// on. That one appends its frame to a buffer, and instead of writing it calls
// Defer on the burst it finds in ctx. When the reader has nothing left to
// parse, and would have to wait, it calls Flush, and each link writes what
// has gathered in one system call. A packet that comes alone is a burst of
// one and leaves at once.
//
// A Burst belongs to the goroutine of its reader: it is used by the calls
// that this goroutine makes, not by goroutines that they start.
type Burst struct {
	ctx      context.Context
	deferred []Flusher
}

// Flusher is a link that keeps frames back until the burst ends.
type Flusher interface {
	// Flush writes what was kept back. It must not wait for a counterparty
	// that does not read, and it does not flush the burst itself.
	Flush()
}

// NewBurst makes a burst whose context is derived from ctx.
func NewBurst(ctx context.Context) *Burst {
	b := &Burst{}
	b.ctx = &burstContext{Context: ctx, burst: b}
	return b
}

// Context is what to pass along with the packets of this burst.
func (b *Burst) Context() context.Context { return b.ctx }

// Defer asks for f.Flush when the burst ends. f must make sure that it asks
// once a burst: a link knows whether it already holds frames back.
func (b *Burst) Defer(f Flusher) { b.deferred = append(b.deferred, f) }

// Flush ends the burst. The next one may begin.
func (b *Burst) Flush() {
	// What is flushed can lead to new packets on this goroutine (two plugins
	// in one process), which join the tail of the list.
	for i := 0; i < len(b.deferred); i++ {
		b.deferred[i].Flush()
	}
	clear(b.deferred) // the list is used again: let the links go
	b.deferred = b.deferred[:0]
}

// BurstFrom gives the burst that ctx belongs to, or nil when the caller
// should write at once.
func BurstFrom(ctx context.Context) *Burst {
	if c, ok := ctx.(*burstContext); ok { // the packet path: no key lookup
		return c.burst
	}
	b, _ := ctx.Value(burstKey{}).(*Burst)
	return b
}

// Detach gives a context with the values of ctx but without its burst, for
// work that outlives the call or moves to another goroutine.
func Detach(ctx context.Context) context.Context {
	if BurstFrom(ctx) == nil {
		return context.WithoutCancel(ctx)
	}
	return &burstContext{Context: context.WithoutCancel(ctx)}
}

type burstKey struct{}

// burstContext is a context that holds its burst (nil: none) where
// BurstFrom finds it without a search.
type burstContext struct {
	context.Context
	burst *Burst
}

func (c *burstContext) Value(key any) any {
	if _, ok := key.(burstKey); ok {
		return c.burst
	}
	return c.Context.Value(key)
}
