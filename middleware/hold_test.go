package middleware_test

import (
	"context"
	"sync"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// holding makes the hooks of s take a Hold and put it in the place that is
// given, nil for a hook that holds nothing.
func holding(s *stage, inPrepare, inReply *middleware.Hold) {
	if inPrepare != nil {
		s.prepare = func(_ context.Context, p *middleware.Packet) ilp.Reply {
			*inPrepare = p.Hold()
			return middleware.Held
		}
	}
	if inReply != nil {
		s.reply = func(_ context.Context, p *middleware.Packet, _ ilp.Reply) ilp.Reply {
			*inReply = p.Hold()
			return middleware.Held
		}
	}
}

func TestHeldInPreparePasses(t *testing.T) {
	d := new(diary)
	a, b, c := threeStages(d)
	var hold middleware.Hold
	holding(b, &hold, nil)
	e := &end{diary: d, answer: fulfill1()}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b, c), e)
	wantEvents(t, d, "a prepare", "b prepare")
	if !p.WasHeld() {
		t.Error("WasHeld is false")
	}
	if !hold.Pass(t.Context()) {
		t.Error("Pass reports that the hold was used")
	}
	wantEvents(t, d, "c prepare", "end", "c reply", "b reply", "a reply", "done")
}

// The answer by which a hold ends is the stage's own: its Reply is not called.
func TestHeldInPrepareAnswers(t *testing.T) {
	d := new(diary)
	a, b, c := threeStages(d)
	var hold middleware.Hold
	holding(b, &hold, nil)
	e := &end{diary: d}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b, c), e)
	d.take()
	refusal := &ilp.Reject{Code: ilp.T04InsufficientLiquidity}
	if !hold.Answer(t.Context(), refusal) {
		t.Error("Answer reports that the hold was used")
	}
	wantEvents(t, d, "a reply", "done")
	if e.got != ilp.Reply(refusal) {
		t.Errorf("the reply is %v, want the refusal", e.got)
	}
}

func TestHeldInReplyAnswers(t *testing.T) {
	d := new(diary)
	a, b, c := threeStages(d)
	var hold middleware.Hold
	holding(b, nil, &hold)
	e := &end{diary: d, answer: fulfill1()}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b, c), e)
	wantEvents(t, d, "a prepare", "b prepare", "c prepare", "end", "c reply", "b reply")
	other := &ilp.Reject{Code: ilp.T00InternalError}
	if !hold.Answer(t.Context(), other) {
		t.Error("Answer reports that the hold was used")
	}
	wantEvents(t, d, "a reply", "done")
	if e.got != ilp.Reply(other) {
		t.Errorf("the reply is %v, want the one given to Answer", e.got)
	}
}

// Each stage may hold a packet on both ways.
func TestHeldByEveryStage(t *testing.T) {
	d := new(diary)
	a, b, _ := threeStages(d)
	var hold middleware.Hold
	holding(a, &hold, &hold)
	holding(b, &hold, &hold)
	e := &end{diary: d, answer: fulfill1()}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b), e)
	hold.Pass(t.Context())
	wantEvents(t, d, "a prepare", "b prepare")
	hold.Pass(t.Context())
	wantEvents(t, d, "end", "b reply")
	hold.Answer(t.Context(), e.answer)
	wantEvents(t, d, "a reply")
	hold.Answer(t.Context(), e.answer)
	wantEvents(t, d, "done")
}

func TestHoldIsUsedOnce(t *testing.T) {
	for name, first := range map[string]func(h middleware.Hold) bool{
		"passed":   func(h middleware.Hold) bool { return h.Pass(context.Background()) },
		"answered": func(h middleware.Hold) bool { return h.Answer(context.Background(), fulfill1()) },
	} {
		t.Run(name, func(t *testing.T) {
			d := new(diary)
			a := &stage{name: "a", diary: d}
			var hold middleware.Hold
			holding(a, &hold, nil)
			var p middleware.Packet
			p.Run(t.Context(), middleware.NewChain(a), &end{diary: d, answer: fulfill1()})
			if !first(hold) {
				t.Error("the first use reports that the hold was used")
			}
			d.take()
			if hold.Pass(t.Context()) || hold.Answer(t.Context(), fulfill1()) {
				t.Error("a used hold reports that it did something")
			}
			wantEvents(t, d)
		})
	}
}

// A used hold stays used for the packets that come after it in the same
// Packet, those that are held included.
func TestUsedHoldDoesNotTouchLaterPackets(t *testing.T) {
	d := new(diary)
	a := &stage{name: "a", diary: d}
	var hold middleware.Hold
	holding(a, &hold, nil)
	e := &end{diary: d, answer: fulfill1()}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a), e)
	used := hold
	used.Pass(t.Context())
	p.Reset()
	if p.WasHeld() {
		t.Error("WasHeld is true for a new packet")
	}
	p.Run(t.Context(), middleware.NewChain(a), e)
	d.take()
	if used.Pass(t.Context()) {
		t.Error("a hold on the former packet reports that it did something")
	}
	wantEvents(t, d)
	if !hold.Pass(t.Context()) {
		t.Error("the hold on this packet reports that it was used")
	}
	wantEvents(t, d, "end", "a reply", "done")
}

