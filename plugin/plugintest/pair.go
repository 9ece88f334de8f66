package plugintest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// pair is a link under test, from New to stop. The cases send from near to
// far; both ends can do everything.
type pair struct {
	opts      Options
	near, far *side
	order     [2]*side // the one that listens first
	stop      func()
	timeout   time.Duration
}

// side is one end of the link: a plugin, its handler, and what was sent
// through it.
type side struct {
	name    string // for failures
	plugin  plugin.Plugin
	witness witness
	sent    answers
	timeout time.Duration
	taken   int // prepares that take has given
}

// swap gives options by which the second plugin is at the near end.
func (o Options) swap() Options {
	o.swapped = true
	return o
}

func newPair(t testing.TB, opts Options) *pair {
	t.Helper()
	first, second, stop := opts.New(t)
	if first == nil || second == nil {
		t.Fatal("plugintest: Options.New returned nil for a plugin: want two of them")
	}
	p := &pair{opts: opts, stop: stop, timeout: opts.Timeout}
	if p.timeout <= 0 {
		p.timeout = defaultTimeout
	}
	p.near = &side{name: "the near plugin", plugin: first, timeout: p.timeout}
	p.far = &side{name: "the far plugin", plugin: second, timeout: p.timeout}
	p.order = [2]*side{p.near, p.far}
	if opts.swapped {
		p.near.plugin, p.far.plugin = second, first
		p.order = [2]*side{p.far, p.near}
	}
	return p
}

// connect opens both ends and waits until they have found each other.
func (p *pair) connect() error {
	for _, s := range p.order {
		if err := s.open(); err != nil {
			return err
		}
	}
	return p.awaitConnected()
}

func (p *pair) awaitConnected() error {
	return errors.Join(p.near.awaitState(true), p.far.awaitState(true))
}

// end closes both ends and releases what they stand on.
func (p *pair) end() error {
	fault := errors.Join(p.near.close(), p.far.close())
	if p.stop == nil {
		return fault
	}
	return errors.Join(fault, within(p.timeout, "the function stop that Options.New returned", p.stop))
}

// verdict gives what the case did not look for, when all is over.
func (p *pair) verdict() error {
	return errors.Join(p.near.verdict(), p.far.verdict())
}

func (s *side) verdict() error {
	if err := errors.Join(s.witness.verdict(), s.sent.verdict()); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

func (s *side) open() error { return s.openWith(context.Background()) }

func (s *side) openWith(ctx context.Context) error {
	var err error
	late := within(s.timeout, s.name+": Open", func() { err = s.plugin.Open(ctx, &s.witness) })
	if err != nil {
		return fmt.Errorf("%s: Open: %w", s.name, err)
	}
	return late
}

// awaitState waits for a change of the link.
func (s *side) awaitState(connected bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if err := s.witness.AwaitState(ctx, connected); err != nil {
		return fmt.Errorf("%s: HandleState(%t) has not come within %v", s.name, connected, s.timeout)
	}
	if got := s.plugin.Connected(); got != connected {
		return fmt.Errorf("%s: Connected is %t after HandleState(%t)", s.name, got, connected)
	}
	return nil
}

// close closes the plugin, again if need be, and says what the contract asks
// of the moment at which Close returns.
func (s *side) close() error {
	var err error
	if late := within(s.timeout, s.name+": Close", func() { err = s.plugin.Close() }); late != nil {
		return late
	}
	s.witness.closed.Store(true)
	unanswered := s.sent.unanswered()
	switch {
	case err != nil:
		return fmt.Errorf("%s: Close: %w", s.name, err)
	case unanswered > 0:
		return fmt.Errorf("%s: Close returned before %d of its packets were answered: it answers every outstanding responder", s.name, unanswered)
	case s.plugin.Connected():
		return fmt.Errorf("%s: Connected is true after Close", s.name)
	case s.witness.up():
		return fmt.Errorf("%s: Close returned without a HandleState(false) after the last HandleState(true)", s.name)
	}
	return nil
}

// send gives p to the plugin, and takes the struct back at once, as every
// caller may.
func (s *side) send(ctx context.Context, p *ilp.Prepare) (*answer, error) {
	var a *answer
	late := within(s.timeout, s.name+": SendPrepare", func() { a = s.sendHere(ctx, p) })
	return a, late
}

// sendHere is send on the goroutine of the caller.
func (s *side) sendHere(ctx context.Context, p *ilp.Prepare) *answer {
	a, r := s.sent.expect(*p)
	mine := *p
	s.plugin.SendPrepare(ctx, &mine, r)
	mine = ilp.Prepare{Amount: 666, ExpiresAt: time.Unix(666, 0), Data: []byte(overwritten)}
	return a
}

// take waits for the next n prepares and gives them.
func (s *side) take(n int) ([]Received, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	all, err := s.witness.Await(ctx, s.taken+n)
	if err != nil {
		return nil, fmt.Errorf("%s: %d of %d prepares have arrived within %v", s.name, len(all)-s.taken, n, s.timeout)
	}
	next := all[s.taken : s.taken+n]
	s.taken += n
	return next, nil
}

// await waits until all packets are answered.
func (s *side) await(sent ...*answer) error {
	limit := time.NewTimer(s.timeout)
	defer limit.Stop()
	for i, a := range sent {
		select {
		case <-a.came:
		case <-limit.C:
			return fmt.Errorf("%s: packet %d of %d has no answer within %v", s.name, i+1, len(sent), s.timeout)
		}
	}
	return nil
}

// deliver sends p from near to far and waits until it has arrived.
func (p *pair) deliver(prepare *ilp.Prepare) (*answer, Received, error) {
	a, err := p.near.send(context.Background(), prepare)
	if err != nil {
		return nil, Received{}, err
	}
	got, err := p.far.take(1)
	if err != nil {
		return nil, Received{}, err
	}
	return a, got[0], nil
}

// roundTrip sends p from near to far, answers it with reply and waits until
// the answer is back.
func (p *pair) roundTrip(prepare *ilp.Prepare, reply ilp.Reply) (*answer, Received, error) {
	a, got, err := p.deliver(prepare)
	if err != nil {
		return nil, Received{}, err
	}
	if err := p.far.respond(got.Responder, reply); err != nil {
		return nil, Received{}, err
	}
	return a, got, p.near.await(a)
}

// respond answers a prepare that this side has got.
func (s *side) respond(r plugin.Responder, reply ilp.Reply) error {
	return within(s.timeout, s.name+": Responder.Reply", func() { respondHere(context.Background(), r, reply) })
}

// respondHere answers, and takes the struct back at once.
func respondHere(ctx context.Context, r plugin.Responder, reply ilp.Reply) {
	switch v := reply.(type) {
	case *ilp.Fulfill:
		mine := *v
		r.Reply(ctx, &mine)
		mine = ilp.Fulfill{Fulfillment: ilp.Fulfillment{6, 6, 6}, Data: []byte(overwritten)}
	case *ilp.Reject:
		mine := *v
		r.Reply(ctx, &mine)
		mine = ilp.Reject{Code: ilp.R99ApplicationError, Message: overwritten, Data: []byte(overwritten)}
	}
}

// within reports f as blocking if it has not returned after limit. The
// goroutine of such an f is left behind: there is no way to end it.
func within(limit time.Duration, what string, f func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("%s has not returned after %v", what, limit)
	}
}
