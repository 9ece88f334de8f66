package ilphttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// A shop takes packets over HTTP, and a customer pays. Mostly the account is
// given to a connector; here the shop opens it itself.
func Example() {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	mux := http.NewServeMux()
	mux.Handle("/accounts/{account}/ilp", srv)
	web := httptest.NewServer(mux) // a program has ilphttp.NewHTTPServer, and TLS
	defer web.Close()

	customer, err := srv.Account(ilphttp.AccountOptions{
		Incoming: ilphttp.Credentials{Name: "customer", Tokens: []string{"the token of the customer"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	secret := ilp.Fulfillment{31: 7}
	err = customer.Open(context.Background(), plugin.HandlerFunc(func(_ context.Context, p *ilp.Prepare) ilp.Reply {
		fmt.Printf("%d for %s\n", p.Amount, p.Destination)
		return &ilp.Fulfill{Fulfillment: secret, Data: []byte("thank you")}
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer customer.Close()

	link := ilphttp.Dial(web.URL+"/accounts/customer/ilp", "the token of the customer")
	if err := link.Open(context.Background(), plugin.HandlerFunc(nil)); err != nil {
		fmt.Println(err)
		return
	}
	defer link.Close()
	fulfill, err := plugin.Call(context.Background(), link, &ilp.Prepare{
		Amount:      100,
		ExpiresAt:   time.Now().Add(10 * time.Second),
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
