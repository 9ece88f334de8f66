package miniaccounts_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

func volatileStore() store.Store { return memstore.New() }

// maxIdleBytes is what an idle user may cost, the other end of its connection
// included where that is in memory.
const maxIdleBytes = 40 << 10

// silentUser is a user's end without goroutines or buffers of its own: it
// shows a token and then does nothing.
func (n *network) silentUser(t testing.TB, token string) net.Conn {
	t.Helper()
	conn, err := n.dialConn()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /ilp HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	p := btptest.Auth(1, "", token)
	body, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	// One masked frame; the mask is zero.
	frame := append([]byte{0x82, 0x80 | 126, byte(len(body) >> 8), byte(len(body)), 0, 0, 0, 0}, body...)
	var head []byte
	for one := make([]byte, 1); len(head) < 4 || string(head[len(head)-4:]) != "\r\n\r\n"; head = append(head, one[0]) {
		if _, err := io.ReadFull(conn, one); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 10) // the frame of an empty response: header, type, id, contents
	if _, err := io.ReadFull(conn, answer); err != nil || answer[2] != 1 {
		t.Fatalf("the answer is % x, %v", answer, err)
	}
	return conn
}

func (n *network) dialConn() (net.Conn, error) {
	if n.dial != nil {
		return n.dial(context.Background(), "", "")
	}
	return net.Dial("tcp", n.listener.Addr().String())
}

// idleOptions are those of users with everything: limits, and a book.
func idleOptions(t testing.TB) miniaccounts.Options {
	return miniaccounts.Options{
		Ledger: newLedger(t, memstore.New()),
		Limits: miniaccounts.UserLimits{
			MaxPacketAmount: 1000,
			RateLimit:       &account.RateLimit{RefillCount: 100},
			Throughput:      &account.Throughput{IncomingAmount: 1000, OutgoingAmount: 1000},
			Balance:         &account.BalanceLimits{Minimum: -1000, Maximum: 1000},
		},
	}
}

// memory is what the process uses: heap and stacks.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// Users that are connected and idle cost at most 40 KB each, with a book and
// all limits. There are ten thousand of them in BenchmarkIdleUsers; what each
// costs does not depend on their number.
func TestMemoryOfIdleUsers(t *testing.T) {
	const users = 1000
	synctest.Test(t, func(t *testing.T) {
		o := idleOptions(t)
		o.Socket.PingInterval = -1 // nobody would answer
		n := start(t, o)
		before := memory()
		conns := make([]net.Conn, users)
		for i := range conns {
			conns[i] = n.silentUser(t, fmt.Sprint("token", i))
		}
		time.Sleep(time.Minute) // long enough for buffers to be let go
		synctest.Wait()
		each := (memory() - before) / uint64(users)
		t.Logf("%d users: %d bytes each", users, each)
		if each > maxIdleBytes {
			t.Errorf("%d bytes for each user, want at most %d", each, maxIdleBytes)
		}
		if s := n.Stats(); s.Sockets != users {
			t.Errorf("stats %+v", s)
		}
		var closing sync.WaitGroup
		for _, c := range conns {
			closing.Go(func() { c.Close() })
		}
		closing.Wait()
	})
}

// BenchmarkIdleUsers prints what a user costs that has done nothing yet, with
// a book and all limits: ten thousand on pipes, the other ends included, and
// as many on loopback sockets as the usual number of descriptors allows.
func BenchmarkIdleUsers(b *testing.B) {
	b.Run("pipes", func(b *testing.B) {
		benchmarkIdle(b, 10_000, func() *network { return start(b, idleOptions(b)) })
	})
	b.Run("loopback", func(b *testing.B) {
		benchmarkIdle(b, 5_000, func() *network { return benchmarkNetwork(b, idleOptions(b)) })
	})
}

func benchmarkIdle(b *testing.B, users int, begin func() *network) {
	for b.Loop() {
		n := begin()
		before := memory()
		conns := make([]net.Conn, 0, users)
		for i := range users {
			conns = append(conns, n.silentUser(b, fmt.Sprint("token", i)))
		}
		b.ReportMetric(float64(memory()-before)/float64(users), "B/user")
		for _, c := range conns {
			c.Close()
		}
		n.Close()
	}
}
