package wsconn_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/wsconn"
)

// Messages that gather between two flushes leave in one system call.
func TestFlushJoinsMessages(t *testing.T) {
	to, from := loopback(t, wsconn.Options{}, wsconn.Options{})
	for i := range 100 {
		buf, err := from.Begin(300)
		if err != nil {
			t.Fatal(err)
		}
		if err := from.End(append(buf, numbered(i, 300)...)); err != nil {
			t.Fatal(err)
		}
	}
	from.Flush()
	from.Flush() // nothing waits any more
	for i := range 100 {
		if b, err := to.ReadMessage(); err != nil || !bytes.Equal(b, numbered(i, 300)) {
			t.Fatal(i, err)
		}
	}
	if frames, writes := from.Written(); frames != 100 || writes != 1 {
		t.Fatalf("%d frames in %d writes", frames, writes)
	}
}

// A message of another length than announced would shift all that follow. It
// is dropped, and so is one that is cancelled.
func TestBegunMessagesCanBeDropped(t *testing.T) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			to, from := pair(t, wsconn.Options{}, wsconn.Options{})
			for _, wrong := range []int{0, 9, 11, 1000} {
				buf, err := from.Begin(10)
				if err != nil {
					t.Fatal(err)
				}
				if err := from.End(append(buf, make([]byte, wrong)...)); !errors.Is(err, wsconn.ErrLength) {
					t.Errorf("%d bytes instead of 10: %v", wrong, err)
				}
			}
			buf, err := from.Begin(10)
			if err != nil {
				t.Fatal(err)
			}
			_ = append(buf, "scribble"...)
			from.Cancel()
			if err := send(from, []byte("right")); err != nil {
				t.Fatal(err)
			}
			if b, err := to.ReadMessage(); err != nil || string(b) != "right" {
				t.Fatalf("got %q, error %v", b, err)
			}
		})
	}
}

// Many goroutines write at once; all messages arrive whole, those of each
// goroutine in order.
func TestConcurrentWriters(t *testing.T) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			to, from := pair(t, wsconn.Options{}, wsconn.Options{})
			const writers, each = 8, 500
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := range each {
						message := binary.BigEndian.AppendUint32([]byte{byte(w)}, uint32(i))
						if err := send(from, append(message, make([]byte, i)...)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			var next [writers]uint32
			for range writers * each {
				b, err := to.ReadMessage()
				if err != nil {
					t.Fatal(err)
				}
				w, i := b[0], binary.BigEndian.Uint32(b[1:])
				if next[w] != i || len(b) != 5+int(i) {
					t.Fatalf("writer %d: message %d of %d bytes, want number %d", w, i, len(b), next[w])
				}
				next[w]++
			}
			wg.Wait()
		})
	}
}

// What the kernel does not take at once is written by the flusher, while
// others add more.
func TestMoreThanTheKernelTakes(t *testing.T) {
	to, from := loopback(t, wsconn.Options{}, wsconn.Options{MaxPending: 64 << 20})
	const n, size = 400, 50_000 // 20 MB: more than the buffers of both sockets
	for i := range n {
		if err := send(from, numbered(i, size)); err != nil {
			t.Fatal(i, err)
		}
	}
	for i := range n {
		b, err := to.ReadMessage()
		if err != nil || !bytes.Equal(b, numbered(i, size)) {
			t.Fatal(i, err)
		}
	}
}

// Flush and Begin never wait for a peer that does not read. What waits is
// bounded, and the connection ends when no byte was taken for WriteTimeout.
func TestPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := rawPeer(t, false, wsconn.Options{MaxPending: 100_000, WriteTimeout: 10 * time.Second, PingInterval: -1})
		ended := make(chan error, 1)
		go func() { ended <- drain(c) }()
		start := time.Now()
		sent := 0
		var err error
		for ; err == nil; sent += 1000 {
			err = send(c, make([]byte, 1000))
		}
		if !errors.Is(err, wsconn.ErrBacklog) || sent < 90_000 || sent > 110_000 {
			t.Fatalf("after %d bytes: %v", sent, err)
		}
		if time.Since(start) != 0 {
			t.Fatal("sending waited")
		}
		if err := <-ended; !errors.Is(err, wsconn.ErrWriteTimeout) {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Fatalf("ended after %v", d)
		}
		if err := send(c, nil); !errors.Is(err, wsconn.ErrWriteTimeout) {
			t.Fatal(err)
		}
	})
}

// The same over TCP, where the first bytes go to the kernel's buffers.
func TestBacklogOverTCP(t *testing.T) {
	_, from := loopback(t, wsconn.Options{}, wsconn.Options{MaxPending: 1 << 20, WriteTimeout: time.Hour})
	var err error
	for range 1000 { // 60 MB
		if err = send(from, make([]byte, 60_000)); err != nil {
			break
		}
	}
	if !errors.Is(err, wsconn.ErrBacklog) {
		t.Fatal(err)
	}
}

// A peer that reads slowly, but reads, keeps its connection.
func TestSlowReaderIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, raw := rawPeer(t, false, wsconn.Options{WriteTimeout: 10 * time.Second, PingInterval: -1})
		go drain(c)
		const n = 50
		for i := range n {
			if err := send(c, numbered(i, 64<<10)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			time.Sleep(9 * time.Second)
			f, err := readFrame(raw)
			if err != nil || !bytes.Equal(f.payload, numbered(i, 64<<10)) {
				t.Fatal(i, err)
			}
		}
	})
}

