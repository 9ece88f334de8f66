package plugintest

import (
	"context"
	"fmt"

	"github.com/interledger-go/connector/ilp"
)

func checkCallerReuses(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	n := p.window(many)
	sent := make([]*answer, n)
	err := within(p.timeout, p.near.name+": SendPrepare", func() {
		var mine ilp.Prepare
		for i := range sent {
			mine = newPrepare(uint64(i), 300)
			a, r := p.near.sent.expect(mine)
			sent[i] = a
			p.near.plugin.SendPrepare(context.Background(), &mine, r)
		}
		mine = ilp.Prepare{Data: []byte(overwritten)}
	})
	if err != nil {
		return err
	}
	got, err := p.far.take(n)
	if err != nil {
		return err
	}
	err = within(p.timeout, p.far.name+": Responder.Reply", func() {
		var mine ilp.Fulfill
		for i := range got {
			mine = *fulfillOf(number(&got[i].Prepare), 300)
			got[i].Responder.Reply(context.Background(), &mine)
		}
		mine = ilp.Fulfill{Data: []byte(overwritten)}
	})
	if err != nil {
		return err
	}
	if err := p.near.await(sent...); err != nil {
		return err
	}
	for i, a := range sent {
		if err := a.wantFulfill(fulfillOf(uint64(i), 300)); err != nil {
			return fmt.Errorf("packet %d: %w", i+1, err)
		}
	}
	for i := range got {
		want := newPrepare(number(&got[i].Prepare), 300)
		want.ExpiresAt = got[i].Prepare.ExpiresAt
		if err := comparePrepare(&got[i].Prepare, &want); err != nil {
			return fmt.Errorf("packet %d: %w", i+1, err)
		}
	}
	return nil
}

// checkBytesStay has much traffic follow on every packet. That none of them
// was overwritten is part of every verdict.
func checkBytesStay(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	for wave := range uint64(5) {
		sent, got, err := p.deliverAll(wave*many, p.window(100))
		if err != nil {
			return err
		}
		for i := range got {
			if err := p.far.respond(got[i].Responder, replyTo(number(&got[i].Prepare))); err != nil {
				return err
			}
		}
		if err := p.wantReplies(sent...); err != nil {
			return err
		}
	}
	return nil
}
