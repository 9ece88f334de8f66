package plugintest_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// brokenLifecycle are plugins that open, close or tell wrongly.
var brokenLifecycle = []breakage{
	{"Open", "lives as long as the context", func(e *ends) {
		e.near.open = func(ctx context.Context, h plugin.Handler) error {
			e.near.send = func(sent context.Context, p *ilp.Prepare, r plugin.Responder) {
				if ctx.Err() != nil {
					r.Fail(sent, plugin.ErrNotConnected)
					return
				}
				e.near.End.SendPrepare(sent, p, r)
			}
			return e.near.End.Open(ctx, h)
		}
	}, "0 of 1 prepares have arrived"},
	{"Open", "waits for the counterparty", func(e *ends) {
		there := make(chan struct{})
		e.near.open = func(ctx context.Context, h plugin.Handler) error {
			close(there)
			return e.near.End.Open(ctx, h)
		}
		e.far.open = func(ctx context.Context, h plugin.Handler) error {
			select {
			case <-there:
			case <-e.released:
			}
			return e.far.End.Open(ctx, h)
		}
	}, "the far plugin: Open has not returned"},
	{"Open", "fails while the counterparty is absent", func(e *ends) {
		e.far.open = func(context.Context, plugin.Handler) error { return errors.New("connection refused") }
	}, "the far plugin: Open: connection refused"},

	{"OpenTwice", "opens again", func(e *ends) {
		e.far.open = func(ctx context.Context, h plugin.Handler) error {
			_ = e.far.End.Open(ctx, h)
			return nil
		}
	}, "the far plugin: a second Open returned no error"},
	{"OpenTwice", "changes its handler", func(e *ends) {
		opened := false
		e.far.open = func(ctx context.Context, h plugin.Handler) error {
			if opened {
				return errors.New("open")
			}
			opened = true
			return e.far.End.Open(ctx, handler{Handler: h, prepare: func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
				e.far.handler.HandlePrepare(ctx, p, r) // the last one that Open was called with
			}})
		}
	}, "the far plugin: 0 of 1 prepares have arrived"},
	{"OpenTwice", "tells the other handler", func(e *ends) {
		opened := false
		e.far.open = func(ctx context.Context, h plugin.Handler) error {
			if opened {
				h.HandleState(true, nil)
				return errors.New("open")
			}
			opened = true
			return e.far.End.Open(ctx, h)
		}
	}, "the handler of the second Open was called"},

	{"State", "tells nothing", func(e *ends) {
		e.near.telling(func(bool, error) {})
	}, "the near plugin: HandleState(true) has not come"},
	{"State", "tells at first that it is down", func(e *ends) {
		e.near.open = func(ctx context.Context, h plugin.Handler) error {
			h.HandleState(false, nil)
			return e.near.End.Open(ctx, h)
		}
	}, "HandleState(false) told of no change"},
	{"State", "tells twice", func(e *ends) {
		e.near.telling(func(connected bool, err error) {
			e.near.handler.HandleState(connected, err)
			e.near.handler.HandleState(connected, err)
		})
	}, "HandleState(true) told of no change"},
	{"State", "is never connected", func(e *ends) {
		e.near.connected = func() bool { return false }
	}, "the near plugin: Connected is false after HandleState(true)"},
	{"State", "is always connected", func(e *ends) {
		e.near.connected = func() bool { return true }
	}, "the near plugin: Connected is true after HandleState(false)"},
	{"State", "changes after it has told", func(e *ends) {
		var connected atomic.Bool
		e.near.connected = connected.Load
		e.near.telling(func(now bool, err error) {
			e.near.handler.HandleState(now, err)
			connected.Store(now)
		})
	}, "Connected is false during HandleState(true)"},
	{"State", "tells one change during another", func(e *ends) {
		var told atomic.Bool
		e.near.connected = func() bool {
			if e.near.handler != nil && told.CompareAndSwap(false, true) {
				e.near.handler.HandleState(false, nil)
			}
			return e.near.End.Connected()
		}
	}, "HandleState(false) began while another call of it was under way"},
	{"State", "does not notice", func(e *ends) {
		e.near.telling(func(connected bool, err error) {
			if connected {
				e.near.handler.HandleState(connected, err)
			}
		})
	}, "the near plugin: HandleState(false) has not come"},
	{"StateOrder", "tells from goroutines", func(e *ends) {
		e.near.telling(func(connected bool, err error) {
			go func() {
				if connected {
					time.Sleep(time.Millisecond)
				}
				e.near.handler.HandleState(connected, err)
			}()
		})
	}, "HandleState was called after Close had returned"},
	{"StateOrder", "does not tell of its own end", func(e *ends) {
		var closing atomic.Bool
		e.near.close = func() error {
			closing.Store(true)
			return e.near.End.Close()
		}
		e.near.telling(func(connected bool, err error) {
			if !closing.Load() {
				e.near.handler.HandleState(connected, err)
			}
		})
		e.far.close = func() error { // the near one is first
			_ = e.near.Close()
			return e.far.End.Close()
		}
	}, "the near plugin: Close returned without a HandleState(false)"},

	{"Absent", "swallows", swallow, "Close returned before 10 of its packets were answered"},
	{"Absent", "does not say that nothing was sent", func(e *ends) { e.whenDown(outcome{err: plugin.ErrUnknownOutcome}) },
		`the error "plugin: outcome unknown" came at once for a packet that cannot have been sent`},
	{"Absent", "rejects", func(e *ends) { e.whenDown(outcome{reply: ilp.Rejectf(ilp.T01PeerUnreachable, "")}) },
		`the reject "T01 Peer Unreachable" came at once`},
	{"Absent", "fulfills at the end", func(e *ends) {
		var kept queue[plugin.Responder]
		e.near.send = func(_ context.Context, _ *ilp.Prepare, r plugin.Responder) { kept.put(r) }
		e.near.close = func() error {
			for r, ok := kept.get(); ok; r, ok = kept.get() {
				r.Reply(context.Background(), &ilp.Fulfill{})
			}
			return e.near.End.Close()
		}
	}, "a fulfill with 0 bytes of data came although there is no counterparty"},
	{"Absent", "is connected to nobody", func(e *ends) {
		e.near.connected = func() bool { return true }
	}, "the near plugin: Connected is true before the counterparty was opened"},
	{"Gone", "swallows", swallow, "Close returned before 10 of its packets were answered"},
	{"Gone", "does not say that nothing was sent", func(e *ends) { e.whenDown(outcome{err: errors.New("broken pipe")}) },
		`the error "broken pipe" came at once for a packet that cannot have been sent`},
	{"GoneUnanswered", "claims that nothing was sent", func(e *ends) { e.atEnd(e.far, plugin.ErrNotConnected) },
		"the counterparty has got the packet"},
	{"GoneUnanswered", "forgets", func(e *ends) { e.atEnd(nil, nil) },
		"Close returned before 100 of its packets were answered"},

	{"Close", "answers nobody", func(e *ends) { e.atEnd(nil, nil) },
		"Close returned before 100 of its packets were answered"},
	{"Close", "claims that nothing was sent", func(e *ends) { e.atEnd(e.near, plugin.ErrNotSent) },
		"the counterparty has got the packet"},
	{"Close", "answers when it has returned", func(e *ends) {
		e.onAnswer(func(ctx context.Context, r plugin.Responder, o outcome) {
			kept := o.keep()
			go func() {
				time.Sleep(time.Millisecond)
				kept.give(ctx, r)
			}()
		})
	}, "Close returned before 100 of its packets were answered"},
	{"Close", "does not return", func(e *ends) {
		e.near.close = func() error {
			<-e.released
			return nil
		}
	}, "the near plugin: Close has not returned"},

	{"CloseTwice", "is an error", func(e *ends) {
		var once sync.Once
		e.near.close = func() error {
			err := errors.New("closed before")
			once.Do(func() { err = e.near.End.Close() })
			return err
		}
	}, "the near plugin: Close: closed before"},
	{"CloseTwice", "does not wait for the first", func(e *ends) {
		var closed atomic.Bool
		e.near.close = func() error {
			if !closed.CompareAndSwap(false, true) {
				return nil
			}
			time.Sleep(time.Millisecond)
			return e.near.End.Close()
		}
	}, "Close returned before 100 of its packets were answered"},
	{"CloseUnopened", "waits for what never began", func(e *ends) {
		e.near.close = func() error {
			if e.near.handler == nil {
				<-e.released
			}
			return e.near.End.Close()
		}
	}, "the near plugin: Close has not returned"},

	{"AfterClose", "only says that nothing was sent", func(e *ends) { e.whenDown(outcome{err: plugin.ErrNotConnected}) },
		"came for a packet after Close, want an error that wraps ErrNotSent and net.ErrClosed"},
	{"AfterClose", "swallows", swallow, "packet 1 of 1 has no answer"},
	{"AfterClose", "opens again", func(e *ends) {
		e.near.open = func(ctx context.Context, h plugin.Handler) error {
			_ = e.near.End.Open(ctx, h)
			return nil
		}
	}, "Open after Close returned <nil>"},
	{"CloseWhileReceiving", "calls the handler", func(e *ends) {
		var n atomic.Int64
		e.near.receiving(func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			kept, wait := *p, time.Duration(n.Add(1))*time.Millisecond
			go func() {
				time.Sleep(wait)
				e.near.handler.HandlePrepare(ctx, &kept, r)
			}()
		})
	}, "HandlePrepare was called after Close had returned"},
	{"CloseWhileSending", "loses what comes then", func(e *ends) {
		var closing atomic.Bool
		e.near.close = func() error {
			closing.Store(true)
			return e.near.End.Close()
		}
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			if !closing.Load() {
				e.near.End.SendPrepare(ctx, p, r)
			}
		}
	}, "of its packets were answered"},
}

// swallow has near lose what it cannot send.
func swallow(e *ends) {
	e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
		if e.near.End.Connected() {
			e.near.End.SendPrepare(ctx, p, r)
		}
	}
}

// whenDown has near answer what it cannot send with o.
func (e *ends) whenDown(o outcome) {
	e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
		if !e.near.End.Connected() {
			o.give(ctx, r)
			return
		}
		e.near.End.SendPrepare(ctx, p, r)
	}
}

// atEnd has near answer what is outstanding with err when one closes, or
// never if that is nil.
func (e *ends) atEnd(one *faulty, err error) {
	var outstanding queue[plugin.Responder]
	e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
		outstanding.put(r)
		e.near.End.SendPrepare(ctx, p, answering(func(context.Context, outcome) {}))
	}
	if one == nil {
		return
	}
	one.close = func() error {
		for r, ok := outstanding.get(); ok; r, ok = outstanding.get() {
			r.Fail(context.Background(), err)
		}
		return one.End.Close()
	}
}
