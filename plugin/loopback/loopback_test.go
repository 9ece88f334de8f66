package loopback_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/loopback"
)

// states records what a link says of itself.
type states struct {
	plugin.HandlerFunc
	told []bool
}

func (s *states) HandleState(connected bool, _ error) { s.told = append(s.told, connected) }

func open(t *testing.T, o loopback.Options) (*loopback.Link, *states) {
	t.Helper()
	l, err := loopback.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &states{}
	if err := l.Open(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return l, s
}

func prepare(f ilp.Fulfillment) *ilp.Prepare {
	return &ilp.Prepare{
		Amount: 7, Destination: ilp.MustParseAddress("test.loop"), Condition: f.Condition(),
		ExpiresAt: time.Now().Add(time.Minute), Data: []byte("data"),
	}
}

func TestFulfils(t *testing.T) {
	for _, f := range []ilp.Fulfillment{{}, {1, 2, 3}} {
		l, _ := open(t, loopback.Options{Fulfillment: f})
		fulfill, err := plugin.Call(t.Context(), l, prepare(f))
		if err != nil || fulfill.Fulfillment != f || string(fulfill.Data) != "data" {
			t.Errorf("got %v, %v, want the fulfillment and the data of the packet", fulfill, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, code := range []ilp.Code{ilp.T02PeerBusy, ilp.F99ApplicationError} {
		l, _ := open(t, loopback.Options{Reject: code})
		_, err := plugin.Call(t.Context(), l, prepare(ilp.Fulfillment{}))
		if reject, ok := errors.AsType[*ilp.Reject](err); !ok || reject.Code != code {
			t.Errorf("got %v, want %s", err, code)
		}
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := open(t, loopback.Options{Delay: 10 * time.Second})
		began := time.Now()
		if _, err := plugin.Call(t.Context(), l, prepare(ilp.Fulfillment{})); err != nil || time.Since(began) != 10*time.Second {
			t.Errorf("answered after %v with %v, want a fulfillment after 10 s", time.Since(began), err)
		}
		late := prepare(ilp.Fulfillment{})
		late.ExpiresAt = time.Now().Add(time.Second)
		if _, err := plugin.Call(t.Context(), l, late); err == nil {
			t.Error("a packet was fulfilled after its expiry")
		}
		failed := make(chan error, 1)
		l.SendPrepare(t.Context(), prepare(ilp.Fulfillment{}), plugin.NewResponder(plugin.ReplyFunc(
			func(_ context.Context, _ ilp.Reply, err error) { failed <- err }), 0))
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-failed; err == nil || errors.Is(err, plugin.ErrNotSent) {
			t.Errorf("closing answers %v to what waits, want an unknown outcome", err)
		}
	})
}

func TestLifecycle(t *testing.T) {
	l, err := loopback.New(loopback.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plugin.Call(t.Context(), l, prepare(ilp.Fulfillment{})); !errors.Is(err, plugin.ErrNotConnected) || l.Connected() {
		t.Errorf("before Open: %v, want ErrNotConnected", err)
	}
	s := &states{}
	if err := l.Open(t.Context(), s); err != nil || !l.Connected() {
		t.Fatalf("Open: %v, connected %t", err, l.Connected())
	}
	if err := l.Open(t.Context(), s); err == nil {
		t.Error("it can be opened twice")
	}
	for range 2 {
		if err := l.Close(); err != nil || l.Connected() {
			t.Errorf("Close: %v, connected %t", err, l.Connected())
		}
	}
	if len(s.told) != 2 || !s.told[0] || s.told[1] {
		t.Errorf("its handler was told %v, want true, false", s.told)
	}
	_, err = plugin.Call(t.Context(), l, prepare(ilp.Fulfillment{}))
	if !errors.Is(err, net.ErrClosed) || !errors.Is(err, plugin.ErrNotSent) {
		t.Errorf("after Close: %v", err)
	}
}

// A link that is closed while it is opened tells its handler all or nothing, in
// order.
func TestCloseWhileOpening(t *testing.T) {
	for range 500 {
		l, err := loopback.New(loopback.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := &states{}
		var both sync.WaitGroup
		both.Go(func() { _ = l.Open(t.Context(), s) })
		both.Go(func() { _ = l.Close() })
		both.Wait()
		if told := s.told; len(told) != 0 && (len(told) != 2 || !told[0] || told[1]) {
			t.Fatalf("its handler was told %v", told)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []loopback.Options{{Reject: "T2"}, {Reject: "tée"}, {Delay: -1}} {
		if _, err := loopback.New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
