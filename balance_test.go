package connector_test

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

// Reference tests 33, 34, 40 and 41, with the difference that what is in
// flight counts, and that the outgoing limit is held before the packet is
// sent: the reference finds out after the next hop has fulfilled.
func TestBalanceLimitsHoldWithPacketsInFlight(t *testing.T) {
	limits := &connector.BalanceLimits{Minimum: -50, Maximum: 100}
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "one", Relation: connector.Child, Balance: limits})
		n.add(connector.Account{ID: "two", Relation: connector.Child, Balance: limits})
		n.run()
		send := func(from, to string, amount uint64) *outcome {
			p := prepare("test.connie." + to)
			p.Amount = amount
			return n.send(from, p)
		}
		send("one", "two", 101).wantReject(t, ilp.T04InsufficientLiquidity, "exceeded maximum balance.")
		send("one", "two", 51).wantReject(t, ilp.T04InsufficientLiquidity, "exceeded minimum balance.")
		first := send("one", "two", 50) // in flight: all that two may be owed
		send("one", "two", 1).wantReject(t, ilp.T04InsufficientLiquidity, "exceeded minimum balance.")
		n.links["two"].take(t).reply(&ilp.Reject{Code: ilp.F99ApplicationError})
		if first.pending() {
			t.Fatal("not answered")
		}
		again := send("one", "two", 50) // what was rejected is free again
		n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		again.wantFulfill(t, fulfillment1)

		accounts := n.c.Accounts()
		one, two := accounts[0].Book, accounts[1].Book
		if one.Balance != 50 || two.Balance != -50 || one.ReservedIn != 0 || two.ReservedOut != 0 {
			t.Errorf("books %+v and %+v", one, two)
		}
	})
}

// An expired packet gives its reservations back, and its late fulfillment
// does not touch the books.
func TestExpiredPacketReleasesItsReservations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		n.add(connector.Account{ID: "two", Relation: connector.Child})
		n.run()
		o := n.send("one", prepare("test.connie.two"))
		if b := n.c.Accounts()[1].Book; b.ReservedOut != 100 {
			t.Fatalf("book %+v, want 100 reserved", b)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		o.wantReject(t, ilp.R00TransferTimedOut, "packet expired.")
		n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		for _, a := range n.c.Accounts() {
			if a.Book.Balance != 0 || a.Book.ReservedIn != 0 || a.Book.ReservedOut != 0 {
				t.Errorf("book %+v", a.Book)
			}
		}
	})
}

// Below its threshold an account is settled to SettleTo, under one key until
// the outcome is known; a threshold above zero sends money ahead.
func TestSettlesBelowTheThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		two := n.add(connector.Account{ID: "two", Relation: connector.Child,
			Balance: &connector.BalanceLimits{Minimum: -500, Maximum: 900, SettleThreshold: connector.Int(500), SettleTo: 700}})
		failures := 3
		var paid []plugin.Money
		two.paid = func(m plugin.Money) error {
			paid = append(paid, m)
			if failures--; failures > 0 {
				return plugin.ErrUnknownOutcome
			}
			return nil
		}
		n.run()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(paid) != 3 || paid[0].Amount != 700 || paid[1] != paid[0] || paid[2] != paid[0] {
			t.Fatalf("paid %+v, want three attempts at 700 under one key", paid)
		}
		p := prepare("test.connie.two")
		p.Amount, p.ExpiresAt = 201, time.Now().Add(2*time.Second)
		o := n.send("one", p)
		two.take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		o.wantFulfill(t, fulfillment1)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(paid) != 4 || paid[3].Amount != 201 {
			t.Errorf("paid %+v, want 201 more", paid)
		}
		if b := n.c.Accounts()[1].Book; b.Balance != 700 || len(b.Settlements) != 0 {
			t.Errorf("book %+v", b)
		}
	})
}

// What a settlement has beyond the account's unit is kept, shown, and booked
// when it adds up to one; a key that comes with another amount is an error
// that a server can tell from others.
func TestReceivesFractions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		n.run()
		synctest.Wait()
		const half = plugin.FractionsPerUnit / 2
		handler := n.links["one"].handler
		for i, remainder := range []uint64{half, 0} {
			m := plugin.Money{Amount: 10, Fraction: half, Key: strconv.Itoa(i)}
			for range 2 {
				if err := handler.HandleMoney(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := n.c.Accounts()[0].Book, -int64(21*(i+1)/2); got.Balance != want || got.Remainder != remainder {
				t.Errorf("book %+v, want %d and a remainder of %d", got, want, remainder)
			}
		}
		err := handler.HandleMoney(t.Context(), plugin.Money{Amount: 10, Key: "0"})
		if !errors.Is(err, plugin.ErrKeyReused) {
			t.Errorf("another amount gives %v, want ErrKeyReused", err)
		}
	})
}

// An account that owes something does not come back in another unit.
func TestAccountComesBackInItsUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		n.add(connector.Account{ID: "two", Relation: connector.Child}).answer = fulfills(fulfillment1)
		n.run()
		n.send("one", prepare("test.connie.two")).wantFulfill(t, fulfillment1)
		n.remove(t.Context(), "one")
		again := connector.Account{ID: "one", Relation: connector.Child, Asset: connector.Asset{Code: "USD", Scale: 6}, Plugin: newFakeLink()}
		if err := n.c.AddAccount(t.Context(), again); !errors.Is(err, ledger.ErrAsset) {
			t.Errorf("with another scale: %v, want ErrAsset", err)
		}
		again.Asset = usd9
		if err := n.c.AddAccount(t.Context(), again); err != nil {
			t.Errorf("as it was: %v", err)
		}
	})
}
