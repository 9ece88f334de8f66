package connector_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/ilphttp"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/store/memstore"
)

// A program embeds a connector, has an account on it, and pays another
// account through it.
func Example() {
	ctx, stop := context.WithCancel(context.Background())

	rates, err := onetoone.New(onetoone.Options{Spread: "0.01"}) // the connector keeps one percent
	if err != nil {
		log.Fatal(err)
	}
	c, err := connector.New(connector.Config{
		Address:    "test.alice",
		Store:      memstore.New(),
		Backend:    rates,
		Middleware: middleware.Standard(),
	})
	if err != nil {
		log.Fatal(err)
	}

	// Two accounts inside this very program.
	wallet, walletEnd := inproc.Pipe()
	shop, shopEnd := inproc.Pipe()
	for id, end := range map[string]*inproc.End{"wallet": walletEnd, "shop": shopEnd} {
		err := c.AddAccount(ctx, connector.Account{
			ID:       id,
			Relation: connector.Child,
			Asset:    connector.Asset{Code: "USD", Scale: 9},
			Plugin:   end,
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	running := make(chan error)
	go func() { running <- c.Run(ctx) }()

	// The shop fulfils what it is paid. Both sides know the secret.
	secret := ilp.Fulfillment{1, 2, 3}
	shop.Handle(func(ctx context.Context, p *ilp.Prepare) ilp.Reply {
		fmt.Println("the shop is offered", p.Amount)
		return &ilp.Fulfill{Fulfillment: secret, Data: []byte("thank you")}
	})
	fulfill, err := wallet.Send(ctx, &ilp.Prepare{
		Amount:      1000,
		Destination: ilp.MustParseAddress("test.alice.shop.order-17"),
		Condition:   secret.Condition(),
		ExpiresAt:   time.Now().Add(30 * time.Second),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the shop says %s\n", fulfill.Data)

	stop() // drains what is in flight
	if err := <-running; err != nil {
		log.Fatal(err)
	}
	// Output:
	// the shop is offered 990
	// the shop says thank you
}

// Peers and children join over BTP: the connector dials one, and serves the
// others from an http.Handler that the host mounts where it likes.
func Example_btp() {
	ctx := context.Background()
	c, err := newConnector()
	if err != nil {
		log.Fatal(err)
	}

	// A peer that we dial.
	err = c.AddAccount(ctx, connector.Account{
		ID: "bob", Relation: connector.Peer, Asset: connector.Asset{Code: "USD", Scale: 9},
		Plugin: btp.Dial("btp+wss://alice:token@bob.example/ilp"),
	})
	if err != nil {
		log.Fatal(err)
	}

	// A child that dials us.
	server := btp.NewServer(btp.ServerOptions{})
	link, err := server.Account(btp.Credentials{Username: "carol", Token: "another token"})
	if err != nil {
		log.Fatal(err)
	}
	err = c.AddAccount(ctx, connector.Account{
		ID: "carol", Relation: connector.Child, Asset: connector.Asset{Code: "USD", Scale: 9},
		Plugin:          link,
		MaxPacketAmount: 1_000_000,
		RateLimit:       &connector.RateLimit{RefillCount: 600, RefillPeriod: time.Minute},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ilp", server)
	web := ilphttp.NewHTTPServer(mux) // with bounds on what a connection may cost; web.Serve(listener) serves it
	defer web.Close()

	for _, a := range c.Accounts() {
		fmt.Printf("%s, a %s, connected: %v\n", a.ID, a.Relation, a.Connected)
	}
	// Output:
	// bob, a peer, connected: false
	// carol, a child, connected: false
}

// The chain around every account's packets is a slice that the host can
// change.
func Example_middleware() {
	chain := middleware.Standard()
	chain, err := middleware.Without(chain, "echo")
	if err != nil {
		log.Fatal(err)
	}
	chain, err = middleware.InsertAfter(chain, "errorHandler", quiet{})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range chain {
		fmt.Println(m.Name())
	}
	// Output:
	// errorHandler
	// quiet
	// rateLimit
	// maxPacketAmount
	// throughput
	// balance
	// deduplicate
	// expire
	// validateFulfillment
	// stats
	// alert
}

// quiet refuses packets at night.
type quiet struct{}

func (quiet) Name() string { return "quiet" }

func (quiet) Attach(host middleware.Host, _ *connector.Account) (middleware.Stages, error) {
	return middleware.Stages{
		Incoming: middleware.PrepareFunc(func(_ context.Context, p *middleware.Packet) ilp.Reply {
			if p.Received.Hour() < 6 {
				return ilp.Rejectf(ilp.T03ConnectorBusy, "asleep")
			}
			return nil // let it pass
		}),
	}, nil
}

// Two connectors, of which one gets its address from the other.
func Example_network() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	parent, child := newConnectorAt("test.parent"), newConnectorAt("")
	down, up := inproc.Pipe()
	join := func(c *connector.Connector, id string, relation connector.Relation, link connector.Plugin) {
		err := c.AddAccount(ctx, connector.Account{
			ID: id, Relation: relation, Asset: connector.Asset{Code: "USD", Scale: 9}, Plugin: link,
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	join(parent, "branch", connector.Child, down)
	join(child, "head", connector.Parent, up)
	hasAddress := make(chan struct{})
	cancelSubscription := child.Router().Subscribe(func(changes []connector.RouteChange) {
		for _, change := range changes {
			if change.Route.NextHop == "" { // the route to the connector itself
				close(hasAddress)
			}
		}
	})
	defer cancelSubscription()

	var running sync.WaitGroup
	running.Go(func() { _ = parent.Run(ctx) })
	running.Go(func() { _ = child.Run(ctx) })
	<-hasAddress
	fmt.Println("the child is", child.Address())

	pong, err := parent.Ping(ctx, child.Address(), 1000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("arrived:", pong.Delivered)
	fmt.Print(parent.Router().Explain(child.Address()))
	cancel()
	running.Wait()
	// Output:
	// the child is test.parent.branch
	// arrived: 1000
	// test.parent.branch: test.parent.branch (local) to account "branch": the longest prefix
	// test.parent.branch: test.parent (local) to the connector itself: test.parent.branch is longer
}

// newConnectorAt makes a connector with an address, or with none yet.
func newConnectorAt(address string) *connector.Connector {
	rates, err := onetoone.New(onetoone.Options{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := connector.New(connector.Config{
		Address: address, Store: memstore.New(), Backend: rates, Middleware: middleware.Standard(),
	})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

func newConnector() (*connector.Connector, error) {
	rates, err := onetoone.New(onetoone.Options{})
	if err != nil {
		return nil, err
	}
	return connector.New(connector.Config{
		Address: "test.alice", Store: memstore.New(), Backend: rates, Middleware: middleware.Standard(),
	})
}

// The connector pays by itself, from no account of its own: what it sends is
// booked where it leaves.
func ExampleConnector_Send() {
	ctx, stop := context.WithCancel(context.Background())
	c := newConnectorAt("test.alice")
	shop, shopEnd := inproc.Pipe()
	err := c.AddAccount(ctx, connector.Account{
		ID: "shop", Relation: connector.Child, Asset: connector.Asset{Code: "USD", Scale: 9}, Plugin: shopEnd,
	})
	if err != nil {
		log.Fatal(err)
	}
	running := make(chan error)
	go func() { running <- c.Run(ctx) }()
	secret := ilp.Fulfillment{1, 2, 3}
	shop.Handle(func(context.Context, *ilp.Prepare) ilp.Reply {
		return &ilp.Fulfill{Fulfillment: secret}
	})

	sent, err := c.Send(ctx, &ilp.Prepare{
		Amount:      1000,
		Destination: ilp.MustParseAddress("test.alice.shop.order-17"),
		Condition:   secret.Condition(),
		ExpiresAt:   time.Now().Add(30 * time.Second),
	})
	if reject, ok := errors.AsType[*ilp.Reject](err); ok {
		log.Fatalf("nothing was paid: %v", reject)
	} else if err != nil { // see Send on what is known then
		log.Fatal(err)
	}
	fmt.Printf("%d were paid to %s\n", sent.Paid, sent.Account)

	stop()
	if err := <-running; err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1000 were paid to shop
}
