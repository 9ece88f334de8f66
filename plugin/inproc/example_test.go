package inproc_test

import (
	"context"
	"fmt"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin/inproc"
)

// A pipe has two ends alike. Mostly one is given to a connector as the plugin
// of an account; here a shop has it.
func ExamplePipe() {
	app, shop := inproc.Pipe()
	defer app.Close()
	secret := ilp.Fulfillment{31: 7}
	err := shop.Handle(func(_ context.Context, p *ilp.Prepare) ilp.Reply {
		fmt.Printf("%d for %s\n", p.Amount, p.Destination)
		return &ilp.Fulfill{Fulfillment: secret, Data: []byte("thank you")}
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	fulfill, err := app.Send(context.Background(), &ilp.Prepare{
		Amount:      100,
		ExpiresAt:   time.Now().Add(time.Second),
		Condition:   secret.Condition(),
		Destination: ilp.MustParseAddress("test.shop.icecream"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", fulfill.Data)
	// Output:
	// 100 for test.shop.icecream
	// thank you
}
