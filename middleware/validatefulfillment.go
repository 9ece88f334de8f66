package middleware

import (
	"context"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
)

// ValidateFulfillment relays a Fulfill only if its fulfillment is the
// preimage of the packet's condition (ILP4-29); another becomes F05.
//
// Its name is "validateFulfillment".
func ValidateFulfillment() Middleware { return validateFulfillment{} }

type validateFulfillment struct{}

func (validateFulfillment) Name() string { return "validateFulfillment" }

func (validateFulfillment) Attach(Host, *account.Account) (Stages, error) {
	return Stages{Outgoing: ReplyFunc(func(_ context.Context, p *Packet, reply ilp.Reply) ilp.Reply {
		fulfill, ok := reply.(*ilp.Fulfill)
		if !ok || fulfill.Fulfillment.Condition() == p.Prepare.Condition {
			return reply
		}
		return &ilp.Reject{Code: ilp.F05WrongCondition, Message: "fulfillment did not match expected value."}
	})}, nil
}
