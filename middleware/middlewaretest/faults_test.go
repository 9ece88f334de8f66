package middlewaretest_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// custom is a middleware put together from functions.
type custom struct {
	name   func() string // nil: "custom"
	attach func(host middleware.Host, a *account.Account) (middleware.Stages, error)
}

func (c custom) Name() string {
	if c.name == nil {
		return "custom"
	}
	return c.name()
}

func (c custom) Attach(host middleware.Host, a *account.Account) (middleware.Stages, error) {
	if c.attach == nil {
		return middleware.Stages{}, nil
	}
	return c.attach(host, a)
}

// both makes a middleware with the same stage in both directions.
func both(s middleware.Stage) func() middleware.Middleware {
	return func() middleware.Middleware {
		return custom{attach: func(middleware.Host, *account.Account) (middleware.Stages, error) {
			return middleware.Stages{Incoming: s, Outgoing: s}, nil
		}}
	}
}

func prepares(f middleware.PrepareFunc) func() middleware.Middleware { return both(f) }

func replies(f func(p *middleware.Packet, reply ilp.Reply) ilp.Reply) func() middleware.Middleware {
	return both(middleware.ReplyFunc(func(_ context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
		return f(p, reply)
	}))
}

// rejects makes a middleware that looks at rejects alone.
func rejects(f func(r *ilp.Reject) ilp.Reply) func() middleware.Middleware {
	return replies(func(_ *middleware.Packet, reply ilp.Reply) ilp.Reply {
		if r, ok := reply.(*ilp.Reject); ok {
			return f(r)
		}
		return reply
	})
}

// fulfills makes a middleware that looks at fulfills alone.
func fulfills(f func(f *ilp.Fulfill) ilp.Reply) func() middleware.Middleware {
	return replies(func(_ *middleware.Packet, reply ilp.Reply) ilp.Reply {
		if r, ok := reply.(*ilp.Fulfill); ok {
			return f(r)
		}
		return reply
	})
}

// moves makes a middleware with the same money wrapper in both directions.
func moves(wrap func(next middleware.MoneyFunc) middleware.MoneyFunc) func() middleware.Middleware {
	return func() middleware.Middleware {
		return custom{attach: func(middleware.Host, *account.Account) (middleware.Stages, error) {
			return middleware.Stages{IncomingMoney: wrap, OutgoingMoney: wrap}, nil
		}}
	}
}

// attaches makes a middleware of a function that has some state for each
// instance.
func attaches[T any](attach func(state *T, host middleware.Host, a *account.Account) (middleware.Stages, error)) func() middleware.Middleware {
	return func() middleware.Middleware {
		state := new(T)
		return custom{attach: func(host middleware.Host, a *account.Account) (middleware.Stages, error) {
			return attach(state, host, a)
		}}
	}
}

// lateStage panics at a late answer.
type lateStage struct{ middleware.PrepareFunc }

func (lateStage) Late(*middleware.Packet, ilp.Reply) { panic("late") }

func pass(context.Context, *middleware.Packet) ilp.Reply { return nil }

// A fault is a middleware that breaks the contract, with the cases that must
// see it and no others.
type fault struct {
	new   func() middleware.Middleware
	fails []string
}

// everyPacket are the cases that cannot do without packets that pass, and
// come back fulfilled.
var everyPacket = []string{"Attach", "Pass", "Replies", "Relay", "Refused", "Expired", "Concurrent", "Close"}

// without is everyPacket without some.
func without(names ...string) (left []string) {
next:
	for _, c := range everyPacket {
		for _, name := range names {
			if c == name {
				continue next
			}
		}
		left = append(left, c)
	}
	return left
}

