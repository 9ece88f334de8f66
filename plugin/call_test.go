package plugin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

func TestCallFulfilled(t *testing.T) {
	for name, answer := range map[string]func(f func()){
		"during the call":        func(f func()) { f() },
		"from another goroutine": func(f func()) { go f() },
		"after a while":          func(f func()) { time.AfterFunc(999*time.Millisecond, f) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				prepare := newPrepare()
				l := link(func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
					if p != prepare {
						t.Error("the link was given another prepare")
					}
					answer(func() {
						reply := ilp.Fulfill{Fulfillment: fulfillment, Data: []byte("thanks")}
						r.Reply(context.Background(), &reply)
						reply = ilp.Fulfill{} // the link's again
					})
				})
				fulfill, err := plugin.Call(t.Context(), l, prepare)
				if err != nil {
					t.Fatal(err)
				}
				if fulfill.Fulfillment != fulfillment || string(fulfill.Data) != "thanks" {
					t.Errorf("got %v, want the fulfill that the link gave", fulfill)
				}
			})
		})
	}
}

func TestCallRejected(t *testing.T) {
	l := link(func(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) {
		reply := ilp.Reject{Code: ilp.F02Unreachable, TriggeredBy: ilp.MustParseAddress("g.connie"), Message: "no route found"}
		r.Reply(ctx, &reply)
		reply = ilp.Reject{}
	})
	fulfill, err := plugin.Call(t.Context(), l, newPrepare())
	var reject *ilp.Reject
	if !errors.As(err, &reject) || fulfill != nil {
		t.Fatalf("got %v and %v, want a *ilp.Reject", fulfill, err)
	}
	if reject.Code != ilp.F02Unreachable || reject.TriggeredBy.String() != "g.connie" || reject.Message != "no route found" {
		t.Errorf("got %v, want the reject that the link gave", reject)
	}
}

// ILP4-41: the sender checks the preimage.
func TestCallRefusesWrongFulfillment(t *testing.T) {
	l := link(func(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) {
		r.Reply(ctx, &ilp.Fulfill{Fulfillment: ilp.Fulfillment{9}})
	})
	prepare := newPrepare()
	fulfill, err := plugin.Call(t.Context(), l, prepare)
	if fulfill != nil || err == nil || !strings.Contains(err.Error(), prepare.Condition.String()) {
		t.Fatalf("got %v and %v, want an error that names the condition", fulfill, err)
	}
	if _, ok := errors.AsType[*ilp.Reject](err); ok {
		t.Errorf("%v is a Reject: nobody has sent one", err)
	}
}

func TestCallFailed(t *testing.T) {
	for name, reason := range map[string]error{
		"not connected": plugin.ErrNotConnected,
		"busy":          plugin.ErrBusy,
		"unknown":       plugin.ErrUnknownOutcome,
		"its own":       errors.New("broken pipe"),
	} {
		t.Run(name, func(t *testing.T) {
			l := link(func(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) { r.Fail(ctx, reason) })
			fulfill, err := plugin.Call(t.Context(), l, newPrepare())
			if fulfill != nil || !errors.Is(err, reason) {
				t.Errorf("got %v and %v, want an error that wraps %v", fulfill, err, reason)
			}
			if got, want := errors.Is(err, plugin.ErrNotSent), errors.Is(reason, plugin.ErrNotSent); got != want {
				t.Errorf("is ErrNotSent: %t, want %t", got, want)
			}
		})
	}
	for name, l := range map[string]link{
		"no reason": func(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) { r.Fail(ctx, nil) },
		"no reply":  func(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) { r.Reply(ctx, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := plugin.Call(t.Context(), l, newPrepare()); !errors.Is(err, plugin.ErrUnknownOutcome) {
				t.Errorf("got %v, want an error that wraps ErrUnknownOutcome", err)
			}
		})
	}
}

func TestCallExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late plugin.Responder
		l := link(func(_ context.Context, _ *ilp.Prepare, r plugin.Responder) { late = r })
		begin := time.Now()
		_, err := plugin.Call(t.Context(), l, newPrepare())
		reject, ok := errors.AsType[*ilp.Reject](err)
		if !ok || reject.Code != ilp.R00TransferTimedOut || !reject.TriggeredBy.IsZero() {
			t.Errorf("got %v, want R00 triggered by nobody", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("it took %v, want the second until the expiry", took)
		}
		late.Reply(t.Context(), &ilp.Fulfill{}) // nobody waits for it
	})
}

