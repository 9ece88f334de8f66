package connector

import (
	"context"
	"strings"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
)

// handlePeer answers a packet to peer.*: it is for us, whoever sent it, and
// is never forwarded (ADDR-08).
func (c *Connector) handlePeer(_ context.Context, f *flight) ilp.Reply {
	p := &f.in.Prepare
	if p.Condition != ilp.PeerCondition {
		return ilp.Rejectf(ilp.F01InvalidPacket, "condition must be peer protocol condition.")
	}
	switch destination := p.Destination.String(); {
	case destination == ildcp.Destination:
		return c.configure(f)
	case strings.HasPrefix(destination, "peer.route."):
		return c.router.hear(f.source, p)
	default:
		return ilp.Rejectf(ilp.F01InvalidPacket, "unknown peer protocol.")
	}
}

// configure tells a child its address and the asset of its account (ILDCP).
func (c *Connector) configure(f *flight) ilp.Reply {
	a := &f.source.account
	if a.Relation != account.Child {
		return ilp.Rejectf(ilp.F00BadRequest, "Can't generate child address for account that is isn't a child")
	}
	if c.Address().IsZero() {
		return ilp.Rejectf(ilp.T03ConnectorBusy, "the connector has no address yet.")
	}
	if err := ildcp.CheckRequest(&f.in.Prepare, f.now()); err != nil {
		return ilp.Rejectf(ilp.F00BadRequest, "%v", err)
	}
	address, err := c.Address().Child(a.Segment())
	if err != nil {
		return ilp.Internal(err)
	}
	return ildcp.Response{Address: address, Asset: a.Asset}.Fulfill()
}
