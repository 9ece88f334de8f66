package middleware

import (
	"context"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
)

// Throughput bounds the value that an account moves in a period, each way by
// a token bucket whose tokens are units of the account. What is beyond it is
// T04. Tokens are not given back for packets that fail: it is the load of
// packets that is bounded, and a packet of more than the whole bucket never
// passes.
//
// Its name is "throughput".
func Throughput() Middleware { return throughput{} }

type throughput struct{}

func (throughput) Name() string { return "throughput" }

func (throughput) Attach(host Host, a *account.Account) (Stages, error) {
	l := a.Throughput
	if l == nil {
		return Stages{}, nil
	}
	period := l.RefillPeriod
	if period == 0 {
		period = account.DefaultThroughputPeriod
	}
	stage := func(amount uint64) Stage {
		if amount == 0 {
			return nil
		}
		tokens := newBucket(amount, amount, period, host.Now())
		return PrepareFunc(func(_ context.Context, p *Packet) ilp.Reply {
			if p.Prepare.Amount == 0 || tokens.take(p.Prepare.Amount, p.Received) {
				return nil
			}
			return &ilp.Reject{Code: ilp.T04InsufficientLiquidity, Message: "exceeded money bandwidth, throttling."}
		})
	}
	return Stages{Incoming: stage(l.IncomingAmount), Outgoing: stage(l.OutgoingAmount)}, nil
}