func namingFaults() map[string]fault {
	var names atomic.Int64
	return map[string]fault{
		"is nil":      {func() middleware.Middleware { return nil }, append(everyPacket, "Name", "Money", "Run", "Ledger", "Allocations")},
		"has no name": {func() middleware.Middleware { return custom{name: func() string { return "" }} }, []string{"Name"}},
		"has a name for each call": {func() middleware.Middleware {
			return custom{name: func() string { return fmt.Sprint(names.Add(1)) }}
		}, []string{"Name"}},
		"has a name for each instance": {func() middleware.Middleware {
			name := fmt.Sprint(names.Add(1))
			return custom{name: func() string { return name }}
		}, []string{"Name"}},
		"refuses an account": {attaches(func(_ *struct{}, _ middleware.Host, a *account.Account) (middleware.Stages, error) {
			if a.Relation == account.Parent {
				return middleware.Stages{}, errors.New("no parents")
			}
			return middleware.Stages{}, nil
		}), append(everyPacket, "Name", "Money")},
		"attaches once": {attaches(func(attached *bool, _ middleware.Host, _ *account.Account) (middleware.Stages, error) {
			if *attached {
				panic("attached twice")
			}
			*attached = true
			return middleware.Stages{}, nil
		}), append(everyPacket, "Name", "Money")},
		"needs an address": {attaches(func(_ *struct{}, h middleware.Host, _ *account.Account) (middleware.Stages, error) {
			if h.Address().IsZero() {
				return middleware.Stages{}, errors.New("no address")
			}
			return middleware.Stages{}, nil
		}), []string{"Attach"}},
		"needs an address for a packet": {attaches(func(_ *struct{}, h middleware.Host, _ *account.Account) (middleware.Stages, error) {
			return middleware.Stages{Outgoing: middleware.PrepareFunc(func(context.Context, *middleware.Packet) ilp.Reply {
				if h.Address().IsZero() {
					panic("no address")
				}
				return nil
			})}, nil
		}), []string{"Attach"}},
	}
}

func prepareFaults(released <-chan struct{}) map[string]fault {
	refusal, gift := ilp.Internal(nil), &ilp.Fulfill{} // made once: the hooks allocate nothing
	return map[string]fault{
		"lets nothing pass": {prepares(func(context.Context, *middleware.Packet) ilp.Reply {
			return refusal
		}), without("Replies")},
		"fulfills by itself": {prepares(func(context.Context, *middleware.Packet) ilp.Reply {
			return gift
		}), everyPacket},
		"gives a reject that is nil": {prepares(func(context.Context, *middleware.Packet) ilp.Reply {
			var none *ilp.Reject
			return none
		}), everyPacket},
		"gives a fulfill that is nil": {prepares(func(context.Context, *middleware.Packet) ilp.Reply {
			var none *ilp.Fulfill
			return none
		}), everyPacket},
		"holds and forgets": {prepares(func(_ context.Context, p *middleware.Packet) ilp.Reply {
			p.Hold()
			return middleware.Held
		}), append(everyPacket, "Allocations")},
		"gives Held without a hold": {prepares(func(context.Context, *middleware.Packet) ilp.Reply {
			return middleware.Held
		}), append(everyPacket, "Allocations")},
		"changes the condition": {prepares(func(_ context.Context, p *middleware.Packet) ilp.Reply {
			p.Prepare.Condition[0]++
			return nil
		}), []string{"Pass"}},
		"changes the destination": {prepares(func(_ context.Context, p *middleware.Packet) ilp.Reply {
			p.Prepare.Destination = ilp.MustParseAddress("test.thief")
			return nil
		}), []string{"Pass"}},
		"drops the data": {prepares(func(_ context.Context, p *middleware.Packet) ilp.Reply {
			p.Prepare.Data = nil
			return nil
		}), []string{"Pass"}},
		"writes over the data": {prepares(func(_ context.Context, p *middleware.Packet) ilp.Reply {
			data := p.Prepare.Data
			p.Prepare.Data = append([]byte(nil), data...)
			data[0]++
			return nil
		}), []string{"Pass", "Allocations"}},
		"divides by the amount": {prepares(func(_ context.Context, p *middleware.Packet) ilp.Reply {
			if 100/p.Prepare.Amount > 100 {
				return ilp.Internal(nil)
			}
			return nil
		}), []string{"Replies"}},
		"takes a large amount for a negative one": {prepares(func(_ context.Context, p *middleware.Packet) ilp.Reply {
			if int64(p.Prepare.Amount) < 0 {
				panic("negative")
			}
			return nil
		}), []string{"Replies"}},
		"blocks": {prepares(func(_ context.Context, p *middleware.Packet) ilp.Reply {
			<-released
			return nil
		}), append(everyPacket, "Allocations")},
		"allocates": {prepares(func(_ context.Context, p *middleware.Packet) ilp.Reply {
			p.Set("packet", new(int))
			return nil
		}), []string{"Allocations"}},
	}
}

