package middleware

import (
	"context"
	"errors"
	"sync"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
)

// Balance keeps the books: it reserves the amount of a packet on the account
// it comes from and on the account it goes to before it is sent, refuses it
// with T04 where that would pass a limit, and posts both amounts when it is
// fulfilled. A fulfillment goes back to the source when both postings are
// durable, and not before. An account without limits is booked all the same.
//
// A link that keeps books of its own beneath that of its account, a
// plugin.Poster, is told before the account's posting is made, so that one
// write has them all. Its own chain may have a Balance, too, which is told by
// Packet.Post.
//
// Its name is "balance".
func Balance() Middleware { return balance{} }

type balance struct{}

func (balance) Name() string { return "balance" }

func (balance) Attach(host Host, a *account.Account) (Stages, error) {
	book := host.Book(a)
	if book == nil {
		return Stages{}, errors.New("the host keeps no book for it")
	}
	_, immediate := book.(ledger.Immediate)
	s := &balanceStages{book: book, immediate: immediate}
	s.waits.New = func() any { return &balanceWait{stages: s} }
	s.postings.New = func() any { return &posting{stages: s} }
	return Stages{Incoming: (*balanceIncoming)(s), Outgoing: (*balanceOutgoing)(s)}, nil
}

// balanceStages is what the two stages of an account share.
type balanceStages struct {
	book      ledger.Book
	immediate bool // reservations never have to be waited for
	waits     sync.Pool
	postings  sync.Pool
}

type (
	balanceIncoming balanceStages
	balanceOutgoing balanceStages
)

// reserve holds the amount of a packet on one side, or gives the answer.
func (s *balanceStages) reserve(ctx context.Context, p *Packet, side ledger.Side) ilp.Reply {
	if p.Prepare.Amount == 0 { // rate probes and peer protocols move nothing
		return nil
	}
	if s.immediate {
		return unreserved(side, s.book.Reserve(ctx, side, p.Prepare.Amount, nil))
	}
	w := s.wait(p.Hold(), side, nil)
	err := s.book.Reserve(ctx, side, p.Prepare.Amount, w)
	if errors.Is(err, ledger.ErrPending) {
		return Held
	}
	s.release(w)
	return unreserved(side, err)
}

// unreserved is the answer for a packet whose amount was not reserved, or nil
// if it was.
func unreserved(side ledger.Side, err error) ilp.Reply {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ledger.ErrLimit) && side == ledger.Incoming:
		return &ilp.Reject{Code: ilp.T04InsufficientLiquidity, Message: exceededMaximum}
	case errors.Is(err, ledger.ErrLimit):
		return &ilp.Reject{Code: ilp.T04InsufficientLiquidity, Message: "exceeded minimum balance."}
	case errors.Is(err, ledger.ErrUnavailable):
		return &ilp.Reject{Code: ilp.T03ConnectorBusy, Message: "the books cannot be kept at the moment.", Cause: err}
	}
	return ilp.Internal(err)
}

// exceededMaximum is the message of the reference, by which alerts are raised.
const exceededMaximum = "exceeded maximum balance."

// Prepare reserves on the account that the packet comes from.
func (s *balanceIncoming) Prepare(ctx context.Context, p *Packet) ilp.Reply {
	return (*balanceStages)(s).reserve(ctx, p, ledger.Incoming)
}

// Reply posts the amount of a packet that was fulfilled, and lets the
// fulfillment go on when the posting is durable. The posting of the next hop
// was made before, so it is durable then too, and so are those of books that
// are kept beneath this one.
func (s *balanceIncoming) Reply(ctx context.Context, p *Packet, reply ilp.Reply) ilp.Reply {
	amount := p.Prepare.Amount
	if amount == 0 {
		return reply
	}
	if made, ok := p.Value(s).(*posting); ok {
		return made.reply(p, reply)
	}
	if _, fulfilled := reply.(*ilp.Fulfill); !fulfilled {
		s.book.Release(ledger.Incoming, amount)
		return reply
	}
	p.Responder.Post(ctx)
	w := (*balanceStages)(s).wait(p.Hold(), ledger.Incoming, reply)
	err := s.book.Post(ctx, ledger.Incoming, amount, w)
	if errors.Is(err, ledger.ErrPending) {
		return Held
	}
	(*balanceStages)(s).release(w)
	return posted(reply, err)
}

// Prepare reserves on the account that the packet goes to.
func (s *balanceOutgoing) Prepare(ctx context.Context, p *Packet) ilp.Reply {
	return (*balanceStages)(s).reserve(ctx, p, ledger.Outgoing)
}

// Reply posts the amount of a packet that was fulfilled.
func (s *balanceOutgoing) Reply(ctx context.Context, p *Packet, reply ilp.Reply) ilp.Reply {
	amount := p.Prepare.Amount
	if amount == 0 {
		return reply
	}
	if _, fulfilled := reply.(*ilp.Fulfill); !fulfilled {
		s.book.Release(ledger.Outgoing, amount)
		return reply
	}
	err := s.book.Post(ctx, ledger.Outgoing, amount, nil)
	if err != nil && !errors.Is(err, ledger.ErrPending) {
		return ilp.Internal(err)
	}
	return reply
}

// balanceWait is a packet that waits for the ledger. It is used again.
type balanceWait struct {
	stages *balanceStages
	hold   Hold
	side   ledger.Side
	reply  ilp.Reply // to go on with; nil for a prepare
}

var _ ledger.Waiter = (*balanceWait)(nil)

func (s *balanceStages) wait(hold Hold, side ledger.Side, reply ilp.Reply) *balanceWait {
	w := s.waits.Get().(*balanceWait)
	w.hold, w.side, w.reply = hold, side, reply
	return w
}

func (s *balanceStages) release(w *balanceWait) {
	w.hold, w.reply = Hold{}, nil
	s.waits.Put(w)
}

// Done lets the packet go on. It implements ledger.Waiter.
func (w *balanceWait) Done(ctx context.Context, err error) {
	hold, side, reply := w.hold, w.side, w.reply
	w.stages.release(w)
	switch {
	case reply == nil && err == nil:
		hold.Pass(ctx)
	case reply == nil:
		hold.Answer(ctx, unreserved(side, err))
	default:
		hold.Answer(ctx, posted(reply, err))
	}
}
