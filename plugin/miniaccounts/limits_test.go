package miniaccounts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// newLedger makes a ledger that runs until the test ends.
func newLedger(t testing.TB, s store.Store) *ledger.Local {
	t.Helper()
	l, err := ledger.NewLocal(ledger.LocalOptions{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- l.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	return l
}

// bookOf gives the book of a user who is in memory.
func (n *network) bookOf(t testing.TB, name string) ledger.State {
	t.Helper()
	for _, u := range n.Users() {
		if u.Name == name {
			return u.Book
		}
	}
	t.Fatalf("there is no user %q", name)
	panic("not reached")
}

func (n *network) wantBook(t testing.TB, name string, balance int64, in, out uint64) {
	t.Helper()
	b := n.bookOf(t, name)
	if b.Balance != balance || b.ReservedIn != in || b.ReservedOut != out {
		t.Errorf("the book of %s is at %d, with %d and %d reserved; want %d, %d and %d", name, b.Balance, b.ReservedIn, b.ReservedOut, balance, in, out)
	}
}

func named(s store.Store) miniaccounts.Options {
	return miniaccounts.Options{Identity: miniaccounts.ByUsername, Store: s}
}

// Each user has its own limits, and nobody else's packets count.
func TestLimitsOfEachUser(t *testing.T) {
	for name, c := range map[string]struct {
		limits  miniaccounts.UserLimits
		amounts []uint64 // of packets of alice; the last one is too much
		code    ilp.Code
		message string
	}{
		"packet size": {miniaccounts.UserLimits{MaxPacketAmount: 50}, []uint64{50, 51},
			ilp.F08AmountTooLarge, "packet size too large. maxAmount=50 actualAmount=51"},
		"rate": {miniaccounts.UserLimits{RateLimit: &account.RateLimit{RefillCount: 2}}, []uint64{1, 1, 1},
			ilp.T05RateLimited, "too many requests, throttling."},
		"throughput": {miniaccounts.UserLimits{Throughput: &account.Throughput{IncomingAmount: 100}}, []uint64{60, 40, 1},
			ilp.T04InsufficientLiquidity, "exceeded money bandwidth, throttling."},
		"balance": {miniaccounts.UserLimits{Balance: &account.BalanceLimits{Maximum: 100}}, []uint64{100, 1},
			ilp.T04InsufficientLiquidity, "exceeded maximum balance."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := named(memstore.New())
				o.Limits, o.Ledger = c.limits, newLedger(t, memstore.New())
				n := start(t, o)
				alice, bob := n.user(t, "alice", "a"), n.user(t, "bob", "b")
				for i, amount := range c.amounts {
					p := prepareTo("test.x")
					p.Amount = amount
					reply := alice.Exchange(uint32(i), p)
					if i == len(c.amounts)-1 {
						wantReject(t, reply, c.code, c.message)
					} else if reply.(*ilp.Fulfill) == nil {
						t.Fatalf("packet %d: %+v", i, reply)
					}
				}
				if len(n.parent.packets) != len(c.amounts)-1 {
					t.Errorf("the connector got %d packets", len(n.parent.packets))
				}
				p := prepareTo("test.x")
				p.Amount = 1
				if _, ok := bob.Exchange(1, p).(*ilp.Fulfill); !ok {
					t.Error("the other user is refused as well")
				}
			})
		})
	}
}

// The limits of packets to users, too.
func TestOutgoingLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limits  miniaccounts.UserLimits
		message string
	}{
		"throughput": {miniaccounts.UserLimits{Throughput: &account.Throughput{OutgoingAmount: 100}}, "exceeded money bandwidth, throttling."},
		"balance":    {miniaccounts.UserLimits{Balance: &account.BalanceLimits{Minimum: -100}}, "exceeded minimum balance."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := named(memstore.New())
				o.Limits, o.Ledger = c.limits, newLedger(t, memstore.New())
				n := start(t, o)
				alice := n.user(t, "alice", "a")
				first := ask(n, prepareTo("test.connie.mini.alice"))
				_, id := alice.ReadPrepare()
				p := prepareTo("test.connie.mini.alice")
				p.Amount = 1
				get(t, ask(n, p)).wantReject(t, ilp.T04InsufficientLiquidity, c.message) // what is in flight counts
				alice.SendILP(btp.TypeResponse, id, fulfill)
				if o := get(t, first); o.fulfill == nil {
					t.Errorf("%+v", o)
				}
			})
		})
	}
}

