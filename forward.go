package connector

import (
	"context"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// forward is the core: it chooses the next hop of f.in and makes f.out for
// it, or gives the answer. The order of the checks is the reference's.
func (f *flight) forward(ctx context.Context) ilp.Reply {
	p := &f.in.Prepare
	if p.Destination.Scheme() == "peer" {
		return f.c.handlePeer(ctx, f)
	}
	destination, reject := f.nextHop(p.Destination)
	if reject != nil {
		return reject
	}
	if destination == nil {
		return f.receive()
	}
	rate, err := f.rate(destination)
	if err != nil {
		return ilp.Internal(err)
	}
	if !destination.plugin.Connected() {
		return noConnection(destination)
	}
	if destination.paused.Load() {
		return ilp.Rejectf(ilp.T01PeerUnreachable, "the account is paused. account=%s", destination.account.ID)
	}
	amount, ok := rate.Apply(p.Amount)
	if !ok {
		return middleware.TooLarge(p.Amount, rate.Max())
	}
	expiresAt, reject := f.expiry(p.ExpiresAt)
	if reject != nil {
		return reject
	}
	if !destination.expect() { // it was removed a moment ago, or all are
		return noConnection(destination)
	}
	f.destination = destination
	f.in.Destination, f.out.Destination = &destination.account, &destination.account
	f.out.Prepare = *p
	f.out.Prepare.Amount, f.out.Prepare.ExpiresAt = amount, expiresAt
	f.in.DestinationAmount = amount
	return nil
}

func noConnection(l *link) *ilp.Reject {
	return ilp.Rejectf(ilp.T01PeerUnreachable, "no connection to account. account=%s", l.account.ID)
}

// rate is that between the source of f and its destination. What the connector
// sends itself is in the unit of the destination already.
func (f *flight) rate(destination *link) (backend.Ratio, error) {
	if f.source == f.c.self {
		return backend.One(), nil
	}
	return f.c.config.Backend.Rate(f.source.party, destination.party)
}

// nextHop finds the account for an address; nil for the connector itself.
func (f *flight) nextHop(address ilp.Address) (*link, *ilp.Reject) {
	source := f.source.account.ID
	if address.IsZero() {
		return nil, ilp.Rejectf(ilp.F01InvalidPacket, "missing destination.")
	}
	if f.c.foreign(address) {
		return nil, ilp.Rejectf(ilp.F02Unreachable, "no route found. source=%s destination=%s", source, address)
	}
	hop, ok := f.c.router.lookup(address)
	if !ok && f.c.Address().IsZero() {
		return nil, ilp.Rejectf(ilp.T01PeerUnreachable, "the connector has no address yet.")
	}
	if !ok {
		return nil, ilp.Rejectf(ilp.F02Unreachable, "no route found. source=%s destination=%s", source, address)
	}
	if hop.link == f.source && hop.origin == RouteDefault {
		// Who is our way to the rest of the network has no other way than us:
		// the packet would go to and fro between us until it expires.
		return nil, ilp.Rejectf(ilp.F02Unreachable, "no route found. source=%s destination=%s", source, address)
	}
	if hop.link == f.source && f.c.config.RefuseReflection {
		return nil, ilp.Rejectf(ilp.F02Unreachable, "refusing to route payments back to sender. sourceAccount=%s destinationAccount=%s",
			source, hop.link.account.ID)
	}
	return hop.link, nil
}

// expiry is when the outgoing packet expires: earlier than the incoming one
// by the message window, so that a fulfillment of the last moment can still
// be handed on, and no later than the longest hold from now.
func (f *flight) expiry(incoming time.Time) (time.Time, *ilp.Reject) {
	now, window := f.now(), f.c.config.MinMessageWindow
	if incoming.Before(now) {
		return time.Time{}, ilp.Rejectf(ilp.R02InsufficientTimeout, "source transfer has already expired. sourceExpiry=%s currentTime=%s",
			iso(incoming), iso(now))
	}
	outgoing := incoming.Add(-window)
	if latest := now.Add(f.c.config.MaxHoldTime); latest.Before(outgoing) {
		outgoing = latest.UTC().Truncate(time.Millisecond)
	}
	if outgoing.Sub(now) < window {
		return time.Time{}, ilp.Rejectf(ilp.R02InsufficientTimeout,
			"source transfer expires too soon to complete payment. actualSourceExpiry=%s requiredSourceExpiry=%s currentTime=%s",
			iso(incoming), iso(now.Add(2*window)), iso(now))
	}
	return outgoing, nil
}

// iso writes a time as the reference does in its messages.
func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
