package plugin_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// link is a plugin that is nothing but its SendPrepare.
type link func(ctx context.Context, p *ilp.Prepare, r plugin.Responder)

var _ plugin.Plugin = link(nil)

func (link) Open(context.Context, plugin.Handler) error { return nil }
func (link) Connected() bool                            { return true }
func (link) Close() error                               { return nil }

func (l link) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) { l(ctx, p, r) }

var fulfillment = ilp.Fulfillment{1, 2, 3}

// newPrepare makes a packet for fulfillment that expires in a second.
func newPrepare() *ilp.Prepare {
	return &ilp.Prepare{
		Amount:      10,
		ExpiresAt:   time.Now().Add(time.Second),
		Condition:   fulfillment.Condition(),
		Destination: ilp.MustParseAddress("test.bob"),
		Data:        []byte("hello"),
	}
}

// answer is what a Replier was given.
type answer struct {
	ctx   context.Context
	token uint64
	reply ilp.Reply
	err   error
}

// collector is a Replier that keeps all answers.
type collector struct {
	mu      sync.Mutex
	answers []answer
}

func (c *collector) Reply(ctx context.Context, token uint64, reply ilp.Reply, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = append(c.answers, answer{ctx, token, reply, err})
}

// take gives the answers that have come since it was last called.
func (c *collector) take() []answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.answers
	c.answers = nil
	return taken
}

// one gives the only answer, or fails the test.
func (c *collector) one(t testing.TB) answer {
	t.Helper()
	answers := c.take()
	if len(answers) != 1 {
		t.Fatalf("%d answers came, want one: %v", len(answers), answers)
	}
	return answers[0]
}
