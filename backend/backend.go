package backend

import (
	"context"
	"errors"

	"github.com/interledger-go/connector/ilp"
)

// Party is one side of a conversion.
type Party struct {
	// Account is the connector's id of the account. A backend that quotes by
	// currency ignores it; one that gives a customer terms of its own does
	// not.
	Account string
	// Asset is the unit of the account's amounts.
	Asset ilp.Asset
}

// Backend is a source of exchange rates.
type Backend interface {
	// Rate says how many units of the destination's asset one unit of the
	// source's asset buys, spread included. Units are the smallest ones, by
	// the scales of the two assets.
	//
	// It is called for each packet, concurrently, and reads memory only; see
	// the checklist. A pair without a rate gives the zero Ratio and an error
	// that wraps ErrNoRate.
	Rate(source, destination Party) (Ratio, error)
}

// Runner is implemented by backends that have something to do in the
// background, such as fetching rates.
type Runner interface {
	// Run works until ctx is done and returns soon after that, with nil or
	// with an error that wraps ctx.Err(). It is called at most once, by the
	// connector's own Run, which waits for it. Rate may be called before,
	// during and after.
	//
	// A fetch that fails is no reason to return: Run tries again later, and
	// Rate goes on serving what it still vouches for. An error returned while
	// ctx is not done is final and says what the host has to mend.
	Run(ctx context.Context) error
}

// Observer is implemented by backends that want to know what is exchanged at
// their rates: a market maker hedges with it.
type Observer interface {
	// Observe takes the news of one packet that was converted and sent on,
	// once its answer is known; each packet is reported once. It is called
	// concurrently on the path of the packet and must not block: whoever does
	// slow work with an Exchange queues it for Run, and says what happens
	// when the queue is full.
	Observe(x Exchange)
}

// Exchange is one conversion and what came of it.
type Exchange struct {
	Source, Destination Party
	// SourceAmount is what the source's packet carried, in units of the
	// source's asset.
	SourceAmount uint64
	// DestinationAmount is what was sent on, in units of the destination's
	// asset: SourceAmount at the rate, rounded down.
	DestinationAmount uint64
	// Fulfilled says that the packet was fulfilled and both amounts are owed.
	// Otherwise it was rejected and nothing moved.
	Fulfilled bool
}

// These errors tell a connector what it may say to the sender.
var (
	// ErrNoRate: the backend has no rate for this pair, and waiting does not
	// change that.
	ErrNoRate = errors.New("backend: no rate available")

	// ErrNotReady: the backend deals in this pair, but has no rate that it
	// vouches for at the moment: the first fetch is under way, or the last
	// one is too long ago. The sender may try again. It is an ErrNoRate too.
	ErrNotReady error = &noRate{"backend: no rate available at the moment"}
)

// NoRateError says which currency a backend has no rate for, in the words of
// the reference. It wraps ErrNoRate, or ErrNotReady if waiting may help.
type NoRateError struct {
	// Currency is the asset code without a rate.
	Currency string
	// Reason says why, if there is more to say.
	Reason string
	// Temporary says that there may be a rate later.
	Temporary bool
}

// Error returns "no rate available. currency=XRP", and the reason after a
// colon.
func (e *NoRateError) Error() string {
	text := "no rate available. currency=" + e.Currency
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// Unwrap returns ErrNotReady if e is temporary, else ErrNoRate.
func (e *NoRateError) Unwrap() error {
	if e.Temporary {
		return ErrNotReady
	}
	return ErrNoRate
}

// noRate is an error of its own that errors.Is also finds to be ErrNoRate.
type noRate struct{ text string }

func (e *noRate) Error() string        { return e.text }
func (e *noRate) Is(target error) bool { return target == ErrNoRate }
