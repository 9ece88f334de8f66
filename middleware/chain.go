package middleware

import (
	"context"

	"github.com/interledger-go/connector/ilp"
)

// Chain is the stages of one direction of an account, outermost first, ready to
// run. It does not change, and may be used by any number of packets at once.
// NewChain makes one.
type Chain struct {
	stages []Stage
	// prepares has for each number of stages that a packet has passed how many
	// it has when it comes to one that looks at prepares, or to the end;
	// replies how many are left on the way back when it comes to one that looks
	// at replies, or to the source. The others are not called.
	prepares, replies []int
	posting           []int // those that are PostingStages, innermost first
}

// NewChain makes a Chain of stages, outermost first.
func NewChain(stages ...Stage) *Chain {
	n := len(stages)
	c := &Chain{stages: stages, prepares: make([]int, n+1), replies: make([]int, n+1)}
	c.prepares[n] = n
	for i := n - 1; i >= 0; i-- {
		c.prepares[i] = i
		if isReplyOnly(stages[i]) {
			c.prepares[i] = c.prepares[i+1]
		}
		if _, ok := stages[i].(PostingStage); ok {
			c.posting = append(c.posting, i)
		}
	}
	for i, s := range stages {
		c.replies[i+1] = i + 1
		if isPrepareOnly(s) {
			c.replies[i+1] = c.replies[i]
		}
	}
	return c
}

// Len is the number of stages.
func (c *Chain) Len() int { return len(c.stages) }

// PrepareFunc is a Stage that looks at prepares alone.
type PrepareFunc func(ctx context.Context, p *Packet) ilp.Reply

// Prepare calls f.
func (f PrepareFunc) Prepare(ctx context.Context, p *Packet) ilp.Reply { return f(ctx, p) }

// Reply gives the reply it is given.
func (f PrepareFunc) Reply(_ context.Context, _ *Packet, reply ilp.Reply) ilp.Reply { return reply }

// ReplyFunc is a Stage that looks at replies alone.
type ReplyFunc func(ctx context.Context, p *Packet, reply ilp.Reply) ilp.Reply

// Prepare lets every packet pass.
func (f ReplyFunc) Prepare(context.Context, *Packet) ilp.Reply { return nil }

// Reply calls f.
func (f ReplyFunc) Reply(ctx context.Context, p *Packet, reply ilp.Reply) ilp.Reply {
	return f(ctx, p, reply)
}

// replyOnly is embedded by a Stage of this package that looks at replies alone,
// and has no Prepare of its own.
type replyOnly struct{}

// Prepare lets every packet pass.
func (replyOnly) Prepare(context.Context, *Packet) ilp.Reply { return nil }

func (replyOnly) looksAtReplies() {}

// Other types may embed a PrepareFunc and have a Reply of their own, so it is
// the types themselves that count.

func isPrepareOnly(s Stage) bool {
	_, only := s.(PrepareFunc)
	return only
}

func isReplyOnly(s Stage) bool {
	switch s.(type) {
	case ReplyFunc, interface{ looksAtReplies() }:
		return true
	}
	return false
}
