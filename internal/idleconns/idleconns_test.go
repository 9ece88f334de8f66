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
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/idleconns"
	"github.com/interledger-go/connector/internal/pipenet"
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
	call := serve(t, idleconns.New(2, 6), false, func(http.ResponseWriter, *http.Request) {
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
	for range busy { // whichever of them
		finish <- true
	}
	for _, c := range busy {
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

// Past the bound of all, those that wait give way, first those without a first
// request; and when all are being handled, whoever comes.
func TestOpenConnections(t *testing.T) {
	begun, finish := make(chan bool), map[string]chan bool{"/0": make(chan bool), "/1": make(chan bool), "/2": make(chan bool)}
	call := serve(t, idleconns.New(0, 3), false, func(_ http.ResponseWriter, r *http.Request) {
		if wait, ok := finish[r.URL.Path]; ok {
			begun <- true
			<-wait
		}
	})
	idle, fresh := call(), call()
	idle.ask("/")
	idle.answered()
	var busy []*caller
	for i := range 3 {
		c := call() // the second one is too many
		c.ask(fmt.Sprint("/", i))
		<-begun
		busy = append(busy, c)
		switch i {
		case 1:
			fresh.ended()
		case 2:
			idle.ended()
		}
	}
	call().ended()
	finish["/0"] <- true
	busy[0].answered()
	last := call()
	busy[0].ended()
	for i, c := range busy[1:] {
		finish[fmt.Sprint("/", i+1)] <- true
		c.answered()
	}
	last.ask("/")
	last.answered()
}

// A body that a handler has not read does not keep its connection, in whatever
// form it is to come; one that it has read, or that has come, does.
func TestUnwantedBodies(t *testing.T) {
	for name, test := range map[string]struct {
		request string
		goesOn  bool
	}{
		"no body":                 {"GET /leave HTTP/1.1\r\nHost: x\r\n\r\n", true},
		"one that is there":       {"POST /leave HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", true},
		"one that does not come":  {"POST /leave HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab", false},
		"chunks that are there":   {"POST /leave HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", true},
		"chunks that do not come": {"POST /leave HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", false},
		"one that is read":        {"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", true},
		"chunks that are read":    {"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", true},
		"one that is asked for":   {"POST /leave HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", false},
		"one that is half read":   {"POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := pipenet.Listen()
				s := &http.Server{ReadTimeout: time.Hour, Handler: idleconns.EndBodies(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/read":
						_, _ = io.Copy(io.Discard, r.Body)
					case "/half":
						_, _ = r.Body.Read(make([]byte, 1))
					}
				}))}
				var serving sync.WaitGroup
				serving.Go(func() { _ = s.Serve(l) })
				defer serving.Wait()
				defer s.Close()
				c, err := l.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				begun := time.Now()
				go func() { _, _ = io.WriteString(c, test.request) }()
				reader := bufio.NewReader(c)
				response, err := http.ReadResponse(reader, nil)
				if err != nil || response.StatusCode != 200 {
					t.Fatalf("the answer is %v, %v", response, err)
				}
				if took := time.Since(begun); took > idleconns.UnwantedBodyTimeout {
					t.Errorf("the answer has taken %v", took)
				}
				time.Sleep(10 * time.Second)
				go func() { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }()
				if _, err = http.ReadResponse(reader, nil); (err == nil) != test.goesOn {
					t.Errorf("the next request: %v; the connection should go on: %t", err, test.goesOn)
				}
			})
		})
	}
}

// The deadline for a body that was read before does not end a request that is
// handled for longer, nor the next one.
func TestBodiesThatAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipenet.Listen()
		s := &http.Server{Handler: idleconns.EndBodies(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			time.Sleep(time.Minute)
			if r.Context().Err() != nil {
				t.Error("the request has ended")
			}
		}))}
		var serving sync.WaitGroup
		serving.Go(func() { _ = s.Serve(l) })
		defer serving.Wait()
		defer s.Close()
		c, err := l.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		reader := bufio.NewReader(c)
		for _, body := range []string{"Content-Length: 1\r\n\r\na", "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "Content-Length: 1\r\n\r\na"} {
			go func() { _, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\n"+body) }()
			if _, err := http.ReadResponse(reader, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}