// Of two goroutines that use a hold at the same time, one succeeds.
func TestHoldRace(t *testing.T) {
	for range 100 {
		d := new(diary)
		a := &stage{name: "a", diary: d}
		var hold middleware.Hold
		holding(a, nil, &hold)
		e := &end{diary: d, answer: fulfill1()}
		var p middleware.Packet
		p.Run(t.Context(), middleware.NewChain(a), e)
		d.take()
		var users sync.WaitGroup
		var good [2]bool
		for i := range good {
			users.Go(func() { good[i] = hold.Answer(context.Background(), e.answer) })
		}
		users.Wait()
		if good[0] == good[1] {
			t.Fatalf("the uses report %v, want one true", good)
		}
		wantEvents(t, d, "done")
	}
}

// A hold may be used before the hook that took it has returned, from another
// goroutine: the packet may be done, and be used for another, by the time the
// hook gives Held. Run it with -race.
func TestHoldUsedBeforeHookReturns(t *testing.T) {
	d := new(diary)
	early := func(use func(h middleware.Hold)) func(p *middleware.Packet) ilp.Reply {
		return func(p *middleware.Packet) ilp.Reply {
			hold := p.Hold()
			var user sync.WaitGroup
			user.Go(func() { use(hold) })
			user.Wait()
			return middleware.Held
		}
	}
	a, b, c := threeStages(d)
	b.prepare = func(_ context.Context, p *middleware.Packet) ilp.Reply {
		return early(func(h middleware.Hold) { h.Pass(context.Background()) })(p)
	}
	b.reply = func(_ context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
		return early(func(h middleware.Hold) { h.Answer(context.Background(), reply) })(p)
	}
	e := &reusingEnd{end: end{diary: d, answer: fulfill1()}}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b, c), e)
	wantEvents(t, d, "a prepare", "b prepare", "c prepare", "end", "c reply", "b reply", "a reply", "done")
	if e.got != e.answer {
		t.Errorf("the reply is %v, want the end's answer", e.got)
	}
}

// reusingEnd resets the packet when it is done, as a connector does.
type reusingEnd struct{ end }

func (e *reusingEnd) Done(ctx context.Context, p *middleware.Packet, reply ilp.Reply) {
	e.end.Done(ctx, p, reply)
	p.Reset()
}

// Two calls in one hook are one hold.
func TestHoldTakenTwice(t *testing.T) {
	d := new(diary)
	a := &stage{name: "a", diary: d}
	var first, second middleware.Hold
	a.prepare = func(_ context.Context, p *middleware.Packet) ilp.Reply {
		first, second = p.Hold(), p.Hold()
		return middleware.Held
	}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a), &end{diary: d, answer: fulfill1()})
	if !second.Pass(t.Context()) || first.Pass(t.Context()) {
		t.Error("want the one use to succeed and the other to fail")
	}
	wantEvents(t, d, "a prepare", "end", "a reply", "done")
}

// A hook that takes a hold and then lets the packet go on, or answers it, has
// none: nobody is able to send the packet on a second time, and the next one
// that holds it does so as usual.
func TestHoldThatWasNotGivenIsVoid(t *testing.T) {
	refusal := &ilp.Reject{Code: ilp.T03ConnectorBusy}
	for _, c := range []struct {
		name  string
		gives ilp.Reply // by Prepare
		want  []string
	}{
		{"passed", nil, []string{"a prepare", "b prepare"}},
		{"answered", refusal, []string{"a prepare", "done"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := new(diary)
			a, b, _ := threeStages(d)
			var dropped, hold middleware.Hold
			a.prepare = func(_ context.Context, p *middleware.Packet) ilp.Reply {
				dropped = p.Hold()
				return c.gives
			}
			holding(b, &hold, nil)
			var p middleware.Packet
			e := &end{diary: d, answer: fulfill1()}
			p.Run(t.Context(), middleware.NewChain(a, b), e)
			wantEvents(t, d, c.want...)
			if dropped.Pass(t.Context()) || dropped.Answer(t.Context(), refusal) {
				t.Error("a void hold reports that it did something")
			}
			wantEvents(t, d)

			p.Reset()
			p.Run(t.Context(), middleware.NewChain(b), e)
			d.take()
			if !hold.Pass(t.Context()) {
				t.Error("a good hold reports that it was used")
			}
			wantEvents(t, d, "end", "b reply", "done")
		})
	}
}

func TestHoldThatWasNotGivenIsVoidInReply(t *testing.T) {
	d := new(diary)
	a, b, _ := threeStages(d)
	var dropped, hold middleware.Hold
	b.reply = func(_ context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
		dropped = p.Hold()
		return reply
	}
	holding(a, nil, &hold)
	e := &end{diary: d, answer: fulfill1()}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b), e)
	d.take()
	if dropped.Answer(t.Context(), fulfill1()) {
		t.Error("a void hold reports that it did something")
	}
	wantEvents(t, d)
	if !hold.Answer(t.Context(), e.answer) {
		t.Error("a good hold reports that it was used")
	}
	wantEvents(t, d, "done")
}

func TestZeroHoldDoesNothing(t *testing.T) {
	var hold middleware.Hold
	if hold.Pass(t.Context()) || hold.Answer(t.Context(), fulfill1()) {
		t.Error("the zero Hold reports that it did something")
	}
}

// A held packet goes on with the context it is let go with.
func TestHoldPassesContext(t *testing.T) {
	type key struct{}
	d := new(diary)
	a, b, _ := threeStages(d)
	var hold middleware.Hold
	holding(a, &hold, nil)
	var seen any
	b.prepare = func(ctx context.Context, _ *middleware.Packet) ilp.Reply {
		seen = ctx.Value(key{})
		return nil
	}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b), &end{diary: d})
	hold.Pass(context.WithValue(t.Context(), key{}, "later"))
	if seen != "later" {
		t.Errorf("the next hook has seen %v, want the context given to Pass", seen)
	}
}
