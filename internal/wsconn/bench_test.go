package wsconn_test

import (
	"fmt"
	"net"
	"runtime"
	"testing"

	"github.com/interledger-go/connector/internal/wsconn"
)

// BenchmarkEcho sends messages of 500 bytes over loopback, both sides in this
// process, with a number of them in flight. One operation is one message
// there and back.
func BenchmarkEcho(b *testing.B) {
	for _, window := range []int{1, 64, 500} {
		b.Run(fmt.Sprintf("inflight=%d", window), func(b *testing.B) {
			var server *wsconn.Conn
			server, client := loopback(b, wsconn.Options{OnIdle: func() { server.Flush() }}, wsconn.Options{})
			go func() {
				for {
					m, err := server.ReadMessage()
					if err != nil || add(server, m) != nil {
						return
					}
				}
			}()
			message := make([]byte, 500)
			b.SetBytes(2 * 500)
			b.ReportAllocs()
			b.ResetTimer()
			sent := min(window, b.N)
			for range sent {
				if err := add(client, message); err != nil {
					b.Fatal(err)
				}
			}
			client.Flush()
			for answered := 0; answered < b.N; {
				if _, err := client.ReadMessage(); err != nil {
					b.Fatal(err)
				}
				answered++
				if sent < b.N {
					sent++
					if err := add(client, message); err != nil {
						b.Fatal(err)
					}
				}
				if answered%max(window/2, 1) == 0 || answered == sent {
					client.Flush()
				}
			}
			b.StopTimer()
			frames, writes := server.Written()
			b.ReportMetric(float64(frames)/float64(writes), "frames/write")
		})
	}
}

// add writes a message without a flush.
func add(c *wsconn.Conn, message []byte) error {
	buf, err := c.Begin(len(message))
	if err != nil {
		return err
	}
	return c.End(append(buf, message...))
}

// BenchmarkIdleConnection shows what an idle connection costs, with the
// goroutine that reads it: at first, and after the timer has found it idle.
func BenchmarkIdleConnection(b *testing.B) {
	for b.Loop() {
		const n = 1000
		var near, far [n]net.Conn
		var conns [n]*wsconn.Conn
		for i := range n {
			near[i], far[i] = tcpPair(b)
		}
		before := memory()
		for i := range n {
			conns[i] = wsconn.New(near[i], false, wsconn.Options{})
			go drain(conns[i])
		}
		for _, c := range conns {
			for !c.Waiting() {
				runtime.Gosched()
			}
		}
		fresh := memory()
		for _, c := range conns {
			c.ReleaseIdle()
		}
		idle := memory()
		for i, c := range conns {
			c.Close()
			far[i].Close()
		}
		b.ReportMetric(float64(fresh-before)/n, "B/new")
		b.ReportMetric(float64(idle-before)/n, "B/idle")
	}
}

// memory is what the heap and the stacks take, after a collection.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
