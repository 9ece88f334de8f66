package btp_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// A program listens for one account, another one connects to it and pays.
func Example() {
	ctx := context.Background()
	fulfillment := ilp.Fulfillment{31: 1}

	// Bob's side: an account for Alice, under a path of his own HTTP server.
	server := btp.NewServer(btp.ServerOptions{})
	alice, err := server.Account(btp.Credentials{Username: "alice", Token: "s3cret"})
	if err != nil {
		log.Fatal(err)
	}
	err = alice.Open(ctx, plugin.HandlerFunc(func(_ context.Context, p *ilp.Prepare) ilp.Reply {
		fmt.Printf("bob got %d for %s\n", p.Amount, p.Destination)
		return &ilp.Fulfill{Fulfillment: fulfillment}
	}))
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ilp", server)
	web := httptest.NewServer(mux)
	defer web.Close()
	defer server.Close() // ends the connections, which the HTTP server forgot

	// Alice's side. Open returns before there is a connection.
	bob := btp.Dial("btp+ws://alice:s3cret@" + strings.TrimPrefix(web.URL, "http://") + "/ilp")
	connected := make(chan bool, 1)
	nothing := func(context.Context, *ilp.Prepare) ilp.Reply {
		return ilp.Rejectf(ilp.F02Unreachable, "nobody to pay here")
	}
	if err := bob.Open(ctx, stateHandler{nothing, connected}); err != nil {
		log.Fatal(err)
	}
	defer bob.Close()
	<-connected

	reply, err := plugin.Call(ctx, bob, &ilp.Prepare{
		Amount:      42,
		ExpiresAt:   time.Now().Add(10 * time.Second),
		Condition:   fulfillment.Condition(),
		Destination: ilp.MustParseAddress("test.bob.shop"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("alice got a fulfillment:", reply.Fulfillment == fulfillment)
	// Output:
	// bob got 42 for test.bob.shop
	// alice got a fulfillment: true
}

// stateHandler is a HandlerFunc that also says when the link is up.
type stateHandler struct {
	plugin.HandlerFunc
	connected chan bool
}

func (h stateHandler) HandleState(connected bool, _ error) {
	if connected {
		h.connected <- true
	}
}
