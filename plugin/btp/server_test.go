package btp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// Replace: the newer socket wins. What was outstanding on the older one fails
// at once, and the account stays connected throughout.
func TestReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		h := newRecorder(fulfiller)
		p := n.account(t, "alice", "token", h)
		old := n.authenticated(t, "alice", "token")
		result := ask(p, newPrepare(1))
		id := old.Read().RequestID
		start := time.Now()
		fresh := n.authenticated(t, "alice", "token")
		if o := get(t, result); !errors.Is(o.err, plugin.ErrUnknownOutcome) || time.Since(start) > 0 {
			t.Errorf("outstanding: %+v after %v", o, time.Since(start))
		}
		old.SendILP(btp.TypeResponse, id, fulfill) // too late
		old.SendILP(btp.TypeMessage, 1, newPrepare(1))
		packets, err := old.ReadUntilEnd()
		var closed *wsconn.CloseError
		if len(packets) != 0 || !errors.As(err, &closed) || closed.Code != wsconn.CodeNormal {
			t.Errorf("the old socket got %+v and ended by %v", packets, err)
		}
		result = ask(p, newPrepare(1))
		fresh.SendILP(btp.TypeResponse, fresh.Read().RequestID, fulfill)
		if o := get(t, result); o.fulfill == nil {
			t.Errorf("on the new socket: %+v", o)
		}
		if want := []bool{true}; !reflect.DeepEqual(h.states, want) {
			t.Errorf("states %v", h.states)
		}
		fresh.Close()
		synctest.Wait()
		if want := []bool{true, false}; !reflect.DeepEqual(h.states, want) {
			t.Errorf("states %v", h.states)
		}
	})
}

// Newest and RoundRobin keep several sockets; the account is connected until
// the last one has gone, and requests are answered where they came from.
func TestSeveralSockets(t *testing.T) {
	for _, policy := range []btp.Policy{btp.Newest, btp.RoundRobin} {
		synctest.Test(t, func(t *testing.T) {
			n := newPipeNetwork(t, btp.ServerOptions{Sockets: policy})
			h := newRecorder(fulfiller)
			p := n.account(t, "alice", "token", h)
			var sockets []*btptest.Conn
			got := make([]int, 3)
			for i := range 3 {
				r := n.authenticated(t, "alice", "token")
				sockets = append(sockets, r)
				r.SendILP(btp.TypeMessage, uint32(i), newPrepare(1))
				if a := r.Read(); a.Type != btp.TypeResponse || a.RequestID != uint32(i) {
					t.Errorf("socket %d: answer %+v", i, a)
				}
				go func() {
					for {
						q, err := r.TryRead()
						if err != nil {
							return
						}
						got[i]++
						r.SendILP(btp.TypeResponse, q.RequestID, fulfill)
					}
				}()
			}
			for range 30 {
				if o := get(t, ask(p, newPrepare(1))); o.fulfill == nil {
					t.Fatalf("%+v", o)
				}
			}
			want := []int{0, 0, 30}
			if policy == btp.RoundRobin {
				want = []int{10, 10, 10}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("policy %v: %v packets, want %v", policy, got, want)
			}
			sockets[2].Close()
			synctest.Wait()
			if o := get(t, ask(p, newPrepare(1))); o.fulfill == nil || !p.Connected() {
				t.Errorf("policy %v, two sockets left: %+v", policy, o)
			}
			sockets[0].Close()
			sockets[1].Close()
			synctest.Wait()
			if o := get(t, ask(p, newPrepare(1))); !errors.Is(o.err, plugin.ErrNotConnected) {
				t.Errorf("policy %v, none left: %+v", policy, o)
			}
			if want := []bool{true, false}; !reflect.DeepEqual(h.states, want) {
				t.Errorf("policy %v: states %v", policy, h.states)
			}
		})
	}
}

// Where several sockets are kept, the oldest gives way to one too many.
func TestMaxSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{Sockets: btp.Newest, MaxSockets: 2})
		n.account(t, "alice", "token", newRecorder(fulfiller))
		first := n.authenticated(t, "alice", "token")
		second := n.authenticated(t, "alice", "token")
		n.authenticated(t, "alice", "token")
		if _, err := first.ReadUntilEnd(); err == nil {
			t.Error("the first is still there")
		}
		second.SendILP(btp.TypeMessage, 1, newPrepare(1))
		if a := second.Read(); a.RequestID != 1 {
			t.Errorf("the second got %+v", a)
		}
	})
}