// A limit of the caller's leaves room for others.
func TestBeginBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := rawPeer(t, false, wsconn.Options{MaxPending: 10_000})
		for range 4 {
			buf, err := c.BeginBelow(1000, 5000)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.End(buf[:1000]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.BeginBelow(1000, 5000); !errors.Is(err, wsconn.ErrBacklog) {
			t.Fatal(err)
		}
		if err := send(c, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	})
}

// Begin counts what the flusher has taken but not written.
func TestBacklogShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, raw := rawPeer(t, false, wsconn.Options{MaxPending: 10_000})
		go drain(c)
		for range 2 {
			for range 9 {
				if err := send(c, make([]byte, 1000)); err != nil {
					t.Fatal(err)
				}
			}
			if err := send(c, make([]byte, 1000)); !errors.Is(err, wsconn.ErrBacklog) {
				t.Fatal(err)
			}
			for range 9 {
				if _, err := readFrame(raw); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
	})
}

// A client masks each frame with a key of its own (RFC 6455, 5.3); a server
// does not.
func TestMasking(t *testing.T) {
	for _, client := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c, raw := rawPeer(t, client, wsconn.Options{})
			keys := make(map[string]bool)
			for range 20 {
				if err := send(c, []byte("message")); err != nil {
					t.Fatal(err)
				}
				var wire bytes.Buffer
				f, err := readFrame(io.TeeReader(raw, &wire))
				if err != nil || f.masked != client || string(f.payload) != "message" {
					t.Fatalf("client %v: %v, error %v", client, f, err)
				}
				keys[string(wire.Bytes()[2:6])] = true
			}
			if client && len(keys) < 19 {
				t.Fatalf("%d keys for 20 frames", len(keys))
			}
		})
	}
}

// A connection that has become idle keeps no buffers on a socket, and only a
// small one where the reader blocks.
func TestIdleConnectionKeepsNoBuffers(t *testing.T) {
	to, from := loopback(t, wsconn.Options{}, wsconn.Options{})
	messages := make(chan []byte, 500)
	go func() {
		for {
			b, err := to.ReadMessage()
			if err != nil {
				close(messages)
				return
			}
			messages <- b
		}
	}()
	for range 500 {
		buf, err := from.Begin(300)
		if err != nil {
			t.Fatal(err)
		}
		if err := from.End(buf[:300]); err != nil {
			t.Fatal(err)
		}
	}
	from.Flush()
	for range 500 {
		<-messages
	}
	if _, out := from.Memory(); out == 0 {
		t.Fatal("no buffer is kept right after use")
	}
	from.ReleaseIdle()
	for !to.Waiting() {
		runtime.Gosched() // the reader is on its way to the next read
	}
	to.ReleaseIdle()
	if in, _ := to.Memory(); in != 0 {
		t.Errorf("the reader keeps %d bytes", in)
	}
	if _, out := from.Memory(); out != 0 {
		t.Errorf("the writer keeps %d bytes", out)
	}
	if err := send(from, []byte("more")); err != nil {
		t.Fatal(err)
	}
	if b := <-messages; string(b) != "more" {
		t.Fatalf("got %q", b)
	}
}

// Nothing is allocated for a message that is written.
func TestWritingAllocatesNothing(t *testing.T) {
	to, from := loopback(t, wsconn.Options{}, wsconn.Options{})
	go io.Copy(io.Discard, readerFunc(to.ReadMessage))
	message := make([]byte, 300)
	allocs := testing.AllocsPerRun(2000, func() {
		buf, err := from.Begin(len(message))
		if err != nil {
			t.Fatal(err)
		}
		if err := from.End(append(buf, message...)); err != nil {
			t.Fatal(err)
		}
		from.Flush()
	})
	// The reader of the other side runs meanwhile, and needs a slab now and
	// then; AllocsPerRun rounds that down.
	if allocs != 0 {
		t.Fatalf("%v allocations for each message", allocs)
	}
}

// readerFunc reads messages for as long as there are any.
type readerFunc func() ([]byte, error)

func (f readerFunc) Read([]byte) (int, error) {
	_, err := f()
	return 0, err
}

// A connection that fails under the writer reports it to everybody.
func TestWriteToAPeerThatIsGone(t *testing.T) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			gone, c := pair(t, wsconn.Options{}, wsconn.Options{})
			gone.Close()
			var err error
			for err == nil {
				err = send(c, make([]byte, 1000))
			}
			if errors.Is(err, wsconn.ErrBacklog) {
				t.Fatal(err)
			}
			if c.Err() == nil {
				t.Fatal("the connection has not ended")
			}
			if _, err := c.ReadMessage(); err == nil {
				t.Fatal("a message")
			}
		})
	}
}

func TestAfterClose(t *testing.T) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			c, _ := pair(t, wsconn.Options{}, wsconn.Options{})
			c.Close()
			c.Close()
			c.Flush()
			c.Shutdown(wsconn.CodeNormal, "")
			if err := send(c, nil); !errors.Is(err, net.ErrClosed) {
				t.Error("Begin:", err)
			}
			if _, err := c.ReadMessage(); !errors.Is(err, net.ErrClosed) {
				t.Error("ReadMessage:", err)
			}
			if !errors.Is(c.Err(), net.ErrClosed) {
				t.Error("Err:", c.Err())
			}
		})
	}
}
