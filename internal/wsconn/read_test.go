package wsconn_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/wsconn"
)

// Each form of the length (RFC 6455, 5.2), both directions.
func TestMessagesOfAllSizes(t *testing.T) {
	sizes := []int{0, 1, 125, 126, 127, 4095, 4096, 5000, 65535, 65536, 70000}
	o := wsconn.Options{MaxMessage: 70000}
	for _, side := range []string{"client to server", "server to client"} {
		t.Run(side, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to, from := pipe(t, o, o)
				if side == "server to client" {
					to, from = from, to
				}
				for i, size := range sizes {
					message := bytes.Repeat([]byte{byte(i + 1)}, size)
					if err := send(from, message); err != nil {
						t.Fatal(err)
					}
					got, err := to.ReadMessage()
					if err != nil || !bytes.Equal(got, message) {
						t.Fatalf("message of %d bytes: got %d bytes, error %v", size, len(got), err)
					}
				}
			})
		})
	}
}

// Fragments are joined, and control frames may come in between (RFC 6455, 5.4).
func TestFragmentsAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, raw := rawPeer(t, false, wsconn.Options{})
		go func() {
			for _, b := range [][]byte{
				frame(opBinary, []byte("in "), 1),
				frame(fin|opPing, []byte("first"), 2),
				frame(opContinuation, nil, 3),
				frame(opContinuation, []byte("three "), 4),
				frame(fin|opPong, []byte("unasked"), 5),
				frame(fin|opContinuation, []byte("parts"), 6),
				frame(fin|opBinary, []byte("whole"), 7),
			} {
				raw.Write(b)
			}
		}()
		pongs := make(chan received, 1)
		go func() {
			f, _ := readFrame(raw)
			pongs <- f
		}()
		for _, want := range []string{"in three parts", "whole"} {
			got, err := c.ReadMessage()
			if err != nil || string(got) != want {
				t.Fatalf("got %q, error %v, want %q", got, err, want)
			}
		}
		if f := <-pongs; f.first != fin|opPong || string(f.payload) != "first" {
			t.Fatalf("answer to the ping: %v", f)
		}
	})
}

// Of pings that arrive together only the last is answered (RFC 6455, 5.5.3),
// so that a flood of them is not answered by a flood.
func TestOnlyTheLastPingIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, raw := rawPeer(t, false, wsconn.Options{})
		go drain(c)
		var flood []byte
		for i := range 100 {
			flood = append(flood, frame(fin|opPing, numbered(i, 4), 9)...)
		}
		raw.Write(flood)
		f, err := readFrame(raw)
		if err != nil || f.first != fin|opPong || !bytes.Equal(f.payload, numbered(99, 4)) {
			t.Fatalf("got %v, error %v", f, err)
		}
		synctest.Wait()
		if frames, _ := c.Written(); frames != 1 {
			t.Fatalf("%d frames were written", frames)
		}
	})
}

