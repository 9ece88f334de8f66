package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ping"
)

// Hop is a node on the way to an address.
type Hop struct {
	// Address is that of the node, as it calls itself.
	Address ilp.Address
	// RoundTrip is how long its answer took.
	RoundTrip time.Duration
	// Reject is what it answered; nil for the node that has the address and
	// fulfilled the packet.
	Reject *ilp.Reject
}

// How a trace probes: packets of amount 0 that live longer and longer. Each
// hop keeps a part of the time for itself, usually a second, and the first
// that has too little left says so. A packet that nobody answered may have
// been lost, or have lived too short; where so many in a row were not, whoever
// has given them up waits in vain.
const (
	traceStep = 250 * time.Millisecond
	traceMost = 40 * time.Second
	traceLost = 5
)

// Trace finds the nodes on the way to address, the nearest first. The last one
// is that which has the address, or, as its Reject says, that which knows no
// way on, or gets no answer from the next one (R00). Nodes that keep less than
// a quarter of a second for themselves may be missing, and those that forward
// without a look at the time always are.
//
// The error is that of ctx, or says why no packet leaves; the hops that were
// found until then are returned with it.
func (c *Connector) Trace(ctx context.Context, address ilp.Address) ([]Hop, error) {
	var hops []Hop
	lost := 0 // packets in a row
	window := c.config.MinMessageWindow
	for life := window + traceStep; life <= traceMost; life += traceStep {
		hop, err := c.probe(ctx, address, life+window) // our own window is taken off before it leaves
		switch {
		case ctx.Err() != nil:
			return hops, fmt.Errorf("connector: trace %s: %w", address, context.Cause(ctx))
		case err != nil:
			return hops, fmt.Errorf("connector: trace %s: %w", address, err)
		case hop.Reject == nil || hop.Reject.Code != ilp.R00TransferTimedOut:
			lost = 0
		default:
			if lost++; lost < traceLost {
				continue
			}
		}
		if len(hops) == 0 || hops[len(hops)-1].Address != hop.Address {
			hops = append(hops, hop)
		} else {
			hops[len(hops)-1] = hop
		}
		if hop.Reject == nil || hop.Reject.Code != ilp.R02InsufficientTimeout {
			return hops, nil
		}
	}
	return hops, fmt.Errorf("connector: trace %s: no end after %d hops", address, len(hops))
}

// probe sends one packet that lives for life, and gives the node that answered
// it.
func (c *Connector) probe(ctx context.Context, address ilp.Address, life time.Duration) (Hop, error) {
	began := c.now()
	_, err := c.originate(ctx, &ilp.Prepare{
		Destination: address, Condition: ping.Condition, ExpiresAt: began.Add(life).UTC().Truncate(time.Millisecond),
	})
	hop := Hop{RoundTrip: c.now().Sub(began)}
	if err == nil {
		hop.Address = address
		return hop, nil
	}
	reject, ok := errors.AsType[*ilp.Reject](err)
	if !ok {
		return hop, err
	}
	hop.Address, hop.Reject = reject.TriggeredBy, reject
	return hop, nil
}
