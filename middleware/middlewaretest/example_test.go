package middlewaretest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

// One packet through the rate limit of an account, and one too many.
func ExampleChain() {
	host := new(middlewaretest.Host)
	host.SetAddress(ilp.MustParseAddress("test.connie"))
	alice := &account.Account{
		ID: "alice", Relation: account.Child,
		RateLimit: &account.RateLimit{RefillCount: 1, RefillPeriod: time.Second},
	}
	chain, err := middlewaretest.Attach(host, alice, middleware.ErrorHandler(), middleware.RateLimit())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer chain.Close()

	host.SetNow(time.Unix(1e9, 0))
	packet := ilp.Prepare{Amount: 10, Destination: ilp.MustParseAddress("test.bob")}
	for range 2 {
		out, err := chain.Send(context.Background(), middlewaretest.Incoming, packet, &ilp.Fulfill{})
		if err != nil {
			fmt.Println(err)
			return
		}
		switch reply := out.Reply.(type) {
		case *ilp.Fulfill:
			fmt.Println("fulfilled")
		case *ilp.Reject:
			fmt.Println(reply)
		}
	}
	// Output:
	// fulfilled
	// T05 Rate Limited: too many requests, throttling. (test.connie)
}
