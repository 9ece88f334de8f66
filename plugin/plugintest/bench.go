package plugintest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Bench measures a pair of plugins: the time from one prepare with 300 bytes
// of data to the next, each fulfilled with 300 bytes at once by the handler
// of the second plugin, with 1 and with 64 packets unanswered. Prepares are
// sent in bursts of as many as there is room for, as a connector does. The
// allocations are those of both plugins.
func Bench(b *testing.B, opts Options) {
	if opts.New == nil {
		b.Fatal("plugintest: Options.New is nil: want a function that returns the plugins to measure")
	}
	for _, window := range []int{1, 64} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) { bench(b, opts, window) })
	}
}

func bench(b *testing.B, opts Options, window int) {
	const size = 300
	p := newPair(b, opts)
	defer func() {
		if err := p.end(); err != nil {
			b.Error(err)
		}
	}()
	reply := fulfillOf(1, size)
	handler := plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply { return reply })
	for _, s := range p.order {
		if err := s.plugin.Open(context.Background(), handler); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.pollConnected(); err != nil {
		b.Fatal(err)
	}

	window = p.window(window)
	replies := newTokens(window)
	prepare := newPrepare(1, size)
	burst := plugin.NewBurst(context.Background())
	b.ReportAllocs()
	for b.Loop() {
		token, ok := replies.take()
		if !ok {
			burst.Flush()
			token = <-replies.free
		}
		p.near.plugin.SendPrepare(burst.Context(), &prepare, plugin.NewResponder(replies, token))
	}
	burst.Flush()
	for range window {
		<-replies.free
	}
	if n := replies.failed.Load(); n > 0 {
		b.Errorf("%d of %d packets were not fulfilled", n, b.N)
	}
}

// pollConnected waits until both plugins are connected.
func (p *pair) pollConnected() error {
	limit := time.NewTimer(p.timeout)
	defer limit.Stop()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !p.near.plugin.Connected() || !p.far.plugin.Connected() {
		select {
		case <-poll.C:
		case <-limit.C:
			return fmt.Errorf("the plugins are not connected after %v", p.timeout)
		}
	}
	return nil
}

// tokens lets as many packets out as there are tokens.
type tokens struct {
	free   chan uint64
	failed atomic.Int64
}

func newTokens(n int) *tokens {
	t := &tokens{free: make(chan uint64, n)}
	for i := range n {
		t.free <- uint64(i)
	}
	return t
}

func (t *tokens) take() (token uint64, ok bool) {
	select {
	case token = <-t.free:
		return token, true
	default:
		return 0, false
	}
}

// Reply takes an answer. A second one for a token would block, since there
// is no room for it.
func (t *tokens) Reply(_ context.Context, token uint64, reply ilp.Reply, _ error) {
	if _, ok := reply.(*ilp.Fulfill); !ok {
		t.failed.Add(1)
	}
	t.free <- token
}
