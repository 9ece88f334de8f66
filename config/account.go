package config

import (
	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/plugin"
)

// Account is the record of a counterparty. Amounts are in the smallest unit of
// its asset.
type Account struct {
	// ID is its key in the configuration: letters, digits, _ - ~ and dots.
	ID string `json:"-"`

	// Relation says who it is to us.
	Relation account.Relation `json:"relation" config:"required"`
	// Plugin is the name of its link in the Registry, Options are those of its
	// driver.
	Plugin  string `json:"plugin" config:"required"`
	Options Raw    `json:"options,omitempty"`
	// Link is used in the place of Plugin, by hosts that have one.
	Link plugin.Plugin `json:"-"`

	AssetCode  string `json:"assetCode" config:"required"`
	AssetScale uint8  `json:"assetScale" config:"required"`

	// ILPAddressSegment follows our own address in that of a child; empty
	// means the ID.
	ILPAddressSegment string `json:"ilpAddressSegment,omitempty"`

	// Balance bounds what is owed; nil sets no bound.
	Balance *Balance `json:"balance,omitempty"`
	// SettlementEngine pays settlements, and tells which have arrived; nil:
	// what the plugin can by itself.
	SettlementEngine *SettlementEngine `json:"settlementEngine,omitempty"`
	// MaxPacketAmount is the largest amount of one packet from it.
	MaxPacketAmount Amount `json:"maxPacketAmount,omitempty"`
	// Throughput bounds the value that moves in a period.
	Throughput *Throughput `json:"throughput,omitempty"`
	// RateLimit bounds its packets; nil means the defaults.
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
	// Deduplicate says how long packets are remembered.
	Deduplicate *Deduplicate `json:"deduplicate,omitempty"`
	// MaxInFlight bounds its packets that are not answered; 0 means 1000.
	MaxInFlight int `json:"maxInFlight,omitempty" config:"positive"`

	// SendRoutes and ReceiveRoutes say whether routes are exchanged with it;
	// nil means yes for a peer or a parent.
	SendRoutes    *bool `json:"sendRoutes,omitempty"`
	ReceiveRoutes *bool `json:"receiveRoutes,omitempty"`
	// MaxRoutes bounds the routes taken from it; 0 means 100,000.
	MaxRoutes int `json:"maxRoutes,omitempty" config:"positive"`
}

// Balance is account.BalanceLimits.
type Balance struct {
	// Minimum is -Infinity where it is nil.
	Minimum *Limit `json:"minimum,omitempty"`
	Maximum Limit  `json:"maximum" config:"required"`
	// SettleThreshold of nil, or of -Infinity, never settles.
	SettleThreshold *Limit `json:"settleThreshold,omitempty"`
	SettleTo        Limit  `json:"settleTo,omitempty"`
}

// Throughput is account.Throughput.
type Throughput struct {
	RefillPeriod   Duration `json:"refillPeriod,omitempty" config:"positive"` // 0 means 1 s
	IncomingAmount Amount   `json:"incomingAmount,omitempty"`
	OutgoingAmount Amount   `json:"outgoingAmount,omitempty"`
}

// RateLimit is account.RateLimit.
type RateLimit struct {
	RefillPeriod Duration `json:"refillPeriod,omitempty" config:"positive"` // 0 means 60 s
	RefillCount  uint64   `json:"refillCount,omitempty" config:"positive"`  // 0 means 10,000
	Capacity     uint64   `json:"capacity,omitempty"`                       // 0 means RefillCount
}

// Deduplicate says how long packets are remembered that went to an account.
type Deduplicate struct {
	// CleanupInterval has no effect: what is too old goes by itself.
	CleanupInterval Duration `json:"cleanupInterval,omitempty" config:"positive"`
	// PacketLifetime is that of middleware.DeduplicateOptions.
	PacketLifetime Duration `json:"packetLifetime,omitempty" config:"positive"` // 0 means 30 s
	// MaxPackets is, too.
	MaxPackets int `json:"maxPackets,omitempty" config:"positive"`
}

// defaultRefillCount is how many packets an account may send in a minute.
const defaultRefillCount = 10_000

// Accounts are all of them, in their order. Their JSON form is an object.
type Accounts []Account

func (a *Accounts) readNode(d *decoder, path string, n *node) {
	*a = readNamed(d, path, n, func(a *Account, id string) { a.ID = id })
}

// MarshalJSON gives an object.
func (a Accounts) MarshalJSON() ([]byte, error) {
	return marshalNamed(a, func(a Account) string { return a.ID })
}

// Find gives the account of an id; nil if there is none.
func (a Accounts) Find(id string) *Account {
	for i := range a {
		if a[i].ID == id {
			return &a[i]
		}
	}
	return nil
}

func (a Accounts) ids() []string {
	ids := make([]string, len(a))
	for i := range a {
		ids[i] = a[i].ID
	}
	return ids
}

// account gives a as the connector takes it, without its link. a has been
// checked.
func (a *Account) account() account.Account {
	out := account.Account{
		ID:              a.ID,
		Relation:        a.Relation,
		AddressSegment:  a.ILPAddressSegment,
		MaxPacketAmount: uint64(a.MaxPacketAmount),
		RateLimit:       a.rateLimit(),
		SendRoutes:      a.SendRoutes,
		ReceiveRoutes:   a.ReceiveRoutes,
		MaxRoutes:       a.MaxRoutes,
		MaxInFlight:     a.MaxInFlight,
	}
	out.Asset.Code, out.Asset.Scale = a.AssetCode, a.AssetScale
	if a.Relation != account.Child { // the reference takes it, and does not use it
		out.AddressSegment = ""
	}
	if t := a.Throughput; t != nil {
		out.Throughput = &account.Throughput{
			IncomingAmount: uint64(t.IncomingAmount), OutgoingAmount: uint64(t.OutgoingAmount), RefillPeriod: t.RefillPeriod.std(),
		}
	}
	if b := a.Balance; b != nil {
		out.Balance = b.limits()
	}
	return out
}

func (a *Account) rateLimit() *account.RateLimit {
	l := RateLimit{}
	if a.RateLimit != nil {
		l = *a.RateLimit
	}
	if l.RefillCount == 0 {
		l.RefillCount = defaultRefillCount
	}
	return &account.RateLimit{RefillCount: l.RefillCount, RefillPeriod: l.RefillPeriod.std(), Capacity: l.Capacity}
}

func (b *Balance) limits() *account.BalanceLimits {
	limits := &account.BalanceLimits{Maximum: int64(b.Maximum), Minimum: account.NoMinimum, SettleTo: int64(b.SettleTo)}
	if b.Minimum != nil {
		limits.Minimum = int64(*b.Minimum)
	}
	if b.settles() {
		threshold := int64(*b.SettleThreshold)
		limits.SettleThreshold = &threshold
	}
	return limits
}

// settles reports whether there is a threshold that a balance can fall below.
func (b *Balance) settles() bool {
	return b.SettleThreshold != nil && *b.SettleThreshold != account.NoMinimum
}
