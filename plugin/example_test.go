package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
)

// Call is how a program pays over a link of its own. A reject is an error
// that says who refused the packet, and why.
func ExampleCall() {
	app, shop := inproc.Pipe()
	defer app.Close()
	secret := ilp.Fulfillment{31: 7}
	err := shop.Handle(func(_ context.Context, p *ilp.Prepare) ilp.Reply {
		if p.Amount < 100 {
			return &ilp.Reject{
				Code:        ilp.F04InsufficientDestinationAmount,
				TriggeredBy: ilp.MustParseAddress("test.shop"),
				Message:     "an ice cream costs 100",
			}
		}
		return &ilp.Fulfill{Fulfillment: secret, Data: []byte("here you are")}
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, amount := range []uint64{99, 100} {
		fulfill, err := plugin.Call(context.Background(), app, &ilp.Prepare{
			Amount:      amount,
			ExpiresAt:   time.Now().Add(time.Second),
			Condition:   secret.Condition(),
			Destination: ilp.MustParseAddress("test.shop.icecream"),
		})
		if reject, ok := errors.AsType[*ilp.Reject](err); ok {
			fmt.Println(reject.Code, "from", reject.TriggeredBy)
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s\n", fulfill.Data)
	}
	// Output:
	// F04 from test.shop
	// here you are
}

// A link that blocks for each packet, as a request over HTTP does, has its
// SendPrepare from an Async. Here the counterparty takes a while.
func ExampleAsync() {
	async := plugin.NewAsync(100, func(ctx context.Context, p *ilp.Prepare) (ilp.Reply, error) {
		response := time.NewTimer(time.Millisecond)
		defer response.Stop()
		select {
		case <-response.C:
			return &ilp.Fulfill{Data: p.Data}, nil
		case <-ctx.Done(): // the packet has expired, or the link was closed
			return nil, ctx.Err()
		}
	})

	answers := make(chan string, 1)
	answer := plugin.ReplyFunc(func(_ context.Context, reply ilp.Reply, err error) {
		switch r := reply.(type) {
		case *ilp.Fulfill:
			answers <- fmt.Sprintf("fulfilled with %q", r.Data)
		case *ilp.Reject:
			answers <- r.Error()
		default:
			answers <- err.Error()
		}
	})
	async.SendPrepare(context.Background(), &ilp.Prepare{
		ExpiresAt:   time.Now().Add(time.Second),
		Destination: ilp.MustParseAddress("test.slow"),
		Data:        []byte("no hurry"),
	}, plugin.NewResponder(answer, 0))
	fmt.Println("sent")
	fmt.Println(<-answers)

	async.Close()
	async.SendPrepare(context.Background(), &ilp.Prepare{}, plugin.NewResponder(answer, 0))
	fmt.Println(<-answers)
	// Output:
	// sent
	// fulfilled with "no hurry"
	// plugin: not sent: use of closed network connection
}
