package middleware

import (
	"context"
	"log/slog"
	"math/bits"
	"sync/atomic"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
)

// ErrorHandler makes the rejects of this connector fit to be sent: it puts
// our address into those that name nobody, and logs the cause of those that
// have one, which the counterparty is never told. What the next hop answered
// is relayed as it came.
//
// Its name is "errorHandler". It stands outermost.
func ErrorHandler() Middleware { return errorHandler{} }

type errorHandler struct{}

func (errorHandler) Name() string { return "errorHandler" }

func (errorHandler) Attach(host Host, a *account.Account) (Stages, error) {
	return Stages{Incoming: &errorStage{host: host, account: a}}, nil
}

type errorStage struct {
	replyOnly
	host    Host
	account *account.Account
	faults  atomic.Uint64
}

func (s *errorStage) Reply(_ context.Context, p *Packet, reply ilp.Reply) ilp.Reply {
	reject, ok := reply.(*ilp.Reject)
	if !ok || reply == p.NextHopReply {
		return reply
	}
	if reject.Cause != nil {
		s.log(p, reject)
	}
	if !reject.TriggeredBy.IsZero() {
		return reply
	}
	ours := *reject
	ours.TriggeredBy = s.host.Address()
	return &ours
}

// log writes the first fault, and from then on every time their number has
// doubled: a fault that hits every packet must not fill the disk.
func (s *errorStage) log(p *Packet, reject *ilp.Reject) {
	n := s.faults.Add(1)
	if bits.OnesCount64(n) != 1 {
		return
	}
	level := slog.LevelWarn
	if reject.Code == ilp.T00InternalError {
		level = slog.LevelError
	}
	s.host.Logger().LogAttrs(context.Background(), level, "packet refused",
		slog.String("account", s.account.ID),
		slog.String("code", string(reject.Code)),
		slog.String("destination", p.Prepare.Destination.Clone().String()),
		slog.Any("error", reject.Cause),
		slog.Uint64("times", n))
}
