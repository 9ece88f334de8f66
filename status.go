package connector

import (
	"fmt"
	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
)

// AccountStatus is what a connector knows of an account at one moment.
type AccountStatus struct {
	ID       string
	Relation Relation
	Asset    Asset
	// Address is that of a child; zero for others, who have their own.
	Address ilp.Address
	// Connected says whether the link is up.
	Connected bool
	// Paused says that no new packets are taken from the counterparty, and none
	// sent to it; see Connector.PauseAccount.
	Paused bool
	// InFlight packets came from the counterparty, Outstanding ones went to
	// it, and are not answered yet.
	InFlight, Outstanding int64
	// Book is what is owed, reserved and being settled.
	Book ledger.State
	// Malformed counts what came from the counterparty in place of packets.
	Malformed uint64
}

// Accounts gives the state of all accounts, by id.
func (c *Connector) Accounts() []AccountStatus {
	c.mu.Lock()
	links := c.sortedLinks()
	c.mu.Unlock()
	all := make([]AccountStatus, len(links))
	for i, l := range links {
		all[i] = l.status()
	}
	return all
}

// AccountStatus gives the state of one account.
func (c *Connector) AccountStatus(id string) (AccountStatus, bool) {
	l, err := c.link(id)
	if err != nil {
		return AccountStatus{}, false
	}
	return l.status(), true
}

func (l *link) status() AccountStatus {
	s := AccountStatus{
		ID:          l.account.ID,
		Relation:    l.account.Relation,
		Asset:       l.account.Asset,
		Connected:   l.plugin.Connected(),
		Paused:      l.paused.Load(),
		InFlight:    l.inFlight.Load(),
		Outstanding: l.outstanding.Load(),
		Book:        l.book.State(),
		Malformed:   l.malformed.Load(),
	}
	if l.account.Relation == account.Child {
		s.Address, _ = l.c.Address().Child(l.account.Segment()) // zero when it would be too long
	}
	return s
}

// Account gives the description of an account, as it was added. What its
// fields point to is the connector's.
func (c *Connector) Account(id string) (Account, bool) {
	l, err := c.link(id)
	if err != nil {
		return Account{}, false
	}
	return l.account, true
}

// Rate gives the rate that packets from one account to another have now: how
// many units of the destination one unit of the source buys.
func (c *Connector) Rate(source, destination string) (backend.Ratio, error) {
	from, err := c.link(source)
	if err != nil {
		return backend.Ratio{}, err
	}
	to, err := c.link(destination)
	if err != nil {
		return backend.Ratio{}, err
	}
	return c.config.Backend.Rate(from.party, to.party)
}

// Running reports whether the connector forwards packets: Run was called, and
// has not begun to stop.
func (c *Connector) Running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == phaseRunning
}

// Stats is what the stats middleware has counted, by account; nil if the
// chain has none.
func (c *Connector) Stats() []middleware.AccountStats {
	stats, ok := middleware.Find[*middleware.Stats](c.config.Middleware)
	if !ok {
		return nil
	}
	return stats.Snapshot()
}

// Alerts is what an operator should look at, by id, as the alert middleware
// has collected it; nil if the chain has none. Those of former runs are among
// them soon after Run has begun.
func (c *Connector) Alerts() []middleware.Alert {
	alerts, ok := middleware.Find[*middleware.Alerts](c.config.Middleware)
	if !ok {
		return nil
	}
	return alerts.List()
}

// DismissAlert removes an alert, and reports whether there was one of this
// id.
func (c *Connector) DismissAlert(id uint64) bool {
	alerts, ok := middleware.Find[*middleware.Alerts](c.config.Middleware)
	return ok && alerts.Dismiss(id)
}

// Meters is what the meter middleware has measured, by account; nil if the
// chain has none.
func (c *Connector) Meters() []middleware.AccountMeter {
	meter, ok := middleware.Find[*middleware.Meter](c.config.Middleware)
	if !ok {
		return nil
	}
	return meter.Snapshot()
}

// PacketLog is that of the chain; nil if it has none. Middleware that has a
// method PacketLog() *middleware.PacketLog may give another from time to time.
func (c *Connector) PacketLog() *middleware.PacketLog {
	for _, m := range c.config.Middleware {
		switch m := m.(type) {
		case *middleware.PacketLog:
			return m
		case interface{ PacketLog() *middleware.PacketLog }:
			return m.PacketLog()
		}
	}
	return nil
}

// Commits is how the ledger makes postings durable; ok is false if it does not
// say, as one that other processes share may not.
func (c *Connector) Commits() (commits ledger.Commits, ok bool) {
	measured, ok := c.ledger.(ledger.Measured)
	if !ok {
		return ledger.Commits{}, false
	}
	return measured.Commits(), true
}

// Feeds is the state of the sources that the backend fetches rates from; nil
// if it fetches none.
func (c *Connector) Feeds() []backend.FeedStatus {
	feeder, ok := c.config.Backend.(backend.Feeder)
	if !ok {
		return nil
	}
	return feeder.Feeds()
}

// ConfirmRate has the backend believe the price of a currency that has jumped
// and waits to be confirmed: an operator has looked at it. It is an error if
// none waits.
func (c *Connector) ConfirmRate(currency string) error {
	feeder, ok := c.config.Backend.(backend.Feeder)
	if !ok {
		return fmt.Errorf("connector: no price of %.32q waits: the backend fetches none", currency)
	}
	return feeder.Confirm(currency)
}

// Counters counts what belongs to no single account.
type Counters struct {
	// LateFulfills came after their packets had expired: the next hop thinks
	// that it was paid for them.
	LateFulfills uint64
	// UnexpectedReplies came for packets that had been answered, or were never
	// sent; a plugin that gives them is faulty.
	UnexpectedReplies uint64
}

// Counters gives the figures of now.
func (c *Connector) Counters() Counters {
	return Counters{
		LateFulfills:      c.lateFulfills.Load(),
		UnexpectedReplies: c.unexpectedReplies.Load(),
	}
}
