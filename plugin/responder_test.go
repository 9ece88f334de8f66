package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

func TestResponder(t *testing.T) {
	broken := errors.New("broken pipe")
	fulfill, reject := &ilp.Fulfill{}, &ilp.Reject{}
	for name, tt := range map[string]struct {
		answer func(ctx context.Context, r plugin.Responder)
		reply  ilp.Reply
		err    error
	}{
		"fulfill":   {func(ctx context.Context, r plugin.Responder) { r.Reply(ctx, fulfill) }, fulfill, nil},
		"reject":    {func(ctx context.Context, r plugin.Responder) { r.Reply(ctx, reject) }, reject, nil},
		"no reply":  {func(ctx context.Context, r plugin.Responder) { r.Reply(ctx, nil) }, nil, plugin.ErrUnknownOutcome},
		"failure":   {func(ctx context.Context, r plugin.Responder) { r.Fail(ctx, broken) }, nil, broken},
		"no reason": {func(ctx context.Context, r plugin.Responder) { r.Fail(ctx, nil) }, nil, plugin.ErrUnknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			var answers collector
			ctx := plugin.NewBurst(t.Context()).Context()
			tt.answer(ctx, plugin.NewResponder(&answers, 1<<63+5))
			got := answers.one(t)
			if got.ctx != ctx || got.token != 1<<63+5 {
				t.Errorf("got context %v and token %d, want those that were given", got.ctx, got.token)
			}
			if got.reply != tt.reply || got.err != tt.err {
				t.Errorf("got %v and %v, want %v and %v", got.reply, got.err, tt.reply, tt.err)
			}
		})
	}
}

func TestReplyFunc(t *testing.T) {
	var got answer
	f := plugin.ReplyFunc(func(ctx context.Context, reply ilp.Reply, err error) {
		got = answer{ctx: ctx, reply: reply, err: err}
	})
	fulfill := &ilp.Fulfill{}
	plugin.NewResponder(f, 9).Reply(t.Context(), fulfill)
	if got.reply != ilp.Reply(fulfill) || got.err != nil || got.ctx != t.Context() {
		t.Errorf("got %v, want the fulfill and its context", got)
	}
	plugin.NewResponder(f, 9).Fail(t.Context(), plugin.ErrBusy)
	if got.reply != nil || got.err != plugin.ErrBusy {
		t.Errorf("got %v, want ErrBusy", got)
	}
}

// nobody takes answers and does nothing.
type nobody struct{}

func (nobody) Reply(context.Context, uint64, ilp.Reply, error) {}

// claimer is a Replier that gives up what has no even token.
type claimer struct{ nobody }

func (claimer) Claim(token uint64) bool { return token%2 == 0 }

// Claim asks who can give up, and nobody else.
func TestClaim(t *testing.T) {
	for name, test := range map[string]struct {
		r    plugin.Responder
		want bool
	}{
		"in time":               {plugin.NewResponder(claimer{}, 2), true},
		"given up":              {plugin.NewResponder(claimer{}, 3), false},
		"a Replier that waits":  {plugin.NewResponder(nobody{}, 3), true},
		"the zero of Responder": {plugin.Responder{}, true},
	} {
		if got := test.r.Claim(); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}

func TestResponderAllocatesNothing(t *testing.T) {
	fulfill := &ilp.Fulfill{}
	var replier plugin.Replier = nobody{}
	ctx := t.Context()
	n := testing.AllocsPerRun(100, func() {
		plugin.NewResponder(replier, 1).Reply(ctx, fulfill)
		plugin.NewResponder(replier, 2).Fail(ctx, nil)
	})
	if n > 0 {
		t.Errorf("two answers allocate %v times", n)
	}
}

// What a connector may do next hangs on these.
func TestErrorsSayWhetherItWasSent(t *testing.T) {
	for _, tt := range []struct {
		err                             error
		notSent, notConnected, busy, is bool // is: ErrUnknownOutcome
	}{
		{err: plugin.ErrNotSent, notSent: true},
		{err: plugin.ErrNotConnected, notSent: true, notConnected: true},
		{err: plugin.ErrBusy, notSent: true, busy: true},
		{err: plugin.ErrUnknownOutcome, is: true},
		{err: errors.New("broken pipe")},
	} {
		for _, err := range []error{tt.err, fmt.Errorf("btp: alice: %w", tt.err), errors.Join(errors.New("first"), tt.err)} {
			for sentinel, want := range map[error]bool{
				plugin.ErrNotSent:        tt.notSent,
				plugin.ErrNotConnected:   tt.notConnected,
				plugin.ErrBusy:           tt.busy,
				plugin.ErrUnknownOutcome: tt.is,
			} {
				if got := errors.Is(err, sentinel); got != want {
					t.Errorf("%q is %q: %t, want %t", err, sentinel, got, want)
				}
			}
		}
	}
}
