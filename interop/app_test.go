package interop_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// app is a program behind a connector, its child over BTP, which fulfills what
// it is sent and counts it.
type app struct {
	name    string
	link    *btp.Client
	address ilp.Address

	mu    sync.Mutex
	taken map[string]uint64 // by the name of the payer
}

// startApp returns when the program has its address.
func startApp(t *testing.T, name string, at endpoint) *app {
	t.Helper()
	a := &app{name: name, link: btp.NewClient(at.client()), taken: make(map[string]uint64)}
	if err := a.link.Open(t.Context(), plugin.HandlerFunc(a.take)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.link.Close() })
	a.awaitReady(t)
	return a
}

// awaitReady waits until the connector, the one that runs now, tells the
// program its address.
func (a *app) awaitReady(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
		defer cancel()
		configuration, err := ildcp.Fetch(ctx, a.link)
		if err != nil {
			return fmt.Errorf("%s asks for its address: %w", a.name, err)
		}
		a.address = configuration.Address
		return nil
	})
}

// take fulfills a packet, the data of which are the fulfillment and the name
// of the payer.
func (a *app) take(_ context.Context, p *ilp.Prepare) ilp.Reply {
	if len(p.Data) < len(ilp.Fulfillment{}) {
		return ilp.Rejectf(ilp.F99ApplicationError, "no fulfillment")
	}
	preimage := ilp.Fulfillment(p.Data[:len(ilp.Fulfillment{})])
	a.mu.Lock()
	defer a.mu.Unlock()
	a.taken[string(p.Data[len(preimage):])] += p.Amount
	return &ilp.Fulfill{Fulfillment: preimage}
}

// received is what each payer has paid.
func (a *app) received() map[string]uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.taken)
}

// send sends a packet, another one than all before, that an app fulfills.
func (a *app) send(ctx context.Context, to ilp.Address, amount uint64) error {
	var preimage ilp.Fulfillment
	rand.Read(preimage[:])
	_, err := plugin.Call(ctx, a.link, &ilp.Prepare{
		Amount:      amount,
		ExpiresAt:   time.Now().Add(callTimeout),
		Condition:   preimage.Condition(),
		Destination: to,
		Data:        append(preimage[:], a.name...),
	})
	return err
}

// pay pays amount in one packet, and checks that it arrives.
func (a *app) pay(t *testing.T, to *app, amount uint64) {
	t.Helper()
	before := to.received()[a.name]
	if err := a.send(t.Context(), to.address, amount); err != nil {
		t.Errorf("%s pays %s, %s: %v", a.name, to.name, to.address, err)
		return
	}
	if got := to.received()[a.name] - before; got != amount {
		t.Errorf("%s received %d of %s, want %d", to.name, got, a.name, amount)
	}
}

// code is that of the reject that err is.
func code(err error) ilp.Code {
	if reject, ok := errors.AsType[*ilp.Reject](err); ok {
		return reject.Code
	}
	return ""
}

// eventually calls check again and again until it is content.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), convergence)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("still after %v: %v", convergence, err)
		}
	}
}

// convergence is how long a network may take to come to rest. It is less than
// the half minute after which the JavaScript connector asks again, so that
// nothing may depend on that.
const convergence = 25 * time.Second
