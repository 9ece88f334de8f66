package btp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// BTP-20, BTP-25: the first packet of each connection has the entries that
// the deployed servers want, in their order.
func TestClientAuthenticates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		s.client(t, newRecorder(fulfiller), nil)
		for range 3 {
			r := get(t, s.conns)
			p := r.Read()
			want := btptest.Auth(p.RequestID, "alice", "token")
			if !same(p, want) {
				t.Errorf("first packet %+v", p)
			}
			r.Send(btp.Packet{Type: btp.TypeResponse, RequestID: p.RequestID})
			synctest.Wait()
			r.Close()
		}
	})
}

// The connection is lost again and again: each time what is outstanding fails
// at once, and the states come in order.
func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		h := newRecorder(fulfiller)
		c := s.client(t, h, nil)
		for i := range 5 {
			r := s.accept(t)
			synctest.Wait()
			if !c.Connected() || c.State() != btp.StateConnected {
				t.Fatalf("connection %d: %v", i, c.State())
			}
			result := ask(c, newPrepare(1))
			r.Read()
			start := time.Now()
			r.Close()
			if o := get(t, result); !errors.Is(o.err, plugin.ErrUnknownOutcome) || errors.Is(o.err, plugin.ErrNotSent) || time.Since(start) > 0 {
				t.Errorf("outstanding: %+v after %v", o, time.Since(start))
			}
			synctest.Wait()
			if c.Connected() || c.State() != btp.StateWaiting {
				t.Errorf("state %v", c.State())
			}
			if o := get(t, ask(c, newPrepare(1))); !errors.Is(o.err, plugin.ErrNotConnected) || !errors.Is(o.err, plugin.ErrNotSent) {
				t.Errorf("without a connection: %+v", o)
			}
		}
		c.Close()
		if want := []bool{true, false, true, false, true, false, true, false, true, false}; !reflect.DeepEqual(h.states, want) {
			t.Errorf("states %v", h.states)
		}
	})
}

// A server that is restarted gets its clients back, over a real socket.
func TestServerRestart(t *testing.T) {
	n := newLoopback(t, btp.ServerOptions{})
	p := n.account(t, "alice", "token", newRecorder(fulfiller))
	h := newRecorder(fulfiller)
	c := n.client(t, "alice", "token", h, func(o *btp.ClientOptions) { o.MinBackoff = time.Millisecond; o.MaxBackoff = 10 * time.Millisecond })
	h.await(t, true)
	address := n.listener.Addr().String()
	for range 3 {
		n.stop()
		h.await(t, false)
		if p.Connected() {
			t.Error("the account of a server that was closed is connected")
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		n = serve(t, btp.ServerOptions{}, l, nil)
		p = n.account(t, "alice", "token", newRecorder(fulfiller))
		h.await(t, true)
		for _, side := range []plugin.Plugin{p, c} {
			if _, err := plugin.Call(t.Context(), side, newPrepare(100)); err != nil {
				t.Errorf("%T: %v", side, err)
			}
		}
	}
}

// Close answers everything that is outstanding before it returns, on both
// sides, and ends the link for good.
func TestClose(t *testing.T) {
	for _, side := range []string{"client", "server"} {
		synctest.Test(t, func(t *testing.T) {
			h, hc := newHolder(), newHolder()
			p, c := linked(t, h, hc, btp.ServerOptions{})
			var this plugin.Plugin = c
			recorder := hc.recorder
			if side == "server" {
				this, recorder = p, h.recorder
			}
			var outcomes []<-chan outcome
			for range 10 {
				outcomes = append(outcomes, ask(this, newPrepare(1)))
			}
			synctest.Wait()
			start := time.Now()
			if err := this.Close(); err != nil {
				t.Error(err)
			}
			if d := time.Since(start); d > 0 {
				t.Errorf("%s: Close took %v", side, d)
			}
			for _, o := range outcomes {
				select {
				case o := <-o:
					if !errors.Is(o.err, net.ErrClosed) || !errors.Is(o.err, plugin.ErrUnknownOutcome) || errors.Is(o.err, plugin.ErrNotSent) {
						t.Errorf("%s: outstanding: %+v", side, o)
					}
				default:
					t.Errorf("%s: a responder was not answered", side)
				}
			}
			if this.Connected() {
				t.Errorf("%s: connected", side)
			}
			if o := get(t, ask(this, newPrepare(1))); !errors.Is(o.err, net.ErrClosed) || !errors.Is(o.err, plugin.ErrNotSent) {
				t.Errorf("%s: after Close: %+v", side, o)
			}
			if _, err := this.(requester).Request(t.Context(), &btp.Packet{Type: btp.TypeMessage}); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: a request after Close: %v", side, err)
			}
			if err := this.Open(t.Context(), h); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: Open after Close: %v", side, err)
			}
			if err := this.Close(); err != nil {
				t.Errorf("%s: Close once more: %v", side, err)
			}
			if want := []bool{true, false}; !reflect.DeepEqual(recorder.states, want) {
				t.Errorf("%s: states %v", side, recorder.states)
			}
			// Answers to what the other side had asked have nowhere to go.
			for len(h.held) > 0 {
				(<-h.held).responder.Reply(context.Background(), fulfill)
			}
		})
	}
}

