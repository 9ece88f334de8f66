package testserver_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/testserver"
)

// A redisClient speaks just enough of the protocol to prove a server.
type redisClient struct {
	net.Conn
	replies *bufio.Reader
}

func dialRedis(t *testing.T, addr string) redisClient {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return redisClient{c, bufio.NewReader(c)}
}

func (c redisClient) send(t *testing.T, command string) {
	t.Helper()
	if _, err := fmt.Fprint(c, command+"\r\n"); err != nil {
		t.Fatal(err)
	}
}

func (c redisClient) reply(within time.Duration) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	line, err := c.replies.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

func (c redisClient) want(t *testing.T, command, want string) {
	t.Helper()
	c.send(t, command)
	if got, err := c.reply(10 * time.Second); err != nil || got != want {
		t.Fatalf("%s: %q, %v; want %q", command, got, err, want)
	}
}

// wantSilence checks that nothing comes for a while.
func (c redisClient) wantSilence(t *testing.T) {
	t.Helper()
	if got, err := c.reply(100 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("reply %q, %v; want none", got, err)
	}
}

// wantRefused checks that nobody listens at addr.
func wantRefused(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err == nil {
		_ = c.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("dial of %s: %v, want it refused", addr, err)
	}
}

// What has been acknowledged outlives each way of taking a server away, and
// the address stays.
func TestServerComesBack(t *testing.T) {
	for _, server := range []struct {
		name  string
		start func(t testing.TB) *testserver.Server
	}{
		{"Redis", func(t testing.TB) *testserver.Server { return testserver.Redis(t) }},
		{"PostgreSQL", func(t testing.TB) *testserver.Server { return testserver.PostgreSQL(t) }},
		{"MariaDB", func(t testing.TB) *testserver.Server { return testserver.MariaDB(t) }},
	} {
		t.Run(server.name, func(t *testing.T) {
			var addr string
			t.Run("while the test runs", func(t *testing.T) {
				s := server.start(t)
				addr = s.Addr()
				for _, away := range []func(){s.Kill, s.Stop} {
					away()
					wantRefused(t, addr)
					s.Start()
					if s.Addr() != addr {
						t.Errorf("the address is %s, was %s", s.Addr(), addr)
					}
					c, err := net.Dial("tcp", addr)
					if err != nil {
						t.Fatal(err)
					}
					// PostgreSQL waits for clients that do not say who they are.
					_ = c.Close()
				}
			})
			if addr == "" {
				t.Skip("it has not run: see above")
			}
			wantRefused(t, addr)
		})
	}
}

func TestRedisIsDurable(t *testing.T) {
	s := testserver.Redis(t)
	c := dialRedis(t, s.Addr())
	c.want(t, "SET k v", "+OK")
	s.Kill()
	s.Start()
	c = dialRedis(t, s.Addr())
	c.want(t, "STRLEN k", ":1")

	s.Pause()
	c.send(t, "STRLEN k")
	c.wantSilence(t)
	s.Resume()
	if got, err := c.reply(10 * time.Second); err != nil || got != ":1" {
		t.Errorf("reply after Resume: %q, %v", got, err)
	}
}

func TestProxy(t *testing.T) {
	s := testserver.Redis(t)
	p := testserver.NewProxy(t, s.Addr())
	c := dialRedis(t, p.Addr())
	c.want(t, "SET k 1", "+OK")

	// A request that is held up arrives after one that was sent later.
	held := p.HoldRequest("SET k 2")
	c.send(t, "SET k 2")
	<-held
	other := dialRedis(t, p.Addr())
	other.want(t, "SET k 333", "+OK")
	other.want(t, "STRLEN k", ":3")
	c.wantSilence(t)
	p.Release()
	if got, err := c.reply(10 * time.Second); err != nil || got != "+OK" {
		t.Fatalf("reply after Release: %q, %v", got, err)
	}
	other.want(t, "STRLEN k", ":1")

	// A request whose reply is held up has its effect.
	held = p.HoldReply("SET k 4444")
	c.send(t, "SET k 4444")
	<-held
	c.wantSilence(t)
	other.want(t, "STRLEN k", ":4")

	p.Break()
	for _, client := range []redisClient{c, other} {
		if got, err := client.reply(10 * time.Second); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reply after Break: %q, %v", got, err)
		}
	}
	dialRedis(t, p.Addr()).want(t, "STRLEN k", ":4")
}
