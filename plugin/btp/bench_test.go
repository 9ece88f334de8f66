package btp_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
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
			roundTrips(b, newLoopback(b, btp.ServerOptions{}), window, nil)
		})
	}
}

// BenchmarkRoundTripTLS is the same over TLS.
func BenchmarkRoundTripTLS(b *testing.B) {
	for _, window := range []int{1, 50, 500} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			n, config := newTLSLoopback(b, btp.ServerOptions{})
			roundTrips(b, n, window, func(o *btp.ClientOptions) {
				o.URL = strings.Replace(o.URL, "btp+ws:", "btp+wss:", 1)
				o.TLS = config
			})
		})
	}
}

func roundTrips(b *testing.B, n *network, window int, set func(*btp.ClientOptions)) {
	n.account(b, "alice", "token", newRecorder(fulfiller))
	h := newRecorder(fulfiller)
	c := n.client(b, "alice", "token", h, set)
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
}

// BenchmarkIdleSocket shows what an authenticated socket of a server costs
// that has nothing to do.
func BenchmarkIdleSocket(b *testing.B) {
	for b.Loop() {
		const sockets = 1000
		n := newLoopback(b, btp.ServerOptions{Sockets: btp.Newest, MaxSockets: sockets})
		p := n.account(b, "alice", "token", newRecorder(fulfiller))
		var conns []net.Conn
		before := memory()
		for range sockets {
			conns = append(conns, rawLogin(b, n))
		}
		b.ReportMetric(float64(memory()-before)/sockets, "B/socket")
		for _, c := range conns {
			c.Close()
		}
		p.Close()
		n.stop()
	}
}

// rawLogin logs in with nothing but a net.Conn.
func rawLogin(b *testing.B, n *network) net.Conn {
	c, err := net.Dial("tcp", n.listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	auth := btptest.Auth(1, "alice", "token")
	message, err := auth.AppendBinary(nil)
	if err != nil {
		b.Fatal(err)
	}
	request := "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	frame := append([]byte{0x82, 0x80 | byte(len(message)), 0, 0, 0, 0}, message...) // the mask is zero
	if _, err := c.Write(append([]byte(request), frame...)); err != nil {
		b.Fatal(err)
	}
	const answer = "\x82\x08" + "\x01\x00\x00\x00\x01\x02\x01\x00"
	var got []byte
	for !bytes.HasSuffix(got, []byte(answer)) {
		buf := make([]byte, 512)
		k, err := c.Read(buf)
		if err != nil {
			b.Fatal(err)
		}
		got = append(got, buf[:k]...)
	}
	return c
}

// memory is what the heap and the stacks take, after a collection.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
