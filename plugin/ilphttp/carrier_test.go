package ilphttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// scripted answers each connection by a function, over pipes.
type scripted struct {
	dials atomic.Int64
	talk  func(conn net.Conn, n int64) // n counts from 1
}

func (s *scripted) Dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	n := s.dials.Add(1)
	go func() {
		defer far.Close()
		s.talk(far, n)
	}()
	return near, nil
}

// tookRequest reads a request, and gives false if there is none.
func tookRequest(reader *bufio.Reader) bool {
	r, err := http.ReadRequest(reader)
	if err == nil {
		_, err = io.Copy(io.Discard, r.Body)
	}
	return err == nil
}

func okResponse(t testing.TB) string {
	reply := encode(t, fulfill)
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(reply), reply)
}

// Responses in all forms that HTTP/1.1 has are understood, in pieces of any
// length, and where there is more to come the connection is used again.
func TestResponsesInAllForms(t *testing.T) {
	reply := encode(t, fulfill)
	chunks := fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(reply), reply)
	for name, test := range map[string]struct {
		response string
		again    bool
	}{
		"plain":               {okResponse(t), true},
		"chunks":              {chunks, true},
		"after hints":         {"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + okResponse(t), true},
		"a folded line":       {"HTTP/1.1 200 OK\r\nServer: a\r\n b\r\n" + okResponse(t)[len("HTTP/1.1 200 OK\r\n"):], true},
		"the last one":        {"HTTP/1.1 200 OK\r\nConnection: close\r\n" + okResponse(t)[len("HTTP/1.1 200 OK\r\n"):], false},
		"HTTP/1.0":            {"HTTP/1.0 200 OK\r\n" + okResponse(t)[len("HTTP/1.1 200 OK\r\n"):], false},
		"up to the end":       {"HTTP/1.1 200 OK\r\n\r\n" + string(reply), false},
		"with more than that": {okResponse(t) + "x", false},
		"with a long head":    {"HTTP/1.1 200 Fine\r\nServer: " + strings.Repeat("a", 5000) + "\r\n" + okResponse(t)[len("HTTP/1.1 200 OK\r\n"):], true},
	} {
		for _, piece := range []int{1, 10, len(test.response)} {
			t.Run(fmt.Sprintf("%s/%d", name, piece), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &scripted{talk: func(conn net.Conn, _ int64) {
						for reader := bufio.NewReader(conn); tookRequest(reader); {
							for rest := test.response; rest != ""; {
								n := min(piece, len(rest))
								if _, err := io.WriteString(conn, rest[:n]); err != nil {
									return
								}
								rest = rest[n:]
							}
							if !test.again {
								return
							}
						}
					}}
					c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: s.Dial})
					defer c.Close()
					for range 3 {
						if a := <-send(c, newPrepare()); !a.fulfilled() {
							t.Fatalf("the answer is %v, %v", a.reply, a.err)
						}
						synctest.Wait()
					}
					if n, want := s.dials.Load(), map[bool]int64{true: 1, false: 3}[test.again]; n != want {
						t.Errorf("%d connections were made for 3 packets, want %d", n, want)
					}
				})
			})
		}
	}
}

// A server that has made up its mind before it has read the request is heard,
// whether or not it reads on.
func TestEarlyResponse(t *testing.T) {
	for name, reads := range map[string]bool{"and reads on": true, "and does not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{talk: func(conn net.Conn, _ int64) {
					_, _ = io.ReadFull(conn, make([]byte, 10))
					_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
					if reads {
						_, _ = io.Copy(io.Discard, conn)
					} else {
						<-t.Context().Done()
					}
				}}
				c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: s.Dial})
				defer c.Close()
				start := time.Now()
				a := <-send(c, newPrepare())
				if a.code() != ilp.F00BadRequest || time.Since(start) != 0 {
					t.Errorf("the answer is %v, %v after %v; want F00 at once", a.reply, a.err, time.Since(start))
				}
			})
		})
	}
}

