package connector

import (
	"context"
	"errors"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
)

// The connector sends packets of its own (see Ping, Trace and Send) as if an account of
// its own had sent them: a link without a plugin, whose amounts are in the
// unit of whatever account they leave by, and which no book is kept for. What
// they cost is posted to the account they leave by, and is ours to bear. It is
// posted when the answer is given, and durable with the next batch: there is
// nobody to relay a fulfillment to who would owe us for it. Send alone waits
// for that, to say so.

// newSelf makes the link that the connector's own packets come from.
func newSelf(c *Connector) *link {
	return &link{
		c:           c,
		account:     account.Account{ID: "the connector itself"},
		pipelines:   &middleware.Pipelines{Incoming: middleware.NewChain(noteSending{})},
		maxInFlight: account.DefaultMaxInFlight,
		drained:     make(chan struct{}, 1),
	}
}

// originate sends a packet of the connector's own and waits for its outcome,
// at most until ctx ends; see plugin.Call. A Reject of the connector itself
// names it.
func (c *Connector) originate(ctx context.Context, p *ilp.Prepare) (*ilp.Fulfill, error) {
	fulfill, err := plugin.Call(ctx, origin{c.self}, p)
	if reject, ok := errors.AsType[*ilp.Reject](err); ok && reject.TriggeredBy.IsZero() {
		reject.TriggeredBy = c.Address()
	}
	return fulfill, err
}

// origin is the connector as a link that one can send packets into.
type origin struct{ self *link }

var _ plugin.Plugin = origin{}

func (o origin) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	o.self.HandlePrepare(ctx, p, r)
}

func (origin) Open(context.Context, plugin.Handler) error { return nil }
func (origin) Connected() bool                            { return true }
func (origin) Close() error                               { return nil }
