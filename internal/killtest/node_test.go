package killtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// terms are those of an account, which the connector and the world agree on.
type terms struct {
	id             string
	scale          uint8
	sends, accepts bool
	user           bool // of miniaccounts
}

// accounts are in both scales, and in both directions: of the first two each
// shows one side of the books alone.
var accounts = []terms{
	{id: "wallet", scale: 6, sends: true},
	{id: "shop", scale: 9, accepts: true},
	{id: "alice", scale: 9, sends: true, accepts: true},
	{id: "bob", scale: 6, sends: true, accepts: true},
}

// Packets move whole steps, which convert exactly between the scales. A step
// is so many of the smaller units of any account that what else moves money
// shows in the rest.
const (
	rest     = 1000
	maxSteps = 1000 // of one packet
)

// step is a step in the unit of the account.
func (t terms) step() int64 {
	if t.scale == 9 {
		return rest * 1000
	}
	return rest
}

// limits are such that packets pass them now and then.
func (t terms) limits() *connector.BalanceLimits {
	return &connector.BalanceLimits{
		Maximum: 300 * maxSteps * t.step(), Minimum: -300 * maxSteps * t.step(),
		SettleThreshold: connector.Int(-20 * maxSteps * t.step()), SettleTo: 0,
	}
}

// messageWindow is short, so that packets can expire in a test.
const messageWindow = 10 * time.Millisecond

// setup is what a node is made of.
type setup struct {
	Server string // host and port of the world
	Store  place
	Users  string // the path of the socket that users connect to; empty: there are none
}

// roster is who the node has to do with.
func (s setup) roster() []terms {
	if s.Users != "" {
		return crowd
	}
	return accounts
}

// node is a connector with its store.
type node struct {
	*connector.Connector
	users  *users       // nil: there are none
	close  func() error // of the store, and of what stands on it
	cancel context.CancelFunc
	done   chan error // nil until it runs
}

// newNode opens the books of a connector. Nothing moves before it runs.
func newNode(s setup, logger *slog.Logger) (n *node, err error) {
	ctx := context.Background()
	st, closeStore, err := s.Store.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeStore())
		}
	}()
	rates, err := onetoone.New(onetoone.Options{})
	if err != nil {
		return nil, err
	}
	books, err := ledger.NewLocal(ledger.LocalOptions{Store: st, Logger: logger})
	if err != nil {
		return nil, err
	}
	c, err := connector.New(connector.Config{
		Address: "test.node", Store: st, Ledger: books, Backend: rates, Middleware: middleware.Standard(), Logger: logger,
		MinMessageWindow: messageWindow,
	})
	if err != nil {
		return nil, err
	}
	for _, t := range s.roster() {
		if t.user {
			continue
		}
		u := url.URL{Scheme: "btp+ws", User: url.UserPassword(t.id, token), Host: s.Server}
		err := c.AddAccount(ctx, connector.Account{
			ID: t.id, Relation: connector.Child, Asset: connector.Asset{Code: "XYZ", Scale: t.scale},
			Plugin: newLink(u.String()), Balance: t.limits(),
		})
		if err != nil {
			return nil, err
		}
	}
	n = &node{Connector: c, close: closeStore}
	if s.Users != "" {
		if n.users, err = newUsers(ctx, n, s.Users, st, books, logger); err != nil {
			return nil, err
		}
	}
	return n, nil
}

const token = "token"

// start runs the connector.
func (n *node) start() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel, n.done = cancel, make(chan error, 1)
	go func() { n.done <- n.Run(ctx) }()
}

// stop ends it in good order.
func (n *node) stop() error {
	var err error
	if n.done != nil {
		n.cancel()
		err = <-n.done
	}
	return errors.Join(err, n.close())
}

// book is what a node tells the world of a book.
type book struct {
	Account                 string
	Balance                 int64
	ReservedIn, ReservedOut uint64
	Settlements             []plugin.Money
}

// books gives those of the accounts, and those of the users as long as nothing
// runs.
func (n *node) books() (books []book, err error) {
	if n.users != nil && n.done == nil {
		if books, err = n.users.books(); err != nil {
			return nil, err
		}
	}
	for _, a := range n.Accounts() {
		b := book{Account: a.ID, Balance: a.Book.Balance, ReservedIn: a.Book.ReservedIn, ReservedOut: a.Book.ReservedOut}
		for _, s := range a.Book.Settlements {
			b.Settlements = append(b.Settlements, plugin.Money{Amount: s.Amount, Key: s.Key})
		}
		books = append(books, b)
	}
	return books, nil
}

// link is a BTP link that settles: either side tells the other of money in a
// message of its own, and a settlement that the counterparty makes is
// acknowledged when it is booked.
type link struct {
	*btp.Client
	handler plugin.Handler
	closing context.Context
	close   context.CancelFunc
	booking sync.WaitGroup
}

var _ plugin.MoneySender = (*link)(nil)

func newLink(url string) *link {
	closing, cancel := context.WithCancel(context.Background())
	l := &link{
		Client:  btp.NewClient(btp.ClientOptions{URL: url, MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond}),
		closing: closing, close: cancel,
	}
	l.HandleRequests(l.received)
	return l
}

func (l *link) Open(ctx context.Context, h plugin.Handler) error {
	l.handler = h
	return l.Client.Open(ctx, h)
}

func (l *link) Close() error {
	l.close()
	err := l.Client.Close()
	l.booking.Wait()
	return err
}

// SendMoney asks the bank of the counterparty.
func (l *link) SendMoney(ctx context.Context, m plugin.Money) error {
	_, err := l.Request(ctx, message(m))
	var refused *btp.Error
	if errors.As(err, &refused) && !refused.Code.Temporary() {
		return fmt.Errorf("%w: %w", plugin.ErrNotSent, err)
	}
	return err
}

func (l *link) received(_ context.Context, p *btp.Packet, r btp.Request) {
	m, err := parse(p)
	if err != nil {
		_ = r.Refuse(l.closing, btp.Errorf(btp.F01InvalidFieldsError, "%v", err))
		return
	}
	l.booking.Go(func() {
		if err := l.handler.HandleMoney(l.closing, m); err != nil {
			_ = r.Refuse(l.closing, btp.Errorf(btp.T00UnreachableError, "%v", err))
			return
		}
		_ = r.Respond(l.closing)
	})
}

// message is how money is spoken of.
func message(m plugin.Money) *btp.Packet {
	return &btp.Packet{Type: btp.TypeMessage, Entries: []btp.Entry{{
		Name: "money", ContentType: btp.TextPlain, Data: fmt.Appendf(nil, "%d %s", m.Amount, m.Key),
	}}}
}

func parse(p *btp.Packet) (m plugin.Money, err error) {
	i := slices.IndexFunc(p.Entries, func(e btp.Entry) bool { return e.Name == "money" })
	if i < 0 {
		return m, errors.New("no money is spoken of")
	}
	_, err = fmt.Sscanf(string(p.Entries[i].Data), "%d %s", &m.Amount, &m.Key)
	return m, err
}
