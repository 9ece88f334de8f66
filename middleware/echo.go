package middleware

import (
	"context"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ping"
)

// Echo answers the bidirectional ping (PING-02): a packet to the connector's
// own address whose data asks for it is sent on to the address in its data,
// under the same condition, and whoever is there fulfils it. The packet that
// goes out is an ordinary one, with rates and limits as any other. The ping in
// one direction passes: the connector fulfils it itself.
//
// Its name is "echo".
func Echo() Middleware { return echo{} }

type echo struct{}

func (echo) Name() string { return "echo" }

func (echo) Attach(host Host, _ *account.Account) (Stages, error) {
	return Stages{Incoming: PrepareFunc(func(_ context.Context, p *Packet) ilp.Reply {
		if p.Prepare.Destination != host.Address() || p.Prepare.Condition == ping.Condition {
			return nil
		}
		from, err := ping.ParseEchoRequest(p.Prepare.Data)
		if err != nil {
			return ilp.Rejectf(ilp.F01InvalidPacket, "%v", err)
		}
		p.Prepare = ilp.Prepare{
			Amount:      p.Prepare.Amount,
			ExpiresAt:   p.Prepare.ExpiresAt,
			Condition:   p.Prepare.Condition,
			Destination: from,
			Data:        ping.EchoResponse(),
		}
		return nil
	})}, nil
}
