//go:build unix

package ilphttp_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/interledger-go/connector/plugin/ilphttp"
)

// narrow makes the buffers of a socket as small as there are.
func narrow(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1)
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1)
	})
}

// A server that answers what it does not read fills the socket. Whoever sends
// a packet then, which is the reader of another account, does not wait for it:
// the packet goes over another connection.
func TestServerAnswersWithoutReading(t *testing.T) {
	inner, err := (&net.ListenConfig{Control: narrow}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := inner.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	})
	t.Cleanup(accepting.Wait)
	t.Cleanup(func() { inner.Close() })

	dialer := &net.Dialer{Control: narrow}
	c := client(t, ilphttp.ClientOptions{URL: "http://" + inner.Addr().String() + "/", Token: token, IdleTimeout: time.Hour,
		NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, addr)
		}})
	prepare := newPrepare()
	prepare.Data = make([]byte, 1000)

	answered := send(c, prepare)
	first := <-conns
	defer first.Close()
	if r, err := http.ReadRequest(bufio.NewReader(first)); err != nil || r.ContentLength == 0 {
		t.Fatal(err)
	}
	for n := range 10_000 {
		_, _ = io.WriteString(first, okResponse(t)) // fails once the client has left it
		select {
		case a := <-answered:
			if !a.fulfilled() {
				t.Fatalf("packet %d: the answer is %v, %v", n, a.reply, a.err)
			}
			answered = send(c, prepare) // returns when the packet has left, or another connection is to have it
			continue
		case second := <-conns:
			defer second.Close()
			if !tookRequest(bufio.NewReader(second)) {
				t.Fatal("the packet has not come over the other connection")
			}
			_, _ = io.WriteString(second, okResponse(t))
		}
		if a := <-answered; !a.fulfilled() {
			t.Errorf("over the other connection: the answer is %v, %v", a.reply, a.err)
		}
		return
	}
	t.Error("the socket has taken all packets")
}
