package miniaccounts

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btplink"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/store"
)

// Defaults of [Options].
const (
	DefaultName               = "miniaccounts"
	DefaultMaxUsers           = 100_000
	DefaultMaxConnections     = 100_000
	DefaultMaxSockets         = btplink.DefaultMaxSockets
	DefaultMaxUnauthenticated = btplink.DefaultMaxUnauthenticated
	DefaultMaxInFlight        = 100
	DefaultHandoverWindow     = 50 * time.Millisecond
)

// Identity is how a client shows which user it is.
type Identity int

const (
	// ByToken makes a user of every token: its name is the SHA-256 hash of the
	// token, in base64url without padding. A user name is not needed; one that
	// is another than this is refused. Nothing has to be stored, and anybody
	// can be a user, any number of times: with a Ledger each leaves a book.
	ByToken Identity = iota
	// ByUsername makes a user of every user name. The first token that is
	// shown with it is kept, as a hash, and is the user's from then on. It
	// needs a Store.
	ByUsername
	// ByUsernameOrToken is ByUsername for clients with a user name, and
	// ByToken for those without. It needs a Store.
	ByUsernameOrToken
)

// Policy says over which of its sockets a user that has several is sent a
// packet. It is always one of them.
type Policy int

const (
	// Newest is the socket that was authenticated last.
	Newest Policy = iota
	// RoundRobin is each in turn.
	RoundRobin
)

// Options of a Server. The zero value is useful, for a server that everybody
// with a token may use, without limits of its own.
type Options struct {
	// Name stands before the names of the users in logs and books: the book of
	// the user alice is that of the account "miniaccounts/alice". It must be
	// the same for as long as there are books, and no other account of the
	// ledger may begin like this. Empty means DefaultName.
	Name string

	// Identity is how clients show which user they are, unless Directory
	// knows them.
	Identity Identity
	// Directory knows the users, in the place of Identity and Store.
	Directory Directory
	// Store keeps the hashes of tokens: a view of the connector's store. All
	// modes but ByToken need it; there it allows to revoke tokens.
	Store store.Store

	// Limits are those of each user.
	Limits UserLimits
	// LimitsOf gives the limits of a user, in the place of Limits, whenever
	// the user comes after all its sockets were gone for a while. It may be
	// called by several goroutines at once. nil: all have Limits.
	LimitsOf func(user string) UserLimits
	// Ledger keeps a book for each user. It must be the one of the connector
	// (connector.Config.Ledger), so that the postings of a user and those of
	// the account behind which it is are written together. nil: no books, and
	// no limits of balances.
	Ledger ledger.Ledger
	// Middleware stands behind the limits of each user, as that of a connector
	// does around its accounts.
	Middleware []middleware.Middleware
	// HandoverWindow is how much earlier a packet to a user expires here than
	// at the connector: the time to hand a fulfillment of the last moment
	// over. The user is told this expiry. 0 means DefaultHandoverWindow, a
	// negative value none.
	HandoverWindow time.Duration

	// Sockets says which socket a packet is sent over.
	Sockets Policy
	// MaxSockets is how many sockets a user may have; then the oldest is
	// ended. 0 means DefaultMaxSockets.
	MaxSockets int
	// MaxUnauthenticated is how many sockets may be open that have not shown
	// whose they are. Past it the one that has been silent for longest is
	// ended, and where all are being authenticated, the one that comes is
	// refused. 0 means DefaultMaxUnauthenticated.
	MaxUnauthenticated int
	// MaxConnections is how many sockets may be open altogether. 0 means
	// DefaultMaxConnections.
	MaxConnections int
	// MaxUsers is how many users may be in memory, and how many may be in the
	// Store until no further ones are let in. 0 means DefaultMaxUsers.
	MaxUsers int
	// Socket bounds what one socket may cost.
	Socket SocketLimits

	// AllowedOrigins are the values of the Origin header, such as
	// "https://wallet.example", with which browsers may connect; the header
	// must be equal to one of them. A client that sends none, which no browser
	// does, may always connect.
	AllowedOrigins []string
	// AllowedOriginPatterns allow the origins that they match as a whole. (In
	// the reference a match of any part is enough, so that a pattern
	// "https://wallet.example" lets https://wallet.example.thief.com in.)
	AllowedOriginPatterns []*regexp.Regexp

	// OnUser is told when the first socket of a user has come, and when the
	// last has gone. The calls about one user are in order. It must not block,
	// and must not call methods of the Server.
	OnUser func(user string, connected bool)
	// Logger gets what an operator should know. nil: no log. No token is
	// logged.
	Logger *slog.Logger
	// Now is the clock, the connector's; nil means time.Now.
	Now func() time.Time
}

