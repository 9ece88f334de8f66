package onetoone_test

import (
	"fmt"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ilp"
)

func ExampleNew() {
	b, err := onetoone.New(onetoone.Options{Spread: "0.002"})
	if err != nil {
		fmt.Println(err)
		return
	}
	rate, err := b.Rate(
		backend.Party{Account: "alice", Asset: ilp.Asset{Code: "USD", Scale: 2}},
		backend.Party{Account: "bob", Asset: ilp.Asset{Code: "USD", Scale: 9}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	amount, ok := rate.Apply(100)
	fmt.Println(rate, amount, ok)

	_, err = onetoone.New(onetoone.Options{Spread: "1.5"})
	fmt.Println(err)
	// Output:
	// 9980000 998000000 true
	// onetoone: backend: spread 1.5: want at least 0 and less than 1, such as 0.002 for 0.2 %
}
