package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
)

// link is an account at run time. It is the handler of its plugin. Nothing
// in it is shared with another account but what it points to.
type link struct {
	c         *Connector
	account   account.Account
	party     backend.Party
	book      ledger.Book
	pipelines *middleware.Pipelines
	plugin    plugin.Plugin

	incomingMoney middleware.MoneyFunc
	outgoingMoney middleware.MoneyFunc // nil when the plugin cannot send money

	maxInFlight int64
	inFlight    atomic.Int64 // packets from the counterparty not yet answered
	outstanding atomic.Int64 // packets to the counterparty, from its outgoing stages on, not yet answered
	draining    atomic.Bool  // no new packets are taken
	paused      atomic.Bool  // the same, until it is resumed; and none are sent
	drained     chan struct{}
	left        chan struct{} // closed when it was removed and its last packet is answered
	malformed   atomic.Uint64

	mu     sync.Mutex // guards opened and closed
	opened bool
	closed bool
}

var _ plugin.Handler = (*link)(nil)

// newLink makes the link of a: its book, and its stages. ctx bounds the
// reading of the book.
func newLink(ctx context.Context, c *Connector, a account.Account) (*link, error) {
	l := &link{
		c:           c,
		account:     a,
		party:       backend.Party{Account: a.ID, Asset: a.Asset},
		plugin:      a.Plugin,
		maxInFlight: int64(a.MaxInFlight),
		drained:     make(chan struct{}, 1),
		left:        make(chan struct{}),
	}
	if l.maxInFlight == 0 {
		l.maxInFlight = account.DefaultMaxInFlight
	}
	terms := ledger.Terms{Account: a.ID, Asset: a.Asset, Limits: a.Balance}
	sender, settles := plugin.As[plugin.MoneySender](a.Plugin)
	switch {
	case settles:
		terms.Pay = func(ctx context.Context, m plugin.Money) error { return l.outgoingMoney(ctx, m) }
	case a.Balance != nil && a.Balance.SettleThreshold != nil:
		return nil, fmt.Errorf("account %q: Balance.SettleThreshold: is %d, but %w", a.ID, *a.Balance.SettleThreshold, ErrCannotSettle)
	}
	var err error
	if l.book, err = c.ledger.Open(ctx, terms); err != nil {
		return nil, err
	}
	if l.pipelines, err = middleware.Attach(c.config.Middleware, host{c, a.ID, l.book}, &l.account); err != nil {
		l.book.Close()
		return nil, err
	}
	l.incomingMoney = l.pipelines.IncomingMoney(l.book.Receive)
	if settles {
		l.outgoingMoney = l.pipelines.OutgoingMoney(sender.SendMoney)
	}
	return l, nil
}

// open opens the plugin, once.
func (l *link) open(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opened || l.closed {
		return nil
	}
	if err := l.plugin.Open(ctx, l); err != nil {
		return fmt.Errorf("connector: account %q: opening its plugin: %w", l.account.ID, err)
	}
	l.opened = true
	l.c.router.linkOpened(l)
	l.c.inheritFrom(l)
	l.book.Settle()
	return nil
}

// isOpen reports whether the plugin has been opened. It waits for a call that
// opens it.
func (l *link) isOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened
}

// close closes the plugin, once, which answers every packet sent to it.
func (l *link) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if err := l.plugin.Close(); err != nil {
		return fmt.Errorf("connector: account %q: closing its plugin: %w", l.account.ID, err)
	}
	return nil
}

// enter counts a packet in, or gives the reject for one that is not taken.
// Every packet that entered leaves.
func (l *link) enter() *ilp.Reject {
	if l.inFlight.Add(1) > l.maxInFlight {
		l.leave()
		return &ilp.Reject{Code: ilp.T03ConnectorBusy, TriggeredBy: l.c.Address(), Message: "too many packets in flight."}
	}
	// Looked at after the packet is counted: who drains sets the flag first
	// and counts then, so one of the two sees the other.
	if l.draining.Load() {
		l.leave()
		return &ilp.Reject{Code: ilp.T03ConnectorBusy, TriggeredBy: l.c.Address(), Message: "no new packets are taken."}
	}
	return nil
}

