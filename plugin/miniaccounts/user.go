package miniaccounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btplink"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// user is one user that is in memory. It is the handler of its sockets.
type user struct {
	srv   *Server
	name  string
	group btplink.Group // its sockets

	made      chan struct{} // closed when what follows is set, and does not change any more
	err       error         // why it could not be made
	account   account.Account
	book      ledger.Book // nil without a Ledger
	pipelines *middleware.Pipelines
	memory    time.Duration // see UserLimits.memory

	uses     atomic.Int64  // sockets and packets; up from 0 only with the registry locked
	incoming atomic.Int64  // packets of the user that are not answered
	outgoing atomic.Int64  // packets to it
	ended    atomic.Uint64 // sockets let in before this epoch of the registry are not

	// Of the registry, guarded by its mu.
	until time.Time // when to forget it, while it is among the departed
	index int       // its place among them, or -1
}

var (
	_ plugin.Handler  = (*user)(nil)
	_ middleware.Host = (*user)(nil)
)

// Store gives a middleware of the users a part of the server's store.
func (u *user) Store(name string) (store.Store, error) {
	if u.srv.options.Store == nil {
		return nil, ErrNoStore
	}
	all, err := store.NewView(u.srv.options.Store, "middleware")
	if err != nil {
		return nil, err
	}
	return store.NewView(all, name)
}

func newUser(srv *Server, name string) *user {
	u := &user{srv: srv, name: name, made: make(chan struct{}), index: -1}
	policy := btplink.Newest
	if srv.options.Sockets == RoundRobin {
		policy = btplink.RoundRobin
	}
	u.group.Init(srv.options.Name+"/"+name, srv.socket, srv.log, policy, srv.options.MaxSockets)
	u.group.Admits = func(key any) bool { return u.admits(key.(*admission)) }
	u.group.Requests = refuseRequest
	return u
}

// open makes the stages of the user and lets its sockets in.
func (u *user) open(ctx context.Context, c *config) error {
	o := &u.srv.options
	limits := o.Limits
	if o.LimitsOf != nil {
		limits = o.LimitsOf(u.name)
		if err := limits.check(o.Ledger != nil); err != nil {
			return fmt.Errorf("the limits of the user: %w", err)
		}
	}
	u.memory = limits.memory()
	u.account = limits.account(o.Name+"/"+u.name, u.name, c.asset)
	u.account.Plugin = u.srv
	if err := u.account.Validate(); err != nil {
		return err
	}
	if o.Ledger != nil {
		var err error
		if u.book, err = o.Ledger.Open(ctx, ledger.Terms{Account: u.account.ID, Asset: u.account.Asset, Limits: u.account.Balance}); err != nil {
			return err
		}
	}
	var err error
	if u.pipelines, err = middleware.Attach(u.srv.chain(), u, &u.account); err != nil {
		return err
	}
	return u.group.Open(u)
}

// finish closes the stages. Nobody uses the user any more.
func (u *user) finish() {
	u.group.Close()
	if u.pipelines != nil {
		u.pipelines.Close()
	}
	if u.book != nil {
		u.book.Close()
	}
}

// await waits until the user is made, for the one who has acquired it.
func (u *user) await(ctx context.Context) (*user, error) {
	select {
	case <-u.made:
	case <-ctx.Done():
		u.release()
		return nil, errNotReady
	}
	if u.err == nil {
		return u, nil
	}
	u.srv.rarely(&u.srv.counts.faults, slog.LevelError, "miniaccounts: a user cannot be let in",
		slog.String("user", u.name), slog.Any("error", u.err))
	u.release()
	return nil, errNotReady
}

// release ends a use of the user.
func (u *user) release() {
	if u.uses.Add(-1) == 0 {
		u.srv.users.rest(u)
	}
}

