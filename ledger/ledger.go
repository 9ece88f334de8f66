package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Ledger holds the books of all accounts of a connector, or of several that
// share it. All methods may be called concurrently.
type Ledger interface {
	// Open gives the book of an account with what it held before, if it was
	// ever opened: all that was posted, durable or not. A book is open once at
	// a time. ctx bounds the call. An error that wraps ErrClosed: the ledger
	// has stopped.
	Open(ctx context.Context, t Terms) (Book, error)

	// Run makes postings durable and pays settlements, until ctx is done;
	// then it writes what was posted before, and returns. While it does not
	// run nothing becomes durable.
	Run(ctx context.Context) error
}

// Terms is what a book is opened with.
type Terms struct {
	// Account is the id of the account, 1 to account.MaxIDLength bytes.
	Account string
	// Asset is what the figures of the book count. A book that holds anything
	// is not opened in another asset than before, with an error that wraps
	// ErrAsset: each figure would be wrong by a factor. The zero Asset is not
	// compared, and not remembered.
	Asset ilp.Asset
	// Limits of the balance, copied; nil sets none.
	Limits *account.BalanceLimits
	// Pay pays a settlement and returns when it is paid; nil if the account's
	// link cannot. It is called for one settlement of the account at a time,
	// and heeds ctx, which ends with the ledger or the use of the book.
	//
	// An error that wraps plugin.ErrNotSent is a definite no: nothing was paid
	// or ever will be under this key. One that wraps plugin.ErrNotConnected,
	// plugin.ErrBusy, net.ErrClosed or the error of a context speaks of the
	// moment. It leaves the outcome unknown, as all other errors do: Pay is
	// called again with the same key and amount.
	Pay func(ctx context.Context, m plugin.Money) error
}

// Side is a side of a packet.
type Side int

const (
	// Incoming packets come from the counterparty: they add to what it owes.
	Incoming Side = iota
	// Outgoing packets go to it: they take from what it owes.
	Outgoing
)

// String gives "incoming" or "outgoing".
func (s Side) String() string {
	if s == Incoming {
		return "incoming"
	}
	return "outgoing"
}

// Book is the book of one account. All methods may be called concurrently.
type Book interface {
	// Reserve makes room for a packet of amount. nil: it is reserved.
	// ErrPending: w, which must not be nil, is told with nil or the reason,
	// perhaps before Reserve has returned. Any other error: it is not
	// reserved; one that wraps ErrLimit if the limit is passed, ErrUnavailable
	// if nothing can be made durable at the moment or the book is closed.
	Reserve(ctx context.Context, side Side, amount uint64, w Waiter) error

	// Post turns a reservation of amount into balance. nil: it is durable.
	// ErrPending: w, if it is not nil, is told when it is, perhaps before Post
	// has returned. An error that wraps ErrNotReserved: nothing was posted.
	// Any other error, and any that w is told: the ledger is closed, and
	// whether the posting will be found after a restart is not known; it must
	// not be acted upon.
	//
	// An amount of 0 needs no reservation, and is durable when all that was
	// posted to the book before is.
	Post(ctx context.Context, side Side, amount uint64, w Waiter) error

	// Release gives a reservation of amount back. More than is reserved is not
	// released; the log is told.
	Release(side Side, amount uint64)

	// Receive books a settlement of the counterparty, and returns when it is
	// durable. Its fraction is kept, in the same write, until what was
	// received adds up to a unit, which is booked then (SE-12).
	//
	// It is booked once for its key, which has 1 to 200 bytes and is known for
	// 24 hours at least since it was last used. A second call with the same
	// amount and fraction gives what the first did, with no further effect
	// (SE-53); one with others gives an error that wraps a
	// *plugin.KeyReusedError with what the first had, when that is durable
	// (SE-55). So a nil means the same each time: all of m is booked or kept.
	// One of 0 is a settlement like any other: its key stands for it (SE-10).
	//
	// Limits do not apply, but those of 64 bits. Where ctx ends first it may
	// yet be booked: call again with the same key.
	Receive(ctx context.Context, m plugin.Money) error

	// Settle says that the account's link is ready to send money. From now on
	// settlements are paid, those of a former process first, and one is made
	// whenever a posting takes the balance below the threshold; at once, if it
	// is below: a threshold above zero asks for money to be sent ahead. It
	// brings the balance to Limits.SettleTo, or, where packets in flight leave
	// no room for that below Limits.Maximum, as near as they do; it is made
	// later if they leave none that reaches the threshold.
	//
	// The amount of one that was refused is put back, below Limits.Minimum if
	// need be, and the threshold makes no other for a while.
	Settle()

	// Send makes a settlement of amount, whatever the threshold, and returns
	// its key when it is durable; it is paid after that, once Settle was
	// called. An error without a key: none is made, and if it wraps ErrLimit
	// that is because the balance would pass its maximum. An error with a key,
	// such as that of ctx: the settlement may yet be made, under this key.
	Send(ctx context.Context, amount uint64) (key string, err error)

	// State gives the figures of now.
	State() State

	// Close ends the use of the book, and of Terms.Pay but for a call that is
	// under way. Nothing more can be reserved, received or sent; what is
	// reserved can be posted and released, and what was posted is still made
	// durable. Closing it again has no effect.
	Close()
}