func (l *link) leave() {
	if l.inFlight.Add(-1) == 0 && l.draining.Load() {
		l.signalDrained()
	}
}

// expect counts a packet to the counterparty as outstanding, or reports false
// if none are sent any more. Every packet that is expected is answered.
func (l *link) expect() bool {
	l.outstanding.Add(1)
	if l.draining.Load() { // looked at afterwards, as in enter
		l.answered()
		return false
	}
	return true
}

// answered counts a packet to the counterparty as no longer outstanding.
func (l *link) answered() {
	if l.outstanding.Add(-1) == 0 && l.draining.Load() {
		l.signalDrained()
	}
}

func (l *link) signalDrained() {
	select {
	case l.drained <- struct{}{}:
	default:
	}
}

// drain takes no new packets and waits until none is in flight either way,
// or until ctx ends.
func (l *link) drain(ctx context.Context) error {
	l.draining.Store(true)
	for !l.rests() {
		select {
		case <-l.drained:
		case <-ctx.Done():
			return fmt.Errorf("connector: account %q: %d packets from it and %d to it are still in flight: %w",
				l.account.ID, l.inFlight.Load(), l.outstanding.Load(), ctx.Err())
		}
	}
	l.signalDrained() // for another who waits
	return nil
}

// rests reports whether no packet is in flight either way.
func (l *link) rests() bool { return l.inFlight.Load() == 0 && l.outstanding.Load() == 0 }

// finish closes the stages when the last packet has been answered. The link
// takes no packets any more, and its plugin is closed: what is in flight is
// with other links, up to its expiry.
func (l *link) finish() {
	_ = l.drain(context.Background()) // cannot fail: this context never ends
	l.discard()
}

// discard closes the stages and the book of a link that takes no packets.
func (l *link) discard() {
	l.pipelines.Close()
	l.book.Close()
}

// HandlePrepare takes a packet of the counterparty on its way.
func (l *link) HandlePrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	if reject := l.enter(); reject != nil {
		r.Reply(ctx, reject)
		return
	}
	if l.refusePaused(ctx, p, r) {
		return
	}
	f := l.c.newFlight(l, r)
	f.in.Prepare = *p
	f.in.Run(ctx, l.pipelines.Incoming, f)
}

// HandleMalformed answers F01. The balance is not touched: there is no
// amount in bytes that are no packet.
func (l *link) HandleMalformed(ctx context.Context, err error, r plugin.Responder) {
	if n := l.malformed.Add(1); bits.OnesCount64(n) == 1 { // the first, and each time their number doubled
		l.c.logger.LogAttrs(ctx, slog.LevelWarn, "malformed packet",
			slog.String("account", l.account.ID), slog.Any("error", err), slog.Uint64("times", n))
	}
	r.Reply(ctx, &ilp.Reject{Code: ilp.F01InvalidPacket, TriggeredBy: l.c.Address(), Message: err.Error()})
}

// HandleMoney books a settlement. It is never refused by a limit: money that
// has arrived is ours.
func (l *link) HandleMoney(ctx context.Context, m plugin.Money) error {
	if err := l.incomingMoney(ctx, m); err != nil {
		return fmt.Errorf("connector: account %q: booking a settlement of %d: %w", l.account.ID, m.Amount, err)
	}
	return nil
}

// HandleState logs the change. Routes are exchanged, and an address asked
// for, over a link that has come up; what was learned over one that went down
// is forgotten.
func (l *link) HandleState(connected bool, err error) {
	l.c.router.linkState(l, connected)
	if connected {
		l.c.inheritFrom(l)
	}
	attrs := []slog.Attr{slog.String("account", l.account.ID)}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	message := "account disconnected"
	if connected {
		message = "account connected"
	}
	l.c.logger.LogAttrs(context.Background(), slog.LevelInfo, message, attrs...)
}

// ErrCannotSettle is wrapped by errors about settlements with an account whose
// plugin sends no money.
var ErrCannotSettle = errors.New("its plugin cannot send money: use a link that implements plugin.MoneySender")
