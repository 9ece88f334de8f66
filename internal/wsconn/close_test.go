package wsconn_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/wsconn"
)

// The peer's Close frame is answered with its code (RFC 6455, 5.5.1).
func TestClosedByThePeer(t *testing.T) {
	for _, test := range []struct {
		name    string
		payload []byte
		answer  []byte
		want    wsconn.CloseError
	}{
		{"code and reason", closeFrame(1001, "bye"), closeFrame(1001, ""), wsconn.CloseError{Code: 1001, Reason: "bye"}},
		{"code", closeFrame(1000, ""), closeFrame(1000, ""), wsconn.CloseError{Code: 1000}},
		{"application code", closeFrame(4123, "é"), closeFrame(4123, ""), wsconn.CloseError{Code: 4123, Reason: "é"}},
		{"nothing", nil, nil, wsconn.CloseError{Code: 1005}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, raw := rawPeer(t, false, wsconn.Options{})
				go raw.Write(append(frame(fin|opClose, test.payload, 7), frame(fin|opBinary, []byte("ignored"), 7)...))
				ended := make(chan error, 1)
				go func() { ended <- drain(c) }()
				f, err := readFrame(raw)
				if err != nil || f.first != fin|opClose || !bytes.Equal(f.payload, test.answer) {
					t.Errorf("answer %v, error %v", f, err)
				}
				var closed *wsconn.CloseError
				if err := <-ended; !errors.As(err, &closed) || *closed != test.want {
					t.Errorf("ReadMessage: %v", err)
				}
				if err := send(c, nil); !errors.Is(err, net.ErrClosed) {
					t.Errorf("a message after the Close frame: %v", err)
				}
				c.Close()
				if f, err := readFrame(raw); err == nil {
					t.Errorf("there is another frame: %v", f)
				}
			})
		})
	}
}

// Shutdown between two well-behaved sides: what was sent before arrives, and
// both learn why it ended, without any wait.
func TestShutdownHandshake(t *testing.T) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, wsconn.Options{CloseTimeout: time.Minute}, wsconn.Options{CloseTimeout: time.Minute})
			start := time.Now()
			if err := send(a, []byte("last")); err != nil {
				t.Fatal(err)
			}
			a.Shutdown(wsconn.CodeGoingAway, "maintenance")
			a.Shutdown(wsconn.CodeNormal, "twice")
			if err := send(a, nil); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a message after Shutdown: %v", err)
			}
			ended := make(chan error, 1)
			go func() { ended <- drain(a) }()
			if m, err := b.ReadMessage(); err != nil || string(m) != "last" {
				t.Fatalf("got %q, error %v", m, err)
			}
			var closed *wsconn.CloseError
			if err := drain(b); !errors.As(err, &closed) || *closed != (wsconn.CloseError{Code: 1001, Reason: "maintenance"}) {
				t.Errorf("the peer: %v", err)
			}
			b.Close()
			if err := <-ended; !errors.As(err, &closed) || closed.Code != 1001 {
				t.Errorf("this side: %v", err)
			}
			if d := time.Since(start); d > 30*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// A peer that does not answer the Close frame is waited for until
// CloseTimeout, also if it sends other things, which are dropped.
func TestShutdownIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, raw := rawPeer(t, false, wsconn.Options{CloseTimeout: 3 * time.Second})
		start := time.Now()
		c.Shutdown(wsconn.CodeNormal, "")
		c.SetReadDeadline(time.Now().Add(time.Hour)) // has no effect any more
		var peer sync.WaitGroup
		peer.Go(func() { // a talkative one, that never closes
			for {
				if _, err := raw.Write(frame(fin|opBinary, []byte("more"), 3)); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
		peer.Go(func() {
			for {
				if _, err := readFrame(raw); err != nil {
					return
				}
			}
		})
		if _, err := c.ReadMessage(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Fatalf("ended after %v", d)
		}
		c.Close()
		peer.Wait()
	})
}

// Close gives a Close frame that is on its way CloseTimeout, and not the
// time that a peer is otherwise given to read.
func TestCloseDoesNotWaitLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := wsconn.Options{WriteTimeout: time.Hour, CloseTimeout: 2 * time.Second}
		c, _ := rawPeer(t, false, o) // the peer does not read
		if err := send(c, []byte("stuck")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		c.Shutdown(wsconn.CodeNormal, "")
		c.Close()
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("with a Close frame: %v", d)
		}

		c, _ = rawPeer(t, false, o)
		if err := send(c, []byte("stuck")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start = time.Now()
		c.Close()
		if d := time.Since(start); d != 0 {
			t.Errorf("without: %v", d)
		}
	})
}

// A reason is cut to what fits a control frame, between two characters.
func TestLongReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe(t, wsconn.Options{}, wsconn.Options{})
		a.Shutdown(wsconn.CodePolicy, strings.Repeat("x", 122)+"é")
		var closed *wsconn.CloseError
		if err := drain(b); !errors.As(err, &closed) || closed.Reason != strings.Repeat("x", 122) {
			t.Fatal(err)
		}
	})
}

// Close from the outside wakes the reader.
func TestCloseWakesTheReader(t *testing.T) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			c, _ := pair(t, wsconn.Options{}, wsconn.Options{})
			ended := make(chan error)
			go func() { ended <- drain(c) }()
			c.Close()
			if err := <-ended; !errors.Is(err, net.ErrClosed) {
				t.Fatal(err)
			}
		})
	}
}
