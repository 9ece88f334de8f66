package middleware_test

import (
	"context"
	"fmt"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

// Curfew refuses packets of children while it is on.
type Curfew struct{ On func() bool }

// Name gives "curfew".
func (Curfew) Name() string { return "curfew" }

// Attach gives children a stage, and nobody else.
func (c Curfew) Attach(_ middleware.Host, a *account.Account) (middleware.Stages, error) {
	if a.Relation != account.Child {
		return middleware.Stages{}, nil
	}
	return middleware.Stages{
		Incoming: middleware.PrepareFunc(func(context.Context, *middleware.Packet) ilp.Reply {
			if c.On() {
				return &ilp.Reject{Code: ilp.T03ConnectorBusy, Message: "closed for the night."}
			}
			return nil // let it pass
		}),
	}, nil
}

// A middleware of one's own, tried out without a connector around it.
func ExampleMiddleware() {
	night := true
	curfew := Curfew{On: func() bool { return night }}

	host := new(middlewaretest.Host)
	host.SetAddress(ilp.MustParseAddress("test.connie"))
	bob := &account.Account{ID: "bob", Relation: account.Child}
	chain, err := middlewaretest.Attach(host, bob, middleware.ErrorHandler(), curfew)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer chain.Close()

	packet := ilp.Prepare{Amount: 10, Destination: ilp.MustParseAddress("test.shop")}
	for _, night = range []bool{true, false} {
		out, err := chain.Send(context.Background(), middlewaretest.Incoming, packet, &ilp.Fulfill{})
		if err != nil {
			fmt.Println(err)
			return
		}
		if reject, ok := out.Reply.(*ilp.Reject); ok {
			fmt.Println(reject)
		} else {
			fmt.Println("sent on to", out.Sent.Destination)
		}
	}
	// Output:
	// T03 Connector Busy: closed for the night. (test.connie)
	// sent on to test.shop
}

func ExampleInsertBefore() {
	list, err := middleware.InsertBefore(middleware.Standard(), "rateLimit", Curfew{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range list[:3] {
		fmt.Println(m.Name())
	}
	// Output:
	// errorHandler
	// curfew
	// rateLimit
}
