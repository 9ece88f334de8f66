// Extend is a connector whose store, link, rates and one of whose middlewares
// are written here: one of each, as small as they come, to copy from. Its test
// proves them with the conformance suites.
//
//	go run ./examples/extend
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/store/memstore"
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	prices := Prices{"USD": backend.MustParseRatio("1"), "EUR": backend.MustParseRatio("1.25")}
	books, err := NewMirrored(ctx, memstore.New(), memstore.New()) // in earnest: a boltstore and a sqlstore
	check(err)
	chain, err := middleware.InsertAfter(middleware.Standard(), "errorHandler", MinPacketAmount(10))
	check(err)
	c, err := connector.New(connector.Config{Address: "test.extend", Store: books, Backend: prices, Middleware: chain})
	check(err)

	one, oneEnd := inproc.Pipe() // in earnest: two btp.Dial by different ways
	two, twoEnd := inproc.Pipe()
	bob, bobEnd := inproc.Pipe()
	for _, a := range []connector.Account{
		{ID: "alice", Relation: connector.Child, Asset: connector.Asset{Code: "EUR", Scale: 4}, Plugin: &Redundant{oneEnd, twoEnd}},
		{ID: "bob", Relation: connector.Child, Asset: connector.Asset{Code: "USD", Scale: 2}, Plugin: bobEnd},
	} {
		check(c.AddAccount(ctx, a))
	}
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()

	secret := ilp.Fulfillment{1, 2, 3}
	for i, end := range []*inproc.End{one, two} {
		check(end.Handle(func(_ context.Context, p *ilp.Prepare) ilp.Reply {
			fmt.Printf("alice gets %d by link %d\n", p.Amount, i+1)
			return &ilp.Fulfill{Fulfillment: secret}
		}))
	}
	pay := func(amount uint64) {
		_, err := bob.Send(ctx, &ilp.Prepare{Amount: amount, Destination: ilp.MustParseAddress("test.extend.alice"),
			Condition: secret.Condition(), ExpiresAt: time.Now().Add(30 * time.Second)})
		fmt.Printf("bob pays %d: %v\n", amount, err)
	}
	pay(100)
	check(one.Close()) // a link is lost, and bob does not notice
	pay(200)
	pay(3)

	stop()
	check(<-ended)
	check(books.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal("extend: ", err)
	}
}
