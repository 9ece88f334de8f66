package idleconns_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/idleconns"
)

// caller is a connection to a server.
type caller struct {
	t testing.TB
	net.Conn
	r    *bufio.Reader
	idle chan bool // told when the server knows that a connection is idle
}

// serve runs a server, over TLS or not, and gives what connects to it.
func serve(t *testing.T, b *idleconns.Bound, secure bool, h http.HandlerFunc) func() *caller {
	s := httptest.NewUnstartedServer(h)
	arrived, idle := make(chan bool, 100), make(chan bool, 100)
	note := func(c net.Conn, state http.ConnState) {
		b.ConnState(c, state)
		switch state {
		case http.StateNew:
			arrived <- true
		case http.StateIdle:
			idle <- true
		}
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = note
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return func() *caller {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		<-arrived // so that their order is that of the calls
		return &caller{t, c, bufio.NewReader(c), idle}
	}
}

func (c *caller) ask(path string) {
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
}

// answered reads the answer to a request, and waits until the connection is
// idle: the server says so after it has answered.
func (c *caller) answered() {
	c.t.Helper()
	response, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	<-c.idle
}

// ended waits for the end of the connection.
func (c *caller) ended() {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.r.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("the connection goes on: %v", err)
	}
}

func silent(http.ResponseWriter, *http.Request) {}

// Connections that never send a request, or half of one, give way to those
// that come; those with a request do not.
func TestFreshConnections(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			half := "GET / HT"
			if secure {
				half = "\x16\x03\x01\x02\x00\x01\x00" // of a client's hello
			}
			call := serve(t, idleconns.New(3, 0), secure, silent)
			var callers []*caller
			for i := range 9 {
				c := call()
				if i%2 == 1 {
					io.WriteString(c, half)
				}
				callers = append(callers, c)
			}
			for _, c := range callers[:6] {
				c.ended()
			}
			if secure {
				return
			}
			for _, c := range []*caller{callers[6], callers[8]} {
				c.ask("/")
				c.answered()
			}
		})
	}
}

// A request that is being handled keeps its connection, however many come.
func TestRequestsThatAreHandled(t *testing.T) {
	begun, finish := make(chan bool), make(chan bool)
	call := serve(t, idleconns.New(2, 2), false, func(http.ResponseWriter, *http.Request) {
		begun <- true
		<-finish
	})
	var busy []*caller
	for range 4 {
		c := call()
		c.ask("/")
		<-begun
		busy = append(busy, c)
	}
	var waiting []*caller
	for range 4 {
		waiting = append(waiting, call())
	}
	waiting[0].ended()
	waiting[1].ended()
	for _, c := range busy {
		finish <- true
		c.answered()
	}
	waiting[2].ask("/")
	<-begun
	finish <- true
	waiting[2].answered()
}

// Connections that are kept for another request give way, too, and the one
// that was used last stays.
func TestIdleConnections(t *testing.T) {
	call := serve(t, idleconns.New(0, 2), false, silent)
	var callers []*caller
	for range 3 {
		c := call()
		c.ask("/")
		c.answered()
		callers = append(callers, c)
		if len(callers) == 2 {
			callers[0].ask("/again")
			callers[0].answered()
		}
	}
	callers[1].ended()
	for _, c := range []*caller{callers[0], callers[2]} {
		c.ask("/")
		c.answered()
	}
}
