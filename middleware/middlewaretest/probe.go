package middlewaretest

import (
	"context"
	"errors"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// probed is a middleware with a probe around each of its stages.
type probed struct {
	middleware.Middleware
	findings *findings
}

func (m probed) Attach(host middleware.Host, a *account.Account) (middleware.Stages, error) {
	s, err := m.Middleware.Attach(host, a)
	if s.Incoming != nil {
		s.Incoming = &probe{s.Incoming, m.findings}
	}
	if s.Outgoing != nil {
		s.Outgoing = &probe{s.Outgoing, m.findings}
	}
	if s.IncomingMoney != nil || s.OutgoingMoney != nil {
		m.findings.money = true
	}
	return s, err
}

// probe watches what the hooks of a stage give. It looks at the packet before
// a hook, never after: a hook may have given it away.
type probe struct {
	stage    middleware.Stage
	findings *findings
}

var _ middleware.LateObserver = (*probe)(nil)

var errPanic = errors.New("a hook panicked")

func (s *probe) Prepare(ctx context.Context, p *middleware.Packet) (reply ilp.Reply) {
	amount := p.Prepare.Amount
	defer func() {
		if v := recover(); v != nil {
			s.findings.report("Prepare panicked, the amount being %d: %v", amount, v)
			reply = ilp.Internal(errPanic)
		}
	}()
	reply = s.stage.Prepare(ctx, p)
	if isNilPointer(reply) {
		s.findings.report("Prepare gave a nil %T in an ilp.Reply, which is not nil: return nil itself", reply)
		return nil
	}
	return reply
}

func (s *probe) Reply(ctx context.Context, p *middleware.Packet, reply ilp.Reply) (next ilp.Reply) {
	defer func() {
		if v := recover(); v != nil {
			s.findings.report("Reply panicked, given %s: %v", describe(reply), v)
			next = reply
		}
	}()
	next = s.stage.Reply(ctx, p, reply)
	if next == nil || isNilPointer(next) {
		s.findings.report("Reply gave nil, given %s: return the reply to pass on", describe(reply))
		return reply
	}
	return next
}

func (s *probe) Late(p *middleware.Packet, reply ilp.Reply) {
	defer func() {
		if v := recover(); v != nil {
			s.findings.report("Late panicked, given %s: %v", describe(reply), v)
		}
	}()
	if o, ok := s.stage.(middleware.LateObserver); ok {
		o.Late(p, reply)
	}
}

// isNilPointer reports whether reply has a type and no value.
func isNilPointer(reply ilp.Reply) bool {
	switch r := reply.(type) {
	case *ilp.Fulfill:
		return r == nil
	case *ilp.Reject:
		return r == nil
	}
	return false
}
