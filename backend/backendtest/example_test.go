package backendtest_test

import (
	"fmt"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/backendtest"
	"github.com/interledger-go/connector/ilp"
)

func ExampleFixed() {
	usd, eur := ilp.Asset{Code: "USD", Scale: 4}, ilp.Asset{Code: "EUR", Scale: 4}
	var rates backendtest.Fixed
	rates.Set(usd, eur, backend.MustParseRatio("0.9422"))

	rate, err := rates.Rate(backend.Party{Asset: usd}, backend.Party{Asset: eur})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rate.Apply(10700))
	// Output: 10081 true
}
