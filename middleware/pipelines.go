package middleware

import (
	"fmt"

	"github.com/interledger-go/connector/account"
)

// Pipelines is the chain of one account, ready to run.
type Pipelines struct {
	// Incoming and Outgoing are what [Packet.Run] takes.
	Incoming, Outgoing *Chain

	incomingMoney []func(MoneyFunc) MoneyFunc
	outgoingMoney []func(MoneyFunc) MoneyFunc
	closers       []func()
}

// Attach asks each middleware of list for its stages for a. When one refuses,
// those before it are closed again.
func Attach(list []Middleware, host Host, a *account.Account) (*Pipelines, error) {
	p := &Pipelines{}
	var incoming, outgoing []Stage
	for _, m := range list {
		s, err := m.Attach(host, a)
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("account %q: middleware %s: %w", a.ID, m.Name(), err)
		}
		if s.Incoming != nil {
			incoming = append(incoming, s.Incoming)
		}
		if s.Outgoing != nil {
			outgoing = append(outgoing, s.Outgoing)
		}
		p.add(s)
	}
	p.Incoming, p.Outgoing = NewChain(incoming...), NewChain(outgoing...)
	return p, nil
}

func (p *Pipelines) add(s Stages) {
	if s.IncomingMoney != nil {
		p.incomingMoney = append(p.incomingMoney, s.IncomingMoney)
	}
	if s.OutgoingMoney != nil {
		p.outgoingMoney = append(p.outgoingMoney, s.OutgoingMoney)
	}
	if s.Close != nil {
		p.closers = append(p.closers, s.Close)
	}
}

// IncomingMoney gives the way of a settlement from the counterparty to core.
func (p *Pipelines) IncomingMoney(core MoneyFunc) MoneyFunc {
	return wrap(p.incomingMoney, core)
}

// OutgoingMoney gives the way of a settlement from the core to link.
func (p *Pipelines) OutgoingMoney(link MoneyFunc) MoneyFunc {
	return wrap(p.outgoingMoney, link)
}

func wrap(stages []func(MoneyFunc) MoneyFunc, end MoneyFunc) MoneyFunc {
	for i := len(stages) - 1; i >= 0; i-- {
		end = stages[i](end)
	}
	return end
}

// Close closes the stages, innermost first.
func (p *Pipelines) Close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
	p.closers = nil
}