// UserLimits are what a user may do. They mean what they mean for an account.
// The zero value sets none but DefaultMaxInFlight.
type UserLimits struct {
	// MaxPacketAmount is the largest amount of one packet of the user.
	MaxPacketAmount uint64
	// RateLimit bounds how many packets the user may send.
	RateLimit *account.RateLimit
	// Throughput bounds the value that moves in a period, each way.
	Throughput *account.Throughput
	// Balance bounds what the user may come to owe, and what it may come to be
	// owed. It needs Options.Ledger. Users do not settle: SettleThreshold must
	// be nil. Who has paid by other means is told of by Server.AdjustBalance.
	Balance *account.BalanceLimits
	// MaxInFlight bounds the packets of the user that are not answered; past
	// it the answer is T03. 0 means DefaultMaxInFlight.
	MaxInFlight int
}

// Defaults of [SocketLimits].
const (
	DefaultMaxMessage     = btplink.DefaultMaxMessage
	DefaultMaxPending     = 256 << 10
	DefaultMaxOutstanding = 1000
	DefaultLateWindow     = btplink.DefaultLateWindow
	DefaultAuthTimeout    = btplink.DefaultAuthTimeout
	DefaultPingInterval   = btplink.DefaultPingInterval
	DefaultPongTimeout    = btplink.DefaultPongTimeout
	DefaultWriteTimeout   = btplink.DefaultWriteTimeout
)

// SocketLimits bounds what one socket may cost. A zero field stands for the
// default of its name.
type SocketLimits struct {
	// MaxMessage is the longest BTP packet taken, in bytes.
	MaxMessage int
	// MaxPending is how many bytes may wait for a user that does not read.
	// Beyond half of it, packets are not sent (the sender is told T03); a
	// reply that finds no room even in the other half ends the socket.
	MaxPending int
	// MaxOutstanding is how many packets may be unanswered by the user.
	// Beyond it, packets are not sent (T03).
	MaxOutstanding int
	// LateWindow is how long after a packet's expiry its reply is still
	// waited for.
	LateWindow time.Duration
	// AuthTimeout bounds the time from the connection to the end of the
	// authentication.
	AuthTimeout time.Duration
	// PingInterval is the time between two WebSocket pings; negative: none.
	PingInterval time.Duration
	// PongTimeout is how long the user may be silent after a ping.
	PongTimeout time.Duration
	// WriteTimeout is how long it may take no bytes while some wait.
	WriteTimeout time.Duration
}

// maxNameLength is the length of the longest Options.Name: with a user's it
// makes the id of an account.
const maxNameLength = account.MaxIDLength - 1 - MaxUsernameLength

