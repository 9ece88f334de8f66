// Package account holds what a host says of a counterparty: its relation to
// us, the asset its amounts are in, the link to it and the limits set for it.
// The connector, the middleware and the ledger share these words.
package account

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Account is the description of one counterparty, written by the host and
// not changed once it is added to a connector.
type Account struct {
	// ID names the account in this connector, its logs and its books. Any
	// text of up to [MaxIDLength] bytes that is not empty.
	ID string

	// Relation says who the counterparty is to us.
	Relation Relation

	// Asset is the unit of every amount on this account: packets, balances,
	// settlements. Its code is UTF-8, of up to [MaxAssetCodeLength] bytes and
	// not empty; its scale cannot pass 255, by its type. The books remember it:
	// an account that owes or is owed anything cannot come back in another.
	Asset ilp.Asset

	// Plugin is the link. The connector opens it when it runs and closes it
	// when it stops or the account is removed; a plugin serves one account.
	Plugin plugin.Plugin

	// AddressSegment is what follows our own address in the address of a
	// child. Empty means the ID. Only children have one.
	AddressSegment string

	// MaxPacketAmount is the largest amount that one packet from the
	// counterparty may carry; 0 sets no limit.
	MaxPacketAmount uint64

	// RateLimit bounds how many packets the counterparty may send; nil sets
	// no limit.
	RateLimit *RateLimit

	// Throughput bounds the value that moves in a period; nil sets no limit.
	Throughput *Throughput

	// Balance bounds what the counterparty may owe us and we may owe it, and
	// says when we settle; nil sets no limit, and never settles.
	Balance *BalanceLimits

	// SendRoutes and ReceiveRoutes say whether we tell the counterparty our
	// routes and take those that it tells us (CCP). nil means yes for a peer or
	// a parent, no for a child (CCP-30).
	SendRoutes, ReceiveRoutes *bool

	// MaxRoutes bounds how many routes are taken from the counterparty; what is
	// beyond is refused. 0 means [DefaultMaxRoutes].
	MaxRoutes int

	// MaxInFlight bounds how many packets of the counterparty may be
	// unanswered at once; past it the answer is T03 at once. 0 means
	// [DefaultMaxInFlight].
	MaxInFlight int
}

const (
	// MaxIDLength is the length of the longest account id, in bytes.
	MaxIDLength = 255

	// MaxAssetCodeLength is the length of the longest code of an asset, in
	// bytes.
	MaxAssetCodeLength = 255

	// DefaultMaxInFlight is the bound where an account sets none.
	DefaultMaxInFlight = 1000

	// DefaultMaxRoutes is the bound where an account sets none.
	DefaultMaxRoutes = 100_000
)

// RateLimit is a token bucket of packets: it holds at most Capacity tokens,
// starts full, gains RefillCount every RefillPeriod, evenly, and each packet
// takes one.
type RateLimit struct {
	// RefillCount is how many packets each period allows. At least 1.
	RefillCount uint64
	// RefillPeriod is 100 ms or more; 0 means one minute, as in the reference.
	RefillPeriod time.Duration
	// Capacity is the largest burst; 0 means RefillCount.
	Capacity uint64
}

// DefaultRefillPeriod is the period of a RateLimit that names none.
const DefaultRefillPeriod = time.Minute

// Throughput bounds the value that moves in each period, by a bucket for each
// direction that starts full and holds what one period allows.
type Throughput struct {
	// IncomingAmount and OutgoingAmount are in the unit of the account; 0 sets
	// no limit in that direction.
	IncomingAmount, OutgoingAmount uint64
	// RefillPeriod is 100 ms or more; 0 means one second.
	RefillPeriod time.Duration
}

// DefaultThroughputPeriod is the period of a Throughput that names none.
const DefaultThroughputPeriod = time.Second

const minRefillPeriod = 100 * time.Millisecond

// Validate says everything that is wrong with a, each fault with its field
// and what would be right; nil when a is usable.
func (a *Account) Validate() error {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("account %q: %s: %s", a.ID, field, fmt.Sprintf(format, args...)))
	}
	switch {
	case a.ID == "":
		fault("ID", "is empty: give the account a name")
	case len(a.ID) > MaxIDLength:
		fault("ID", "has %d bytes: at most %d are allowed", len(a.ID), MaxIDLength)
	}
	if !a.Relation.valid() {
		fault("Relation", "is %d: it must be Parent, Peer or Child", int(a.Relation))
	}
	switch {
	case a.Asset.Code == "":
		fault("Asset.Code", `is empty: name the asset, such as "USD"`)
	case len(a.Asset.Code) > MaxAssetCodeLength:
		fault("Asset.Code", "has %d bytes: at most %d are allowed", len(a.Asset.Code), MaxAssetCodeLength)
	case !utf8.ValidString(a.Asset.Code):
		fault("Asset.Code", "is %q: it must be UTF-8, for a child is told of it", a.Asset.Code)
	}
	if a.Plugin == nil {
		fault("Plugin", "is nil: give the account its link, such as btp.Dial(url) or one end of inproc.Pipe()")
	}
	switch {
	case a.Relation != Child && a.AddressSegment != "":
		fault("AddressSegment", "is %q, but only a Child has an address under ours: leave it empty", a.AddressSegment)
	case a.Relation == Child && a.AddressSegment != "" && !ilp.ValidSegment(a.AddressSegment):
		fault("AddressSegment", "is %q: a segment has letters, digits, _, ~ and - only", a.AddressSegment)
	case a.Relation == Child && a.AddressSegment == "" && a.ID != "" && !ilp.ValidSegment(a.ID):
		fault("AddressSegment", "is empty and the ID cannot stand in for it: set a segment of letters, digits, _, ~ and -")
	}
	if a.MaxInFlight < 0 {
		fault("MaxInFlight", "is %d: it must be 0 (meaning %d) or more", a.MaxInFlight, DefaultMaxInFlight)
	}
	if a.MaxRoutes < 0 {
		fault("MaxRoutes", "is %d: it must be 0 (meaning %d) or more", a.MaxRoutes, DefaultMaxRoutes)
	}
	if a.Balance != nil {
		a.Balance.check(fault)
	}
	if l := a.RateLimit; l != nil {
		if l.RefillCount < 1 {
			fault("RateLimit.RefillCount", "is 0: it must be at least 1")
		}
		if l.RefillPeriod != 0 && l.RefillPeriod < minRefillPeriod {
			fault("RateLimit.RefillPeriod", "is %v: it must be 0 (meaning %v) or at least %v", l.RefillPeriod, DefaultRefillPeriod, minRefillPeriod)
		}
	}
	if l := a.Throughput; l != nil && l.RefillPeriod != 0 && l.RefillPeriod < minRefillPeriod {
		fault("Throughput.RefillPeriod", "is %v: it must be 0 (meaning %v) or at least %v", l.RefillPeriod, DefaultThroughputPeriod, minRefillPeriod)
	}
	return errors.Join(faults...)
}

// SendsRoutes reports whether we tell the counterparty our routes.
func (a *Account) SendsRoutes() bool { return exchanges(a.SendRoutes, a.Relation) }

// ReceivesRoutes reports whether we take the routes of the counterparty.
func (a *Account) ReceivesRoutes() bool { return exchanges(a.ReceiveRoutes, a.Relation) }

func exchanges(set *bool, r Relation) bool {
	if set != nil {
		return *set
	}
	return r != Child
}

// Segment is the last segment of a child's address.
func (a *Account) Segment() string {
	if a.AddressSegment != "" {
		return a.AddressSegment
	}
	return a.ID
}
