package plugintest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// brokenExchange are plugins that wait, mix up or lose.
var brokenExchange = []breakage{
	{"Unanswered", "waits for the answer", func(e *ends) {
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			done := make(chan struct{})
			e.near.End.SendPrepare(ctx, p, answering(func(ctx context.Context, o outcome) {
				o.give(ctx, r)
				close(done)
			}))
			select {
			case <-done:
			case <-e.released:
			}
		}
	}, "with 0 packets unanswered: the near plugin: SendPrepare has not returned"},
	{"Unanswered", "one packet at a time", func(e *ends) {
		turn := make(chan struct{}, 1)
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			select {
			case turn <- struct{}{}:
			case <-e.released:
			}
			e.near.End.SendPrepare(ctx, p, answering(func(ctx context.Context, o outcome) {
				<-turn
				o.give(ctx, r)
			}))
		}
	}, "with 1 packets unanswered: the near plugin: SendPrepare has not returned"},
	{"Unanswered", "answers in order", func(e *ends) {
		var waiting queue[*queue[func()]]
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			mine := &queue[func()]{}
			waiting.put(mine)
			e.near.End.SendPrepare(ctx, p, answering(func(ctx context.Context, o outcome) {
				kept := o.keep()
				mine.put(func() { kept.give(ctx, r) })
				for first, ok := waiting.first(); ok; first, ok = waiting.first() {
					answer, ready := first.get()
					if !ready {
						return
					}
					_, _ = waiting.get()
					answer()
				}
			}))
		}
	}, "packet 1 of 1 has no answer"},
	{"Unanswered", "gives up early", func(e *ends) {
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			e.near.End.SendPrepare(ctx, p, answering(func(context.Context, outcome) {}))
			r.Fail(ctx, plugin.ErrUnknownOutcome)
		}
	}, `the error "plugin: outcome unknown" came for packet 1, which the counterparty has not answered`},

	{"Nested", "is busy while it calls the handler", func(e *ends) {
		var calling atomic.Bool
		e.far.receiving(func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			calling.Store(true)
			e.far.handler.HandlePrepare(ctx, p, r)
			calling.Store(false)
		})
		e.far.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			if calling.Load() {
				r.Fail(ctx, plugin.ErrBusy)
				return
			}
			e.far.End.SendPrepare(ctx, p, r)
		}
	}, "the answer to packet 0: the error"},
	{"Nested", "is busy while it tells its state", func(e *ends) {
		var telling atomic.Bool
		e.near.telling(func(connected bool, err error) {
			telling.Store(true)
			e.near.handler.HandleState(connected, err)
			telling.Store(false)
		})
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			if !telling.Load() { // else it is lost
				e.near.End.SendPrepare(ctx, p, r)
			}
		}
	}, "a packet sent during HandleState: the near plugin: packet 1 of 1 has no answer"},

	{"Burst", "waits for more than the burst", func(e *ends) {
		var held queue[func()]
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			if plugin.BurstFrom(ctx) == nil {
				e.near.End.SendPrepare(ctx, p, r)
				return
			}
			kept := *p
			held.put(func() { e.near.End.SendPrepare(ctx, &kept, r) })
		}
	}, "after Flush: the far plugin: 0 of 3 prepares have arrived"},
	{"Burst", "flushes once only", func(e *ends) {
		link := &deferring{}
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			b := plugin.BurstFrom(ctx)
			if b == nil {
				e.near.End.SendPrepare(ctx, p, r)
				return
			}
			kept := *p
			link.put(func() { e.near.End.SendPrepare(ctx, &kept, r) })
			if !link.asked {
				link.asked = true // and never asks again
				b.Defer(link)
			}
		}
	}, "after Flush: the far plugin: 0 of 3 prepares have arrived"},
	{"Burst", "joins whatever comes", func(e *ends) {
		var held queue[func()]
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			if plugin.BurstFrom(ctx) != nil {
				e.near.End.SendPrepare(ctx, p, r)
				return
			}
			if send, ok := held.get(); ok {
				send()
			}
			kept := *p
			held.put(func() { e.near.End.SendPrepare(ctx, &kept, r) })
		}
	}, "without a burst: the far plugin: 0 of 1 prepares have arrived"},

	{"ContextIsNoDeadline", "refuses an ended context", func(e *ends) {
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			if ctx.Err() != nil {
				r.Fail(ctx, ctx.Err())
				return
			}
			e.near.End.SendPrepare(ctx, p, r)
		}
	}, "0 of 1 prepares have arrived"},
	{"ContextIsNoDeadline", "forgets the packet when the context ends", func(e *ends) {
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			ended := ctx.Err() != nil
			e.near.End.SendPrepare(ctx, p, answering(func(answered context.Context, o outcome) {
				if ended || ctx.Err() == nil {
					o.give(answered, r)
				}
			}))
		}
	}, "packet 1 of 1 has no answer"},

	{"Fail", "becomes a fulfill", func(e *ends) {
		e.onAnswer(func(ctx context.Context, r plugin.Responder, _ outcome) { r.Reply(ctx, &ilp.Fulfill{}) })
	}, "a fulfill with 0 bytes of data came back, want an error"},
	{"Fail", "is lost", func(e *ends) {
		e.onAnswer(func(context.Context, plugin.Responder, outcome) {})
	}, "the counterparty failed with <nil>: the near plugin: packet 1 of 1 has no answer"},
	{"Fail", "crosses the link", func(e *ends) {
		e.onAnswer(func(ctx context.Context, r plugin.Responder, o outcome) {
			r.Fail(ctx, errors.Join(plugin.ErrNotSent, o.err))
		})
	}, "is ErrNotSent, but the counterparty has got the packet"},

	{"AnsweredTwice", "takes every answer", func(e *ends) {
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			e.far.handler.HandlePrepare(ctx, p, r)
		}
	}, "packet 1 of 40 was answered"},
	{"AnsweredTwice", "uses places again", reusePlaces, "the answer to packet 10"},

	{"AnswerLater", "leaves a goroutine", func(e *ends) {
		e.onPrepare(func(*ilp.Prepare) { go func() { <-e.released }() })
	}, "goroutines are left 30s after both plugins were closed"},
	{"AnswerLater", "answers later still", func(e *ends) {
		e.onAnswer(func(ctx context.Context, r plugin.Responder, o outcome) {
			o.give(ctx, r)
			go func() { // after the case, unless somebody waits for this one
				time.Sleep(time.Second)
				r.Fail(ctx, plugin.ErrUnknownOutcome)
			}()
		})
	}, "packet 1 of 3 was answered 2 times"},
	{"AnswerLater", "takes the packets for malformed", func(e *ends) {
		e.far.receiving(func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			e.far.handler.HandleMalformed(ctx, errors.New("no packet"), r)
		})
	}, `HandleMalformed was called with "no packet"`},
}

// deferring is a link that keeps packets until its Flush.
type deferring struct {
	queue[func()]
	asked bool
}

func (d *deferring) Flush() {
	for send, ok := d.get(); ok; send, ok = d.get() {
		send()
	}
}

// reusePlaces finds the responder of an answer by a place that serves one
// packet after the other.
func reusePlaces(e *ends) {
	var free queue[int]
	var places [100]queue[plugin.Responder]
	for i := range places {
		free.put(i)
	}
	e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
		place, ok := free.get()
		if !ok {
			r.Fail(ctx, plugin.ErrBusy)
			return
		}
		places[place].put(r)
		e.far.handler.HandlePrepare(ctx, p, answering(func(ctx context.Context, o outcome) {
			if r, ok := places[place].get(); ok {
				free.push(place)
				o.give(ctx, r)
			}
		}))
	}
}
