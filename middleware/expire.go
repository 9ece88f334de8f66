package middleware

import (
	"context"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
)

// Expire makes the connector answer R00 when the next hop has not answered
// by the expiry of the packet that it was sent (ILP4-32). Without it a
// packet waits for as long as the link does.
//
// The race between the reply and the clock is decided by the connector, in
// the one place that decides every outcome; this stage sets the time.
//
// An earlier deadline that another stage has set stays.
//
// Its name is "expire".
func Expire() Middleware { return expire{} }

type expire struct{}

func (expire) Name() string { return "expire" }

func (expire) Attach(Host, *account.Account) (Stages, error) {
	return Stages{Outgoing: PrepareFunc(func(_ context.Context, p *Packet) ilp.Reply {
		if p.Deadline.IsZero() || p.Prepare.ExpiresAt.Before(p.Deadline) {
			p.Deadline = p.Prepare.ExpiresAt
		}
		return nil
	})}, nil
}
