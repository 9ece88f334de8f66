package middleware_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// threeStages are a, b and c.
func threeStages(d *diary) (a, b, c *stage) {
	return &stage{name: "a", diary: d}, &stage{name: "b", diary: d}, &stage{name: "c", diary: d}
}

func wantEvents(t *testing.T, d *diary, want ...string) {
	t.Helper()
	if got := d.take(); !slices.Equal(got, want) {
		t.Errorf("what happened is\n%v, want\n%v", got, want)
	}
}

func TestPacketMeetsStagesInOrderAndReplyInReverse(t *testing.T) {
	d := new(diary)
	a, b, c := threeStages(d)
	e := &end{diary: d, answer: fulfill1()}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b, c), e)
	wantEvents(t, d, "a prepare", "b prepare", "c prepare", "end", "c reply", "b reply", "a reply", "done")
	if e.got != e.answer {
		t.Errorf("the reply is %v, want the very one that the end gave", e.got)
	}
}

func TestPacketWithoutStages(t *testing.T) {
	d := new(diary)
	e := &end{diary: d, answer: fulfill1()}
	var p middleware.Packet
	p.Run(t.Context(), nil, e)
	wantEvents(t, d, "end", "done")
	if e.got != e.answer {
		t.Errorf("the reply is %v, want the one that the end gave", e.got)
	}
}

// A stage that answers sees no reply, the ones outside of it see one each,
// the ones inside nothing at all.
func TestPacketRefused(t *testing.T) {
	for refusing, want := range [][]string{
		{"a prepare", "done"},
		{"a prepare", "b prepare", "a reply", "done"},
		{"a prepare", "b prepare", "c prepare", "b reply", "a reply", "done"},
	} {
		t.Run(fmt.Sprintf("by stage %d", refusing), func(t *testing.T) {
			d := new(diary)
			a, b, c := threeStages(d)
			refusal := &ilp.Reject{Code: ilp.T04InsufficientLiquidity}
			[]*stage{a, b, c}[refusing].prepare = func(context.Context, *middleware.Packet) ilp.Reply { return refusal }
			e := &end{diary: d, answer: fulfill1()}
			var p middleware.Packet
			p.Run(t.Context(), middleware.NewChain(a, b, c), e)
			wantEvents(t, d, want...)
			if e.got != ilp.Reply(refusal) {
				t.Errorf("the reply is %v, want the refusal", e.got)
			}
		})
	}
}

// A stage may fulfill a packet by itself: it answers as any refusal does.
func TestPacketAnsweredWithFulfill(t *testing.T) {
	d := new(diary)
	a, b, _ := threeStages(d)
	own := fulfill1()
	b.prepare = func(context.Context, *middleware.Packet) ilp.Reply { return own }
	e := &end{diary: d}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b), e)
	wantEvents(t, d, "a prepare", "b prepare", "a reply", "done")
	if e.got != ilp.Reply(own) {
		t.Errorf("the reply is %v, want the stage's own", e.got)
	}
}

func TestReplyReplacesReplyForThoseFurtherOut(t *testing.T) {
	d := new(diary)
	a, b, c := threeStages(d)
	other := &ilp.Reject{Code: ilp.F05WrongCondition}
	seen := make(map[string]ilp.Reply)
	see := func(name string, next ilp.Reply) func(context.Context, *middleware.Packet, ilp.Reply) ilp.Reply {
		return func(_ context.Context, _ *middleware.Packet, reply ilp.Reply) ilp.Reply {
			seen[name] = reply
			if next != nil {
				return next
			}
			return reply
		}
	}
	a.reply, b.reply, c.reply = see("a", nil), see("b", other), see("c", nil)
	e := &end{diary: d, answer: fulfill1()}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b, c), e)
	if seen["c"] != e.answer || seen["b"] != e.answer {
		t.Errorf("c saw %v and b %v, want the end's answer", seen["c"], seen["b"])
	}
	if seen["a"] != ilp.Reply(other) || e.got != ilp.Reply(other) {
		t.Errorf("a saw %v and the end %v, want b's answer", seen["a"], e.got)
	}
}