// LimitsOf gives each user what the host says, when it comes.
func TestLimitsOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := named(memstore.New())
		o.Limits = miniaccounts.UserLimits{MaxPacketAmount: 1}
		o.LimitsOf = func(user string) miniaccounts.UserLimits {
			switch user {
			case "rich":
				return miniaccounts.UserLimits{MaxPacketAmount: 100}
			case "odd":
				return miniaccounts.UserLimits{Balance: &account.BalanceLimits{Maximum: 5}} // and there is no ledger
			}
			return miniaccounts.UserLimits{MaxPacketAmount: 10}
		}
		n := start(t, o)
		if _, ok := n.user(t, "rich", "r").Exchange(1, prepareTo("test.x")).(*ilp.Fulfill); !ok {
			t.Error("the rich one is refused")
		}
		wantReject(t, n.user(t, "poor", "p").Exchange(1, prepareTo("test.x")), ilp.F08AmountTooLarge, "packet size too large. maxAmount=10 actualAmount=100")
		n.refused(t, "odd", "o", btp.T00UnreachableError, "the account is not ready")
		if n.InMemory() != 2 {
			t.Errorf("%d users in memory", n.InMemory())
		}
	})
}

// A user cannot have more packets unanswered than it may.
func TestMaxInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := named(memstore.New())
		o.Limits.MaxInFlight = 3
		n := start(t, o)
		n.parent.hold()
		alice, bob := n.user(t, "alice", "a"), n.user(t, "bob", "b")
		for i := range uint32(3) {
			alice.SendILP(btp.TypeMessage, i, prepareTo("test.x"))
		}
		wantReject(t, alice.Exchange(3, prepareTo("test.x")), ilp.T03ConnectorBusy, "too many packets in flight.")
		bob.SendILP(btp.TypeMessage, 1, prepareTo("test.x"))
		for range 4 {
			get(t, n.parent.held).responder.Reply(context.Background(), fulfill)
		}
		bob.ReadReply(1)
		for i := range uint32(3) {
			alice.ReadReply(i)
		}
		n.parent.reply = func(*ilp.Prepare) ilp.Reply { return fulfill }
		if _, ok := alice.Exchange(9, prepareTo("test.x")).(*ilp.Fulfill); !ok {
			t.Error("there is no room again")
		}
	})
}

// Who goes and comes back finds its limits as they were. When they have
// nothing to remember it is forgotten.
func TestReconnectingDoesNotRenewLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := named(memstore.New())
		o.Limits.RateLimit = &account.RateLimit{RefillCount: 1, RefillPeriod: time.Minute, Capacity: 2}
		n := start(t, o)
		send := func() ilp.Reply {
			u := n.user(t, "alice", "a")
			defer func() {
				u.Close()
				synctest.Wait()
			}()
			return u.Exchange(1, prepareTo("test.x"))
		}
		for range 2 {
			if _, ok := send().(*ilp.Fulfill); !ok {
				t.Fatal("refused")
			}
		}
		wantReject(t, send(), ilp.T05RateLimited, "too many requests, throttling.")
		time.Sleep(2 * time.Minute)
		if n.InMemory() != 1 {
			t.Error("forgotten before the bucket is full again")
		}
		time.Sleep(time.Minute + time.Second) // it has gone a moment after it was refused
		n.user(t, "bob", "b")
		if n.InMemory() != 1 {
			t.Errorf("%d users in memory, want bob alone", n.InMemory())
		}
	})
}