// Immediate is implemented by a Book whose Reserve never gives ErrPending, so
// that its users need not be ready for it.
type Immediate interface {
	Book
	// Immediate does nothing.
	Immediate()
}

// Waiter is told, once, how a call ended that gave ErrPending. It is called
// from a goroutine of the ledger and must not block. It may call the methods
// of a book that do not block either: Reserve, Post and Release. ctx carries
// the burst of those that are told together.
type Waiter interface {
	Done(ctx context.Context, err error)
}

// State is what a book holds.
type State struct {
	Account string
	// Balance is what the counterparty owes us, in the unit of the account;
	// what we owe is negative. It includes what is posted and not yet durable.
	Balance int64
	// Remainder is what the counterparty has settled beyond whole units, below
	// plugin.FractionsPerUnit. It is not in Balance until it adds up to one.
	Remainder uint64
	// ReservedIn and ReservedOut are the amounts of packets in flight from
	// and to the counterparty.
	ReservedIn, ReservedOut uint64
	// Settlements are those that we are making and that have no answer yet,
	// oldest first. Their amounts are in Balance already.
	Settlements []Settlement
	// InDoubtIn and InDoubtOut are the amounts of packets that were in flight
	// when a former process ended without stopping, as of the last time that
	// it wrote the book. The counterparty may think that packets to it were
	// fulfilled.
	InDoubtIn, InDoubtOut uint64
}

// Settlement is one that we are making.
type Settlement struct {
	// Key names it for ever and everywhere (SE-50).
	Key string
	// Amount is in the unit of the account.
	Amount  uint64
	Created time.Time
	// Attempts to pay it since the process started, and the error of the last.
	Attempts  int
	LastError error
}

var (
	// ErrPending: the answer comes to the Waiter.
	ErrPending = errors.New("ledger: pending")
	// ErrLimit: the amount would take the balance beyond its limits, or
	// beyond 64 bits, counting what is in flight.
	ErrLimit = errors.New("ledger: limit exceeded")
	// ErrUnavailable: nothing can be made durable at the moment, or the book
	// is closed.
	ErrUnavailable = errors.New("ledger: not available")
	// ErrNotReserved: the caller posts what it has not reserved, or has posted
	// or released before.
	ErrNotReserved = errors.New("ledger: not reserved")
	// ErrAsset: the book holds something that is counted in another asset.
	ErrAsset = errors.New("ledger: another asset")
	// ErrClosed: the book is closed, or the ledger has stopped, or its store
	// is closed for ever.
	ErrClosed = errors.New("ledger: closed")
	// ErrOpen: the book of the account is open. It can be opened again when it
	// has been closed, which the connector does when the last packet of the
	// account is answered.
	ErrOpen = errors.New("its book is open: close it before, and open it once")
)

// Event is something that an operator should know.
type Event struct {
	Account string
	Kind    EventKind
	// Amount of the settlement, where there is one.
	Amount uint64
	Err    error
}

// EventKind says what an Event is about.
type EventKind int

const (
	// SettlementFailing: an attempt to pay a settlement failed, and there will
	// be another.
	SettlementFailing EventKind = iota
	// SettlementRefused: it will never be paid. Its amount is back in the
	// balance.
	SettlementRefused
	// StoreFailing: nothing can be made durable. Account is empty.
	StoreFailing
	// StoreRecovered: it can again. Account is empty.
	StoreRecovered
)
