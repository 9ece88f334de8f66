package middleware

import (
	"context"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
)

// RateLimit refuses packets of a counterparty that sends more of them than
// its account's RateLimit allows, with T05. Settlements are never refused:
// money that has arrived is booked.
//
// Its name is "rateLimit".
func RateLimit() Middleware { return rateLimit{} }

type rateLimit struct{}

func (rateLimit) Name() string { return "rateLimit" }

func (rateLimit) Attach(host Host, a *account.Account) (Stages, error) {
	l := a.RateLimit
	if l == nil {
		return Stages{}, nil
	}
	capacity, period := l.Capacity, l.RefillPeriod
	if capacity == 0 {
		capacity = l.RefillCount
	}
	if period == 0 {
		period = account.DefaultRefillPeriod
	}
	tokens := newBucket(capacity, l.RefillCount, period, host.Now())
	return Stages{Incoming: PrepareFunc(func(_ context.Context, p *Packet) ilp.Reply {
		if tokens.take(1, p.Received) {
			return nil
		}
		return &ilp.Reject{Code: ilp.T05RateLimited, Message: "too many requests, throttling."}
	})}, nil
}