func TestCallOfExpiredPacket(t *testing.T) {
	prepare := newPrepare()
	prepare.ExpiresAt = time.Time{}
	silent := link(func(context.Context, *ilp.Prepare, plugin.Responder) {})
	_, err := plugin.Call(t.Context(), silent, prepare)
	if reject, ok := errors.AsType[*ilp.Reject](err); !ok || reject.Code != ilp.R00TransferTimedOut {
		t.Errorf("without an answer: got %v, want R00", err)
	}
	quick := link(func(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) {
		r.Reply(ctx, &ilp.Fulfill{Fulfillment: fulfillment})
	})
	if _, err := plugin.Call(t.Context(), quick, prepare); err != nil {
		t.Errorf("with an answer: got %v, want the fulfill, for the link has no clock", err)
	}
}

func TestCallContextEnds(t *testing.T) {
	errStop := errors.New("the host stops")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		silent := link(func(context.Context, *ilp.Prepare, plugin.Responder) {})
		time.AfterFunc(time.Millisecond, func() { cancel(errStop) })
		_, err := plugin.Call(ctx, silent, newPrepare())
		if !errors.Is(err, errStop) || errors.Is(err, plugin.ErrNotSent) {
			t.Errorf("got %v, want the cause that the context ended for, and not ErrNotSent: the packet is on its way", err)
		}
	})
}

func TestCallContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := link(func(context.Context, *ilp.Prepare, plugin.Responder) { t.Error("the packet was sent") })
	_, err := plugin.Call(ctx, l, newPrepare())
	if !errors.Is(err, context.Canceled) || !errors.Is(err, plugin.ErrNotSent) {
		t.Errorf("got %v, want an error that wraps context.Canceled and ErrNotSent", err)
	}
}

// lastMoment is a context that ends in the very moment that somebody begins
// to wait for it, after calling f.
type lastMoment struct {
	context.Context
	f func()
}

func (c lastMoment) Done() <-chan struct{} {
	c.f()
	done := make(chan struct{})
	close(done)
	return done
}

// A reply that races with the end of the context is never lost: by it, money
// has moved.
func TestCallPrefersTheReply(t *testing.T) {
	for range 100 { // select would choose at random
		var responder plugin.Responder
		l := link(func(_ context.Context, _ *ilp.Prepare, r plugin.Responder) { responder = r })
		ctx := lastMoment{context.Background(), func() {
			responder.Reply(context.Background(), &ilp.Fulfill{Fulfillment: fulfillment})
		}}
		if _, err := plugin.Call(ctx, l, newPrepare()); err != nil {
			t.Fatalf("got %v, want the fulfill that had come", err)
		}
	}
}

func TestCallAnsweredTwice(t *testing.T) {
	l := link(func(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) {
		r.Reply(ctx, &ilp.Fulfill{Fulfillment: fulfillment})
		r.Reply(ctx, ilp.Rejectf(ilp.F00BadRequest, "second"))
		r.Fail(ctx, plugin.ErrUnknownOutcome)
	})
	if _, err := plugin.Call(t.Context(), l, newPrepare()); err != nil {
		t.Errorf("got %v, want the first answer", err)
	}
}

// Two answers at once, under the race detector.
func TestCallAnsweredTwiceAtOnce(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			l := link(func(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) {
				for range 2 {
					go r.Reply(ctx, &ilp.Fulfill{Fulfillment: fulfillment})
				}
			})
			if _, err := plugin.Call(t.Context(), l, newPrepare()); err != nil {
				t.Errorf("got %v, want the fulfill", err)
			}
		})
	}
}

// The context of the caller reaches the link, for its burst and its values.
func TestCallPassesTheContext(t *testing.T) {
	burst := plugin.NewBurst(t.Context())
	l := link(func(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) {
		if plugin.BurstFrom(ctx) != burst {
			t.Error("the link does not see the burst of the caller")
		}
		r.Reply(ctx, &ilp.Fulfill{Fulfillment: fulfillment})
	})
	if _, err := plugin.Call(burst.Context(), l, newPrepare()); err != nil {
		t.Error(err)
	}
}
