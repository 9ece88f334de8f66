package plugintest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/interledger-go/connector/plugin"
)

func checkOpen(p *pair) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, s := range []*side{p.order[1], p.order[0]} { // not in the usual order
		if err := s.openWith(ctx); err != nil {
			return err
		}
	}
	cancel()
	if err := p.awaitConnected(); err != nil {
		return err
	}
	return p.works()
}

// works says what is wrong when a packet goes from near to far and is
// answered.
func (p *pair) works() error {
	prepare := newPrepare(1, 300)
	a, _, err := p.roundTrip(&prepare, replyTo(1))
	if err != nil {
		return err
	}
	return a.wantReply()
}

func checkOpenTwice(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	other := &Recorder{}
	var again error
	if err := within(p.timeout, p.far.name+": Open", func() { again = p.far.plugin.Open(context.Background(), other) }); err != nil {
		return err
	}
	if again == nil {
		return fmt.Errorf("%s: a second Open returned no error", p.far.name)
	}
	if err := p.works(); err != nil {
		return err
	}
	if len(other.Prepares())+len(other.States()) > 0 {
		return fmt.Errorf("%s: the handler of the second Open was called, although that failed", p.far.name)
	}
	return nil
}

func checkClose(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	sent, got, err := p.deliverAll(1, p.window(100))
	if err != nil {
		return err
	}
	if err := p.near.close(); err != nil {
		return err
	}
	for i, a := range sent {
		if err := a.wantError(); err != nil {
			return fmt.Errorf("packet %d after Close: %w", i+1, err)
		}
	}
	// Too late: the far plugin takes the answers, and they change nothing.
	for i := range got {
		if err := p.far.respond(got[i].Responder, replyTo(number(&got[i].Prepare))); err != nil {
			return err
		}
	}
	return nil
}

func checkCloseTwice(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	if _, _, err := p.deliverAll(1, p.window(100)); err != nil {
		return err
	}
	const callers = 4
	faults := make([]error, callers)
	var closing sync.WaitGroup
	for i := range faults {
		closing.Go(func() { faults[i] = p.near.close() })
	}
	closing.Wait()
	return errors.Join(append(faults, p.near.close())...)
}

func checkCloseUnopened(p *pair) error {
	return errors.Join(p.near.close(), p.far.close())
}

func checkAfterClose(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	if err := p.works(); err != nil {
		return err
	}
	if err := p.near.close(); err != nil {
		return err
	}
	prepare := newPrepare(1, 300)
	a, err := p.near.send(context.Background(), &prepare)
	if err != nil {
		return err
	}
	if err := p.near.await(a); err != nil {
		return err
	}
	if !errors.Is(a.err, plugin.ErrNotSent) || !errors.Is(a.err, net.ErrClosed) {
		return fmt.Errorf("%s: %v came for a packet after Close, want an error that wraps ErrNotSent and net.ErrClosed", p.near.name, a)
	}
	if err := p.near.openClosed(); err != nil {
		return err
	}
	return nil
}

// openClosed opens a plugin that has been closed.
func (s *side) openClosed() error {
	var err error
	if late := within(s.timeout, s.name+": Open", func() { err = s.plugin.Open(context.Background(), &Recorder{}) }); late != nil {
		return late
	}
	if !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("%s: Open after Close returned %v, want an error that wraps net.ErrClosed", s.name, err)
	}
	return nil
}

func checkState(p *pair) error {
	for _, s := range p.order {
		s.witness.onState = func(connected bool) {
			if got := s.plugin.Connected(); got != connected {
				s.witness.fault("Connected is %t during HandleState(%t): the state changes before it is told", got, connected)
			}
		}
	}
	if err := p.connect(); err != nil {
		return err
	}
	if err := p.works(); err != nil {
		return err
	}
	if err := p.far.close(); err != nil {
		return err
	}
	if p.opts.Connectionless {
		return nil
	}
	return p.near.awaitState(false)
}

func checkStateOrder(p *pair) error {
	for _, both := range []func(s *side) error{(*side).open, (*side).close} {
		faults := make([]error, len(p.order))
		var calls sync.WaitGroup
		for i, s := range p.order {
			calls.Go(func() { faults[i] = both(s) })
		}
		calls.Wait()
		if err := errors.Join(faults...); err != nil {
			return err
		}
	}
	return nil
}

func checkAbsent(p *pair) error {
	if err := p.near.open(); err != nil {
		return err
	}
	if !p.opts.Connectionless {
		if p.near.plugin.Connected() {
			return fmt.Errorf("%s: Connected is true before the counterparty was opened", p.near.name)
		}
	}
	return p.checkNobody()
}

func checkGone(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	if err := p.works(); err != nil {
		return err
	}
	if err := p.far.close(); err != nil {
		return err
	}
	if !p.opts.Connectionless {
		if err := p.near.awaitState(false); err != nil {
			return err
		}
	}
	return p.checkNobody()
}

// checkNobody sends from near while there is no counterparty.
func (p *pair) checkNobody() error {
	connected := p.near.plugin.Connected()
	var sent []*answer
	for i := range p.window(10) {
		prepare := newPrepare(uint64(i), 300)
		a, err := p.near.send(context.Background(), &prepare)
		if err != nil {
			return err
		}
		if !connected && a.answered() && !errors.Is(a.err, plugin.ErrNotSent) {
			return fmt.Errorf("%s: %v came at once for a packet that cannot have been sent, want ErrNotSent", p.near.name, a)
		}
		sent = append(sent, a)
	}
	if err := p.near.close(); err != nil {
		return err
	}
	for _, a := range sent {
		if a.fulfill != nil {
			return fmt.Errorf("%s: %v came although there is no counterparty", p.near.name, a)
		}
	}
	return nil
}

func checkGoneUnanswered(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	sent, got, err := p.deliverAll(1, p.window(100))
	if err != nil {
		return err
	}
	if err := p.far.close(); err != nil {
		return err
	}
	// The far program answers what it has got, although its link is closed.
	// These answers may come back or be lost.
	for i := range got[:len(got)/2] {
		if err := p.far.respond(got[i].Responder, replyTo(number(&got[i].Prepare))); err != nil {
			return err
		}
	}
	if err := p.near.close(); err != nil {
		return err
	}
	for i, a := range sent {
		if a.err == nil {
			err = a.wantReply()
		} else {
			err = a.wantError()
		}
		if err != nil {
			return fmt.Errorf("packet %d, whose counterparty is gone: %w", i+1, err)
		}
	}
	return nil
}
