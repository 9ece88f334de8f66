package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/interledger-go/connector/account"
)

// AddAccount adds an account, and opens its plugin if the connector runs;
// otherwise Run does. If an account of this id was removed a moment ago, it
// waits until the last packet of that is answered: they share a book. ctx
// bounds the call alone. An account that cannot be added leaves nothing behind,
// and its plugin unopened; one whose plugin cannot be opened is removed again
// and its plugin closed.
func (c *Connector) AddAccount(ctx context.Context, a Account) error {
	if err := a.Validate(); err != nil {
		return fmt.Errorf("connector: %w", err)
	}
	if err := c.awaitFormer(ctx, a.ID); err != nil {
		return err
	}
	l, running, err := c.addLink(ctx, a)
	if err != nil || !running {
		return err
	}
	if err := l.open(ctx); err != nil {
		if _, gone := c.takeLink(a.ID); gone != nil {
			return err // removed meanwhile, by whoever did that
		}
		l.draining.Store(true)
		err = errors.Join(err, l.close())
		c.finish(l)
		return err
	}
	return nil
}

// awaitFormer waits until an account that was removed has given its id free.
func (c *Connector) awaitFormer(ctx context.Context, id string) error {
	c.mu.Lock()
	former := c.leaving[id]
	c.mu.Unlock()
	if former == nil {
		return nil
	}
	select {
	case <-former.left:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("connector: account %q: packets of the account of this id that was removed are still in flight: %w", id, ctx.Err())
	}
}

// leave gives the id of a link free that was taken out and has finished.
func (c *Connector) leave(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(l.left)
	if c.leaving[l.account.ID] == l { // or another of its id is leaving by now
		delete(c.leaving, l.account.ID)
	}
	c.closing.Done()
}

// addLink makes the link of a and lets packets be routed to it. Making it may
// wait for the store, which others need not.
func (c *Connector) addLink(ctx context.Context, a Account) (l *link, running bool, err error) {
	if err := c.claim(a); err != nil {
		return nil, false, fmt.Errorf("connector: account %q: %w", a.ID, err)
	}
	l, err = newLink(ctx, c, a)
	c.mu.Lock()
	delete(c.adding, a.ID)
	at := c.phase
	if err == nil && at != phaseStopping {
		c.links[a.ID] = l
		c.router.add(l)
	}
	c.mu.Unlock()
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("connector: %w", err)
	case at == phaseStopping:
		l.discard()
		return nil, false, fmt.Errorf("connector: account %q: %w", a.ID, ErrStopped)
	}
	return l, at == phaseRunning, nil
}

// claim keeps the id and the segment of a for it, until its link is made.
func (c *Connector) claim(a Account) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == phaseStopping {
		return ErrStopped
	}
	if _, claimed := c.adding[a.ID]; claimed || c.links[a.ID] != nil {
		return fmt.Errorf("ID: %w: remove the other one first, or choose another id", ErrDuplicateAccount)
	}
	taken := func(other *Account) error {
		if a.Relation != account.Child || other.Relation != account.Child || other.Segment() != a.Segment() {
			return nil
		}
		return fmt.Errorf("AddressSegment: %w: account %q has the segment %q: set another one", ErrDuplicateAccount, other.ID, a.Segment())
	}
	for _, l := range c.links {
		if err := taken(&l.account); err != nil {
			return err
		}
	}
	for _, other := range c.adding {
		if err := taken(&other); err != nil {
			return err
		}
	}
	c.adding[a.ID] = a
	return nil
}

// takeLink takes the link out: nothing is routed to it any more. Whoever took
// it drains, closes and finishes it.
func (c *Connector) takeLink(id string) (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == phaseStopping { // stop has them all
		return nil, fmt.Errorf("connector: account %q: %w", id, ErrStopped)
	}
	l := c.links[id]
	if l == nil {
		return nil, fmt.Errorf("connector: account %q: %w", id, ErrUnknownAccount)
	}
	delete(c.links, id)
	c.leaving[id] = l
	c.router.remove(l)
	c.closing.Add(1) // until finish; never once stop waits
	c.inheritFrom(l)
	return l, nil
}

// RemoveAccount takes no new packets from the account and routes none to it,
// waits for those in flight to be answered, at most until ctx ends or
// Config.DrainTimeout has passed, and closes its plugin. Packets that are
// still in flight then are answered by the closing of the plugin, or, if they
// came from the account, run to their end behind it; the account can be added
// again when they have.
func (c *Connector) RemoveAccount(ctx context.Context, id string) error {
	l, err := c.takeLink(id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.DrainTimeout)
	defer cancel()
	if err := l.drain(ctx); err != nil {
		c.logger.Warn("account removed with packets in flight", slog.String("account", id), slog.Any("error", err))
	}
	err = l.close()
	c.finish(l)
	return err
}

// finish closes the stages of a link that takes no packets any more, once
// its last packet has been answered: at once if that is so, so that the
// account can be added again. The packets from it may be with other links, and
// are bounded by their expiry.
func (c *Connector) finish(l *link) {
	if l.rests() {
		l.finish()
		c.leave(l)
		return
	}
	go func() {
		defer c.leave(l)
		l.finish()
	}()
}
