package plugin

import (
	"context"
	"errors"
)

// Informer is implemented by a Plugin that has something to tell its operator:
// the state of a payment channel, the version of the counterparty. It is found
// with [As] by whatever shows it, such as package admin.
type Informer interface {
	// AdminInfo gives a value that package encoding/json can encode. No secrets
	// are in it. ctx bounds the call.
	AdminInfo(ctx context.Context) (any, error)
}

// Instructor is implemented by a Plugin that its operator can tell to do
// something: close a channel, change a fee.
type Instructor interface {
	// SendAdminInfo takes a JSON object of the operator's and gives what came of
	// it, which package encoding/json can encode. ctx bounds the call. An error
	// about the message wraps ErrInstruction, and says what would be right.
	SendAdminInfo(ctx context.Context, message []byte) (any, error)
}

// ErrInstruction is wrapped by errors of an Instructor about what it was told:
// the operator has to say something else.
var ErrInstruction = errors.New("the instruction is wrong")