// check fills in the defaults, or says everything that is wrong.
func (o *Options) check() error {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("miniaccounts: Options.%s: %w", field, fmt.Errorf(format, args...)))
	}
	o.Name = cmp.Or(o.Name, DefaultName)
	if len(o.Name) > maxNameLength {
		fault("Name", "has %d bytes: at most %d are allowed", len(o.Name), maxNameLength)
	}
	switch {
	case o.Identity < ByToken || o.Identity > ByUsernameOrToken:
		fault("Identity", "is %d: it must be ByToken, ByUsername or ByUsernameOrToken", int(o.Identity))
	case o.Directory != nil && (o.Identity != ByToken || o.Store != nil):
		fault("Directory", "is set, and so is Identity or Store: the directory knows the users, leave the others out")
	case o.Identity != ByToken && o.Store == nil:
		fault("Store", "is nil: the tokens of users with names must be kept: give a view of the connector's store")
	}
	if s, ok := o.Store.(interface{ MaxKeySize() int }); ok && s.MaxKeySize() < maxStoreKey {
		fault("Store", "takes keys of %d bytes: it must take %d: give the view a shorter name", s.MaxKeySize(), maxStoreKey)
	}
	if o.Sockets != Newest && o.Sockets != RoundRobin {
		fault("Sockets", "is %d: it must be Newest or RoundRobin", int(o.Sockets))
	}
	if err := o.Limits.check(o.Ledger != nil); err != nil {
		fault("Limits", "%w", err)
	}
	if err := middleware.Validate(o.Middleware); err != nil {
		fault("Middleware", "%w", err)
	}
	for i, p := range o.AllowedOriginPatterns {
		if p == nil {
			fault("AllowedOriginPatterns", "entry %d is nil: leave it out instead", i)
		}
	}
	o.setDefaults()
	return errors.Join(faults...)
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		value    *int
		standard int
	}{
		{&o.MaxUsers, DefaultMaxUsers},
		{&o.MaxConnections, DefaultMaxConnections},
		{&o.Socket.MaxPending, DefaultMaxPending},
		{&o.Socket.MaxOutstanding, DefaultMaxOutstanding},
	} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	switch {
	case o.HandoverWindow == 0:
		o.HandoverWindow = DefaultHandoverWindow
	case o.HandoverWindow < 0:
		o.HandoverWindow = 0
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

var (
	errNoLedger   = errors.New("a Balance is set, but Options.Ledger is nil: give the ledger of the connector")
	errSettlement = errors.New("a Balance.SettleThreshold is set, but users do not settle: leave it nil")
)

// check says what is wrong with l.
func (l *UserLimits) check(books bool) error {
	switch {
	case l.Balance != nil && !books:
		return errNoLedger
	case l.Balance != nil && l.Balance.SettleThreshold != nil:
		return errSettlement
	}
	a := l.account("user", "user", ilp.Asset{Code: "XTS"})
	a.Plugin = new(Server) // any: it is the limits that are looked at
	return a.Validate()
}

// account is the user as the middleware sees it.
func (l *UserLimits) account(id, name string, asset ilp.Asset) account.Account {
	return account.Account{
		ID:              id,
		Relation:        account.Child,
		Asset:           asset,
		AddressSegment:  name,
		MaxPacketAmount: l.MaxPacketAmount,
		RateLimit:       l.RateLimit,
		Throughput:      l.Throughput,
		Balance:         l.Balance,
		MaxInFlight:     cmp.Or(l.MaxInFlight, DefaultMaxInFlight),
	}
}

// memory is how long a user must be gone until its limits have forgotten
// everything: a bucket that is empty now is full then.
func (l *UserLimits) memory() time.Duration {
	var d time.Duration
	if r := l.RateLimit; r != nil {
		period := cmp.Or(r.RefillPeriod, account.DefaultRefillPeriod)
		periods := cmp.Or(r.Capacity, r.RefillCount)/r.RefillCount + 1
		if periods > uint64(maxMemory/period) {
			return maxMemory
		}
		d = time.Duration(periods) * period
	}
	if t := l.Throughput; t != nil {
		d = max(d, cmp.Or(t.RefillPeriod, account.DefaultThroughputPeriod))
	}
	return min(d, maxMemory)
}

// maxMemory bounds memory, for buckets that take days to fill.
const maxMemory = time.Hour
