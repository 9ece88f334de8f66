package miniaccounts_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// Two wallets with no account of their own at the connector pay each other:
// they are users of one server, each with limits and a book.
func Example() {
	st := memstore.New()
	books, err := ledger.NewLocal(ledger.LocalOptions{Store: st})
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := store.NewView(st, "wallets")
	if err != nil {
		log.Fatal(err)
	}
	srv, err := miniaccounts.NewServer(miniaccounts.Options{
		Name:     "wallets",
		Identity: miniaccounts.ByUsername,
		Store:    tokens,
		Ledger:   books,
		Limits: miniaccounts.UserLimits{
			MaxPacketAmount: 1_000_000,
			Balance:         &account.BalanceLimits{Minimum: -10_000_000, Maximum: 500},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	rates, err := onetoone.New(onetoone.Options{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := connector.New(connector.Config{
		Address: "test.connie", Store: st, Ledger: books, Backend: rates, Middleware: middleware.Standard(),
	})
	if err != nil {
		log.Fatal(err)
	}
	err = c.AddAccount(context.Background(), connector.Account{
		ID: "wallets", Relation: connector.Child, Asset: ilp.Asset{Code: "XRP", Scale: 9},
		Plugin: srv, MaxInFlight: 100_000,
	})
	if err != nil {
		log.Fatal(err)
	}

	// The host runs the connector, and mounts the server where it likes.
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- c.Run(ctx) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ilp", srv)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go web.Serve(listener)

	// Any BTP client is a user. The first token that it shows is its own.
	fulfillment := ilp.Fulfillment{7}
	pay := plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply {
		return &ilp.Fulfill{Fulfillment: fulfillment}
	})
	up := make(chan struct{}, 2)
	wallet := func(name string) *btp.Client {
		w := btp.Dial("btp+ws://" + name + ":secret@" + listener.Addr().String() + "/ilp")
		if err := w.Open(ctx, &connected{pay, up}); err != nil {
			log.Fatal(err)
		}
		<-up
		return w
	}
	alice, bob := wallet("alice"), wallet("bob")

	config, err := ildcp.Fetch(ctx, bob)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("bob is", config.Address)
	for range 2 {
		_, err = plugin.Call(ctx, alice, &ilp.Prepare{
			Amount: 400, ExpiresAt: time.Now().Add(10 * time.Second),
			Condition: fulfillment.Condition(), Destination: config.Address,
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	for _, u := range srv.Users() {
		fmt.Println(u.Name, "owes", u.Book.Balance)
	}

	alice.Close()
	bob.Close()
	web.Close()
	stop()
	if err := <-stopped; err != nil {
		log.Fatal(err)
	}
	// Output:
	// bob is test.connie.wallets.bob
	// T04 Insufficient Liquidity: exceeded maximum balance. (test.connie.wallets)
	// alice owes 400
	// bob owes -400
}

// connected is a handler that says when the link is up.
type connected struct {
	plugin.Handler
	up chan struct{}
}

func (c *connected) HandleState(connected bool, _ error) {
	if connected {
		c.up <- struct{}{}
	}
}
