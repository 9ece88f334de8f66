package httprates_test

import (
	"fmt"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/httprates"
)

// A connector that is given this backend fetches rates as long as it runs.
// Customers with terms of their own are the business of backend.WithSpreads.
func ExampleNew() {
	rates, err := httprates.New(httprates.Options{
		URL:    "https://rates.example/latest.json",
		Header: map[string]string{"Authorization": "Bearer key"},
		Base:   "USD",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = backend.WithSpreads(rates, backend.Spreads{
		Default: "0.005",
		Pairs:   map[string]map[string]string{"USD": {"EUR": "0.002"}},
		Sources: map[string]string{"alice": "0.001"},
	})
	fmt.Println(err)
	// Output: <nil>
}
