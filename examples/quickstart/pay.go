package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// wallet is a program with a BTP link and an address of its own: it pays, and
// fulfils what it is paid.
type wallet struct {
	plugin.HandlerFunc // takes prepares
	link               *btp.Client
	connected          chan struct{} // closed when the link is up
	address            ilp.Address
}

// HandleState is told when the link goes up or down.
func (w *wallet) HandleState(connected bool, _ error) {
	if connected {
		select {
		case <-w.connected: // once more, after a loss
		default:
			close(w.connected)
		}
	}
}

// open connects a wallet and has the connector tell it its address.
func open(ctx context.Context, id, address string) (*wallet, error) {
	w := &wallet{HandlerFunc: receive, link: btp.Dial(url(id, address)), connected: make(chan struct{})}
	if err := w.link.Open(ctx, w); err != nil {
		return nil, err
	}
	select {
	case <-w.connected:
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), w.link.Close())
	}
	told, err := ildcp.Fetch(ctx, w.link)
	if err != nil {
		return nil, errors.Join(err, w.link.Close())
	}
	w.address = told.Address
	return w, nil
}

// receive fulfils every packet whose data is its fulfillment: a receiver that
// trusts everybody. A real one derives it from a secret (STREAM).
func receive(_ context.Context, p *ilp.Prepare) ilp.Reply {
	if len(p.Data) != len(ilp.Fulfillment{}) {
		return ilp.Rejectf(ilp.F06UnexpectedPayment, "the data is no fulfillment")
	}
	return &ilp.Fulfill{Fulfillment: ilp.Fulfillment(p.Data)}
}

// send pays amount to another wallet, in one packet.
func (w *wallet) send(ctx context.Context, to *wallet, amount uint64) error {
	var fulfillment ilp.Fulfillment
	rand.Read(fulfillment[:])
	_, err := plugin.Call(ctx, w.link, &ilp.Prepare{
		Amount:      amount,
		ExpiresAt:   time.Now().Add(30 * time.Second),
		Condition:   fulfillment.Condition(),
		Destination: to.address,
		Data:        fulfillment[:],
	})
	return err
}

// pay joins two wallets to the connector and lets packets go both ways.
func pay(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	alice, err := open(ctx, "alice", address)
	if err != nil {
		return err
	}
	defer alice.link.Close()
	bob, err := open(ctx, "bob", address)
	if err != nil {
		return err
	}
	defer bob.link.Close()

	for i := range uint64(10) {
		if err := alice.send(ctx, bob, 1000+i); err != nil {
			return fmt.Errorf("alice pays bob: %w", err)
		}
	}
	for range 5 {
		if err := bob.send(ctx, alice, 700); err != nil {
			return fmt.Errorf("bob pays alice: %w", err)
		}
	}
	return nil
}