// Every violation ends the connection, and the peer is told the code.
func TestViolations(t *testing.T) {
	const mask = 0x11223344
	limit := wsconn.Options{MaxMessage: 1000}
	for _, test := range []struct {
		name   string
		client bool // which side is tested
		sent   []byte
		code   int
	}{
		{"text", false, frame(fin|opText, []byte("hello"), mask), 1003},
		{"text in fragments", false, frame(opText, []byte("hello"), mask), 1003},
		{"unmasked to a server", false, frame(fin|opBinary, []byte("x"), 0), 1002},
		{"masked to a client", true, frame(fin|opBinary, []byte("x"), mask), 1002},
		{"RSV1", false, frame(fin|0x40|opBinary, []byte("x"), mask), 1002},
		{"RSV2", false, frame(fin|0x20|opBinary, []byte("x"), mask), 1002},
		{"RSV3", false, frame(fin|0x10|opBinary, []byte("x"), mask), 1002},
		{"RSV1 on a ping", false, frame(fin|0x40|opPing, nil, mask), 1002},
		{"reserved data opcode 3", false, frame(fin|3, nil, mask), 1002},
		{"reserved data opcode 7", false, frame(fin|7, nil, mask), 1002},
		{"reserved control opcode 11", false, frame(fin|11, nil, mask), 1002},
		{"reserved control opcode 15", false, frame(fin|15, nil, mask), 1002},
		{"fragmented ping", false, frame(opPing, nil, mask), 1002},
		{"long ping", false, frame(fin|opPing, make([]byte, 126), mask), 1002},
		{"long close", false, frame(fin|opClose, make([]byte, 126), mask), 1002},
		{"continuation of nothing", false, frame(fin|opContinuation, []byte("x"), mask), 1002},
		{"new message in the middle of one", false,
			append(frame(opBinary, []byte("x"), mask), frame(fin|opBinary, []byte("y"), mask)...), 1002},
		{"too long", false, frame(fin|opBinary, make([]byte, 1001), mask), 1009},
		{"too long to a client", true, frame(fin|opBinary, make([]byte, 1001), 0), 1009},
		{"too long in fragments", false,
			append(frame(opBinary, make([]byte, 600), mask), frame(fin|opContinuation, make([]byte, 401), mask)...), 1009},
		{"2 GiB announced", false, []byte{fin | opBinary, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0, 1, 2, 3, 4}, 1009},
		{"most announced", false, []byte{fin | opBinary, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4}, 1009},
		{"64 bits announced", false, []byte{fin | opBinary, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1002},
		{"64 bits announced by a ping", false, []byte{fin | opPing, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1002},
		{"close of one byte", false, frame(fin|opClose, []byte{3}, mask), 1002},
		{"close with code 999", false, frame(fin|opClose, closeFrame(999, ""), mask), 1002},
		{"close with code 1005", false, frame(fin|opClose, closeFrame(1005, ""), mask), 1002},
		{"close with code 1006", false, frame(fin|opClose, closeFrame(1006, ""), mask), 1002},
		{"close with code 2000", false, frame(fin|opClose, closeFrame(2000, ""), mask), 1002},
		{"close with a reason that is no text", false, frame(fin|opClose, closeFrame(1000, "\xff"), mask), 1002},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, raw := rawPeer(t, test.client, limit)
				go raw.Write(test.sent) // may be cut off
				errs := make(chan error, 1)
				go func() { errs <- drain(c) }()
				f, err := readFrame(raw)
				if err != nil || f.first != fin|opClose || !bytes.HasPrefix(f.payload, closeFrame(test.code, "")) {
					t.Errorf("the peer got %v, error %v, want a Close frame with code %d", f, err, test.code)
				}
				var violation *wsconn.ViolationError
				if err := <-errs; !errors.As(err, &violation) || violation.Code != test.code {
					t.Errorf("ReadMessage: %v, want a violation with code %d", err, test.code)
				}
				if _, again := c.ReadMessage(); !errors.As(again, &violation) {
					t.Errorf("ReadMessage once more: %v", again)
				}
				if err := send(c, []byte("x")); !errors.Is(err, net.ErrClosed) {
					t.Errorf("a message after the Close frame: %v", err)
				}
			})
		})
	}
}

func TestReadLimitCanBeRaised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, raw := rawPeer(t, false, wsconn.Options{MaxMessage: 1 << 20})
		c.SetReadLimit(10)
		go func() {
			raw.Write(frame(fin|opBinary, make([]byte, 10), 1))
			raw.Write(frame(fin|opBinary, make([]byte, 100_000), 1))
		}()
		if b, err := c.ReadMessage(); len(b) != 10 || err != nil {
			t.Fatal(len(b), err)
		}
		c.SetReadLimit(1 << 20)
		if b, err := c.ReadMessage(); len(b) != 100_000 || err != nil {
			t.Fatal(len(b), err)
		}
	})
}

