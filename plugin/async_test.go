package plugin_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// untilCancelled is a round trip that ends with its context.
func untilCancelled(ctx context.Context, _ *ilp.Prepare) (ilp.Reply, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAsyncAnswers(t *testing.T) {
	broken := errors.New("broken pipe")
	reject := ilp.Rejectf(ilp.F02Unreachable, "no route")
	fulfill := &ilp.Fulfill{Fulfillment: fulfillment}
	for name, tt := range map[string]struct {
		reply ilp.Reply // that the round trip returns
		err   error
		want  ilp.Reply
		is    error
	}{
		"fulfill":           {reply: fulfill, want: fulfill},
		"reject":            {reply: reject, want: reject},
		"error":             {err: broken, is: broken},
		"nothing":           {is: plugin.ErrUnknownOutcome},
		"error and a reply": {reply: fulfill, err: plugin.ErrNotSent, is: plugin.ErrNotSent},
	} {
		t.Run(name, func(t *testing.T) {
			a := plugin.NewAsync(1, func(context.Context, *ilp.Prepare) (ilp.Reply, error) { return tt.reply, tt.err })
			var answers collector
			a.SendPrepare(t.Context(), newPrepare(), plugin.NewResponder(&answers, 7))
			a.Close()
			got := answers.one(t)
			if got.token != 7 || got.reply != tt.want || !errors.Is(got.err, tt.is) {
				t.Errorf("got %v, want %v and %v for token 7", got, tt.want, tt.is)
			}
		})
	}
}

// The struct is the caller's when SendPrepare returns.
func TestAsyncCopiesThePrepare(t *testing.T) {
	release := make(chan struct{})
	a := plugin.NewAsync(1, func(_ context.Context, p *ilp.Prepare) (ilp.Reply, error) {
		<-release
		return &ilp.Fulfill{Data: p.Data}, nil
	})
	var answers collector
	prepare := newPrepare()
	a.SendPrepare(t.Context(), prepare, plugin.NewResponder(&answers, 0))
	*prepare = ilp.Prepare{}
	close(release)
	a.Close()
	if got, ok := answers.one(t).reply.(*ilp.Fulfill); !ok || string(got.Data) != "hello" {
		t.Errorf("got %v, want the data of the prepare that was sent", got)
	}
}

func TestAsyncLimit(t *testing.T) {
	for _, limit := range []int{1, 3, 0, -1} {
		synctest.Test(t, func(t *testing.T) {
			a := plugin.NewAsync(limit, untilCancelled)
			var waiting, refused collector
			for range max(limit, 1) {
				a.SendPrepare(t.Context(), newPrepare(), plugin.NewResponder(&waiting, 0))
			}
			a.SendPrepare(t.Context(), newPrepare(), plugin.NewResponder(&refused, 0))
			if err := refused.one(t).err; !errors.Is(err, plugin.ErrBusy) {
				t.Errorf("limit %d: got %v beyond it, want ErrBusy at once", limit, err)
			}
			synctest.Wait()
			if early := waiting.take(); len(early) > 0 {
				t.Errorf("limit %d: %v came before the round trips had ended", limit, early)
			}
			a.Close()
		})
	}
}

// Whoever gets an answer may send again at once: the place is free by then.
func TestAsyncHasRoomAfterEachAnswer(t *testing.T) {
	a := plugin.NewAsync(1, func(context.Context, *ilp.Prepare) (ilp.Reply, error) {
		return &ilp.Fulfill{Fulfillment: fulfillment}, nil
	})
	l := link(a.SendPrepare)
	for range 1000 {
		if _, err := plugin.Call(t.Context(), l, newPrepare()); err != nil {
			t.Fatal(err)
		}
	}
	inner := make(chan error, 1)
	a.SendPrepare(t.Context(), newPrepare(), plugin.NewResponder(plugin.ReplyFunc(func(ctx context.Context, _ ilp.Reply, _ error) {
		_, err := plugin.Call(ctx, l, newPrepare())
		inner <- err
	}), 0))
	if err := <-inner; err != nil {
		t.Errorf("sent by whoever takes an answer: %v", err)
	}
	a.Close()
}

func TestAsyncEndsAtTheExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prepare := newPrepare()
		a := plugin.NewAsync(1, func(ctx context.Context, p *ilp.Prepare) (ilp.Reply, error) {
			if deadline, ok := ctx.Deadline(); !ok || !deadline.Equal(prepare.ExpiresAt) {
				t.Errorf("the deadline of the round trip is %v, want the expiry %v", deadline, prepare.ExpiresAt)
			}
			return untilCancelled(ctx, p)
		})
		var answers collector
		a.SendPrepare(t.Context(), prepare, plugin.NewResponder(&answers, 0))
		time.Sleep(time.Second - time.Nanosecond)
		synctest.Wait()
		if early := answers.take(); len(early) > 0 {
			t.Errorf("%v came before the expiry", early)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if err := answers.one(t).err; !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, plugin.ErrNotSent) {
			t.Errorf("got %v, want context.DeadlineExceeded, which is an unknown outcome", err)
		}
		a.Close()
	})
}