// What is known of a packet whose connection ends, by what had become of its
// request: a server without the last byte has no packet.
func TestConnectionEnds(t *testing.T) {
	size := len(encode(t, newPrepare()))
	for _, test := range []struct {
		name  string
		read  int // bytes of the request, from its end if negative
		sent  bool
		dials int64
	}{
		{"before the request", 0, false, 1},
		{"in the head", 20, false, 1},
		{"in the body", -1, false, 1},
		{"after the request", -size - 1000, true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{talk: func(conn net.Conn, _ int64) {
					switch {
					case test.read >= 0:
						_, _ = io.ReadFull(conn, make([]byte, test.read))
					case test.read < -size:
						tookRequest(bufio.NewReader(conn))
					default:
						reader := bufio.NewReaderSize(conn, 1)
						r, err := http.ReadRequest(reader)
						if err == nil {
							_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength-17) // the buffer holds 16 more
						}
					}
				}}
				c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: s.Dial})
				defer c.Close()
				a := <-send(c, newPrepare())
				if errors.Is(a.err, plugin.ErrUnknownOutcome) != test.sent || errors.Is(a.err, plugin.ErrNotSent) == test.sent {
					t.Errorf("the answer is %v, %v; sent: %t", a.reply, a.err, test.sent)
				}
				if n := s.dials.Load(); n != test.dials {
					t.Errorf("%d connections were made, want %d", n, test.dials)
				}
				if s := c.Stats(); s.Outstanding != 0 {
					t.Errorf("the counts are %+v, want nothing outstanding", s)
				}
			})
		})
	}
}

// A connection that had been used before and takes only half of a request is
// one that the server had closed: the packet goes over another.
func TestUsedConnectionTakesHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{talk: func(conn net.Conn, n int64) {
			reader := bufio.NewReader(conn)
			if !tookRequest(reader) {
				return
			}
			_, _ = io.WriteString(conn, okResponse(t))
			if n == 1 {
				_, _ = io.ReadFull(conn, make([]byte, 30))
				return
			}
			<-t.Context().Done()
		}}
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: s.Dial})
		defer c.Close()
		for i := range 2 {
			if a := <-send(c, newPrepare()); !a.fulfilled() {
				t.Errorf("packet %d: %v, %v; want the fulfill", i, a.reply, a.err)
			}
		}
		if n := s.dials.Load(); n != 2 {
			t.Errorf("%d connections were made, want 2", n)
		}
	})
}

// Close answers everything that is outstanding, whatever it waits for, and
// leaves nothing behind.
func TestCloseWithOutstanding(t *testing.T) {
	for name, talk := range map[string]func(conn net.Conn){
		"a response": func(conn net.Conn) { tookRequest(bufio.NewReader(conn)) },
		"the rest of a response": func(conn net.Conn) {
			tookRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 2")
		},
		"its own request": func(conn net.Conn) { _, _ = io.ReadFull(conn, make([]byte, 9)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{talk: func(conn net.Conn, _ int64) {
					talk(conn)
					<-t.Context().Done()
				}}
				c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: s.Dial})
				var sent []<-chan answer
				for range 5 {
					sent = append(sent, send(c, newPrepare()))
				}
				synctest.Wait()
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				for _, a := range sent {
					select {
					case a := <-a:
						if !errors.Is(a.err, net.ErrClosed) {
							t.Errorf("the answer is %v, %v; want net.ErrClosed", a.reply, a.err)
						}
					default:
						t.Error("Close has returned, and a packet is not answered")
					}
				}
			})
		})
	}
}

// forwarder sends the next packet when it is told of the last one, from within
// the call, as a program that keeps a window open does.
type forwarder struct {
	link           plugin.Plugin
	left           atomic.Int64
	fulfilled, bad atomic.Int64
	done           sync.WaitGroup
}

func (f *forwarder) Reply(ctx context.Context, _ uint64, reply ilp.Reply, err error) {
	if _, ok := reply.(*ilp.Fulfill); ok {
		f.fulfilled.Add(1)
	} else {
		f.bad.Add(1)
	}
	if f.left.Add(-1) < 0 {
		f.done.Done()
		return
	}
	f.link.SendPrepare(ctx, newPrepare(), plugin.NewResponder(f, 0))
}

// Over sockets, many packets at once share as many connections, each answer
// goes to its packet, and nothing is sent twice.
func TestManyPacketsAtOnce(t *testing.T) {
	const window, packets = 20, 2000
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := newCounter()
	d := serveDirect(t, inner, h, nil)
	defer d.stop(t)
	c := client(t, ilphttp.ClientOptions{URL: "http://" + inner.Addr().String() + "/ilp", Token: token})
	defer c.Close()
	f := &forwarder{link: c}
	f.left.Store(packets - window)
	f.done.Add(window)
	for range window {
		c.SendPrepare(t.Context(), newPrepare(), plugin.NewResponder(f, 0))
	}
	f.done.Wait()
	if f.fulfilled.Load() != packets || f.bad.Load() != 0 || h.prepares.Load() != packets {
		t.Errorf("%d packets were fulfilled and %d not, and %d arrived; want %d", f.fulfilled.Load(), f.bad.Load(), h.prepares.Load(), packets)
	}
	if n := d.viaHTTP.Load(); n != 0 {
		t.Errorf("%d requests were not answered directly", n)
	}
}
