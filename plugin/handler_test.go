package plugin_test

import (
	"context"
	"errors"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

func TestHandlerFunc(t *testing.T) {
	prepare := newPrepare()
	var reply ilp.Reply
	ctx := plugin.NewBurst(t.Context()).Context()
	h := plugin.HandlerFunc(func(got context.Context, p *ilp.Prepare) ilp.Reply {
		if got != ctx || p != prepare {
			t.Error("the function was given another context or prepare")
		}
		return reply
	})
	for _, reply = range []ilp.Reply{&ilp.Fulfill{}, &ilp.Reject{}} {
		var answers collector
		h.HandlePrepare(ctx, prepare, plugin.NewResponder(&answers, 3))
		if got := answers.one(t); got.reply != reply || got.token != 3 || got.ctx != ctx {
			t.Errorf("got %v, want %v for token 3 with the context of the prepare", got, reply)
		}
	}
}

// A function that breaks its promise does no more harm than one packet.
func TestHandlerFuncWithoutReply(t *testing.T) {
	h := plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply { return nil })
	var answers collector
	h.HandlePrepare(t.Context(), newPrepare(), plugin.NewResponder(&answers, 0))
	if got := answers.one(t); !errors.Is(got.err, plugin.ErrUnknownOutcome) {
		t.Errorf("got %v, want ErrUnknownOutcome", got)
	}
}

func TestHandlerFuncMalformed(t *testing.T) {
	h := plugin.HandlerFunc(nil)
	var answers collector
	h.HandleMalformed(t.Context(), errors.New("ilp: prepare: amount: truncated"), plugin.NewResponder(&answers, 0))
	reject, ok := answers.one(t).reply.(*ilp.Reject)
	if !ok || reject.Code != ilp.F01InvalidPacket || reject.Message != "ilp: prepare: amount: truncated" {
		t.Errorf("got %v, want F01 with what is wrong", reject)
	}
}

func TestHandlerFuncTakesNoMoney(t *testing.T) {
	if err := plugin.HandlerFunc(nil).HandleMoney(t.Context(), plugin.Money{Amount: 1, Key: "k"}); err == nil {
		t.Error("a settlement that nobody books was accepted")
	}
	plugin.HandlerFunc(nil).HandleState(true, nil)
	plugin.HandlerFunc(nil).HandleState(false, errors.New("lost"))
}

func TestHandlerFuncAllocatesNothing(t *testing.T) {
	fulfill := &ilp.Fulfill{}
	var h plugin.Handler = plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply { return fulfill })
	prepare, ctx := newPrepare(), t.Context()
	var replier plugin.Replier = nobody{}
	if n := testing.AllocsPerRun(100, func() { h.HandlePrepare(ctx, prepare, plugin.NewResponder(replier, 0)) }); n > 0 {
		t.Errorf("a prepare allocates %v times", n)
	}
}

// settler is a link with an ability.
type settler struct{ link }

func (settler) SendMoney(context.Context, plugin.Money) error { return nil }

// wrapper hides the abilities of what it wraps, and says what that is.
type wrapper struct{ plugin.Plugin }

func (w wrapper) Unwrap() plugin.Plugin { return w.Plugin }

// settlingWrapper has an ability of its own.
type settlingWrapper struct{ wrapper }

func (settlingWrapper) SendMoney(context.Context, plugin.Money) error { return errors.New("own") }

func TestAs(t *testing.T) {
	opaque := struct{ plugin.Plugin }{settler{}}
	for name, tt := range map[string]struct {
		p    plugin.Plugin
		want bool
	}{
		"itself":             {settler{}, true},
		"wrapped":            {wrapper{settler{}}, true},
		"wrapped twice":      {wrapper{wrapper{settler{}}}, true},
		"without":            {link(nil), false},
		"wrapped, without":   {wrapper{link(nil)}, false},
		"behind an opaque":   {opaque, false},
		"wrapper of nothing": {wrapper{nil}, false},
		"nothing":            {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			sender, ok := plugin.As[plugin.MoneySender](tt.p)
			if ok != tt.want || (sender != nil) != tt.want {
				t.Errorf("got %v and %t, want %t", sender, ok, tt.want)
			}
		})
	}
	sender, ok := plugin.As[plugin.MoneySender](settlingWrapper{wrapper{settler{}}})
	if !ok || sender.SendMoney(t.Context(), plugin.Money{}) == nil {
		t.Error("the ability of the wrapped plugin was preferred to the wrapper's own")
	}
	if _, ok := plugin.As[settler](wrapper{settler{}}); !ok {
		t.Error("a concrete type is not found behind a wrapper")
	}
}