func replyFaults() map[string]fault {
	return map[string]fault{
		"gives no reply": {replies(func(*middleware.Packet, ilp.Reply) ilp.Reply { return nil }), everyPacket},
		"gives a nil reject for a fulfill": {fulfills(func(*ilp.Fulfill) ilp.Reply {
			var none *ilp.Reject
			return none
		}), everyPacket},
		"forgets in Reply": {replies(func(p *middleware.Packet, _ ilp.Reply) ilp.Reply {
			p.Hold()
			return middleware.Held
		}), append(everyPacket, "Allocations")},
		"panics at a code it does not know": {rejects(func(r *ilp.Reject) ilp.Reply {
			if r.Code.Name() == "" {
				panic(r.Code)
			}
			return r
		}), []string{"Replies", "Relay"}},
		"takes every reply for a fulfill": {replies(func(_ *middleware.Packet, reply ilp.Reply) ilp.Reply {
			return reply.(*ilp.Fulfill)
		}), []string{"Replies", "Relay", "Refused", "Expired", "Concurrent"}},
		"fulfills what was rejected": {rejects(func(*ilp.Reject) ilp.Reply { return &ilp.Fulfill{} }),
			[]string{"Replies", "Relay", "Refused", "Expired", "Concurrent"}},
		"rejects what was fulfilled": {fulfills(func(*ilp.Fulfill) ilp.Reply { return &ilp.Reject{Code: ilp.T00InternalError} }),
			[]string{"Relay", "Refused", "Expired", "Concurrent", "Close", "Allocations"}},
		"drops the data of a fulfill": {fulfills(func(f *ilp.Fulfill) ilp.Reply {
			return &ilp.Fulfill{Fulfillment: f.Fulfillment}
		}), []string{"Relay", "Allocations"}},
		"writes over the data of a fulfill": {fulfills(func(f *ilp.Fulfill) ilp.Reply {
			clear(f.Data)
			return f
		}), []string{"Relay"}},
		"puts itself into every reject": {rejects(func(r *ilp.Reject) ilp.Reply {
			r.TriggeredBy = ilp.MustParseAddress("test.me")
			return r
		}), []string{"Relay", "Concurrent"}},
		"hides the codes it does not know": {rejects(func(r *ilp.Reject) ilp.Reply {
			if r.Code.Name() == "" {
				return &ilp.Reject{Code: ilp.F00BadRequest, TriggeredBy: r.TriggeredBy, Data: r.Data}
			}
			return r
		}), []string{"Relay"}},
		"changes our own code": {replies(func(p *middleware.Packet, reply ilp.Reply) ilp.Reply {
			if r, ok := reply.(*ilp.Reject); ok && r.TriggeredBy.IsZero() {
				return &ilp.Reject{Code: ilp.F00BadRequest, Data: r.Data}
			}
			return reply
		}), []string{"Refused"}},
		"fulfills what has expired": {rejects(func(r *ilp.Reject) ilp.Reply {
			if r.Message == "packet expired." {
				return &ilp.Fulfill{}
			}
			return r
		}), []string{"Expired"}},
		"is confused by a refusal": {attaches(func(_ *struct{}, _ middleware.Host, _ *account.Account) (middleware.Stages, error) {
			return middleware.Stages{Incoming: &stubborn{}}, nil
		}), []string{"Refused"}},
	}
}

