package main

import (
	"context"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// MinPacketAmount refuses packets of accounts that are worth less than the
// work. Packets of nothing pass: those are probes, and peers that talk.
type MinPacketAmount uint64

// Name is what middleware.InsertAfter and the log call it.
func (MinPacketAmount) Name() string { return "minPacketAmount" }

// Attach gives the stages around one account: here, one that sees the packets
// that come from it. The reject goes back with our address filled in.
func (m MinPacketAmount) Attach(middleware.Host, *account.Account) (middleware.Stages, error) {
	return middleware.Stages{Incoming: middleware.PrepareFunc(func(_ context.Context, p *middleware.Packet) ilp.Reply {
		if p.Prepare.Amount == 0 || p.Prepare.Amount >= uint64(m) {
			return nil // let it pass
		}
		return ilp.Rejectf(ilp.R01InsufficientSourceAmount, "the least is %d", uint64(m))
	})}, nil
}
