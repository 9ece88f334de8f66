package plugin

import (
	"context"

	"github.com/interledger-go/connector/ilp"
)

// Responder takes the one answer to one prepare. It is a small value, passed
// along with the prepare, and may be used from any goroutine. Whoever holds
// it answers exactly once; the receiver of a second answer, or of one that
// nobody waits for any more, recognises it by its token and changes nothing.
//
// The reply given is the caller's again when the call returns; what its
// fields point to must never change. ctx carries the burst that the answer
// belongs to, if any.
type Responder struct {
	to    Replier
	token uint64
}

// Replier is the side that waits for answers. One value serves any number of
// prepares, told apart by their tokens, so that no object has to be made for
// a packet.
type Replier interface {
	// Reply takes the answer for token: reply, or, where reply is nil, the
	// error that says why there is none. One of the two is not nil.
	Reply(ctx context.Context, token uint64, reply ilp.Reply, err error)
}

// Poster is a Replier that keeps books of its own beneath the account's, as a
// link does that has many users behind one account.
type Poster interface {
	Replier
	// Post says that the prepare of token is fulfilled, and that the account's
	// posting is made right after the call: what is posted in the call, in the
	// same ledger, is durable no later than that. Reply comes after it, with
	// the fulfill, or with an error if it is not known whether the postings
	// stay. It is called once at most, and not at all where the account has no
	// book. It must not block.
	Post(ctx context.Context, token uint64)
}

// Claimer is a Replier that gives up after a while, and can be asked not to: a
// link that keeps books of its own beneath the account's would otherwise book a
// fulfillment that comes at the very moment, and the account would not.
type Claimer interface {
	Replier
	// Claim says that the prepare of token is fulfilled, and asks whether that
	// is in time. If it is, the prepare does not expire any more, and Reply has
	// to follow without delay. If not, it has been given up, and whoever asks
	// must not book it either; Reply may still say what has come, too late. It
	// must not block.
	Claim(token uint64) bool
}

// NewResponder makes the responder that answers to with token.
func NewResponder(to Replier, token uint64) Responder {
	return Responder{to: to, token: token}
}

// Reply answers with a Fulfill or Reject. A nil reply is no reply, and counts
// as Fail with [ErrUnknownOutcome].
func (r Responder) Reply(ctx context.Context, reply ilp.Reply) {
	if reply == nil {
		r.Fail(ctx, nil)
		return
	}
	r.to.Reply(ctx, r.token, reply, nil)
}

// Fail answers that there is no reply: see [ErrNotSent], [ErrBusy] and
// [ErrUnknownOutcome], which is what a nil err counts as.
func (r Responder) Fail(ctx context.Context, err error) {
	if err == nil {
		err = ErrUnknownOutcome
	}
	r.to.Reply(ctx, r.token, nil, err)
}

// Post tells a Poster that its prepare is fulfilled and being posted; see
// there. It does nothing for all others, and for the zero Responder.
func (r Responder) Post(ctx context.Context) {
	if p, ok := r.to.(Poster); ok {
		p.Post(ctx, r.token)
	}
}

// ReplyFunc is a Replier for a single prepare: a function that takes its
// answer.
type ReplyFunc func(ctx context.Context, reply ilp.Reply, err error)

// Reply implements [Replier]. The token is not used.
func (f ReplyFunc) Reply(ctx context.Context, _ uint64, reply ilp.Reply, err error) {
	f(ctx, reply, err)
}

// Claim asks a Claimer whether a fulfillment is in time; see there. All others
// take it whenever it comes.
func (r Responder) Claim() bool {
	c, ok := r.to.(Claimer)
	return !ok || c.Claim(r.token)
}
