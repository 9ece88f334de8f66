package middleware_test

import (
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

// Every built-in keeps the contract, on accounts with and without limits.
func TestConformance(t *testing.T) {
	asset := ilp.Asset{Code: "USD", Scale: 9}
	limited := &account.Account{
		ID: "limited", Relation: account.Child, Asset: asset,
		MaxPacketAmount: 1000,
		RateLimit:       &account.RateLimit{RefillCount: 10_000, RefillPeriod: time.Second},
	}
	free := &account.Account{ID: "free", Relation: account.Peer, Asset: asset}
	for i, m := range middleware.Standard() {
		t.Run(m.Name(), func(t *testing.T) {
			middlewaretest.Run(t, middlewaretest.Options{
				New:      func() middleware.Middleware { return middleware.Standard()[i] },
				Accounts: []*account.Account{limited, free},
			})
		})
	}
}
