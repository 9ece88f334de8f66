package ledger_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/memstore"
)

// PEER-09, the example of RFC 32, with the books of both peers: each other's
// negation after every step (PEER-03).
func TestPeersInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var alice, bob ledger.Book // what Alice has of Bob, and Bob of Alice
		alice = peersBook(t, 20, -10, func(_ context.Context, m plugin.Money) error { return bob.Receive(context.Background(), m) })
		bob = peersBook(t, 5, -15, func(_ context.Context, m plugin.Money) error { return alice.Receive(context.Background(), m) })
		for _, step := range []struct {
			name      string
			from, to  ledger.Book
			amount    uint64
			refused   bool
			aliceThen int64
		}{
			{"Bob pays 12", bob, alice, 12, false, 12},
			{"Bob pays 9", bob, alice, 9, true, 12}, // PEER-05
			{"Bob pays 7, and settles 19", bob, alice, 7, false, 0},
			{"Alice pays 2", alice, bob, 2, false, -2},
			{"Alice pays 5", alice, bob, 5, true, -2},
		} {
			if refused := !peersPacket(t, step.from, step.to, step.amount); refused != step.refused {
				t.Errorf("%s: refused %v, want %v", step.name, refused, step.refused)
			}
			synctest.Wait() // for the settlement
			wantBalance(t, alice, step.aliceThen)
			wantBalance(t, bob, -step.aliceThen)
		}
	})
}

// PEER-08: with a maximum of 0 a peer has to settle before it sends.
func TestPeerPaysAhead(t *testing.T) {
	b := newHost(t, memstore.New()).book("a", limits(account.NoMinimum, 0))
	if err := b.Reserve(t.Context(), ledger.Incoming, 1, nil); !errors.Is(err, ledger.ErrLimit) {
		t.Errorf("Reserve gives %v, want ErrLimit", err)
	}
	receive(t, b, 10, "k")
	post(t, b, ledger.Incoming, 10)
	wantBalance(t, b, 0)
	if err := b.Reserve(t.Context(), ledger.Incoming, 1, nil); !errors.Is(err, ledger.ErrLimit) {
		t.Errorf("Reserve gives %v, want ErrLimit", err)
	}
}

func peersBook(t *testing.T, maximum, threshold int64, pay func(context.Context, plugin.Money) error) ledger.Book {
	b := start(t, newDisk(nil)).book("peer", settling(threshold, 0), paidBy(pay), func(t *ledger.Terms) { t.Limits.Maximum = maximum })
	b.Settle()
	return b
}

// peersPacket sends a packet, which is fulfilled unless the receiver has no
// room for it: then it takes nothing from the sender's balance (PEER-01).
func peersPacket(t *testing.T, from, to ledger.Book, amount uint64) (fulfilled bool) {
	reserve(t, from, ledger.Outgoing, amount)
	if err := to.Reserve(t.Context(), ledger.Incoming, amount, nil); err != nil {
		from.Release(ledger.Outgoing, amount)
		return false
	}
	for side, b := range []ledger.Book{ledger.Incoming: to, ledger.Outgoing: from} {
		if err := b.Post(t.Context(), ledger.Side(side), amount, nil); err != nil && !errors.Is(err, ledger.ErrPending) {
			t.Fatal(err)
		}
	}
	return true
}