// The context of SendPrepare is no deadline, and its burst ends with the call.
func TestAsyncDetachesTheContext(t *testing.T) {
	type key struct{}
	check := func(who string, ctx context.Context) {
		if plugin.BurstFrom(ctx) != nil {
			t.Errorf("%s sees the burst, which belongs to another goroutine", who)
		}
		if ctx.Value(key{}) != "trace" {
			t.Errorf("%s does not see the values of the caller's context", who)
		}
		if ctx.Err() != nil {
			t.Errorf("%s sees the end of the caller's context", who)
		}
	}
	release := make(chan struct{})
	a := plugin.NewAsync(1, func(ctx context.Context, _ *ilp.Prepare) (ilp.Reply, error) {
		<-release
		check("the round trip", ctx)
		return &ilp.Fulfill{}, nil
	})
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "trace"))
	burst := plugin.NewBurst(ctx)
	answered := make(chan struct{})
	a.SendPrepare(burst.Context(), newPrepare(), plugin.NewResponder(plugin.ReplyFunc(func(ctx context.Context, _ ilp.Reply, _ error) {
		check("the answer", ctx)
		close(answered)
	}), 0))
	cancel()
	close(release)
	<-answered
	a.Close()
}

// What is answered during the call joins the burst that the call is part of.
func TestAsyncRefusesWithinTheBurst(t *testing.T) {
	a := plugin.NewAsync(1, untilCancelled)
	a.Close()
	burst := plugin.NewBurst(t.Context())
	var answers collector
	a.SendPrepare(burst.Context(), newPrepare(), plugin.NewResponder(&answers, 0))
	if plugin.BurstFrom(answers.one(t).ctx) != burst {
		t.Error("the answer lost the burst of the call")
	}
}

func TestAsyncCloseCancelsAndWaits(t *testing.T) {
	var under atomic.Int32
	a := plugin.NewAsync(10, func(ctx context.Context, p *ilp.Prepare) (ilp.Reply, error) {
		under.Add(1)
		defer under.Add(-1)
		return untilCancelled(ctx, p)
	})
	prepare := newPrepare()
	prepare.ExpiresAt = time.Now().Add(time.Hour)
	var answers collector
	for range 10 {
		a.SendPrepare(t.Context(), prepare, plugin.NewResponder(&answers, 0))
	}
	var closing sync.WaitGroup
	for range 3 { // each call of Close waits
		closing.Go(func() {
			a.Close()
			if n := under.Load(); n > 0 {
				t.Errorf("Close returned while %d round trips were under way", n)
			}
		})
	}
	closing.Wait()
	got := answers.take()
	if len(got) != 10 {
		t.Errorf("%d packets were answered when Close had returned, want 10", len(got))
	}
	for _, x := range got {
		if !errors.Is(x.err, context.Canceled) || errors.Is(x.err, plugin.ErrNotSent) {
			t.Errorf("got %v, want context.Canceled, which is an unknown outcome", x.err)
		}
	}
	a.Close()
}

// Close does not take away a reply that has come in spite of it.
func TestAsyncCloseKeepsReplies(t *testing.T) {
	a := plugin.NewAsync(1, func(ctx context.Context, _ *ilp.Prepare) (ilp.Reply, error) {
		<-ctx.Done()
		return &ilp.Fulfill{Fulfillment: fulfillment}, nil
	})
	prepare := newPrepare()
	prepare.ExpiresAt = time.Now().Add(time.Hour)
	var answers collector
	a.SendPrepare(t.Context(), prepare, plugin.NewResponder(&answers, 0))
	a.Close()
	if got := answers.one(t); got.reply == nil {
		t.Errorf("got %v, want the fulfill", got.err)
	}
}

func TestAsyncAfterClose(t *testing.T) {
	a := plugin.NewAsync(1, func(context.Context, *ilp.Prepare) (ilp.Reply, error) {
		t.Error("a round trip began after Close")
		return nil, nil
	})
	a.Close()
	var answers collector
	var sending sync.WaitGroup
	for range 10 { // more than the limit: it is closed, not busy
		sending.Go(func() { a.SendPrepare(t.Context(), newPrepare(), plugin.NewResponder(&answers, 0)) })
	}
	sending.Wait()
	got := answers.take()
	if len(got) != 10 {
		t.Errorf("%d packets were answered, want 10", len(got))
	}
	for _, x := range got {
		if !errors.Is(x.err, plugin.ErrNotSent) || !errors.Is(x.err, net.ErrClosed) {
			t.Errorf("got %v, want an error that wraps ErrNotSent and net.ErrClosed", x.err)
		}
	}
}

// Every packet is answered once, whatever Close meets.
func TestAsyncCloseWhileSending(t *testing.T) {
	for range 50 {
		a := plugin.NewAsync(4, untilCancelled)
		prepare := newPrepare()
		prepare.ExpiresAt = time.Now().Add(time.Hour)
		var answers collector
		var sending sync.WaitGroup
		for range 4 {
			sending.Go(func() {
				for range 10 {
					a.SendPrepare(context.Background(), prepare, plugin.NewResponder(&answers, 0))
				}
			})
		}
		a.Close()
		sending.Wait()
		a.Close()
		if n := len(answers.take()); n != 40 {
			t.Fatalf("%d answers came for 40 packets", n)
		}
	}
}
