package connector_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// Alerts outlive the connector, and so does their dismissal: they are in its
// store, beside the books.
func TestAlertsOutliveTheConnector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := memstore.New()
		life := func() *network {
			n := newNetwork(t, connector.Config{Store: st})
			n.add(connector.Account{ID: "one", Relation: connector.Child})
			two := n.add(connector.Account{ID: "two", Relation: connector.Child})
			two.paid = func(connector.Money) error { return errors.New("no fee") }
			n.run()
			synctest.Wait()
			return n
		}
		n := life()
		o := n.send("one", prepare("test.connie.two"))
		n.links["two"].take(t).reply(&ilp.Reject{Code: ilp.T04InsufficientLiquidity, TriggeredBy: ilp.MustParseAddress("test.connie"), Message: "exceeded maximum balance."})
		o.wantReject(t, ilp.T04InsufficientLiquidity, "exceeded maximum balance.")
		if _, err := n.c.Settle(t.Context(), "two", 5); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		first := n.c.Alerts()
		if len(first) != 2 || first[0].Kind != middleware.AlertBalanceExceeded || first[1].Kind != middleware.AlertSettlementFailing ||
			first[1].Account != "two" || first[1].Message != "a settlement of 5 is tried again: no fee" {
			t.Fatalf("the alerts are %+v, want one of a peer that is owed too much, and one of a settlement", first)
		}
		n.stop()

		n = life()
		second := n.c.Alerts()
		if len(second) != 2 || second[0].ID != first[0].ID || second[0].Count != first[0].Count || second[1].Count <= first[1].Count {
			t.Errorf("the alerts of the next life are %+v, want %+v and the new attempts", second, first)
		}
		if !n.c.DismissAlert(second[0].ID) || n.c.DismissAlert(second[0].ID) {
			t.Error("DismissAlert does not tell what was there")
		}
		n.stop() // at once: it is written all the same

		n = life()
		if third := n.c.Alerts(); len(third) != 1 || third[0].ID != first[1].ID {
			t.Errorf("the alerts of the third life are %+v, want the one that was not dismissed", third)
		}
	})
}

// What the ledger has to say when it stops is kept, too: alerts are written
// after it.
func TestAlertOfTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := memstore.New()
		parting := partingLedger{}
		chain := middleware.Standard()
		parting.tell = middleware.ObserveLedger(chain)
		parting.Ledger = must(ledger.NewLocal(ledger.LocalOptions{Store: st}))
		n := newNetwork(t, connector.Config{Store: st, Ledger: parting, Middleware: chain})
		n.run()
		n.stop()

		n = newNetwork(t, connector.Config{Store: st})
		n.run()
		synctest.Wait()
		if got := n.c.Alerts(); len(got) != 1 || got[0].Kind != middleware.AlertStoreFailing {
			t.Errorf("the alerts are %+v, want what was raised last", got)
		}
	})
}

// partingLedger says that its store fails when it has stopped.
type partingLedger struct {
	ledger.Ledger
	tell func(ledger.Event)
}

func (l partingLedger) Run(ctx context.Context) error {
	err := l.Ledger.Run(ctx)
	l.tell(ledger.Event{Kind: ledger.StoreFailing, Err: errors.New("at the end")})
	return err
}

func TestWithoutAlerts(t *testing.T) {
	n := newNetwork(t, connector.Config{Middleware: []middleware.Middleware{}})
	if got := n.c.Alerts(); got != nil || n.c.DismissAlert(1) {
		t.Errorf("the alerts of a chain that has none are %v", got)
	}
}

// worker is a middleware that runs in the background.
type worker struct {
	name string
	run  func(ctx context.Context, host middleware.Host) error
}

func (w worker) Name() string { return w.name }

func (worker) Attach(middleware.Host, *account.Account) (middleware.Stages, error) {
	return middleware.Stages{}, nil
}

func (w worker) Run(ctx context.Context, host middleware.Host) error { return w.run(ctx, host) }