// The books of a user survive it, and the process.
func TestBooksAreKept(t *testing.T) {
	books, tokens := memstore.New(), memstore.New()
	for i := range 2 {
		synctest.Test(t, func(t *testing.T) {
			o := named(tokens)
			o.Ledger = newLedger(t, books)
			n := start(t, o)
			for range 3 {
				u := n.user(t, "alice", "a")
				u.Exchange(1, prepareTo("test.x"))
				u.Close()
				synctest.Wait()
			}
			n.user(t, "alice", "a")
			n.wantBook(t, "alice", int64(300*(i+1)), 0, 0)
		})
	}
}

// No stage is closed while a packet is in it, and each once.
func TestStagesAreClosedAfterTheLastPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &closing{}
		n := start(t, miniaccounts.Options{Middleware: []middleware.Middleware{m}})
		n.parent.hold()
		u := n.user(t, "", "token")
		u.SendILP(btp.TypeMessage, 1, prepareTo("test.x"))
		h := get(t, n.parent.held)
		u.Close()
		synctest.Wait()
		if m.closed != 0 || n.InMemory() != 1 {
			t.Error("closed with a packet in flight")
		}
		h.responder.Reply(context.Background(), fulfill)
		if m.closed != 1 || n.InMemory() != 0 {
			t.Errorf("closed %d times, %d users in memory", m.closed, n.InMemory())
		}
	})
}

type closing struct{ closed int }

func (*closing) Name() string { return "closing" }
func (c *closing) Attach(middleware.Host, *account.Account) (middleware.Stages, error) {
	return middleware.Stages{Close: func() { c.closed++ }}, nil
}

// Options that contradict themselves are refused, with the field and what
// would be right.
func TestOptions(t *testing.T) {
	settle := int64(-5)
	for want, o := range map[string]miniaccounts.Options{
		"Options.Name: has 127 bytes":                            {Name: strings.Repeat("a", 127)},
		"Options.Identity: is 7":                                 {Identity: 7},
		"Options.Store: is nil: the tokens":                      {Identity: miniaccounts.ByUsernameOrToken},
		"Options.Directory: is set, and so is Identity or Store": {Directory: &directory{}, Store: memstore.New()},
		"Options.Sockets: is 2":                                  {Sockets: 2},
		"Options.Limits: a Balance is set, but Options.Ledger":   {Limits: miniaccounts.UserLimits{Balance: &account.BalanceLimits{}}},
		"Balance.SettleThreshold is set": {Ledger: &ledger.Local{},
			Limits: miniaccounts.UserLimits{Balance: &account.BalanceLimits{SettleThreshold: &settle}}},
		"RateLimit.RefillCount: is 0":           {Limits: miniaccounts.UserLimits{RateLimit: &account.RateLimit{}}},
		"MaxInFlight: is -1":                    {Limits: miniaccounts.UserLimits{MaxInFlight: -1}},
		"Options.Middleware: middleware: entry": {Middleware: []middleware.Middleware{nil}},
	} {
		if _, err := miniaccounts.NewServer(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
	view := store.Store(memstore.New())
	for range 4 {
		v, err := store.NewView(view, strings.Repeat("v", 100))
		if err != nil {
			t.Fatal(err)
		}
		view = v
	}
	if _, err := miniaccounts.NewServer(named(view)); err == nil || !strings.Contains(err.Error(), "Options.Store: takes keys of 108 bytes: it must take 141") {
		t.Errorf("the error is %v", err)
	}
}

// A ledger that cannot keep a user's book keeps the user out, for now.
func TestBookInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := named(memstore.New())
		o.Ledger = newLedger(t, memstore.New())
		book, err := o.Ledger.Open(t.Context(), ledger.Terms{Account: "miniaccounts/alice"})
		if err != nil {
			t.Fatal(err)
		}
		n := start(t, o)
		n.refused(t, "alice", "a", btp.T00UnreachableError, "the account is not ready")
		book.Close()
		n.user(t, "alice", "a")
		if _, err := o.Ledger.Open(t.Context(), ledger.Terms{Account: "miniaccounts/alice"}); err == nil || errors.Is(err, ledger.ErrClosed) {
			t.Errorf("the book is not open: %v", err)
		}
	})
}
