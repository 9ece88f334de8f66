package settlement

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Account is a link that is joined to an engine: a plugin.Plugin in the place
// of the one that it wraps, and a plugin.MoneySender. All methods may be
// called concurrently.
type Account struct {
	engine *Engine
	inner  plugin.Plugin
	id     string
	asset  ilp.Asset

	messages *plugin.Async // those of the counterparty, on their way to the engine
	pace     pace          // of these
	closing  sync.Once
	stop     context.CancelFunc
	over     context.Context // ends when Close begins
	told     chan struct{}   // closed when the engine has first been told of the account, in vain or not
	unknown  chan struct{}   // holds one when the engine did not know the account

	unbooked, unanswered, undelivered events

	opening sync.Mutex // held by Open
	mu      sync.Mutex // guards what follows
	handler plugin.Handler
	closed  bool
	calls   sync.WaitGroup // those that begin let in
}

var (
	_ plugin.Plugin      = (*Account)(nil)
	_ plugin.MoneySender = (*Account)(nil)
)

func newAccount(e *Engine, inner plugin.Plugin, o AccountOptions) *Account {
	a := &Account{engine: e, inner: inner, id: o.ID, asset: o.Asset, told: make(chan struct{}), unknown: make(chan struct{}, 1)}
	a.over, a.stop = context.WithCancel(context.Background())
	a.messages = plugin.NewAsync(e.maxMessages, a.passToEngine)
	a.pace.interval = time.Second / time.Duration(e.messageRate)
	return a
}

// Unwrap gives the link inside.
func (a *Account) Unwrap() plugin.Plugin { return a.inner }

// Open opens the link inside, and begins to tell the engine of the account.
func (a *Account) Open(ctx context.Context, h plugin.Handler) error {
	a.opening.Lock()
	defer a.opening.Unlock()
	if a.isClosed() {
		return fmt.Errorf("settlement: account %q: open: %w", a.id, net.ErrClosed)
	}
	if err := a.inner.Open(ctx, &handler{Handler: h, account: a}); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed { // meanwhile, or while the link was being opened
		return fmt.Errorf("settlement: account %q: open: %w", a.id, net.ErrClosed)
	}
	a.handler = h
	a.calls.Go(func() { a.register(a.over) })
	return nil
}

// SendPrepare hands p to the link inside.
func (a *Account) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	a.inner.SendPrepare(ctx, p, r)
}

// Connected reports whether the link inside is connected. Money can be sent
// while it is not.
func (a *Account) Connected() bool { return a.inner.Connected() }

// Close ends what the account has going on with the engine, and closes the
// link inside. The engine keeps the account: see [Engine.DeleteAccount].
func (a *Account) Close() error {
	var err error
	a.closing.Do(func() {
		a.mu.Lock()
		a.closed = true
		a.mu.Unlock()
		a.stop()
		a.messages.Close()
		err = a.inner.Close()
		a.calls.Wait()
	})
	return err
}

func (a *Account) isClosed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closed
}

var errNotOpen = fmt.Errorf("%w: the account is not open", plugin.ErrNotConnected)

// errClosed speaks of this moment: a settlement that an earlier call has
// brought to the engine may well be paid. So it is no definite no.
var errClosed = fmt.Errorf("%w: %w", plugin.ErrNotConnected, net.ErrClosed)

// begin lets in a call that Close waits for; the caller calls end. The context
// that is returned ends with ctx, or when Close begins.
func (a *Account) begin(ctx context.Context) (_ context.Context, h plugin.Handler, end func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return nil, nil, nil, errClosed
	case a.handler == nil:
		return nil, nil, nil, errNotOpen
	}
	a.calls.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(a.over, func() { cancel(net.ErrClosed) })
	return ctx, a.handler, func() {
		unhook()
		cancel(nil)
		a.calls.Done()
	}, nil
}

// SendMoney asks the engine to settle m, and returns when it has said that it
// will, which is any 2xx. No other answer, and no silence, is taken as a
// definite no, but one that Options.Refused calls so.
func (a *Account) SendMoney(ctx context.Context, m plugin.Money) error {
	if err := a.sendMoney(ctx, m); err != nil {
		return fmt.Errorf("settlement: account %q: sending %v: %w", a.id, m, err)
	}
	return nil
}

func (a *Account) sendMoney(ctx context.Context, m plugin.Money) error {
	if m.Fraction != 0 {
		return errors.New("it has a fraction: what we send is whole units")
	}
	ctx, _, end, err := a.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	select {
	case <-a.told: // if the engine has not understood, it will say so
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err = a.engine.client.settle(ctx, a.id, m, a.asset)
	a.noteUnknown(err)
	return err
}

// receive books a settlement of the counterparty's.
func (a *Account) receive(ctx context.Context, m plugin.Money) error {
	ctx, h, end, err := a.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return h.HandleMoney(ctx, m)
}

// bookedFirst gives what is booked under the key of a settlement of another
// amount, if err says that.
func (a *Account) bookedFirst(err error) (Quantity, bool) {
	reused, ok := errors.AsType[*plugin.KeyReusedError](err)
	if !ok {
		return Quantity{}, false
	}
	amount, scale, err := reused.First.Quantity(a.asset)
	return Quantity{Amount: amount, Scale: scale}, err == nil
}

const (
	minBackoff = time.Second
	maxBackoff = 15 * time.Minute // RFC 38 allows an hour (SE-52)
)

// register tells the engine of the account until it has heard, and again
// whenever the engine turns out not to know it any more.
func (a *Account) register(ctx context.Context) {
	told := sync.OnceFunc(func() { close(a.told) })
	defer told()
	backoff := time.Duration(0)
	for ctx.Err() == nil {
		err := a.engine.client.createAccount(ctx, a.id)
		told()
		switch {
		case err == nil && backoff > 0:
			a.engine.log.Info("the settlement engine has taken the account", slog.String("account", a.id))
		case err != nil && backoff == 0 && ctx.Err() == nil:
			a.engine.log.Warn("the settlement engine is told of the account again", slog.String("account", a.id), slog.Any("error", err))
		}
		if err != nil {
			backoff = min(max(2*backoff, minBackoff), maxBackoff)
			sleep(ctx, backoff/2+rand.N(backoff/2+1))
			continue
		}
		backoff = 0
		select {
		case <-a.unknown:
			sleep(ctx, minBackoff) // a counterparty's messages may have led to it
		case <-ctx.Done():
		}
	}
}

// noteUnknown has the engine told of the account again if err says that it
// does not know it.
func (a *Account) noteUnknown(err error) {
	if !hasStatus(err, http.StatusNotFound) {
		return
	}
	select {
	case a.unknown <- struct{}{}:
	default:
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