// An account's end does not touch the others.
func TestAccountsAreSeparate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		alice := n.account(t, "alice", "a", newRecorder(fulfiller))
		bob := n.account(t, "bob", "b", newRecorder(fulfiller))
		ra, rb := n.authenticated(t, "alice", "a"), n.authenticated(t, "bob", "b")
		result := ask(bob, newPrepare(1))
		id := rb.Read().RequestID
		go ra.ReadUntilEnd()
		ra.SendILP(btp.TypeResponse, id, fulfill) // a reply to somebody else's request
		synctest.Wait()
		if s := alice.Stats(); s.UnknownReplies != 1 {
			t.Errorf("alice: %+v", s)
		}
		alice.Close()
		rb.SendILP(btp.TypeResponse, id, fulfill)
		if o := get(t, result); o.fulfill == nil {
			t.Errorf("bob's request: %+v", o)
		}
	})
}

// Close ends all sockets, authenticated or not, takes no new ones, and leaves
// no goroutine behind (the bubble would say so).
func TestServerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		h := newRecorder(fulfiller)
		p := n.account(t, "alice", "token", h)
		in, out := n.authenticated(t, "alice", "token"), n.raw(t)
		ends := make(chan error, 2)
		result := ask(p, newPrepare(1))
		for _, r := range []*btptest.Conn{in, out} {
			go func() {
				_, err := r.ReadUntilEnd()
				ends <- err
			}()
		}
		synctest.Wait()
		start := time.Now()
		n.Server.Close()
		n.Server.Close()
		if d := time.Since(start); d > 0 {
			t.Errorf("Close took %v", d)
		}
		for range 2 {
			var closed *wsconn.CloseError
			if err := get(t, ends); !errors.As(err, &closed) || closed.Code != wsconn.CodeGoingAway {
				t.Errorf("a socket ended by %v", err)
			}
		}
		if o := get(t, result); !errors.Is(o.err, plugin.ErrUnknownOutcome) {
			t.Errorf("outstanding: %+v", o)
		}
		if want := []bool{true, false}; !reflect.DeepEqual(h.states, want) {
			t.Errorf("states %v", h.states)
		}
		if o := get(t, ask(p, newPrepare(1))); !errors.Is(o.err, plugin.ErrNotConnected) {
			t.Errorf("after Close: %+v", o)
		}
		_, err := wsconn.Dial(t.Context(), "ws://server", wsconn.Options{NetDial: n.dial})
		var status wsconn.StatusError
		if !errors.As(err, &status) || status != http.StatusServiceUnavailable {
			t.Errorf("a new socket: %v", err)
		}
		if _, err := n.Account(btp.Credentials{Username: "bob", Token: "b"}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a new account: %v", err)
		}
		p.Close()
		if o := get(t, ask(p, newPrepare(1))); !errors.Is(o.err, net.ErrClosed) {
			t.Errorf("after both were closed: %+v", o)
		}
	})
}

// Shutdown waits for requests of both directions, and not for longer than
// its context.
func TestServerShutdown(t *testing.T) {
	for _, patient := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := newPipeNetwork(t, btp.ServerOptions{})
			h, hc := newHolder(), newHolder()
			p := n.account(t, "alice", "token", h)
			c := n.client(t, "alice", "token", hc, nil)
			synctest.Wait()
			down, up := ask(p, newPrepare(1)), ask(c, newPrepare(1))
			fromServer, fromClient := get(t, hc.held), get(t, h.held)
			wait := 10 * time.Second
			if patient {
				wait = time.Minute
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			done := make(chan error, 1)
			start := time.Now()
			go func() { done <- n.Shutdown(ctx) }()
			time.Sleep(5 * time.Second)
			fromServer.responder.Reply(context.Background(), fulfill)
			time.Sleep(25 * time.Second)
			fromClient.responder.Reply(context.Background(), fulfill)
			if o := get(t, down); o.fulfill == nil {
				t.Errorf("patient %v: %+v", patient, o)
			}
			o, err := get(t, up), get(t, done)
			switch {
			case patient && (o.fulfill == nil || err != nil || time.Since(start) > 31*time.Second):
				t.Errorf("%+v, Shutdown: %v after %v", o, err, time.Since(start))
			case !patient && (!errors.Is(o.err, plugin.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded)):
				t.Errorf("%+v, Shutdown: %v", o, err)
			}
		})
	}
}

