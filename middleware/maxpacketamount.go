package middleware

import (
	"context"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
)

// MaxPacketAmount refuses packets of more than the account's MaxPacketAmount
// with F08, whose data says what was received and what is the most
// (ILP4-52), in the unit of the account.
//
// Its name is "maxPacketAmount".
func MaxPacketAmount() Middleware { return maxPacketAmount{} }

type maxPacketAmount struct{}

func (maxPacketAmount) Name() string { return "maxPacketAmount" }

func (maxPacketAmount) Attach(_ Host, a *account.Account) (Stages, error) {
	limit := a.MaxPacketAmount
	if limit == 0 {
		return Stages{}, nil
	}
	return Stages{Incoming: PrepareFunc(func(_ context.Context, p *Packet) ilp.Reply {
		if p.Prepare.Amount <= limit {
			return nil
		}
		return TooLarge(p.Prepare.Amount, limit)
	})}, nil
}

// TooLarge is the F08 reject for an amount above maximum, both in the unit
// of the account that the packet came from.
func TooLarge(received, maximum uint64) *ilp.Reject {
	reject := ilp.Rejectf(ilp.F08AmountTooLarge, "packet size too large. maxAmount=%d actualAmount=%d", maximum, received)
	reject.Data, _ = ilp.AmountTooLarge{Received: received, Maximum: maximum}.AppendBinary(nil) // 16 bytes: cannot fail
	return reject
}
