package plugin

import (
	"context"
	"errors"

	"github.com/interledger-go/connector/ilp"
)

// HandlerFunc is a Handler for a program that receives packets itself,
// without a connector: a function that answers a prepare on the spot. It
// runs on the goroutine that reads the link, so it must not block. It must
// not return nil.
//
// It takes no money: a settlement gets an error.
type HandlerFunc func(ctx context.Context, p *ilp.Prepare) ilp.Reply

var _ Handler = HandlerFunc(nil)

// HandlePrepare answers with what the function returns.
func (f HandlerFunc) HandlePrepare(ctx context.Context, p *ilp.Prepare, r Responder) {
	r.Reply(ctx, f(ctx, p))
}

// HandleMalformed answers F01.
func (f HandlerFunc) HandleMalformed(ctx context.Context, err error, r Responder) {
	r.Reply(ctx, ilp.Rejectf(ilp.F01InvalidPacket, "%v", err))
}

// HandleMoney refuses.
func (f HandlerFunc) HandleMoney(context.Context, Money) error {
	return errNoMoney
}

// HandleState does nothing.
func (f HandlerFunc) HandleState(bool, error) {}

var errNoMoney = errors.New("plugin: this program takes no settlements")
