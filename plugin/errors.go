package plugin

import "errors"

// These errors tell a connector what it may do next. They are what
// [Responder.Fail] and [MoneySender.SendMoney] are given, wrapped or bare.
// Fail also takes an *ilp.Reject, from a link that knows what the sender
// should be told, though the counterparty has not said it in a packet.
var (
	// ErrNotSent: the request certainly never reached the counterparty, so
	// another way may be tried. The sender is told T01.
	ErrNotSent = errors.New("plugin: not sent")

	// ErrNotConnected is the most common reason for ErrNotSent.
	ErrNotConnected error = &notSent{"plugin: not connected"}

	// ErrBusy: not sent either, because the link has as much outstanding as
	// it takes. The sender is told T03.
	ErrBusy error = &notSent{"plugin: too much outstanding"}

	// ErrUnknownOutcome: the request may have reached the counterparty and no
	// answer will come on this link any more. It must not be sent another
	// way. Every error that does not wrap ErrNotSent means the same.
	ErrUnknownOutcome = errors.New("plugin: outcome unknown")
)

// ErrKeyReused: a settlement has the key of one that has another amount, so
// it is not booked (SE-55). It is what [Handler.HandleMoney] gives a plugin
// that uses a key twice, in a [KeyReusedError].
var ErrKeyReused = errors.New("plugin: the key is that of a settlement of another amount")

// KeyReusedError is the ErrKeyReused that says what the key stands for: that
// much is booked under it, durably, and whoever brings the rest of another
// amount under another key is credited with all of it, once.
type KeyReusedError struct {
	// First is the settlement that was booked.
	First Money
}

// Error says what the key stands for.
func (e *KeyReusedError) Error() string {
	return ErrKeyReused.Error() + ": first it was " + e.First.String()
}

// Unwrap gives ErrKeyReused.
func (e *KeyReusedError) Unwrap() error { return ErrKeyReused }

// notSent is an error of its own that errors.Is also finds to be ErrNotSent.
type notSent struct{ text string }

func (e *notSent) Error() string        { return e.text }
func (e *notSent) Is(target error) bool { return target == ErrNotSent }
