package plugin

import (
	"context"

	"github.com/interledger-go/connector/ilp"
)

// Plugin is a link to one counterparty. All methods may be called
// concurrently.
type Plugin interface {
	// Open starts the link and returns without waiting for the counterparty:
	// a client dials, and dials again after a loss, in the background. From
	// now until Close the plugin gives what arrives to h. ctx bounds the call
	// alone. An error is final: it says what is wrong with the way the plugin
	// was built (an unusable URL, a port that is taken). Open is called once.
	Open(ctx context.Context, h Handler) error

	// SendPrepare hands p to the counterparty and returns without waiting for
	// the answer, which goes to r exactly once, during the call or later, on
	// any goroutine. p is the caller's again when the call returns.
	//
	// ctx carries values of the request (its burst, a trace); it is not a
	// deadline. A packet's deadline is its ExpiresAt: the connector answers
	// upstream by itself when it passes, and then counts what comes later as
	// late. A plugin gives up on a request some time after that, so that it
	// is still able to tell a late fulfilment from an unknown one.
	SendPrepare(ctx context.Context, p *ilp.Prepare, r Responder)

	// Connected reports whether a prepare sent now has a chance to reach the
	// counterparty. It reads memory.
	Connected() bool

	// Close ends the link; see the checklist. It returns when the plugin's
	// goroutines have ended, so neither the Handler nor whoever takes an
	// answer may call it.
	Close() error
}

// Handler takes what a plugin receives. The connector implements it, and so
// does a program that uses a plugin without a connector ([HandlerFunc]).
// All methods may be called concurrently. None of them blocks but HandleMoney.
type Handler interface {
	// HandlePrepare takes a prepare of the counterparty. The answer comes to
	// r exactly once. p is the caller's again when the call returns; what its
	// fields point to must never change.
	HandlePrepare(ctx context.Context, p *ilp.Prepare, r Responder)

	// HandleMalformed takes the news that the counterparty sent, where a
	// Prepare belongs, bytes that err says are none. r gets a Reject (F01).
	HandleMalformed(ctx context.Context, err error, r Responder)

	// HandleMoney takes a settlement that the counterparty has made: m is
	// ours when the plugin calls. nil means that it is booked, durably and
	// whole: a fraction of a unit is kept until it adds up, and is no
	// business of the plugin's or of an engine's behind it any more. After an
	// error the plugin calls again with the same key and amount until it is;
	// but one that wraps [ErrKeyReused] says that the key stands for another
	// amount, which stays, and with a [KeyReusedError] for which. The call may
	// wait for a disk, up to ctx, so it is not made by the goroutine that reads
	// the link.
	HandleMoney(ctx context.Context, m Money) error

	// HandleState says that the link came up or went down. err says why it
	// went down, where that is known. The calls of one plugin are in order.
	HandleState(connected bool, err error)
}

// As finds the ability T in p, or in the plugin that p wraps by a method
// Unwrap() Plugin, and so on.
func As[T any](p Plugin) (T, bool) {
	for p != nil {
		if t, ok := p.(T); ok {
			return t, true
		}
		w, ok := p.(interface{ Unwrap() Plugin })
		if !ok {
			break
		}
		p = w.Unwrap()
	}
	var none T
	return none, false
}
