package plugintest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/interledger-go/connector/plugin"
)

// pay sends m and gives the error of SendMoney; late is what is wrong with
// the way it came.
func (s *side) pay(m plugin.Money, patience time.Duration) (paid, late error) {
	sender, ok := plugin.As[plugin.MoneySender](s.plugin)
	if !ok {
		return nil, fmt.Errorf("%s is no MoneySender, but Options.Money says so", s.name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	late = within(patience+s.timeout, s.name+": SendMoney, once its context had ended,", func() { paid = sender.SendMoney(ctx, m) })
	return paid, late
}

func checkMoney(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	amounts := []uint64{1, 1000, 1<<53 + 1, math.MaxUint64}
	settlements := make([]plugin.Money, len(amounts))
	faults := make([]error, len(amounts))
	var paying sync.WaitGroup
	for i, amount := range amounts {
		settlements[i] = plugin.Money{Amount: amount, Key: fmt.Sprintf("b1946ac9-2493-4d31-8a6f-00000000000%d", i)}
		paying.Go(func() { faults[i] = p.settle(settlements[i]) })
	}
	paying.Wait()
	if err := errors.Join(faults...); err != nil {
		return err
	}
	for _, m := range p.far.witness.Money() {
		if !slices.Contains(settlements, m) {
			return fmt.Errorf("%s: HandleMoney was called with %d under the key %q, which nobody has sent", p.far.name, m.Amount, m.Key)
		}
	}
	return nil
}

// settle sends m, which must be booked by the time that SendMoney returns.
func (p *pair) settle(m plugin.Money) error {
	paid, late := p.near.pay(m, p.timeout)
	if late != nil {
		return late
	}
	if paid != nil {
		return fmt.Errorf("%s: SendMoney of %d: %w", p.near.name, m.Amount, paid)
	}
	if booked := p.far.witness.Money(); !slices.Contains(booked, m) {
		return fmt.Errorf("%s: SendMoney has paid %d under the key %q, but HandleMoney was called with %v", p.near.name, m.Amount, m.Key, booked)
	}
	return nil
}

func checkMoneyRefused(p *pair) error {
	var mu sync.Mutex
	refused := false
	p.far.witness.Book = func(plugin.Money) error {
		mu.Lock()
		defer mu.Unlock()
		if !refused {
			refused = true
			return errors.New("the books are shut: ask again")
		}
		return nil
	}
	if err := p.connect(); err != nil {
		return err
	}
	m := plugin.Money{Amount: 1000, Key: "b1946ac9-2493-4d31-8a6f-000000000000"}
	paid, late := p.near.pay(m, p.timeout)
	switch {
	case late != nil:
		return late
	case paid == nil && len(p.far.witness.Money()) < 2:
		return fmt.Errorf("%s: SendMoney returned no error, but the handler has not booked the settlement", p.near.name)
	case errors.Is(paid, plugin.ErrNotSent):
		return fmt.Errorf("%s: SendMoney returned %q, which is ErrNotSent, but the counterparty has been told of the settlement", p.near.name, paid)
	}
	if err := p.settle(m); err != nil { // under the same key
		return fmt.Errorf("asked again: %w", err)
	}
	return nil
}

// checkMoneyAgain asks again for what was paid, as a caller does that has not
// heard the answer.
func checkMoneyAgain(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	m := plugin.Money{Amount: 1000, Key: "b1946ac9-2493-4d31-8a6f-000000000000"}
	if err := p.settle(m); err != nil {
		return err
	}
	const callers = 8 // at once
	faults := make([]error, callers)
	var paying sync.WaitGroup
	for i := range callers {
		paying.Go(func() { faults[i] = p.settle(m) })
	}
	paying.Wait()
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("asked again: %w", err)
	}
	for _, told := range p.far.witness.Money() {
		if told != m {
			return fmt.Errorf("%s: HandleMoney was called with %d under the key %q, but %d was sent under %q, and again", p.far.name, told.Amount, told.Key, m.Amount, m.Key)
		}
	}
	return nil
}

// checkMoneyHeld sends to a handler that takes its time.
func checkMoneyHeld(p *pair) error {
	release := make(chan struct{})
	p.far.witness.book = func(ctx context.Context, _ plugin.Money) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := p.connect(); err != nil {
		close(release)
		return err
	}
	m := plugin.Money{Amount: 1000, Key: "b1946ac9-2493-4d31-8a6f-000000000000"}
	paid, late := p.near.pay(m, p.timeout/100)
	close(release)
	switch {
	case late != nil:
		return late
	case paid == nil:
		return fmt.Errorf("%s: SendMoney returned no error, but the handler has not booked the settlement yet", p.near.name)
	case errors.Is(paid, plugin.ErrNotSent):
		return fmt.Errorf("%s: SendMoney returned %q, which is ErrNotSent, but the counterparty may yet book the settlement", p.near.name, paid)
	}
	if err := p.settle(m); err != nil { // under the same key
		return fmt.Errorf("asked again: %w", err)
	}
	return nil
}

func checkMoneyUnsent(p *pair) error {
	if err := p.near.open(); err != nil {
		return err
	}
	m := plugin.Money{Amount: 1000, Key: "b1946ac9-2493-4d31-8a6f-000000000000"}
	paid, late := p.near.pay(m, p.timeout/100)
	if late != nil {
		return late
	}
	if paid == nil {
		return fmt.Errorf("%s: SendMoney returned no error, but there was no counterparty", p.near.name)
	}
	if err := p.near.close(); err != nil {
		return err
	}
	paid, late = p.near.pay(m, p.timeout/100)
	if late != nil {
		return late
	}
	if !errors.Is(paid, plugin.ErrNotSent) || !errors.Is(paid, net.ErrClosed) {
		return fmt.Errorf("%s: SendMoney after Close returned %v, want an error that wraps ErrNotSent and net.ErrClosed", p.near.name, paid)
	}
	return nil
}