// Sockets that never speak keep nobody out: the one that has been silent for
// longest gives way.
func TestFloodOfSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{MaxUnauthenticated: 10})
		n.account(t, "alice", "token", newRecorder(fulfiller))
		var silent []*btptest.Conn
		come := func() *btptest.Conn {
			r := n.raw(t)
			synctest.Wait() // the order is that in which the server knows them
			return r
		}
		for range 10 {
			silent = append(silent, come())
		}
		silent[3].Close()
		synctest.Wait()
		silent[3] = come() // in the free place; it is the last that came
		for i, first := range []int{0, 1, 2, 4} {
			come()
			if _, err := silent[first].TryRead(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("when socket %d came, the one that had been silent for longest went on: %v", 11+i, err)
			}
		}
		silent[5].Send(btptest.Auth(1, "alice", "token"))
		silent[5].Read()
		for _, i := range []int{3, 6, 7, 8, 9} {
			r := silent[i]
			r.Send(btptest.Auth(1, "alice", "another token"))
			if p := r.Read(); p.Type != btp.TypeError {
				t.Fatalf("socket %d, which had not given way, is answered %+v", i, p)
			}
		}
	})
}

// A client whose credentials are being looked at gives way to nobody. Where all
// places are taken by such, who comes is refused.
func TestFloodOfCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{MaxUnauthenticated: 3, Sockets: btp.RoundRobin})
		peer, err := n.Account(btp.Credentials{Username: "alice", Token: "token"})
		if err != nil {
			t.Fatal(err)
		}
		early := []*btptest.Conn{n.raw(t), n.raw(t), n.raw(t)}
		for _, r := range early {
			r.Send(btptest.Auth(1, "alice", "token")) // which waits for the account
		}
		synctest.Wait()
		_, err = wsconn.Dial(t.Context(), "ws://server", wsconn.Options{NetDial: n.dial})
		if status, ok := errors.AsType[wsconn.StatusError](err); !ok || status != http.StatusServiceUnavailable {
			t.Errorf("one too many: %v", err)
		}
		if err := peer.Open(t.Context(), newRecorder(fulfiller)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { peer.Close() })
		for i, r := range early {
			if p := r.Read(); p.Type != btp.TypeResponse {
				t.Errorf("client %d is answered %+v", i, p)
			}
		}
		for range 5 { // all places are free again
			n.authenticated(t, "alice", "token")
		}
	})
}

// A client that was refused and does not go gives way first.
func TestFloodOfWrongTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{MaxUnauthenticated: 2})
		n.account(t, "alice", "token", newRecorder(fulfiller))
		slow := n.raw(t)
		synctest.Wait()
		wrong := n.raw(t)
		wrong.Send(btptest.Auth(1, "alice", "another token"))
		synctest.Wait()
		n.authenticated(t, "alice", "token")
		slow.Send(btptest.Auth(1, "alice", "token"))
		if p := slow.Read(); p.Type != btp.TypeResponse {
			t.Errorf("who was silent is answered %+v, and who was refused has kept its place", p)
		}
	})
}

// What is no WebSocket is answered as HTTP, and counts for nothing.
func TestPlainRequests(t *testing.T) {
	n := newLoopback(t, btp.ServerOptions{MaxUnauthenticated: 1})
	for range 5 {
		response, err := http.Get("http://" + n.listener.Addr().String() + "/ilp")
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusUpgradeRequired || response.Header.Get("Upgrade") != "websocket" {
			t.Fatalf("status %d, headers %v", response.StatusCode, response.Header)
		}
	}
	n.account(t, "alice", "token", newRecorder(fulfiller))
	n.authenticated(t, "alice", "token")
}
