package miniaccounts_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
)

// A user who never reads costs bounded memory, then its socket; those who send
// to it are told so, and the packets of others pass.
func TestUserWhoNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{Socket: miniaccounts.SocketLimits{MaxPending: 64 << 10}})
		n.user(t, "", "lazy") // reads nothing any more
		n.client(t, "", "busy", plugin.HandlerFunc(fulfiller))
		synctest.Wait()
		lazy, busy := prepareTo("test.connie.mini."+nameOf("lazy")), prepareTo("test.connie.mini."+nameOf("busy"))
		lazy.Data = make([]byte, 1000)
		told := make(chan outcome, 1000)
		for range cap(told) {
			n.SendPrepare(context.Background(), lazy, plugin.NewResponder(plugin.ReplyFunc(
				func(_ context.Context, reply ilp.Reply, err error) { told <- newOutcome(reply, err) }), 0))
			if o := get(t, ask(n, busy)); o.fulfill == nil {
				t.Fatalf("the other user: %+v", o)
			}
		}
		refused := 0
		for len(told) > 0 {
			if o := <-told; o.err != plugin.ErrBusy {
				t.Fatalf("%+v", o)
			}
			refused++
		}
		if most := 64<<10/2/1000 + 1; cap(told)-refused > most {
			t.Errorf("%d packets wait for a user who does not read, want at most %d", cap(told)-refused, most)
		}
		time.Sleep(miniaccounts.DefaultWriteTimeout + time.Second)
		synctest.Wait()
		if s := n.Stats(); s.Sockets != 1 {
			t.Errorf("stats %+v: it is still there", s)
		}
		if len(told) != cap(told)-refused {
			t.Errorf("%d of the waiting packets are answered", len(told))
		}
	})
}

// A user who floods us is bounded by what it may have in flight; another one
// does not notice.
func TestUserWhoFloods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{Limits: miniaccounts.UserLimits{MaxInFlight: 10}})
		n.parent.hold()
		flood, quiet := n.user(t, "", "flood"), n.user(t, "", "quiet")
		refused := make(chan int)
		go func() {
			count := 0
			for range 1990 {
				if reply := flood.Read(); reply.Type == btp.TypeResponse {
					count++
				}
			}
			refused <- count
		}()
		for i := range uint32(2000) {
			flood.SendILP(btp.TypeMessage, i, prepareTo("test.x"))
		}
		if got := get(t, refused); got != 1990 {
			t.Errorf("%d were refused", got)
		}
		quiet.SendILP(btp.TypeMessage, 1, prepareTo("test.x"))
		for range 11 {
			get(t, n.parent.held).responder.Reply(context.Background(), fulfill)
		}
		if _, ok := quiet.ReadReply(1).(*ilp.Fulfill); !ok {
			t.Error("the quiet one is refused")
		}
	})
}

// benchmarkNetwork is a server on a loopback socket.
func benchmarkNetwork(b *testing.B, o miniaccounts.Options) *network {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	n := serveOn(b, newServer(b, o), l, nil)
	n.open(b)
	return n
}

// windowed keeps packets in flight: each answer leads to the next packet.
type windowed struct {
	send   func(ctx context.Context, r plugin.Responder)
	left   int
	flying int
	failed string
	done   chan struct{}
}

func (w *windowed) Reply(ctx context.Context, _ uint64, reply ilp.Reply, err error) {
	if _, ok := reply.(*ilp.Fulfill); !ok {
		w.failed = strings.Join([]string{"not fulfilled", newOutcomeText(reply, err)}, ": ")
	}
	if w.left > 0 {
		w.left--
		w.send(ctx, plugin.NewResponder(w, 0))
		return
	}
	if w.flying--; w.flying == 0 {
		close(w.done)
	}
}

func newOutcomeText(reply ilp.Reply, err error) string {
	if reject, ok := reply.(*ilp.Reject); ok {
		return reject.Error()
	}
	return err.Error()
}

// BenchmarkPackets sends packets from a user to the connector, over loopback,
// with the limits and, in memory, the book of a user; and the other way.
func BenchmarkPackets(b *testing.B) {
	const window = 50
	for _, books := range []bool{false, true} {
		o := miniaccounts.Options{Limits: miniaccounts.UserLimits{MaxInFlight: window, MaxPacketAmount: 1000}}
		name := "limits"
		if books {
			name = "books"
			o.Ledger = newLedger(b, volatileStore())
		}
		n := benchmarkNetwork(b, o)
		up := make(chan struct{}, 1)
		c := n.client(b, "", "token", &connected{plugin.HandlerFunc(fulfiller), up})
		<-up
		for direction, send := range map[string]func(ctx context.Context, p *ilp.Prepare, r plugin.Responder){
			"from": c.SendPrepare, "to": n.SendPrepare,
		} {
			b.Run(name+"/"+direction, func(b *testing.B) {
				p := prepareTo("test.connie.mini." + nameOf("token"))
				p.ExpiresAt = time.Now().Add(time.Hour)
				p.Data = make([]byte, 300)
				n.parent.packets = make([]ilp.Prepare, 0, b.N)
				w := &windowed{send: func(ctx context.Context, r plugin.Responder) { send(ctx, p, r) }, done: make(chan struct{})}
				flying := min(window, b.N)
				w.flying, w.left = flying, b.N-flying
				b.ReportAllocs()
				b.ResetTimer()
				for range flying {
					send(context.Background(), p, plugin.NewResponder(w, 0))
				}
				<-w.done
				if w.failed != "" {
					b.Fatal(w.failed)
				}
			})
		}
	}
}
