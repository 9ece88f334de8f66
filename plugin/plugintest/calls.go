package plugintest

import (
	"context"
	"fmt"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

func checkNested(p *pair) error {
	// A prepare is answered with the answer to one that is sent back, as a
	// connector would relay it.
	p.far.witness.take = func(ctx context.Context, prepare *ilp.Prepare, r plugin.Responder) {
		back := newPrepare(number(prepare), 300)
		relay := plugin.ReplyFunc(func(ctx context.Context, reply ilp.Reply, err error) {
			if reply == nil {
				r.Fail(ctx, err)
				return
			}
			r.Reply(ctx, reply)
		})
		p.far.plugin.SendPrepare(ctx, &back, plugin.NewResponder(relay, 0))
	}
	p.near.witness.take = func(ctx context.Context, prepare *ilp.Prepare, r plugin.Responder) {
		respondHere(ctx, r, replyTo(number(prepare)))
	}
	type early struct {
		s *side
		a *answer
	}
	told := make(chan early, len(p.order))
	for _, s := range p.order {
		s.witness.onState = func(bool) {
			prepare := newPrepare(many, 300)
			a := s.sendHere(context.Background(), &prepare)
			select {
			case told <- early{s, a}:
			default:
			}
		}
	}
	if err := p.connect(); err != nil {
		return err
	}
	for range p.order {
		var sent early
		if err := within(p.timeout, "SendPrepare during HandleState", func() { sent = <-told }); err != nil {
			return err
		}
		if err := sent.s.await(sent.a); err != nil { // whatever the answer is
			return fmt.Errorf("a packet sent during HandleState: %w", err)
		}
	}
	for n := range uint64(10) {
		prepare := newPrepare(n, 300)
		a, err := p.near.send(context.Background(), &prepare)
		if err != nil {
			return err
		}
		if err := p.wantReplies(a); err != nil {
			return err
		}
	}
	return nil
}

func checkBurst(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	burst := plugin.NewBurst(context.Background())
	type key struct{}
	contexts := []context.Context{burst.Context(), context.WithValue(burst.Context(), key{}, "derived"), burst.Context()}
	contexts = contexts[:p.window(len(contexts))]
	for round := range uint64(3) { // a burst is used again and again
		var sent []*answer
		err := within(p.timeout, p.near.name+": a burst", func() {
			for i, ctx := range contexts {
				prepare := newPrepare(100*round+uint64(i), 300)
				sent = append(sent, p.near.sendHere(ctx, &prepare))
			}
			burst.Flush()
		})
		if err != nil {
			return err
		}
		got, err := p.far.take(len(sent))
		if err != nil {
			return fmt.Errorf("after Flush: %w", err)
		}
		err = within(p.timeout, p.far.name+": a burst of replies", func() {
			replies := plugin.NewBurst(context.Background())
			for i := range got {
				respondHere(replies.Context(), got[i].Responder, replyTo(number(&got[i].Prepare)))
			}
			replies.Flush()
		})
		if err != nil {
			return err
		}
		if err := p.wantReplies(sent...); err != nil {
			return fmt.Errorf("after Flush: %w", err)
		}
	}
	return p.checkDetached(burst)
}

// checkDetached sends and answers without the bursts that are open.
func (p *pair) checkDetached(burst *plugin.Burst) error {
	prepare := newPrepare(1, 300)
	a, err := p.near.send(plugin.Detach(burst.Context()), &prepare)
	if err != nil {
		return err
	}
	got, err := p.far.take(1)
	if err != nil {
		return fmt.Errorf("without a burst: %w", err)
	}
	if err := p.far.respond(got[0].Responder, replyTo(1)); err != nil {
		return err
	}
	return p.wantReplies(a)
}

func checkContext(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for n := range uint64(2) {
		prepare := newPrepare(n, 300)
		a, err := p.near.send(ctx, &prepare)
		if err != nil {
			return err
		}
		cancel() // after the first packet was sent, and before the second one is
		got, err := p.far.take(1)
		if err != nil {
			return err
		}
		if err := p.far.respond(got[0].Responder, replyTo(n)); err != nil {
			return err
		}
		if err := p.wantReplies(a); err != nil {
			return err
		}
	}
	return nil
}
