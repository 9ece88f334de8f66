package plugintest_test

import (
	"context"
	"sync"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/plugintest"
)

// faulty is the end of a sound pipe with some of its methods replaced.
type faulty struct {
	*inproc.End
	handler plugin.Handler // that Open was called with last

	open      func(ctx context.Context, h plugin.Handler) error
	send      func(ctx context.Context, p *ilp.Prepare, r plugin.Responder)
	connected func() bool
	close     func() error
	pay       func(ctx context.Context, m plugin.Money) error
}

func (f *faulty) Open(ctx context.Context, h plugin.Handler) error {
	f.handler = h
	if f.open != nil {
		return f.open(ctx, h)
	}
	return f.End.Open(ctx, h)
}

func (f *faulty) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	if f.send != nil {
		f.send(ctx, p, r)
		return
	}
	f.End.SendPrepare(ctx, p, r)
}

func (f *faulty) Connected() bool {
	if f.connected != nil {
		return f.connected()
	}
	return f.End.Connected()
}

func (f *faulty) Close() error {
	if f.close != nil {
		return f.close()
	}
	return f.End.Close()
}

func (f *faulty) SendMoney(ctx context.Context, m plugin.Money) error {
	if f.pay != nil {
		return f.pay(ctx, m)
	}
	return f.End.SendMoney(ctx, m)
}

// ends are what a fault is built into.
type ends struct {
	near, far *faulty
	released  <-chan struct{} // closed when the case is over: whatever blocks gives up
}

// options make pairs with a fault.
func options(build func(e *ends)) plugintest.Options {
	return plugintest.Options{
		Money: true,
		New: func(t testing.TB) (first, second plugin.Plugin, stop func()) {
			a, b := inproc.Pipe()
			released := make(chan struct{})
			e := &ends{near: &faulty{End: a}, far: &faulty{End: b}, released: released}
			build(e)
			t.Cleanup(func() { close(released) })
			return e.near, e.far, nil
		},
	}
}

// onPrepare changes what goes from near to far.
func (e *ends) onPrepare(change func(p *ilp.Prepare)) {
	e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
		changed := *p
		change(&changed)
		e.near.End.SendPrepare(ctx, &changed, r)
	}
}

// outcome is what a responder takes.
type outcome struct {
	reply ilp.Reply
	err   error
}

func (o outcome) give(ctx context.Context, r plugin.Responder) {
	if o.reply == nil {
		r.Fail(ctx, o.err)
		return
	}
	r.Reply(ctx, o.reply)
}

// keep gives an outcome that may be used after the call that brought it.
func (o outcome) keep() outcome {
	switch r := o.reply.(type) {
	case *ilp.Fulfill:
		kept := *r
		o.reply = &kept
	case *ilp.Reject:
		kept := *r
		o.reply = &kept
	}
	return o
}

// onAnswer has change give the answers to near, or not.
func (e *ends) onAnswer(change func(ctx context.Context, r plugin.Responder, o outcome)) {
	e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
		e.near.End.SendPrepare(ctx, p, answering(func(ctx context.Context, o outcome) { change(ctx, r, o) }))
	}
}

// answering makes a responder of a function.
func answering(f func(ctx context.Context, o outcome)) plugin.Responder {
	return plugin.NewResponder(plugin.ReplyFunc(func(ctx context.Context, reply ilp.Reply, err error) {
		f(ctx, outcome{reply, err})
	}), 0)
}

// onReject changes the rejects that come back to near.
func (e *ends) onReject(change func(r *ilp.Reject)) {
	e.onAnswer(func(ctx context.Context, r plugin.Responder, o outcome) {
		if reject, ok := o.reply.(*ilp.Reject); ok {
			changed := *reject
			change(&changed)
			o.reply = &changed
		}
		o.give(ctx, r)
	})
}

// handler is what a faulty plugin puts around the handler it was given.
type handler struct {
	plugin.Handler
	prepare func(ctx context.Context, p *ilp.Prepare, r plugin.Responder)
	state   func(connected bool, err error)
}

func (h handler) HandlePrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	if h.prepare != nil {
		h.prepare(ctx, p, r)
		return
	}
	h.Handler.HandlePrepare(ctx, p, r)
}

func (h handler) HandleState(connected bool, err error) {
	if h.state != nil {
		h.state(connected, err)
		return
	}
	h.Handler.HandleState(connected, err)
}

// receiving has take called for each prepare that arrives at f.
func (f *faulty) receiving(take func(ctx context.Context, p *ilp.Prepare, r plugin.Responder)) {
	f.open = func(ctx context.Context, h plugin.Handler) error {
		return f.End.Open(ctx, handler{Handler: h, prepare: take})
	}
}

// telling has tell called for each change of f's state.
func (f *faulty) telling(tell func(connected bool, err error)) {
	f.open = func(ctx context.Context, h plugin.Handler) error {
		return f.End.Open(ctx, handler{Handler: h, state: tell})
	}
}

// queue is a list that any goroutine appends to.
type queue[T any] struct {
	mu   sync.Mutex
	list []T
}

func (q *queue[T]) put(v T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, v)
}

// get gives the first, or false.
func (q *queue[T]) get() (T, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		var none T
		return none, false
	}
	v := q.list[0]
	q.list = q.list[1:]
	return v, true
}

// exchange gives the first and takes it out, or, if there is none, puts v in.
func (q *queue[T]) exchange(v T) (T, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		q.list = append(q.list, v)
		return v, false
	}
	first := q.list[0]
	q.list = q.list[1:]
	return first, true
}

// first gives the first and leaves it where it is.
func (q *queue[T]) first() (T, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		var none T
		return none, false
	}
	return q.list[0], true
}

// push puts v before all others.
func (q *queue[T]) push(v T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append([]T{v}, q.list...)
}
