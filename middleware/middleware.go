package middleware

import (
	"context"
	"log/slog"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// Middleware makes the stages for each account.
type Middleware interface {
	// Name tells the middleware apart from the others of a chain.
	Name() string

	// Attach is called once for each account, when it is added, and gives the
	// stages for it; a Stages with nothing set where the middleware has
	// nothing to do. It may be called for several accounts at once. An error
	// refuses the account. It must say what is wrong
	// and what would be right; the account's name is added by the caller.
	Attach(host Host, a *account.Account) (Stages, error)
}

// Host is the connector as its middleware sees it.
type Host interface {
	// Address is the connector's own address; zero while it has none.
	Address() ilp.Address
	// Now is the connector's clock.
	Now() time.Time
	// Logger takes what an operator should know. Nothing below warning for a
	// packet.
	Logger() *slog.Logger
	// Book is the book of an account in the connector's ledger: that which is
	// being attached, or one that was added; nil if there is none. A stage asks
	// once, in Attach, where it can: to look for another account takes a lock.
	Book(a *account.Account) ledger.Book
	// Store is the part of the connector's store that belongs to the
	// middleware of this name; nobody else's keys are in it. The name is one
	// that store.NewView takes. A store waits for disks and networks: it is
	// for a Runner, never for a hook.
	Store(name string) (store.Store, error)
}

// Since gives how long ago a time was by the clock of host. It is cheaper than
// Now if the host has a method SystemClock, which says that its clock is
// time.Now: the time of day need not be looked at then.
func Since(host Host) func(time.Time) time.Duration {
	if h, ok := host.(interface{ SystemClock() bool }); ok && h.SystemClock() {
		return time.Since
	}
	return func(t time.Time) time.Duration { return host.Now().Sub(t) }
}

// Runner is implemented by a Middleware that has something to do in the
// background, such as writing to its store.
type Runner interface {
	// Run works until ctx is done and returns soon after that, with nil or
	// with an error that wraps ctx.Err(). It is called at most once, by the
	// connector's own Run, which waits for it. Attach and the hooks are called
	// before, during and after: packets do not wait for Run.
	//
	// When ctx is done all accounts are closed, their last packets answered
	// and the ledger has stopped, so that Run has seen everything; what it
	// writes then, it writes with a context of its own, and not for ever. An
	// error returned while ctx is not done is final and says what the host has
	// to mend.
	Run(ctx context.Context, host Host) error
}

// LedgerObserver is implemented by a Middleware that wants to know of what
// happens in the ledger beside packets: settlements that fail, a store that
// takes nothing. See [ObserveLedger].
type LedgerObserver interface {
	// ObserveLedger is called from goroutines of the ledger, concurrently,
	// before, during and after Run. It must not block.
	ObserveLedger(e ledger.Event)
}

// ObserveLedger gives the function that tells every LedgerObserver of list
// what happens in a ledger. The connector hands it to a ledger of its own. A
// host that brings its own ledger hands it over itself:
//
//	chain := middleware.Standard()
//	books, err := ledger.NewLocal(ledger.LocalOptions{Store: st, OnEvent: middleware.ObserveLedger(chain)})
func ObserveLedger(list []Middleware) func(ledger.Event) {
	var observers []LedgerObserver
	for _, m := range list {
		if o, ok := m.(LedgerObserver); ok {
			observers = append(observers, o)
		}
	}
	return func(e ledger.Event) {
		for _, o := range observers {
			o.ObserveLedger(e)
		}
	}
}

// Stages is what a middleware does for one account. Any part may be nil.
type Stages struct {
	// Incoming stands between the counterparty and the core.
	Incoming Stage
	// Outgoing stands between the core and the counterparty.
	Outgoing Stage
	// IncomingMoney wraps the booking of a settlement we received.
	IncomingMoney func(next MoneyFunc) MoneyFunc
	// OutgoingMoney wraps the payment of a settlement to the counterparty.
	OutgoingMoney func(next MoneyFunc) MoneyFunc
	// Close is called once, when the account is gone and its last packet
	// answered.
	Close func()
}

// Stage is one link in the chain of an account's packets. See the package
// comment for what holds when.
type Stage interface {
	// Prepare sees a packet on its way out. nil lets it pass. Anything else
	// is the answer to the packet, or [Held].
	Prepare(ctx context.Context, p *Packet) ilp.Reply

	// Reply sees the answer to a packet that Prepare let pass and gives the
	// one to pass on: the same, or another in its place, or [Held].
	// reply stays as it is until the packet has been answered; it is not to be
	// changed or kept for longer.
	Reply(ctx context.Context, p *Packet, reply ilp.Reply) ilp.Reply
}

// LateObserver is implemented by an outgoing Stage that wants to know of an
// answer that came after its packet had expired. The packet was answered R00
// by then, and its books are closed: Late can count and alert, nothing more.
// p is not to be kept.
type LateObserver interface {
	Late(p *Packet, reply ilp.Reply)
}

// PostingStage is implemented by a Stage that keeps a book and can make its
// posting before the reply comes back: it is to be durable together with one
// that is made elsewhere, right after the call. Reply does not make it again,
// and lets a fulfillment go on when it is durable.
type PostingStage interface {
	Stage
	Post(ctx context.Context, p *Packet)
}

// MoneyFunc moves a settlement one step on, and returns when it is done. An
// error means what it means in the contract of plugin.MoneySender, outgoing,
// or plugin.Handler's HandleMoney, incoming.
type MoneyFunc func(ctx context.Context, m plugin.Money) error
