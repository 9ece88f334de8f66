package btp_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// dialLog is a NetDial that notes when it was called.
type dialLog struct {
	mu    sync.Mutex
	times []time.Time
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (d *dialLog) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.times = append(d.times, time.Now())
	d.mu.Unlock()
	return d.dial(ctx, network, addr)
}

// waits gives the times between the calls.
func (d *dialLog) waits() (waits []time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := 1; i < len(d.times); i++ {
		waits = append(waits, d.times[i].Sub(d.times[i-1]))
	}
	return waits
}

func refuseDial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("nobody there")
}

// between checks that each wait lies between half of its bound and the bound.
func between(t *testing.T, waits []time.Duration, bounds ...time.Duration) {
	t.Helper()
	for i, most := range bounds {
		if i >= len(waits) || waits[i] < most/2 || waits[i] > most+time.Millisecond {
			t.Fatalf("wait %d of %v is not between %v and %v", i, waits, most/2, most)
		}
	}
}

// The waits between attempts double up to a bound, and no two clients wait
// the same time.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := []*dialLog{{dial: refuseDial}, {dial: refuseDial}}
		for _, d := range logs {
			c := btp.NewClient(btp.ClientOptions{URL: "btp+ws://a:b@host", NetDial: d.Dial})
			if err := c.Open(t.Context(), newRecorder(fulfiller)); err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		time.Sleep(5 * time.Minute)
		for _, d := range logs {
			between(t, d.waits(), 100*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond, 800*time.Millisecond,
				1600*time.Millisecond, 3200*time.Millisecond, 6400*time.Millisecond, 12800*time.Millisecond,
				25600*time.Millisecond, 30*time.Second, 30*time.Second, 30*time.Second)
		}
		if reflect.DeepEqual(logs[0].waits(), logs[1].waits()) {
			t.Error("both clients wait the same times")
		}
	})
}

// A connection that lasted starts the back-off anew; one that ended soon is
// another failure.
func TestBackoffAfterConnections(t *testing.T) {
	for _, lasted := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newRawServer(t)
			d := &dialLog{dial: refuseDial}
			var reachable atomic.Bool
			d.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if !reachable.Load() {
					return refuseDial(ctx, network, addr)
				}
				return s.listener.Dial(ctx, network, addr)
			}
			s.client(t, newRecorder(fulfiller), func(o *btp.ClientOptions) {
				o.NetDial = d.Dial
				o.MinBackoff, o.MaxBackoff, o.StableAfter = time.Second, time.Hour, time.Minute
				o.Limits.PingInterval = -1
			})
			time.Sleep(20 * time.Second) // four failures at least: then 16 s at most
			before := len(d.waits())
			between(t, d.waits(), time.Second, 2*time.Second, 4*time.Second)
			reachable.Store(true)
			r := s.accept(t)
			connected := time.Now()
			if lasted {
				time.Sleep(time.Minute)
			}
			r.Close()
			synctest.Wait()
			lost := time.Now()
			s.accept(t)
			wait := time.Since(lost)
			if lasted && wait > time.Second {
				t.Errorf("after a connection of %v: %v", lost.Sub(connected), wait)
			}
			if !lasted && wait < 4*time.Second {
				t.Errorf("after %d failures and a connection of %v: %v", before, lost.Sub(connected), wait)
			}
		})
	}
}

// Refused credentials are tried again at the longest interval, in case the
// other side learns them, and the log says so once.
func TestRefusedCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		d := &dialLog{dial: s.listener.Dial}
		var log bytes.Buffer
		h := newRecorder(fulfiller)
		c := s.client(t, h, func(o *btp.ClientOptions) {
			o.NetDial, o.Logger = d.Dial, slog.New(slog.NewTextHandler(&log, nil))
		})
		for range 5 {
			r := get(t, s.conns)
			id := r.Read().RequestID
			r.Send(btp.Packet{Type: btp.TypeMessage, RequestID: id + 1}) // a note (BTP-23)
			r.Send(btp.Packet{Type: btp.TypeError, RequestID: id, Error: *btp.Errorf(btp.F00NotAcceptedError, "who are you?")})
			r.ReadUntilEnd()
			synctest.Wait()
			if c.State() != btp.StateWaiting || c.Connected() {
				t.Errorf("state %v", c.State())
			}
		}
		// Two refusals may be those of a server that is about to stop.
		between(t, d.waits(), 100*time.Millisecond, 200*time.Millisecond, 30*time.Second, 30*time.Second)
		if n := strings.Count(log.String(), "who are you?"); n != 1 || !strings.Contains(log.String(), "refused") {
			t.Errorf("the log says it %d times: %s", n, log.String())
		}
		if len(h.states) != 0 {
			t.Errorf("states %v", h.states)
		}
		s.accept(t)
		synctest.Wait()
		if !c.Connected() || len(h.states) != 1 {
			t.Error("not connected with credentials that are accepted")
		}
	})
}

// BTP-24: a server that does not answer the authentication is left.
func TestNoAnswerToAuthentication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		c := s.client(t, newRecorder(fulfiller), func(o *btp.ClientOptions) { o.Limits.AuthTimeout = 7 * time.Second })
		r := get(t, s.conns)
		r.Read()
		if c.State() != btp.StateAuthenticating || c.Connected() {
			t.Errorf("state %v", c.State())
		}
		if o := get(t, ask(c, newPrepare(1))); !errors.Is(o.err, plugin.ErrNotConnected) {
			t.Errorf("a packet before the authentication: %+v", o)
		}
		start := time.Now()
		if packets, _ := r.ReadUntilEnd(); len(packets) != 0 || time.Since(start) != 7*time.Second {
			t.Errorf("%v, after %v", packets, time.Since(start))
		}
		s.accept(t)
		synctest.Wait()
		if !c.Connected() {
			t.Errorf("state %v", c.State())
		}
	})
}
