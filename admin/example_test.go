package admin_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/store/memstore"
)

// A host mounts the handler on a server of its own; here the client that asks
// it is in the same program.
func Example() {
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
	link, _ := inproc.Pipe()
	bob := connector.Account{ID: "bob", Relation: connector.Child, Asset: connector.Asset{Code: "USD", Scale: 9}, Plugin: link}
	if err := c.AddAccount(context.Background(), bob); err != nil {
		log.Fatal(err)
	}

	const token = "from a file that nobody else can read"
	h, err := admin.New(admin.Options{Connector: c, Tokens: []string{token}})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	defer h.Close() // before the server: it waits for event streams

	client, err := admin.NewClient(admin.ClientOptions{URL: server.URL, Token: token})
	if err != nil {
		log.Fatal(err)
	}
	why, err := client.Explain(context.Background(), "test.alice.bob.wallet")
	if err != nil {
		log.Fatal(err)
	}
	for _, way := range why.Candidates {
		fmt.Printf("%s (%s): %s\n", way.Prefix, way.Origin, way.Why)
	}
	// Output:
	// test.alice.bob (local): the longest prefix
	// test.alice (local): test.alice.bob is longer
}