// A peer that goes away without a word is an error that says whether it was
// in the middle of something.
func TestPeerGone(t *testing.T) {
	for _, test := range []struct {
		name string
		sent []byte
		want error
	}{
		{"between messages", frame(fin|opBinary, []byte("x"), 1), io.EOF},
		{"in a header", []byte{fin | opBinary}, io.ErrUnexpectedEOF},
		{"in a payload", frame(fin|opBinary, []byte("hello"), 1)[:8], io.ErrUnexpectedEOF},
		{"between fragments", frame(opBinary, []byte("x"), 1), io.ErrUnexpectedEOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, raw := rawPeer(t, false, wsconn.Options{})
				go func() {
					raw.Write(test.sent)
					raw.Close()
				}()
				if err := drain(c); !errors.Is(err, test.want) {
					t.Fatalf("got %v, want %v", err, test.want)
				}
			})
		})
	}
}

// What ReadMessage returns is never written to again, neither by later reads
// nor through an append to another message.
func TestMessagesAreNeverOverwritten(t *testing.T) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			to, from := pair(t, wsconn.Options{}, wsconn.Options{})
			const n = 3000
			size := func(i int) int { return 4 + i*37%2000 }
			go func() {
				for i := range n {
					if send(from, numbered(i, size(i))) != nil {
						return
					}
				}
			}()
			var kept [][]byte
			for i := range n {
				b, err := to.ReadMessage()
				if err != nil {
					t.Fatal(i, err)
				}
				_ = append(b, "scribble"...)
				kept = append(kept, b)
			}
			for i, b := range kept {
				if !bytes.Equal(b, numbered(i, size(i))) {
					t.Fatalf("message %d was changed: % x", i, b[:4])
				}
			}
		})
	}
}

// OnIdle is called when everything that has arrived has been returned, and
// before the wait for more.
func TestOnIdleEndsABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		o := wsconn.Options{OnIdle: func() { log.WriteString("idle ") }}
		c, raw := rawPeer(t, false, o)
		go func() {
			var three []byte
			for i := range 3 {
				three = append(three, frame(fin|opBinary, []byte{byte('a' + i)}, 7)...)
			}
			raw.Write(three)
			raw.Write(frame(fin|opBinary, []byte("d"), 7)[:3]) // not the end of a burst
			raw.Write(frame(fin|opBinary, []byte("d"), 7)[3:])
			raw.Close()
		}()
		for {
			b, err := c.ReadMessage()
			if err != nil {
				break
			}
			fmt.Fprintf(&log, "%s ", b)
		}
		if got, want := log.String(), "idle a b c idle idle d idle "; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestReadDeadline(t *testing.T) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			c, _ := pair(t, wsconn.Options{}, wsconn.Options{})
			if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if err := drain(c); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		})
	}
}

// transports are the ways a connection reads and writes: by calls that do not
// wait, and by calls that block.
var transports = map[string]func(testing.TB, wsconn.Options, wsconn.Options) (*wsconn.Conn, *wsconn.Conn){
	"tcp": loopback,
	"tls": secured,
	"pipe": func(t testing.TB, server, client wsconn.Options) (*wsconn.Conn, *wsconn.Conn) {
		return pipe(t.(*testing.T), server, client)
	},
}

// secured makes two connections that talk to each other over TLS.
func secured(t testing.TB, server, client wsconn.Options) (s, c *wsconn.Conn) {
	h := httptest.NewUnstartedServer(nil) // for its certificate
	h.StartTLS()
	defer h.Close()
	a, b := tcpPair(t)
	s = wsconn.New(tls.Server(a, &tls.Config{Certificates: h.TLS.Certificates}), false, server)
	c = wsconn.New(tls.Client(b, &tls.Config{InsecureSkipVerify: true}), true, client)
	t.Cleanup(func() {
		s.Close()
		c.Close()
	})
	return s, c
}