// lifeFaults are those of accounts that come and go, and of packets that meet.
func lifeFaults() map[string]fault {
	return map[string]fault{
		"panics at a late answer": {both(lateStage{pass}), []string{"Expired"}},
		"breaks when two call at once": {func() middleware.Middleware {
			alone := &alone{meet: make(chan struct{})}
			return prepares(func(context.Context, *middleware.Packet) ilp.Reply { return alone.call() })()
		}, []string{"Concurrent"}},
		"closes all accounts": {attaches(func(closed *atomic.Bool, _ middleware.Host, _ *account.Account) (middleware.Stages, error) {
			return middleware.Stages{
				Incoming: middleware.PrepareFunc(func(context.Context, *middleware.Packet) ilp.Reply {
					if closed.Load() {
						return ilp.Internal(nil)
					}
					return nil
				}),
				Close: func() { closed.Store(true) },
			}, nil
		}), []string{"Close"}},
		"panics when closed": {attaches(func(_ *struct{}, _ middleware.Host, _ *account.Account) (middleware.Stages, error) {
			return middleware.Stages{Close: func() { panic("closed") }}, nil
		}), []string{"Close"}},
		"takes no account again": {attaches(func(seen *map[*account.Account]bool, _ middleware.Host, a *account.Account) (middleware.Stages, error) {
			if (*seen)[a] {
				return middleware.Stages{}, errors.New("seen before")
			}
			if *seen == nil {
				*seen = make(map[*account.Account]bool)
			}
			(*seen)[a] = true
			return middleware.Stages{}, nil
		}), []string{"Close"}},
	}
}

// background is a middleware with no stages that runs, and observes.
type background struct {
	custom
	run     func(ctx context.Context, host middleware.Host) error
	observe func(e ledger.Event)
}

func (b background) Run(ctx context.Context, host middleware.Host) error {
	if b.run == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return b.run(ctx, host)
}

func (b background) ObserveLedger(e ledger.Event) {
	if b.observe != nil {
		b.observe(e)
	}
}

func runs(run func(ctx context.Context, host middleware.Host) error) func() middleware.Middleware {
	return func() middleware.Middleware { return background{run: run} }
}

func observes(observe func(e ledger.Event)) func() middleware.Middleware {
	return func() middleware.Middleware { return background{observe: observe} }
}

