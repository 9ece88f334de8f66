package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
)

// How a connector without an address of its own asks for one (ILDCP).
const (
	// inheritTimeout is how long an answer is waited for.
	inheritTimeout = 10 * time.Second
	// inheritRefresh is how often a parent is asked again: the protocol has no
	// way for it to say that the address is another.
	inheritRefresh = time.Minute
	// An attempt that failed is followed by another after a time between these,
	// and at once when the link comes back.
	minInheritRetry, maxInheritRetry = time.Second, 30 * time.Second
)

// inheritance is where the address comes from, if it is not configured.
type inheritance struct {
	from   string        // account id; empty: the first parent
	wake   chan struct{} // the link may be there, or again
	warn   string        // what was said of the parent's asset last
	random *rand.Rand    // spreads retries
}

// inherit keeps the connector's address as its parent gives it, until ctx is
// done.
func (c *Connector) inherit(ctx context.Context) {
	retry, failures := minInheritRetry, 0
	for {
		wait := inheritRefresh
		if err := c.askForAddress(ctx); err != nil && !errors.Is(err, errNotOpen) {
			if failures++; failures&(failures-1) == 0 { // the first, and each time their number doubled
				c.logger.Warn("no address from the parent, asking again", slog.Any("error", err), slog.Int("times", failures))
			}
			wait = retry/2 + time.Duration(c.inheritance.random.Int64N(int64(retry/2)))
			retry = min(2*retry, maxInheritRetry)
		} else if err == nil {
			retry, failures = minInheritRetry, 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-c.inheritance.wake:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// errNotOpen: the link to the parent is still to be opened, and that will be
// told. Nothing goes over it before.
var errNotOpen = errors.New("the link is not open yet")

// askForAddress asks the parent once, and takes what it says.
func (c *Connector) askForAddress(ctx context.Context) error {
	l, err := c.benefactor()
	if err != nil {
		return err
	}
	if !l.isOpen() {
		return errNotOpen
	}
	ctx, cancel := context.WithTimeout(ctx, inheritTimeout)
	defer cancel()
	request := ildcp.Request(c.now().Add(ildcp.RequestLifetime))
	fulfill, err := plugin.Call(ctx, l.plugin, &request) // past the outgoing stages: it carries no money
	if err != nil {
		return fmt.Errorf("account %q: %w", l.account.ID, err)
	}
	response, err := ildcp.ParseFulfill(fulfill)
	if err != nil {
		return fmt.Errorf("account %q: %w", l.account.ID, err)
	}
	c.compareAsset(l, response.Asset)
	c.adopt(response.Address)
	return nil
}

// benefactor gives the link to the account that the address comes from.
func (c *Connector) benefactor() (*link, error) {
	id := c.inheritance.from
	if id == "" {
		id = c.router.firstParent()
	}
	if id == "" {
		return nil, errors.New("there is no parent: add one, or set Config.Address")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.links[id]
	if l == nil {
		return nil, fmt.Errorf("account %q: %w", id, ErrUnknownAccount)
	}
	return l, nil
}

// adopt makes address the connector's own, if it is not yet: its children have
// others then, and its neighbors are told.
func (c *Connector) adopt(address ilp.Address) {
	former := c.Address()
	if address == former {
		return
	}
	c.identity.Store(&identity{address: address, network: network(address)})
	c.router.setAddress(address)
	if former.IsZero() {
		c.logger.Info("address inherited", slog.String("address", address.String()))
		return
	}
	c.logger.Warn("the parent has given another address", slog.String("address", address.String()),
		slog.String("former", former.String()))
}

// compareAsset says when the two sides of an account count in different units:
// every amount on it would be wrong by a factor.
func (c *Connector) compareAsset(l *link, theirs ilp.Asset) {
	ours := l.account.Asset
	text := ""
	if theirs != ours {
		text = fmt.Sprintf("the parent counts in %s with scale %d, we in %s with scale %d: amounts mean different things on the two sides",
			theirs.Code, theirs.Scale, ours.Code, ours.Scale)
	}
	if text == c.inheritance.warn {
		return
	}
	c.inheritance.warn = text
	if text == "" {
		return
	}
	c.logger.Error(text, slog.String("account", l.account.ID))
	if alerts, ok := middleware.Find[*middleware.Alerts](c.config.Middleware); ok {
		alerts.Raise(l.account.ID, middleware.AlertAssetMismatch, text)
	}
}

// inheritFrom has the parent asked again: it may have another address for us,
// or it is gone, and another one has.
func (c *Connector) inheritFrom(l *link) {
	if c.config.Address != "" || c.inheritance.from != l.account.ID && (c.inheritance.from != "" || l.account.Relation != account.Parent) {
		return
	}
	select {
	case c.inheritance.wake <- struct{}{}:
	default:
	}
}
