package plugintest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// many is how many packets are sent where their number matters.
const many = 1000

// window is how many of n packets may be unanswered at once.
func (p *pair) window(n int) int {
	if p.opts.MaxInFlight > 0 {
		return min(n, p.opts.MaxInFlight)
	}
	return n
}

// deliverAll sends prepares with the numbers from first on, and waits until
// they have arrived. The answers and what has arrived are in this order.
func (p *pair) deliverAll(first uint64, n int) ([]*answer, []Received, error) {
	sent := make([]*answer, n)
	for i := range sent {
		prepare := newPrepare(first+uint64(i), 300)
		a, err := p.near.send(context.Background(), &prepare)
		if err != nil {
			return nil, nil, fmt.Errorf("with %d packets unanswered: %w", i, err)
		}
		sent[i] = a
	}
	got, err := p.far.take(n)
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(got, func(a, b Received) int { return cmp.Compare(number(&a.Prepare), number(&b.Prepare)) })
	for i := range got {
		if err := comparePrepare(&got[i].Prepare, &sent[i].sent); err != nil {
			return nil, nil, fmt.Errorf("prepare %d of %d: %w", i+1, n, err)
		}
	}
	return sent, got, nil
}

// replyTo is a reply for each number: fulfills and rejects, long and short.
func replyTo(number uint64) ilp.Reply {
	size := numberSize + int(number*37%2000)
	if number%3 == 2 {
		return rejectOf(number, size)
	}
	return fulfillOf(number, size)
}

// wantReplies waits for the replies that replyTo makes.
func (p *pair) wantReplies(sent ...*answer) error {
	if err := p.near.await(sent...); err != nil {
		return err
	}
	for _, a := range sent {
		if err := a.wantReply(); err != nil {
			return err
		}
	}
	return nil
}

// wantReply says how the answer, which has come, differs from replyTo's.
func (x *answer) wantReply() error {
	n := number(&x.sent)
	var err error
	switch want := replyTo(n).(type) {
	case *ilp.Fulfill:
		err = x.wantFulfill(want)
	case *ilp.Reject:
		err = x.wantReject(want)
	}
	if err != nil {
		return fmt.Errorf("the answer to packet %d: %w", n, err)
	}
	return nil
}

func checkOutOfOrder(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	sent, got, err := p.deliverAll(1, p.window(100))
	if err != nil {
		return err
	}
	// The last one first, then those with an even place, then the others.
	slices.Reverse(got)
	for start := range 2 {
		for i := start; i < len(got); i += 2 {
			if err := p.far.respond(got[i].Responder, replyTo(number(&got[i].Prepare))); err != nil {
				return err
			}
		}
	}
	return p.wantReplies(sent...)
}

func checkUnanswered(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	sent, got, err := p.deliverAll(1, p.window(many))
	if err != nil {
		return err
	}
	for i, a := range sent {
		if a.answered() {
			return fmt.Errorf("%v came for packet %d, which the counterparty has not answered and which has not expired", a, i+1)
		}
	}
	last := len(sent) - 1
	if err := p.far.respond(got[last].Responder, replyTo(number(&got[last].Prepare))); err != nil {
		return err
	}
	return p.wantReplies(sent[last])
}

func checkFail(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	reasons := []error{nil, plugin.ErrUnknownOutcome, plugin.ErrNotSent, plugin.ErrNotConnected, plugin.ErrBusy, errors.New("no reply")}
	for i, reason := range reasons {
		prepare := newPrepare(uint64(i), 300)
		a, got, err := p.deliver(&prepare)
		if err != nil {
			return err
		}
		err = within(p.timeout, p.far.name+": Responder.Fail", func() { got.Responder.Fail(context.Background(), reason) })
		if err != nil {
			return err
		}
		if err = p.near.await(a); err == nil && a.reject == nil {
			err = a.wantError()
		}
		if err != nil {
			return fmt.Errorf("the counterparty failed with %v: %w", reason, err)
		}
	}
	return nil
}

func checkAnsweredTwice(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	n := p.window(20)
	first, answered, err := p.deliverAll(1, n)
	if err != nil {
		return err
	}
	again := func() error {
		return within(p.timeout, p.far.name+": a second answer", func() {
			for i := range answered {
				respondHere(context.Background(), answered[i].Responder, fulfillOf(many, 300))
				respondHere(context.Background(), answered[i].Responder, rejectOf(many, 300))
				answered[i].Responder.Fail(context.Background(), plugin.ErrUnknownOutcome)
			}
		})
	}
	for i := range answered {
		if err := p.far.respond(answered[i].Responder, replyTo(number(&answered[i].Prepare))); err != nil {
			return err
		}
	}
	if err := again(); err != nil {
		return err
	}
	if err := p.wantReplies(first...); err != nil {
		return err
	}
	// What the plugin remembered of the first packets may serve these now.
	second, got, err := p.deliverAll(many, n)
	if err != nil {
		return err
	}
	if err := again(); err != nil {
		return err
	}
	for i := range got {
		if err := p.far.respond(got[i].Responder, replyTo(number(&got[i].Prepare))); err != nil {
			return err
		}
	}
	return p.wantReplies(second...)
}