// nil from Reply is no answer: the one there is stays.
func TestNilFromReplyKeepsReply(t *testing.T) {
	d := new(diary)
	a, b, _ := threeStages(d)
	b.reply = func(context.Context, *middleware.Packet, ilp.Reply) ilp.Reply { return nil }
	e := &end{diary: d, answer: fulfill1()}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b), e)
	wantEvents(t, d, "a prepare", "b prepare", "end", "b reply", "a reply", "done")
	if e.got != e.answer {
		t.Errorf("the reply is %v, want the end's answer", e.got)
	}
}

// What a stage changes, those behind it see, and the reply's way back too.
func TestPacketCarriesChanges(t *testing.T) {
	d := new(diary)
	a, b, _ := threeStages(d)
	a.prepare = func(_ context.Context, p *middleware.Packet) ilp.Reply {
		p.Prepare.Amount /= 2
		return nil
	}
	var amounts []uint64
	b.prepare = func(_ context.Context, p *middleware.Packet) ilp.Reply {
		amounts = append(amounts, p.Prepare.Amount)
		return nil
	}
	a.reply = func(_ context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
		amounts = append(amounts, p.Prepare.Amount)
		return reply
	}
	p := middleware.Packet{Prepare: prepare(100)}
	p.Run(t.Context(), middleware.NewChain(a, b), &end{diary: d, answer: fulfill1()})
	if !slices.Equal(amounts, []uint64{50, 50}) {
		t.Errorf("the amounts were %v, want 50 both times", amounts)
	}
}

// The context of the call goes to the hooks of its direction: the one of Run
// forward, the one of Answer backward.
func TestPacketPassesContext(t *testing.T) {
	type key struct{}
	d := new(diary)
	a := &stage{name: "a", diary: d}
	var there, back any
	a.prepare = func(ctx context.Context, _ *middleware.Packet) ilp.Reply {
		there = ctx.Value(key{})
		return nil
	}
	a.reply = func(ctx context.Context, _ *middleware.Packet, reply ilp.Reply) ilp.Reply {
		back = ctx.Value(key{})
		return reply
	}
	var p middleware.Packet
	p.Run(context.WithValue(t.Context(), key{}, "there"), middleware.NewChain(a), &end{diary: d})
	p.Answer(context.WithValue(t.Context(), key{}, "back"), fulfill1())
	if there != "there" || back != "back" {
		t.Errorf("the hooks have seen %v and %v", there, back)
	}
}

// A packet may be answered long after Run has returned.
func TestPacketAnsweredLater(t *testing.T) {
	d := new(diary)
	a, b, _ := threeStages(d)
	e := &end{diary: d}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b), e)
	wantEvents(t, d, "a prepare", "b prepare", "end")
	p.Answer(t.Context(), fulfill1())
	wantEvents(t, d, "b reply", "a reply", "done")
}

func TestLateTellsObserversInnermostFirst(t *testing.T) {
	d := new(diary)
	a, b, c := &observer{stage{name: "a", diary: d}}, &stage{name: "b", diary: d}, &observer{stage{name: "c", diary: d}}
	e := &end{diary: d}
	var p middleware.Packet
	p.Run(t.Context(), middleware.NewChain(a, b, c), e)
	p.Answer(t.Context(), &ilp.Reject{Code: ilp.R00TransferTimedOut})
	d.take()
	got := e.got
	p.Late(fulfill1())
	wantEvents(t, d, "c late", "a late")
	if e.got != got {
		t.Errorf("the reply became %v", e.got)
	}
}

func TestValues(t *testing.T) {
	type key1 struct{}
	type key2 struct{}
	var p middleware.Packet
	if got := p.Value(key1{}); got != nil {
		t.Errorf("Value of a key that was not set = %v, want nil", got)
	}
	p.Set(key1{}, 1)
	p.Set(key2{}, 2)
	p.Set(key1{}, 3)
	if got1, got2 := p.Value(key1{}), p.Value(key2{}); got1 != 3 || got2 != 2 {
		t.Errorf("the values are %v and %v, want 3 and 2: Set replaces", got1, got2)
	}
	p.Reset()
	if got1, got2 := p.Value(key1{}), p.Value(key2{}); got1 != nil || got2 != nil {
		t.Errorf("after Reset the values are %v and %v, want nil", got1, got2)
	}
}