// A Runner runs while there are accounts and packets, and with a store that is
// its own; the connector waits for it, and goes on without one that fails.
func TestRunnersOfTheChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := memstore.New()
		ended := false
		var n *network
		works := worker{"works", func(ctx context.Context, host middleware.Host) error {
			s, err := host.Store("works")
			if err != nil {
				return err
			}
			var b store.Batch
			b.Put("key", []byte("value"))
			if err := s.Write(ctx, &b); err != nil {
				return err
			}
			if _, err := host.Store("a name with spaces"); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("Store = %v with a name that is none, want ErrInvalid", err)
			}
			if b := host.Book(&account.Account{ID: "one"}); b == nil || b.State().Balance != 0 {
				t.Error("no book of an account that was added")
			}
			if b := host.Book(&account.Account{ID: "nobody"}); b != nil {
				t.Error("a book of an account that is not there")
			}
			if host.Address().String() != "test.connie" || host.Logger() == nil || !host.Now().Equal(time.Now()) {
				t.Error("the host does not know its address, log or time")
			}
			<-ctx.Done()
			for _, a := range n.c.Accounts() {
				if a.InFlight != 0 || a.Outstanding != 0 {
					t.Errorf("stopped with packets in flight: %+v", a)
				}
			}
			time.Sleep(time.Hour)
			ended = true
			return ctx.Err()
		}}
		fails := worker{"fails", func(context.Context, middleware.Host) error { return errors.New("cannot go on") }}
		n = newNetwork(t, connector.Config{Store: st, Middleware: append(middleware.Standard(), works, fails)})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		n.add(connector.Account{ID: "two", Relation: connector.Child})
		n.run()
		synctest.Wait()
		o := n.send("one", prepare("test.connie.two"))
		n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		o.wantFulfill(t, fulfillment1)
		n.send("one", prepare("test.connie.two")) // in flight when it stops
		n.stop()
		if !ended {
			t.Error("Run has not waited for the middleware")
		}
		if v, err := st.Get(t.Context(), "middleware/works/key"); err != nil || string(v) != "value" {
			t.Errorf("the key is %q, %v, want it in a part of the store that is the middleware's own", v, err)
		}
	})
}

// A middleware may look at the book of any account, from its hooks too.
func TestBooksOfOtherAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &curious{seen: make(map[string]string)}
		n := newNetwork(t, connector.Config{Middleware: append(middleware.Standard(), c)})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		n.add(connector.Account{ID: "two", Relation: connector.Child}).answer = fulfills(fulfillment1)
		n.run()
		n.send("one", prepare("test.connie.two")).wantFulfill(t, fulfillment1)
		for what, want := range map[string]string{
			"one attached": "one", "two attached": "two", "other attached": "one", "nobody attached": "",
			"source": "one", "destination": "two",
		} {
			if got := c.seen[what]; got != want {
				t.Errorf("%s: it was given the book of %q, want %q", what, got, want)
			}
		}
	})
}

// curious is a middleware that remembers whose books it was given.
type curious struct{ seen map[string]string }

func (*curious) Name() string { return "curious" }

func (c *curious) see(host middleware.Host, what string, a *account.Account) {
	c.seen[what] = ""
	if book := host.Book(a); book != nil {
		c.seen[what] = book.State().Account
	}
}

func (c *curious) Attach(host middleware.Host, a *account.Account) (middleware.Stages, error) {
	c.see(host, a.ID+" attached", a)
	if a.ID == "two" {
		c.see(host, "other attached", &account.Account{ID: "one"})
		c.see(host, "nobody attached", &account.Account{ID: "nobody"})
	}
	return middleware.Stages{Outgoing: middleware.PrepareFunc(func(_ context.Context, p *middleware.Packet) ilp.Reply {
		c.see(host, "source", p.Source)
		c.see(host, "destination", p.Destination)
		return nil
	})}, nil
}
