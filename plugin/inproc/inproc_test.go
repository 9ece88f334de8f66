package inproc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/plugintest"
)

var fulfillment = ilp.Fulfillment{1, 2, 3}

// newPrepare makes a packet for fulfillment that expires in a second.
func newPrepare() *ilp.Prepare {
	return &ilp.Prepare{
		Amount:      10,
		ExpiresAt:   time.Now().Add(time.Second),
		Condition:   fulfillment.Condition(),
		Destination: ilp.MustParseAddress("test.bob"),
		Data:        []byte("hello"),
	}
}

func fulfill(context.Context, *ilp.Prepare) ilp.Reply {
	return &ilp.Fulfill{Fulfillment: fulfillment}
}

func TestSend(t *testing.T) {
	app, end := inproc.Pipe()
	prepare := newPrepare()
	err := end.Handle(func(_ context.Context, p *ilp.Prepare) ilp.Reply {
		if p != prepare {
			t.Error("the other end was given another struct: nothing has to be copied within a program")
		}
		return &ilp.Fulfill{Fulfillment: fulfillment, Data: p.Data}
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := app.Send(t.Context(), prepare)
	if err != nil {
		t.Fatal(err)
	}
	if got.Fulfillment != fulfillment || string(got.Data) != "hello" {
		t.Errorf("got %v, want the fulfill of the other end", got)
	}
}

func TestSendIsRejected(t *testing.T) {
	app, end := inproc.Pipe()
	err := end.Handle(func(context.Context, *ilp.Prepare) ilp.Reply { return ilp.Internal(errors.New("disk full")) })
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.Send(t.Context(), newPrepare())
	reject, ok := errors.AsType[*ilp.Reject](err)
	if !ok || reject.Code != ilp.T00InternalError {
		t.Fatalf("got %v, want T00", err)
	}
	if reject.Cause != nil {
		t.Errorf("the cause %q came across: it belongs to the log of the other end", reject.Cause)
	}
}

func TestSendWaitsForTheOtherEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, end := inproc.Pipe()
		begin := time.Now()
		time.AfterFunc(300*time.Millisecond, func() {
			if err := end.Handle(fulfill); err != nil {
				t.Error(err)
			}
		})
		if _, err := app.Send(t.Context(), newPrepare()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 300*time.Millisecond {
			t.Errorf("it took %v, want 300ms, until the other end was open", took)
		}
	})
}

// Waiting in vain: nothing was sent, and the error says so.
func TestSendGivesUp(t *testing.T) {
	for name, tt := range map[string]struct {
		after func(app, end *inproc.End, cancel func())
		is    error
		at    time.Duration
	}{
		"at the expiry":         {func(_, _ *inproc.End, _ func()) {}, context.DeadlineExceeded, time.Second},
		"when the context ends": {func(_, _ *inproc.End, cancel func()) { cancel() }, context.Canceled, time.Millisecond},
		"when it is closed":     {func(app, _ *inproc.End, _ func()) { app.Close() }, net.ErrClosed, time.Millisecond},
		"when the other end is": {func(_, end *inproc.End, _ func()) { end.Close() }, net.ErrClosed, time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app, end := inproc.Pipe()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				begin := time.Now()
				time.AfterFunc(time.Millisecond, func() { tt.after(app, end, cancel) })
				_, err := app.Send(ctx, newPrepare())
				if !errors.Is(err, tt.is) || !errors.Is(err, plugin.ErrNotSent) {
					t.Errorf("got %v, want an error that wraps %v and ErrNotSent", err, tt.is)
				}
				if took := time.Since(begin); took != tt.at {
					t.Errorf("it took %v, want %v", took, tt.at)
				}
			})
		})
	}
}

func TestSendAfterClose(t *testing.T) {
	for name, closed := range map[string]func(app, end *inproc.End) *inproc.End{
		"of the same end":  func(app, _ *inproc.End) *inproc.End { return app },
		"of the other end": func(_, end *inproc.End) *inproc.End { return end },
	} {
		t.Run(name, func(t *testing.T) {
			app, end := inproc.Pipe()
			if err := end.Handle(func(context.Context, *ilp.Prepare) ilp.Reply {
				t.Error("the packet went through")
				return &ilp.Fulfill{}
			}); err != nil {
				t.Fatal(err)
			}
			which := closed(app, end)
			if err := which.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := app.Send(t.Context(), newPrepare())
			if !errors.Is(err, plugin.ErrNotSent) {
				t.Errorf("got %v, want an error that wraps ErrNotSent", err)
			}
			if which == app && !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v, want an error that wraps net.ErrClosed", err)
			}
			if app.Connected() || end.Connected() {
				t.Error("an end is still connected: the pipe ends for both")
			}
		})
	}
}

// An end that only sends is not opened.
func TestConnected(t *testing.T) {
	app, end := inproc.Pipe()
	if app.Connected() || end.Connected() {
		t.Error("connected before anything is open")
	}
	if err := end.Handle(fulfill); err != nil {
		t.Fatal(err)
	}
	if !app.Connected() {
		t.Error("not connected, although the other end is open")
	}
	if end.Connected() {
		t.Error("connected to an end that nobody has opened")
	}
}

