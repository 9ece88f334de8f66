package settlement

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Destination is the address of the messages between two engines (SE-40).
// They go no further than the peer (SE-42).
const Destination = "peer.settle"

// newMessage makes the packet that brings data, of up to ilp.MaxDataLength bytes, to
// the counterparty's engine. It is under the condition of all peer protocols,
// not under that of the RFC's text, which no fulfillment fits (SE-41).
func newMessage(data []byte, expiresAt time.Time) ilp.Prepare {
	return ilp.Prepare{
		ExpiresAt:   expiresAt,
		Condition:   ilp.PeerCondition,
		Destination: ilp.MustParseAddress(Destination),
		Data:        data,
	}
}

// handler stands between the link and the connector.
type handler struct {
	plugin.Handler
	account *Account
}

// HandlePrepare takes messages out of the counterparty's packets.
func (h *handler) HandlePrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	if p.Destination.String() == Destination {
		h.account.handleMessage(ctx, p, r)
		return
	}
	h.Handler.HandlePrepare(ctx, p, r)
}

// handleMessage answers a message of the counterparty's, later.
func (a *Account) handleMessage(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	switch {
	case !a.pace.allow(time.Now()):
		r.Reply(ctx, rejectMessage(ilp.T05RateLimited, "too many settlement messages.", nil))
	case p.Condition != ilp.PeerCondition:
		r.Reply(ctx, rejectMessage(ilp.F01InvalidPacket, "condition must be peer protocol condition.", nil))
	case p.Amount != 0: // fulfilled, it would be paid for nothing
		r.Reply(ctx, rejectMessage(ilp.F00BadRequest, "a settlement message must have an amount of 0.", nil))
	default:
		a.messages.SendPrepare(ctx, p, plugin.NewResponder(messenger{r}, 0))
	}
}

// messenger takes the outcome of a message back to the counterparty, as a
// packet in every case.
type messenger struct{ to plugin.Responder }

func (m messenger) Reply(ctx context.Context, _ uint64, reply ilp.Reply, err error) {
	switch {
	case reply != nil:
	case errors.Is(err, plugin.ErrBusy):
		reply = rejectMessage(ilp.T03ConnectorBusy, "too many settlement messages in flight.", err)
	default:
		reply = rejectMessage(ilp.T00InternalError, "no settlement engine takes the message.", err)
	}
	m.to.Reply(ctx, reply)
}

// passToEngine asks the engine. What it refuses is the counterparty's fault;
// that it cannot be asked is not (SE-43).
func (a *Account) passToEngine(ctx context.Context, p *ilp.Prepare) (ilp.Reply, error) {
	reply, err := a.engine.client.message(ctx, a.id, p.Data)
	if err == nil {
		return &ilp.Fulfill{Fulfillment: ilp.PeerFulfillment, Data: reply}, nil
	}
	a.noteUnknown(err)
	a.undelivered.warn(a.engine.log, "a settlement message was not delivered", slog.String("account", a.id), slog.Any("error", err))
	if s, ok := errors.AsType[*statusError](err); ok && s.status >= 400 && s.status < 500 {
		return rejectMessage(ilp.F00BadRequest, "Settlement engine rejected request", err), nil
	}
	return rejectMessage(ilp.T00InternalError, "Settlement engine does not answer", err), nil
}

func rejectMessage(code ilp.Code, message string, cause error) *ilp.Reject {
	return &ilp.Reject{Code: code, TriggeredBy: ilp.MustParseAddress(Destination), Message: message, Cause: cause}
}

// sendMessage brings a message of the engine's to the counterparty, and gives
// what its engine replies. The errors are those of plugin.Call.
func (a *Account) sendMessage(ctx context.Context, data []byte) ([]byte, error) {
	ctx, _, end, err := a.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	prepare := newMessage(data, time.Now().Add(a.engine.timeout))
	fulfill, err := plugin.Call(ctx, a.inner, &prepare)
	if err != nil {
		return nil, err
	}
	return fulfill.Data, nil
}

// pace bounds how often something happens: once in each interval, and after a
// pause as often at once as there are intervals in a second.
type pace struct {
	interval time.Duration

	mu   sync.Mutex
	next time.Time // when the next would be due, if all came evenly
}

// allow reports whether it may happen now, and counts that it does.
func (p *pace) allow(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if earliest := now.Add(p.interval - time.Second); p.next.Before(earliest) {
		p.next = earliest
	}
	if p.next.After(now) {
		return false
	}
	p.next = p.next.Add(p.interval)
	return true
}
