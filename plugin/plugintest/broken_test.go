package plugintest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/plugintest"
)

// A breakage is a fault that a case finds.
type breakage struct {
	check string // the name of the case
	name  string
	build func(e *ends)
	want  string // in what the case says
}

// brokenMoney are plugins that settle wrongly.
var brokenMoney = []breakage{
	{"Money", "no key", func(e *ends) {
		e.near.pay = func(ctx context.Context, m plugin.Money) error {
			m.Key = ""
			return e.near.End.SendMoney(ctx, m)
		}
	}, `SendMoney has paid 1 under the key "b1946ac9-2493-4d31-8a6f-000000000000", but HandleMoney was called with`},
	{"Money", "amount of 63 bits", func(e *ends) {
		e.near.pay = func(ctx context.Context, m plugin.Money) error {
			m.Amount &^= 1 << 63
			return e.near.End.SendMoney(ctx, m)
		}
	}, "SendMoney has paid 18446744073709551615 under the key"},
	{"Money", "does nothing", func(e *ends) {
		e.near.pay = func(context.Context, plugin.Money) error { return nil }
	}, "but HandleMoney was called with []"},
	{"Money", "pays more", func(e *ends) {
		e.near.pay = func(ctx context.Context, m plugin.Money) error {
			return errors.Join(e.near.End.SendMoney(ctx, plugin.Money{Amount: 1, Key: "fee"}), e.near.End.SendMoney(ctx, m))
		}
	}, `HandleMoney was called with 1 under the key "fee", which nobody has sent`},
	{"MoneyRefused", "says nothing", func(e *ends) {
		e.near.pay = func(ctx context.Context, m plugin.Money) error {
			_ = e.near.End.SendMoney(ctx, m)
			return nil
		}
	}, "SendMoney returned no error, but the handler has not booked the settlement"},
	{"MoneyRefused", "says that nothing was sent", func(e *ends) {
		e.near.pay = func(ctx context.Context, m plugin.Money) error {
			return errors.Join(e.near.End.SendMoney(ctx, m), plugin.ErrNotSent)
		}
	}, "is ErrNotSent, but the counterparty has been told of the settlement"},
	{"MoneyRefused", "once is enough", func(e *ends) {
		asked := false
		e.near.pay = func(ctx context.Context, m plugin.Money) error {
			if asked {
				return errors.New("refused before")
			}
			asked = true
			return e.near.End.SendMoney(ctx, m)
		}
	}, "asked again: the near plugin: SendMoney of 1000: refused before"},
	{"MoneyAgain", "another key each time", func(e *ends) {
		var mu sync.Mutex
		times := 0
		e.near.pay = func(ctx context.Context, m plugin.Money) error {
			mu.Lock()
			times++
			again := plugin.Money{Amount: m.Amount, Key: fmt.Sprint(m.Key, times)}
			mu.Unlock()
			return errors.Join(e.near.End.SendMoney(ctx, m), e.near.End.SendMoney(ctx, again))
		}
	}, "but 1000 was sent under"},
	{"MoneyAgain", "refuses what is paid", func(e *ends) {
		var once sync.Once
		e.near.pay = func(ctx context.Context, m plugin.Money) error {
			err := fmt.Errorf("paid already: %w", plugin.ErrNotSent)
			once.Do(func() { err = e.near.End.SendMoney(ctx, m) })
			return err
		}
	}, "asked again: the near plugin: SendMoney of 1000: paid already"},
	{"MoneyHeld", "does not wait for the booking", func(e *ends) {
		e.near.pay = func(ctx context.Context, m plugin.Money) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go func() { _ = e.near.End.SendMoney(ctx, m) }()
			return nil
		}
	}, "SendMoney returned no error, but the handler has not booked the settlement yet"},
	{"MoneyHeld", "says that nothing was sent", func(e *ends) {
		e.near.pay = func(ctx context.Context, m plugin.Money) error {
			if err := e.near.End.SendMoney(ctx, m); err != nil {
				return errors.Join(err, plugin.ErrNotSent)
			}
			return nil
		}
	}, "is ErrNotSent, but the counterparty may yet book the settlement"},
	{"MoneyHeld", "waits for ever", func(e *ends) {
		e.near.pay = func(_ context.Context, m plugin.Money) error {
			<-e.released
			return errors.New("too late")
		}
	}, "SendMoney, once its context had ended, has not returned"},
	{"MoneyUnsent", "does not wait for anybody", func(e *ends) {
		e.near.pay = func(context.Context, plugin.Money) error { return nil }
	}, "SendMoney returned no error, but there was no counterparty"},
	{"MoneyUnsent", "waits for ever", func(e *ends) {
		e.near.pay = func(context.Context, plugin.Money) error {
			<-e.released
			return errors.New("too late")
		}
	}, "SendMoney, once its context had ended, has not returned"},
	{"MoneyUnsent", "does not say that it is closed", func(e *ends) {
		e.near.pay = func(context.Context, plugin.Money) error { return plugin.ErrNotConnected }
	}, "SendMoney after Close returned plugin: not connected, want an error that wraps ErrNotSent and net.ErrClosed"},
}

// TestCasesFindFaults shows that each case can fail, and what it says then.
func TestCasesFindFaults(t *testing.T) {
	unbroken := plugintest.CaseNames()
	for _, b := range slices.Concat(brokenPackets, brokenExchange, brokenLifecycle, brokenMoney) {
		unbroken = slices.DeleteFunc(unbroken, func(name string) bool { return name == b.check })
		t.Run(b.check+"/"+b.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := plugintest.Check(t, b.check, options(b.build))
				if err == nil {
					t.Fatalf("no fault found, want %q", b.want)
				}
				if !strings.Contains(err.Error(), b.want) {
					t.Errorf("the case says\n%v\nwant %q", err, b.want)
				}
			})
		})
	}
	if len(unbroken) > 0 {
		t.Errorf("no fault was tried on the cases %q", unbroken)
	}
}

// TestMoneySenderIsMissing has Options.Money promise too much.
func TestMoneySenderIsMissing(t *testing.T) {
	opts := plugintest.Options{
		Money: true,
		New: func(testing.TB) (first, second plugin.Plugin, stop func()) {
			a, b := inproc.Pipe()
			return struct{ plugin.Plugin }{a}, struct{ plugin.Plugin }{b}, nil
		},
	}
	for _, name := range []string{"Money", "MoneyRefused", "MoneyAgain", "MoneyHeld", "MoneyUnsent"} {
		err := plugintest.Check(t, name, opts)
		if err == nil || !strings.Contains(err.Error(), "the near plugin is no MoneySender") {
			t.Errorf("%s says %v, want that the plugin is no MoneySender", name, err)
		}
	}
}
