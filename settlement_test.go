package connector_test

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/plugintest"
	"github.com/interledger-go/connector/store/memstore"
)

// A link that is closed says of a settlement that it has not been sent. That
// speaks of this attempt: an earlier one may have been paid, and then the
// amount must not be put back. The link is closed and the settlement still
// tried while a removed account waits for the last of its packets.
func TestClosedLinkIsNoRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var known atomic.Bool // what becomes of a payment
		bank := &plugintest.Bank{Decide: func(context.Context, plugin.Money, int) plugintest.Conduct {
			if known.Load() {
				return plugintest.Pays
			}
			return plugintest.LosesAnswer
		}}
		st := memstore.New()
		n := newNetwork(t, connector.Config{Store: st, DrainTimeout: time.Second, MaxHoldTime: time.Hour})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		link := newFakeLink()
		two := connector.Account{ID: "two", Relation: connector.Child, Asset: usd9,
			Plugin: &plugintest.Settler{Plugin: struct{ plugin.Plugin }{link}, Bank: bank}}
		if err := n.c.AddAccount(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		n.links["two"] = link
		n.run()

		key, err := n.c.Settle(t.Context(), "two", 700)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // it is paid, and nobody knows
		p := prepare("test.connie.one")
		p.ExpiresAt = time.Now().Add(time.Hour).UTC()
		o := n.send("two", p) // in flight with one, for an hour
		if err := n.c.RemoveAccount(t.Context(), "two"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute) // two is closed, and its settlement tried again
		n.links["one"].take(t).reply(&ilp.Reject{Code: ilp.F99ApplicationError})
		synctest.Wait()
		if o.pending() {
			t.Fatal("the packet is not answered")
		}
		time.Sleep(time.Minute)

		two.Plugin = &plugintest.Settler{Plugin: struct{ plugin.Plugin }{newFakeLink()}, Bank: bank}
		if err := n.c.AddAccount(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		if b := n.c.Accounts()[1].Book; b.Balance != 700 || len(b.Settlements) != 1 || b.Settlements[0].Key != key {
			t.Errorf("book %+v, want 700 and the settlement %q", b, key)
		}
		known.Store(true)
		time.Sleep(time.Hour)
		if b := n.c.Accounts()[1].Book; b.Balance != 700 || len(b.Settlements) != 0 {
			t.Errorf("book %+v, want 700 and nothing to settle", b)
		}
		if got, want := bank.Paid(), map[string]uint64{key: 700}; !maps.Equal(got, want) || bank.Err() != nil {
			t.Errorf("paid %v, %v; want %v", got, bank.Err(), want)
		}
	})
}

// Reference test 26: that a settlement fails is no reason to keep the fulfill
// which made it due from the payer.
func TestFailedSettlementKeepsNoFulfill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tried atomic.Int64
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		link := n.add(connector.Account{ID: "two", Relation: connector.Child, Balance: &connector.BalanceLimits{
			Maximum: 1000, Minimum: -1000, SettleThreshold: new(int64(-50)),
		}})
		link.paid = func(plugin.Money) error {
			tried.Add(1)
			return errors.New("fail!")
		}
		link.answer = fulfills(fulfillment1)
		n.run()
		o := n.send("one", prepare("test.connie.two"))
		o.wantFulfill(t, fulfillment1)
		time.Sleep(time.Second)
		if tried.Load() == 0 {
			t.Error("no settlement was tried")
		}
		o.wantFulfill(t, fulfillment1) // and nothing after it
	})
}