// HandleState comes when both ends are open, and once more when one closes.
func TestStates(t *testing.T) {
	for name, first := range map[string]int{"closed here": 0, "closed there": 1} {
		t.Run(name, func(t *testing.T) {
			a, b := inproc.Pipe()
			ends := []*inproc.End{a, b}
			var handlers [2]plugintest.Recorder
			for i := range ends {
				if states := handlers[0].States(); len(states) > 0 {
					t.Errorf("told %v with only one end open", states)
				}
				if err := ends[i].Open(t.Context(), &handlers[i]); err != nil {
					t.Fatal(err)
				}
			}
			ends[first].Close()
			ends[1-first].Close()
			for i := range handlers {
				want := []plugintest.State{{Connected: true}, {Connected: false, Err: net.ErrClosed}}
				if got := handlers[i].States(); !slices.Equal(got, want) {
					t.Errorf("end %d was told %v, want %v", i, got, want)
				}
			}
		})
	}
}

// The calls are in order even when opening and closing race, under the race
// detector.
func TestStatesInOrder(t *testing.T) {
	for range 200 {
		a, b := inproc.Pipe()
		var handlers [2]plugintest.Recorder
		var racing sync.WaitGroup
		for i, e := range []*inproc.End{a, b} {
			racing.Go(func() { _ = e.Open(context.Background(), &handlers[i]) }) // too late if Close is faster
			racing.Go(func() { _ = e.Close() })
		}
		racing.Wait()
		for i := range handlers {
			var got []bool
			for _, s := range handlers[i].States() {
				got = append(got, s.Connected)
			}
			if len(got) > 0 && !slices.Equal(got, []bool{true, false}) {
				t.Fatalf("end %d was told %v, want nothing or true and then false", i, got)
			}
		}
		if a.Connected() || b.Connected() {
			t.Fatal("connected after Close")
		}
	}
}

// A packet that was taken may still be answered when the link is closed on
// the side that took it: by then money may have moved.
func TestAnswerAfterTheOtherEndClosed(t *testing.T) {
	app, end := inproc.Pipe()
	var taken plugintest.Recorder
	if err := end.Open(t.Context(), &taken); err != nil {
		t.Fatal(err)
	}
	answered := make(chan ilp.Reply, 1)
	app.SendPrepare(t.Context(), newPrepare(), plugin.NewResponder(plugin.ReplyFunc(
		func(_ context.Context, reply ilp.Reply, _ error) { answered <- reply }), 0))
	end.Close()
	want := &ilp.Fulfill{Fulfillment: fulfillment}
	taken.Prepares()[0].Responder.Reply(t.Context(), want)
	if got := <-answered; got != ilp.Reply(want) {
		t.Errorf("got %v, want the fulfill", got)
	}
}

// Close waits for the calls into its handler.
func TestCloseWaitsForTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, end := inproc.Pipe()
		release := make(chan struct{})
		if err := end.Handle(func(ctx context.Context, p *ilp.Prepare) ilp.Reply {
			<-release
			return fulfill(ctx, p)
		}); err != nil {
			t.Fatal(err)
		}
		var sending, closing sync.WaitGroup
		sending.Go(func() {
			if _, err := app.Send(t.Context(), newPrepare()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		var closed atomic.Int32
		for range 2 {
			closing.Go(func() {
				end.Close()
				closed.Add(1)
			})
		}
		synctest.Wait()
		if n := closed.Load(); n > 0 {
			t.Errorf("%d calls of Close returned while the handler was called", n)
		}
		close(release)
		closing.Wait()
		sending.Wait()
	})
}

func TestSendMoney(t *testing.T) {
	app, end := inproc.Pipe()
	m := plugin.Money{Amount: 5, Key: "k"}
	if err := app.SendMoney(t.Context(), m); !errors.Is(err, plugin.ErrNotConnected) {
		t.Errorf("before the other end is open: got %v, want ErrNotConnected", err)
	}
	refused := fmt.Errorf("sent on: %w", plugin.ErrNotSent) // its own affair
	books := plugintest.Recorder{Book: func(plugin.Money) error { return refused }}
	if err := end.Open(t.Context(), &books); err != nil {
		t.Fatal(err)
	}
	err := app.SendMoney(t.Context(), m)
	if !errors.Is(err, plugin.ErrUnknownOutcome) || errors.Is(err, plugin.ErrNotSent) {
		t.Errorf("refused: got %v, want ErrUnknownOutcome", err)
	}
	refused = nil
	if err := app.SendMoney(t.Context(), m); err != nil {
		t.Errorf("booked: got %v", err)
	}
	if got := books.Money(); !slices.Equal(got, []plugin.Money{m, m}) {
		t.Errorf("the handler was given %v, want %v twice", got, m)
	}
}

// nobody takes answers and does nothing.
type nobody struct{}

func (nobody) Reply(context.Context, uint64, ilp.Reply, error) {}

func TestPacketAllocatesNothing(t *testing.T) {
	app, end := inproc.Pipe()
	reply := &ilp.Fulfill{Fulfillment: fulfillment}
	if err := end.Handle(func(context.Context, *ilp.Prepare) ilp.Reply { return reply }); err != nil {
		t.Fatal(err)
	}
	prepare, ctx := newPrepare(), t.Context()
	const packets = 10_000 // many at once, so that what grows slowly shows too
	n := testing.AllocsPerRun(1, func() {
		for range packets {
			app.SendPrepare(ctx, prepare, plugin.NewResponder(nobody{}, 0))
		}
	})
	if n > 0 {
		t.Errorf("%d packets allocate %v times", packets, n)
	}
}
