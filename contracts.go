package connector

import (
	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// The contracts under the names that a host reads them by. Each is described
// where it is defined, with a checklist for those who implement it.
type (
	// Account describes a counterparty.
	Account = account.Account
	// Relation is who a counterparty is to us: Child, Peer or Parent.
	Relation = account.Relation
	// RateLimit bounds the packets of an account.
	RateLimit = account.RateLimit
	// Throughput bounds the value that an account moves in a period.
	Throughput = account.Throughput
	// BalanceLimits bounds what an account may owe, and says when we settle.
	BalanceLimits = account.BalanceLimits
	// Asset is the unit of an account's amounts.
	Asset = ilp.Asset
	// Plugin is a link to a counterparty.
	Plugin = plugin.Plugin
	// Money is a settlement.
	Money = plugin.Money
	// Backend is a source of rates.
	Backend = backend.Backend
	// SenderStatus is what a neighbor is told of routes.
	SenderStatus = ccp.SenderStatus
	// ReceiverStatus is what a neighbor tells of routes.
	ReceiverStatus = ccp.ReceiverStatus
	// Ledger keeps the books.
	Ledger = ledger.Ledger
	// Store keeps what must survive.
	Store = store.Store
	// Middleware stands around the packets and money of every account.
	Middleware = middleware.Middleware
)

// The limits of a balance that set no bound, and the length of the longest
// account id.
const (
	NoMaximum   = account.NoMaximum
	NoMinimum   = account.NoMinimum
	MaxIDLength = account.MaxIDLength
)

// Int gives a pointer to n, for fields that may be left out, such as
// BalanceLimits.SettleThreshold.
func Int(n int64) *int64 { return &n }

// The relations of an account.
const (
	Child  = account.Child
	Peer   = account.Peer
	Parent = account.Parent
)
