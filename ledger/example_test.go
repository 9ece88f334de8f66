package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/memstore"
)

// A packet of 100 from alice, who may owe us as much, goes to bob, who is
// settled with as soon as we owe him more than 50.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	l, err := ledger.NewLocal(ledger.LocalOptions{Store: memstore.New()})
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()

	alice, err := l.Open(ctx, ledger.Terms{Account: "alice", Limits: &account.BalanceLimits{Maximum: 100}})
	if err != nil {
		log.Fatal(err)
	}
	paid := make(chan plugin.Money, 1)
	threshold := int64(-50)
	bob, err := l.Open(ctx, ledger.Terms{
		Account: "bob",
		Limits:  &account.BalanceLimits{Minimum: -200, Maximum: 200, SettleThreshold: &threshold},
		Pay: func(_ context.Context, m plugin.Money) error {
			paid <- m
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	bob.Settle()

	// The prepare: both amounts are reserved.
	if err := errors.Join(alice.Reserve(ctx, ledger.Incoming, 100, nil), bob.Reserve(ctx, ledger.Outgoing, 99, nil)); err != nil {
		log.Fatal(err)
	}
	err = alice.Reserve(ctx, ledger.Incoming, 1, nil)
	fmt.Println("another packet of alice:", err)

	// The fulfill: both are posted, the destination's first. This store is
	// volatile, so nobody waits for it; another gives ErrPending.
	if err := errors.Join(bob.Post(ctx, ledger.Outgoing, 99, nil), alice.Post(ctx, ledger.Incoming, 100, nil)); err != nil {
		log.Fatal(err)
	}
	fmt.Println("alice owes", alice.State().Balance)
	fmt.Println("bob is paid", (<-paid).Amount)
	fmt.Println("bob is owed", -bob.State().Balance)

	alice.Close()
	bob.Close()
	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// another packet of alice: ledger: limit exceeded
	// alice owes 100
	// bob is paid 99
	// bob is owed 0
}
