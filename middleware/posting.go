package middleware

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
)

// posting is what Balance has posted of a packet before its reply came back.
// Two events end it, in either order: the reply, and the news from the ledger
// that it is durable. It is used again after both.
type posting struct {
	stages *balanceStages
	state  atomic.Int32
	err    error     // of the ledger; set before postingTold
	hold   Hold      // of the packet, and the fulfillment to go on with; set
	answer ilp.Reply // before postingAwaited
}

const (
	postingMade    int32 = iota
	postingTold          // by the ledger; the reply has not come
	postingAwaited       // by the packet, which is held
	postingDropped       // the packet went on without it
)

var (
	_ ledger.Waiter = (*posting)(nil)
	_ PostingStage  = (*balanceIncoming)(nil)
)

// Post posts the amount of a packet whose fulfillment is on its way back. It
// implements PostingStage.
func (s *balanceIncoming) Post(ctx context.Context, p *Packet) {
	amount := p.Prepare.Amount
	if amount == 0 || p.Value(s) != nil {
		return
	}
	made := s.postings.Get().(*posting)
	p.Set(s, made)
	if err := s.book.Post(ctx, ledger.Incoming, amount, made); !errors.Is(err, ledger.ErrPending) {
		made.Done(ctx, err)
	}
}

// reply goes on with the reply to the packet. A reject says that something
// failed after the posting was made, of which nobody knows whether it stays:
// it must not be acted upon, nor made again.
func (made *posting) reply(p *Packet, reply ilp.Reply) ilp.Reply {
	if _, fulfilled := reply.(*ilp.Fulfill); !fulfilled {
		if !made.state.CompareAndSwap(postingMade, postingDropped) {
			made.release()
		}
		return reply
	}
	if made.state.Load() == postingMade {
		made.hold, made.answer = p.Hold(), reply
		if made.state.CompareAndSwap(postingMade, postingAwaited) {
			return Held
		}
	}
	err := made.err
	made.release()
	return posted(reply, err)
}

// Done takes the news that the posting is durable, or may not be. It implements
// ledger.Waiter.
func (made *posting) Done(ctx context.Context, err error) {
	made.err = err
	if made.state.CompareAndSwap(postingMade, postingTold) {
		return
	}
	awaited, hold, answer := made.state.Load() == postingAwaited, made.hold, made.answer
	made.release()
	if awaited {
		hold.Answer(ctx, posted(answer, err))
	}
}

// posted is what goes back for a fulfillment whose posting has ended so.
func posted(fulfill ilp.Reply, err error) ilp.Reply {
	if err != nil { // posted, but perhaps not for ever: it must not be acted upon
		return ilp.Internal(err)
	}
	return fulfill
}

func (made *posting) release() {
	made.err, made.hold, made.answer = nil, Hold{}, nil
	made.state.Store(postingMade)
	made.stages.postings.Put(made)
}
