package btp_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// windowed sends prepares through a plugin, a number of them in flight, and
// each answer leads to the next prepare, within the burst it came in.
type windowed struct {
	p       plugin.Plugin
	prepare *ilp.Prepare
	left    int // prepares to send; used by the reader alone once it runs
	flying  int
	failed  error
	done    chan struct{}
}

func (w *windowed) Reply(ctx context.Context, _ uint64, reply ilp.Reply, err error) {
	if _, ok := reply.(*ilp.Fulfill); !ok {
		w.failed = fmt.Errorf("reply %v, error %v", reply, err)
	}
	if w.left > 0 {
		w.left--
		w.p.SendPrepare(ctx, w.prepare, plugin.NewResponder(w, 0))
		return
	}
	if w.flying--; w.flying == 0 {
		close(w.done)
	}
}

// BenchmarkRoundTrip sends prepares with 300 bytes of data from a client to a
// server over loopback, both in this process, and fulfils them. One operation
// is one prepare and its reply: four encodings, four decodings.
func BenchmarkRoundTrip(b *testing.B) {
	for _, window := range []int{1, 50, 500} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			n := newLoopback(b, serverOptions)
			n.account(b, "alice", "token", newRecorder(fulfiller))
			h := newRecorder(fulfiller)
			c := n.client(b, "alice", "token", h, nil)
			h.await(b, true)
			prepare := newPrepare(300)
			b.ReportAllocs()
			b.ResetTimer()
			w := &windowed{p: c, prepare: prepare, done: make(chan struct{})}
			w.flying = min(window, b.N)
			w.left = b.N - w.flying
			burst := plugin.NewBurst(context.Background())
			for range w.flying {
				c.SendPrepare(burst.Context(), prepare, plugin.NewResponder(w, 0))
			}
			burst.Flush()
			<-w.done
			b.StopTimer()
			if w.failed != nil {
				b.Fatal(w.failed)
			}
		})
	}
}