// requester is the part of Client and Peer that is not a Plugin's.
type requester interface {
	Request(context.Context, *btp.Packet) (btp.Packet, error)
	HandleRequests(btp.RequestHandler)
	Stats() btp.Stats
}

// A peer that does not take part in the closing is not waited for long.
func TestCloseWithAPeerThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		p := n.account(t, "alice", "token", newRecorder(fulfiller))
		n.authenticated(t, "alice", "token") // and reads nothing any more
		result := ask(p, newPrepare(1))
		start := time.Now()
		p.Close()
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("Close took %v", d)
		}
		if o := get(t, result); !errors.Is(o.err, net.ErrClosed) {
			t.Errorf("%+v", o)
		}
	})
}

// Close ends a client at whatever it is.
func TestCloseInEveryState(t *testing.T) {
	block := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	silent := func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far)
		return near, nil
	}
	for _, test := range []struct {
		state btp.State
		dial  func(context.Context, string, string) (net.Conn, error) // nil: a raw server
		serve func(*btptest.Conn)
	}{
		{btp.StateConnecting, block, nil},
		{btp.StateConnecting, silent, nil},
		{btp.StateWaiting, refuseDial, nil},
		{btp.StateAuthenticating, nil, func(r *btptest.Conn) { r.ReadUntilEnd() }},
		{btp.StateConnected, nil, func(r *btptest.Conn) {
			r.Send(btp.Packet{Type: btp.TypeResponse, RequestID: r.Read().RequestID})
			r.ReadUntilEnd()
		}},
	} {
		t.Run(fmt.Sprint(test.state), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newRawServer(t)
				c := s.client(t, newRecorder(fulfiller), func(o *btp.ClientOptions) {
					if test.dial != nil {
						o.NetDial = test.dial
					}
				})
				if test.serve != nil {
					r := get(t, s.conns)
					go test.serve(r)
				}
				synctest.Wait()
				if c.State() != test.state {
					t.Fatalf("state %v", c.State())
				}
				start := time.Now()
				c.Close()
				if d := time.Since(start); d > 0 {
					t.Errorf("Close took %v", d)
				}
				if c.State() != btp.StateClosed {
					t.Errorf("state %v", c.State())
				}
			})
		})
	}
	t.Run("new", func(t *testing.T) {
		c := btp.Dial("btp+ws://a:b@host")
		if c.State() != btp.StateNew || c.Connected() {
			t.Errorf("state %v", c.State())
		}
		if o := get(t, ask(c, newPrepare(1))); !errors.Is(o.err, plugin.ErrNotSent) {
			t.Errorf("a packet before Open: %+v", o)
		}
		c.Close()
		if err := c.Open(t.Context(), newRecorder(fulfiller)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Open after Close: %v", err)
		}
	})
}

// Open is called once.
func TestOpenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := linked(t, newRecorder(fulfiller), newRecorder(fulfiller), btp.ServerOptions{})
		if err := c.Open(t.Context(), newRecorder(fulfiller)); err == nil {
			t.Error("the client was opened twice")
		}
	})
}

// The context of Open bounds the call alone.
func TestOpenContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		n.account(t, "alice", "token", newRecorder(fulfiller))
		c := btp.NewClient(btp.ClientOptions{URL: n.url("alice", "token"), NetDial: n.dial})
		ctx, cancel := context.WithCancel(t.Context())
		if err := c.Open(ctx, newRecorder(fulfiller)); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		cancel()
		synctest.Wait()
		if !c.Connected() {
			t.Error("the client ended with the context of Open")
		}
	})
}