// leave ends a packet to the user.
func (u *user) leave() {
	r := &u.srv.users
	u.release() // first: who drains looks for users with packets, and then all is done
	if u.outgoing.Add(-1) == 0 && r.closed.Load() {
		r.signal()
	}
}

// send sends a packet to the user, which has been entered.
func (u *user) send(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	f := u.srv.newFlight(u, outgoing, p, r)
	f.packet.Prepare.ExpiresAt = p.ExpiresAt.Add(-u.srv.options.HandoverWindow)
	f.packet.Run(ctx, u.pipelines.Outgoing, f)
}

// HandlePrepare takes a packet of the user on its way to the connector.
func (u *user) HandlePrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	if u.incoming.Add(1) > int64(u.account.MaxInFlight) {
		u.incoming.Add(-1)
		r.Reply(ctx, &ilp.Reject{Code: ilp.T03ConnectorBusy, TriggeredBy: u.Address(), Message: "too many packets in flight."})
		return
	}
	u.uses.Add(1) // the socket that has brought the packet is another use
	f := u.srv.newFlight(u, incoming, p, r)
	f.packet.Run(ctx, u.pipelines.Incoming, f)
}

// HandleMalformed answers F01. The books are not touched: there is no amount
// in bytes that are no packet.
func (u *user) HandleMalformed(ctx context.Context, err error, r plugin.Responder) {
	u.srv.rarely(&u.srv.counts.malformed, slog.LevelWarn, "miniaccounts: malformed packet",
		slog.String("user", u.name), slog.Any("error", err))
	r.Reply(ctx, &ilp.Reject{Code: ilp.F01InvalidPacket, TriggeredBy: u.Address(), Message: err.Error()})
}

// HandleMoney is never called: these sockets bring no money.
func (u *user) HandleMoney(context.Context, plugin.Money) error {
	return errors.New("miniaccounts: users do not settle")
}

// HandleState tells the host.
func (u *user) HandleState(connected bool, _ error) {
	if u.srv.options.OnUser != nil {
		u.srv.options.OnUser(u.name, connected)
	}
}

// refuseRequest answers what is no ILP packet. The text is the reference's.
func refuseRequest(ctx context.Context, p *btplink.Packet, r btplink.Request) {
	text := "invalid packet, no ilp protocol data."
	if p.Type == btplink.TypeTransfer {
		text = "this link moves no money"
	}
	_ = r.Refuse(ctx, btplink.Errorf(btplink.F00NotAcceptedError, "%s", text)) // a valid packet
}

// Address is that of the account, which is what rejects are triggered by. It
// implements middleware.Host, as do the next three.
func (u *user) Address() ilp.Address { return u.srv.config.Load().address }

// Now is the connector's clock.
func (u *user) Now() time.Time { return u.srv.now() }

// Logger is the server's.
func (u *user) Logger() *slog.Logger { return u.srv.log }

// Book is the user's book.
func (u *user) Book(*account.Account) ledger.Book { return u.book }

// chain is what stands around the packets of every user.
func (srv *Server) chain() []middleware.Middleware {
	list := []middleware.Middleware{
		bothWays{middleware.ErrorHandler()},
		middleware.RateLimit(),
		middleware.MaxPacketAmount(),
		middleware.Throughput(),
	}
	if srv.options.Ledger == nil {
		return append(list, srv.options.Middleware...)
	}
	// The connector will look at the fulfillment, too; but a book must not be
	// posted to before.
	list = append(list, middleware.Balance())
	list = append(list, srv.options.Middleware...)
	return append(list, middleware.ValidateFulfillment())
}

// bothWays has the incoming stage of a middleware in the other direction,
// too: the rejects of a user's limits are not the user's.
type bothWays struct{ middleware.Middleware }

// Attach gives the stage twice.
func (b bothWays) Attach(host middleware.Host, a *account.Account) (middleware.Stages, error) {
	s, err := b.Middleware.Attach(host, a)
	s.Outgoing = s.Incoming
	return s, err
}
