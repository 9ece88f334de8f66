package plugintest

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/interledger-go/connector/plugin"
)

// Settler is a link that settles through a [Bank]: it makes a
// plugin.MoneySender of any plugin.
//
//	bank := &plugintest.Bank{Decide: ...}
//	link := &plugintest.Settler{Plugin: end, Bank: bank}
//
// If Plugin can send money itself, as one end of inproc.Pipe can, that is how
// the counterparty is told of a payment. Otherwise it is told nothing. Once it
// is closed the bank is not asked any more. It must not be copied.
type Settler struct {
	plugin.Plugin // carries packets
	Bank          *Bank

	closed atomic.Bool
}

var (
	_ plugin.Plugin      = (*Settler)(nil)
	_ plugin.MoneySender = (*Settler)(nil)
)

// SendMoney has the bank pay m.
func (s *Settler) SendMoney(ctx context.Context, m plugin.Money) error {
	if s.closed.Load() {
		return fmt.Errorf("plugintest: paying %d: %w: %w", m.Amount, plugin.ErrNotSent, net.ErrClosed)
	}
	if sender, ok := plugin.As[plugin.MoneySender](s.Plugin); ok {
		return s.Bank.pay(ctx, m, sender.SendMoney)
	}
	return s.Bank.Pay(ctx, m)
}

// Close ends the link.
func (s *Settler) Close() error {
	s.closed.Store(true)
	return s.Plugin.Close()
}

// Unwrap gives the plugin that carries packets.
func (s *Settler) Unwrap() plugin.Plugin { return s.Plugin }