// A packet is used for ever: it must not grow with what was set on it.
func TestValuesTakeNoMoreRoomThanTheirKeys(t *testing.T) {
	type key struct{}
	value := new(int)
	for name, again := range map[string]func(p *middleware.Packet){
		"set again":   func(*middleware.Packet) {},
		"after Reset": (*middleware.Packet).Reset,
	} {
		var p middleware.Packet
		if n := testing.AllocsPerRun(1, func() {
			for range 10_000 {
				p.Set(key{}, value)
				again(&p)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations in 10000 calls of Set, want none", name, n)
		}
	}
}

// What Prepare sets, the Reply of the same packet finds.
func TestValuesLiveFromPrepareToReply(t *testing.T) {
	type key struct{}
	d := new(diary)
	a := &stage{name: "a", diary: d}
	a.prepare = func(_ context.Context, p *middleware.Packet) ilp.Reply {
		p.Set(key{}, p.Prepare.Amount)
		return nil
	}
	var found any
	a.reply = func(_ context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
		found = p.Value(key{})
		return reply
	}
	p := middleware.Packet{Prepare: prepare(77)}
	p.Run(t.Context(), middleware.NewChain(a), &end{diary: d, answer: fulfill1()})
	if found != uint64(77) {
		t.Errorf("Reply found %v, want what Prepare has set", found)
	}
}

func TestResetEmptiesPacket(t *testing.T) {
	d := new(diary)
	a := &observer{stage{name: "a", diary: d}}
	p := middleware.Packet{
		Prepare: prepare(5), Source: &account.Account{}, Destination: &account.Account{},
		DestinationAmount: 7, Received: start, Deadline: start, Latency: 1, NextHopReply: fulfill1(),
	}
	p.Run(t.Context(), middleware.NewChain(a), &end{diary: d, answer: fulfill1()})
	p.Hold()
	d.take()
	p.Reset()
	if p.Prepare.Amount != 0 || !p.Prepare.Destination.IsZero() || p.Source != nil || p.Destination != nil ||
		p.DestinationAmount != 0 || !p.Received.IsZero() || !p.Deadline.IsZero() || p.Latency != 0 ||
		p.NextHopReply != nil || p.WasHeld() {
		t.Errorf("Reset leaves %+v", &p)
	}
	p.Late(fulfill1())
	wantEvents(t, d) // the stages are gone

	e := &end{diary: d, answer: fulfill1()}
	p.Run(t.Context(), middleware.NewChain(a), e)
	wantEvents(t, d, "a prepare", "end", "a reply", "done")
}

func TestPacketAllocatesNothing(t *testing.T) {
	type key struct{}
	value := new(int)
	set := middleware.PrepareFunc(func(_ context.Context, p *middleware.Packet) ilp.Reply {
		p.Set(key{}, value)
		return nil
	})
	keep := middleware.ReplyFunc(func(_ context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
		if p.Value(key{}) != value {
			t.Error("the value is lost")
		}
		return reply
	})
	stages := middleware.NewChain(set, keep, set)
	e := &quietEnd{reply: fulfill1()}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		e.packet.Reset()
		e.packet.Run(ctx, stages, e)
	}); n != 0 {
		t.Errorf("%v allocations for each packet, want none", n)
	}
}

// quietEnd is an end that keeps no diary.
type quietEnd struct {
	packet middleware.Packet
	reply  ilp.Reply
}

func (e *quietEnd) Pass(ctx context.Context, p *middleware.Packet)      { p.Answer(ctx, e.reply) }
func (e *quietEnd) Done(context.Context, *middleware.Packet, ilp.Reply) {}
