package settlement_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/settlement"
	"github.com/interledger-go/connector/store/memstore"
)

// A host joins a settlement engine to the account of a peer. Here the engine
// is one that says yes to everything; it has its API at a URL, and is told
// that of a listener on which the connector serves it and nobody else.
func Example() {
	ctx := context.Background()
	rates, err := onetoone.New(onetoone.Options{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := connector.New(connector.Config{
		Address: "test.alice", Store: memstore.New(), Backend: rates, Middleware: middleware.Standard(),
	})
	if err != nil {
		log.Fatal(err)
	}

	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
	}))
	defer program.Close()
	engine, err := settlement.NewEngine(settlement.Options{
		URL:          program.URL,
		AcceptTokens: []string{"what the engine shows us"},
	})
	if err != nil {
		log.Fatal(err)
	}
	bob, err := engine.Join(connector.Account{
		ID: "bob", Relation: connector.Peer, Asset: connector.Asset{Code: "USD", Scale: 9},
		Plugin: btp.Dial("btp+wss://alice:token@bob.example/ilp"),
		// Below -500 we settle what we owe, up to 0.
		Balance: &connector.BalanceLimits{Maximum: 1000, Minimum: -1000, SettleThreshold: connector.Int(-500)},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.AddAccount(ctx, bob); err != nil {
		log.Fatal(err)
	}
	listener := httptest.NewServer(engine) // once its accounts are there
	defer listener.Close()

	fmt.Println(c.Accounts()[0].ID, "settles through an engine")
	// Output: bob settles through an engine
}
