package connector

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// PauseAccount takes no new packets from an account and sends none to it,
// until ResumeAccount. Packets in flight run to their end; when the account's
// InFlight and Outstanding are 0 nothing moves on it any more. Its link stays
// up, its routes stay, they are exchanged, and settlements go on: its
// neighbors see an account that is busy for a while, not one that is gone.
//
// Packets from it are answered T03, packets to it T01. Pausing it twice is
// pausing it once, and a connector that is made anew has paused nothing.
func (c *Connector) PauseAccount(id string) error { return c.setPaused(id, true) }

// ResumeAccount ends what PauseAccount has begun.
func (c *Connector) ResumeAccount(id string) error { return c.setPaused(id, false) }

func (c *Connector) setPaused(id string, paused bool) error {
	l, err := c.link(id)
	if err != nil {
		return err
	}
	if l.paused.Swap(paused) == paused {
		return nil
	}
	message := "account resumed"
	if paused {
		message = "account paused"
	}
	c.logger.Info(message, slog.String("account", id))
	return nil
}

// link gives the link of an account.
func (c *Connector) link(id string) (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.links[id]
	if l == nil {
		return nil, fmt.Errorf("connector: account %q: %w", id, ErrUnknownAccount)
	}
	return l, nil
}

// refusePaused answers a packet of an account that is paused, and reports
// whether it did. Peer protocols go on: a pause must not cost the routes.
func (l *link) refusePaused(ctx context.Context, p *ilp.Prepare, r plugin.Responder) bool {
	if !l.paused.Load() || p.Destination.Scheme() == "peer" {
		return false
	}
	r.Reply(ctx, &ilp.Reject{Code: ilp.T03ConnectorBusy, TriggeredBy: l.c.Address(), Message: "the account is paused."})
	l.leave()
	return true
}
