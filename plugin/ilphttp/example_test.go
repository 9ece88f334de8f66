package ilphttp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
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

// A program serves packets, and pages, at one address.
func ExampleListener() {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	mux := http.NewServeMux()
	mux.Handle("/accounts/{account}/ilp", srv)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a shop") })

	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	web := ilphttp.NewHTTPServer(mux)
	l := ilphttp.NewListener(inner, web, func(path string) (*ilphttp.Server, string) {
		account, ok := strings.CutPrefix(path, "/accounts/")
		if !ok || !strings.HasSuffix(account, "/ilp") {
			return nil, "" // a page
		}
		return srv, strings.TrimSuffix(account, "/ilp")
	})
	served := make(chan error)
	go func() { served <- web.Serve(l) }()

	// ... and when the program ends:
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(web.Shutdown(ctx), l.Shutdown(ctx))
	fmt.Println(err, <-served)
	// Output: <nil> http: Server closed
}
