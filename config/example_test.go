package config_test

import (
	"fmt"

	"github.com/interledger-go/connector/config"
)

// Everything that is wrong is said at once, and what was meant.
func ExampleRegistry_Load() {
	_, err := config.Builtins().Load(config.Source{Environ: []string{
		"CONNECTOR_ILP_ADDRESS=test.alice",
		"CONNECTOR_SPRED=0.01",
		`CONNECTOR_ACCOUNTS={"bob": {"relation": "peer", "plugin": "btp", "assetCode": "USD", "assetScale": 9,
			"balance": {"maximum": "100", "minimum": "200"}, "options": {"sever": "btp+wss://alice:token@bob.example"}}}`,
	}})
	fmt.Println(err)
	// Output:
	// config: CONNECTOR_SPRED: is not known: did you mean CONNECTOR_SPREAD?
	// config: accounts.bob.balance.minimum (CONNECTOR_ACCOUNTS): is 200, above maximum, 100: it must not be
	// config: accounts.bob.options.sever (CONNECTOR_ACCOUNTS): is not known: did you mean server?
}

// A configuration can be made in Go; what would run can be printed.
func ExampleRegistry_Plan() {
	c := config.Default()
	c.ILPAddress, c.Backend, c.Spread = "test.alice", "one-to-one", "0"
	c.Accounts = config.Accounts{{
		ID: "wallet", Relation: 1, Plugin: "loopback", AssetCode: "USD", AssetScale: 2,
		Balance: &config.Balance{Maximum: 1000},
	}}
	plan, err := config.Builtins().Plan(c)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(plan.Explain())
	// Output:
	// address     test.alice
	// backend     one-to-one
	// store       memory: memory
	// middleware  errorHandler, rateLimit, maxPacketAmount, throughput, balance, deduplicate, echo, expire, validateFulfillment, stats, alert
	// routes      exchanged with neighbors every 30s (reference); the default is the first parent
	// packets     held for 30s at most, 1s kept for the way back
	// admin API   off
	// accounts    1
	//   wallet: child, USD at scale 2
	//     link       loopback, answers by itself
	//     segment    wallet
	//     balance    -Infinity to 1000
	//     rate limit 10000 packets per 1m0s, 10000 at once
	//     in flight  at most 1000
	//     routes     sent: no, received: no, at most 100000
	// note        store: is in memory: all balances, and settlements under way, are forgotten when the process ends
}
