package plugintest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/plugintest"
)

// What the faults are built into has none.
func TestSoundPluginsPass(t *testing.T) {
	opts := options(func(*ends) {})
	opts.Bubble = true
	plugintest.Run(t, opts)
}

// A plugin may take few packets at once, if it says so.
func TestPluginsWithALimitPass(t *testing.T) {
	const limit = 1
	opts := options(func(e *ends) {
		for _, f := range []*faulty{e.near, e.far} {
			var outstanding atomic.Int64
			f.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
				if outstanding.Add(1) > limit {
					outstanding.Add(-1)
					r.Fail(ctx, plugin.ErrBusy)
					return
				}
				f.End.SendPrepare(ctx, p, answering(func(ctx context.Context, o outcome) {
					outstanding.Add(-1)
					o.give(ctx, r)
				}))
			}
		}
	})
	opts.Symmetric, opts.Bubble, opts.MaxInFlight = true, true, limit
	plugintest.Run(t, opts)
}

// A plugin without a connection is connected from Open to Close.
func TestPluginsWithoutConnectionPass(t *testing.T) {
	opts := options(func(e *ends) {
		for _, f := range []*faulty{e.near, e.far} {
			var open atomic.Bool
			var told plugin.Handler
			f.connected = open.Load
			f.open = func(ctx context.Context, h plugin.Handler) error {
				if err := f.End.Open(ctx, handler{Handler: h, state: func(bool, error) {}}); err != nil {
					return err
				}
				told = h
				open.Store(true)
				h.HandleState(true, nil)
				return nil
			}
			f.close = func() error {
				if open.CompareAndSwap(true, false) {
					told.HandleState(false, nil)
				}
				return f.End.Close()
			}
		}
	})
	opts.Symmetric, opts.Bubble, opts.Connectionless = true, true, true
	plugintest.Run(t, opts)
}

// blocking is a plugin that has its SendPrepare from a plugin.Async.
type blocking struct {
	*inproc.End
	*plugin.Async
}

func newBlocking(end *inproc.End, limit int) blocking {
	return blocking{end, plugin.NewAsync(limit, func(ctx context.Context, p *ilp.Prepare) (ilp.Reply, error) {
		answers := make(chan outcome, 1)
		end.SendPrepare(ctx, p, answering(func(_ context.Context, o outcome) { answers <- o.keep() }))
		select {
		case o := <-answers:
			return o.reply, o.err
		case <-ctx.Done():
			return nil, errors.Join(plugin.ErrUnknownOutcome, ctx.Err())
		}
	})}
}

func (b blocking) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	b.Async.SendPrepare(ctx, p, r)
}

func (b blocking) Close() error {
	b.Async.Close()
	return b.End.Close()
}

// An Async keeps the contract, and gives no more than its limit.
func TestPluginsOfAsyncPass(t *testing.T) {
	const limit = 100
	plugintest.Run(t, plugintest.Options{
		Symmetric:   true,
		Bubble:      true,
		MaxInFlight: limit,
		New: func(testing.TB) (first, second plugin.Plugin, stop func()) {
			a, b := inproc.Pipe()
			return newBlocking(a, limit), newBlocking(b, limit), nil
		},
	})
}
