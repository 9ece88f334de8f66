package hostiletest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

// The bounds that the house of strangers has, and how many come at once.
const (
	maxUnauthenticated = 20
	maxConnections     = 50
	crowd              = 150
)

// dial connects, and sends text.
func dial(addr, text string) (net.Conn, error) {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		_, err = io.WriteString(c, text)
	}
	return c, err
}

// ways are what somebody does who never shows who it is, and how many who do so
// may be there at once.
var ways = map[string]struct {
	come func(addr string) (net.Conn, error)
	most int
	btp  bool // only where BTP is spoken
}{
	"nothing":     {func(addr string) (net.Conn, error) { return dial(addr, "") }, maxUnauthenticated, false},
	"half a head": {func(addr string) (net.Conn, error) { return dial(addr, "POST / HTTP/1.1\r\nHost: x\r\n") }, maxUnauthenticated, false},
	"a request, and nothing more": {func(addr string) (net.Conn, error) {
		c, err := dial(addr, "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if err == nil {
			c.SetReadDeadline(time.Now().Add(patience))
			_, err = http.ReadResponse(bufio.NewReaderSize(c, 1<<16), nil)
		}
		return c, err
	}, maxConnections, false},
	"a body that does not come": {func(addr string) (net.Conn, error) {
		return dial(addr, "POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
	}, 0, false},
	"a WebSocket": {func(addr string) (net.Conn, error) { return upgrade(addr) }, maxUnauthenticated, true},
	"half its credentials": {func(addr string) (net.Conn, error) {
		w, err := upgrade(addr)
		if err == nil {
			_, err = w.Write(frame(0x82, message(credentials("alice")))[:20])
		}
		return w, err
	}, maxUnauthenticated, true},
}

// ended waits until so many connections have ended: which, depends on when the
// server has seen each of them.
func ended(conns []net.Conn, n int) error {
	ends := make(chan bool, len(conns))
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(patience))
		go func() {
			_, err := io.Copy(io.Discard, c)
			ends <- !errors.Is(err, os.ErrDeadlineExceeded)
		}()
	}
	for have := range n {
		if !<-ends {
			return fmt.Errorf("%d of %d connections have ended, want %d", have, len(conns), n)
		}
	}
	return nil
}

// However many come who never say who they are, each listener holds no more of
// them than the configuration says, and lets in those who do.
func TestStrangersAreBounded(t *testing.T) {
	h := run(t, fmt.Sprintf("CONNECTOR_MAX_UNAUTHENTICATED=%d", maxUnauthenticated), fmt.Sprintf("CONNECTOR_MAX_CONNECTIONS=%d", maxConnections))
	alice, dave := h.join("alice", "alice"), h.join("mini", "dave")
	amount := uint64(100)
	for listener, addr := range map[string]string{
		"peers": h.a.ListenAddr(peersAddress).String(), "users": h.a.ListenAddr(usersAddress).String(), "admin": h.a.AdminAddr().String(),
	} {
		for name, way := range ways {
			if way.btp && listener == "admin" {
				continue
			}
			var came []net.Conn
			for range crowd {
				c, err := way.come(addr)
				if err != nil {
					t.Fatalf("%s: %s: %v", listener, name, err)
				}
				came = append(came, c)
			}
			if err := ended(came, crowd-way.most); err != nil {
				t.Fatalf("%s: %s: %v", listener, name, err)
			}
			carol := h.join("mini", fmt.Sprint("carol-", amount))
			d := h.deal(carol, alice, nil, amount)
			id := carol.request(&d.packet)
			alice.fulfill(alice.take(amount), d.secret)
			carol.expect(id, "fulfill")
			d.paid()
			h.audit(listener + ": " + name)
			amount++
			for _, c := range came {
				c.Close()
			}
		}
	}
	d := h.deal(alice, dave, nil, amount)
	id := alice.request(&d.packet)
	dave.fulfill(dave.take(amount), d.secret)
	alice.expect(id, "fulfill")
	d.paid()
	h.audit("those who were there before")
}