func backgroundFaults(released <-chan struct{}) map[string]fault {
	return map[string]fault{
		"runs for ever": {runs(func(context.Context, middleware.Host) error {
			<-released
			return nil
		}), []string{"Run"}},
		"panics in Run": {runs(func(context.Context, middleware.Host) error { panic("run") }), []string{"Run"}},
		"gives up when its store fails": {runs(func(ctx context.Context, host middleware.Host) error {
			s, err := host.Store("custom")
			if err != nil {
				return err
			}
			if _, err := s.Get(ctx, "key"); !errors.Is(err, store.ErrNotFound) {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		}), []string{"Run"}},
		"panics at an event that it does not know": {observes(func(e ledger.Event) {
			if e.Kind > ledger.StoreRecovered {
				panic(e.Kind)
			}
		}), []string{"Ledger"}},
		"panics at an event without an error": {observes(func(e ledger.Event) { _ = e.Err.Error() }), []string{"Ledger"}},
		"blocks at an event":                  {observes(func(ledger.Event) { <-released }), []string{"Ledger"}},
	}
}

// stubborn refuses all packets after one that was refused further in.
type stubborn struct{ refused atomic.Bool }

func (s *stubborn) Prepare(context.Context, *middleware.Packet) ilp.Reply {
	if s.refused.Load() {
		return &ilp.Reject{Code: ilp.T04InsufficientLiquidity}
	}
	return nil
}

func (s *stubborn) Reply(_ context.Context, _ *middleware.Packet, reply ilp.Reply) ilp.Reply {
	if r, ok := reply.(*ilp.Reject); ok && r.Cause != nil {
		s.refused.Store(true)
	}
	return reply
}

// alone answers one caller at a time. The senders of the concurrent case meet
// in it for certain: a call that only that case gets to waits for another.
type alone struct {
	calls atomic.Int64
	meet  chan struct{}
}

func (a *alone) call() ilp.Reply {
	switch a.calls.Add(1) {
	case 1200:
		<-a.meet
		return &ilp.Reject{Code: ilp.T00InternalError, Message: "two at once"}
	case 1201:
		close(a.meet)
	}
	return nil
}

func moneyFaults(released <-chan struct{}) map[string]fault {
	return map[string]fault{
		"gives no money function": {moves(func(middleware.MoneyFunc) middleware.MoneyFunc { return nil }), []string{"Money"}},
		"keeps the money":         {moves(func(middleware.MoneyFunc) middleware.MoneyFunc { return nothing }), []string{"Money"}},
		"pays twice": {moves(func(next middleware.MoneyFunc) middleware.MoneyFunc {
			return func(ctx context.Context, m plugin.Money) error {
				_ = next(ctx, m)
				return next(ctx, m)
			}
		}), []string{"Money"}},
		"takes a fee": {moves(func(next middleware.MoneyFunc) middleware.MoneyFunc {
			return func(ctx context.Context, m plugin.Money) error {
				m.Amount -= m.Amount / 10
				return next(ctx, m)
			}
		}), []string{"Money"}},
		"rounds down": {moves(func(next middleware.MoneyFunc) middleware.MoneyFunc {
			return func(ctx context.Context, m plugin.Money) error {
				return next(ctx, plugin.Money{Amount: m.Amount, Key: m.Key})
			}
		}), []string{"Money"}},
		"makes a key of its own": {moves(func(next middleware.MoneyFunc) middleware.MoneyFunc {
			return func(ctx context.Context, m plugin.Money) error {
				m.Key += "'"
				return next(ctx, m)
			}
		}), []string{"Money"}},
		"drops the context": {moves(func(next middleware.MoneyFunc) middleware.MoneyFunc {
			return func(_ context.Context, m plugin.Money) error { return next(context.Background(), m) }
		}), []string{"Money"}},
		"swallows the error": {moves(func(next middleware.MoneyFunc) middleware.MoneyFunc {
			return func(ctx context.Context, m plugin.Money) error {
				_ = next(ctx, m)
				return nil
			}
		}), []string{"Money"}},
		"hides the error": {moves(func(next middleware.MoneyFunc) middleware.MoneyFunc {
			return func(ctx context.Context, m plugin.Money) error {
				if err := next(ctx, m); err != nil {
					return fmt.Errorf("money: %v", err)
				}
				return nil
			}
		}), []string{"Money"}},
		"fails though it was paid": {moves(func(next middleware.MoneyFunc) middleware.MoneyFunc {
			return func(ctx context.Context, m plugin.Money) error {
				return errors.Join(next(ctx, m), errors.New("but"))
			}
		}), []string{"Money"}},
		"blocks at money": {moves(func(middleware.MoneyFunc) middleware.MoneyFunc {
			return func(context.Context, plugin.Money) error {
				<-released
				return nil
			}
		}), []string{"Money"}},
		"panics at money": {moves(func(next middleware.MoneyFunc) middleware.MoneyFunc {
			return func(context.Context, plugin.Money) error { panic("money") }
		}), []string{"Money"}},
	}
}

func nothing(context.Context, plugin.Money) error { return nil }
