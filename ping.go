package connector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ping"
)

// Pong is what a Ping has found out.
type Pong struct {
	// RoundTrip is how long the answer took.
	RoundTrip time.Duration
	// Sent is the amount that left, in the unit of the account that it left by.
	Sent uint64
	// Delivered is what arrived, in the unit of the account that it came by;
	// only where HasDelivered: other connectors do not say it.
	Delivered    uint64
	HasDelivered bool
	// Returned is what came back to us, if Echo.
	Returned uint64
	// Echo says that the address has answered with a packet to us, rather than
	// by fulfilling ours.
	Echo bool
}

// Rate is what arrived for each unit sent, or what came back after both ways;
// nil where that is not known, because nothing was sent or nobody said.
func (p Pong) Rate() *big.Rat {
	arrived := p.Delivered
	switch {
	case p.Sent == 0:
		return nil
	case p.Echo:
		arrived = p.Returned
	case !p.HasDelivered:
		return nil
	}
	rate := new(big.Rat).SetFrac(new(big.Int).SetUint64(arrived), new(big.Int).SetUint64(p.Sent))
	return rate
}

// pingLifetime is how long a ping may take where ctx sets no earlier end.
const pingLifetime = 10 * time.Second

// Ping finds out whether address can be reached, with a packet of amount in the
// unit of the account that it leaves by. The amount is spent: it is kept by
// whoever has the address, unless that sends it back. 0 is fine where the rate
// does not matter.
//
// It asks in the form that every node can answer at once, and, where that is
// refused by the very node that has the address, by the echo protocol.
//
// An error that is a *ilp.Reject says who has refused the packet, and why. ctx
// bounds the call.
func (c *Connector) Ping(ctx context.Context, address ilp.Address, amount uint64) (Pong, error) {
	pong, err := c.pingOnce(ctx, address, amount)
	if reject, ok := errors.AsType[*ilp.Reject](err); ok && reject.TriggeredBy == address && reject.Code.Final() {
		return c.echo(ctx, address, amount)
	}
	return pong, err
}

func (c *Connector) pingOnce(ctx context.Context, address ilp.Address, amount uint64) (Pong, error) {
	began := c.now()
	fulfill, err := c.originate(ctx, &ilp.Prepare{
		Amount: amount, Destination: address, Condition: ping.Condition, ExpiresAt: c.pingExpiry(ctx),
	})
	if err != nil {
		return Pong{}, fmt.Errorf("connector: ping %s: %w", address, err)
	}
	pong := Pong{RoundTrip: c.now().Sub(began), Sent: amount}
	pong.Delivered, pong.HasDelivered = ping.ParseDelivered(fulfill.Data)
	return pong, nil
}

// pingExpiry is when a packet expires that is sent with ctx.
func (c *Connector) pingExpiry(ctx context.Context) time.Time {
	expiry := c.now().Add(pingLifetime)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(expiry) {
		expiry = deadline
	}
	return expiry.UTC().Truncate(time.Millisecond)
}

// echo asks address to send a packet back.
func (c *Connector) echo(ctx context.Context, address ilp.Address, amount uint64) (Pong, error) {
	secret := ilp.Fulfillment(randomBytes(32))
	from, waiting, err := c.echoes.expect(c.Address(), secret)
	if err != nil {
		return Pong{}, fmt.Errorf("connector: ping %s: %w", address, err)
	}
	defer c.echoes.forget(from)
	began := c.now()
	_, err = c.originate(ctx, &ilp.Prepare{
		Amount: amount, Destination: address, Condition: secret.Condition(), ExpiresAt: c.pingExpiry(ctx), Data: ping.EchoRequest(from),
	})
	if err != nil {
		return Pong{}, fmt.Errorf("connector: ping %s: %w", address, err)
	}
	return Pong{RoundTrip: c.now().Sub(began), Sent: amount, Returned: waiting.returned.Load(), Echo: true}, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// receive answers a packet to the connector's own address, or below it where
// no child is: a ping, or an echo that was asked for. Everything else is
// unreachable, for nobody receives packets here (ADDR-11).
func (f *flight) receive() ilp.Reply {
	p := &f.in.Prepare
	if p.Condition == ping.Condition {
		return &ilp.Fulfill{Fulfillment: ping.Fulfillment, Data: ping.Delivered(p.Amount)}
	}
	if e := f.c.echoes.find(p.Destination); e != nil && ping.IsEchoResponse(p.Data) && e.secret.Condition() == p.Condition {
		e.returned.Store(p.Amount)
		return &ilp.Fulfill{Fulfillment: e.secret}
	}
	return ilp.Rejectf(ilp.F02Unreachable, "no route found. source=%s destination=%s", f.source.account.ID, p.Destination)
}

// echoes are the responses that are waited for, by the address that they are
// to come to.
type echoes struct {
	mu      sync.Mutex
	waiting map[string]*expectedEcho
}

type expectedEcho struct {
	secret   ilp.Fulfillment
	returned atomic.Uint64
}

// expect makes an address of its own below base for a response (PING-03).
func (e *echoes) expect(base ilp.Address, secret ilp.Fulfillment) (ilp.Address, *expectedEcho, error) {
	if base.IsZero() {
		return ilp.Address{}, nil, errors.New("the connector has no address yet")
	}
	from, err := base.Child("~ping", rand.Text())
	if err != nil {
		return ilp.Address{}, nil, err
	}
	w := &expectedEcho{secret: secret}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting == nil {
		e.waiting = make(map[string]*expectedEcho)
	}
	e.waiting[from.String()] = w
	return from, w, nil
}

func (e *echoes) find(address ilp.Address) *expectedEcho {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.waiting[address.String()]
}

func (e *echoes) forget(address ilp.Address) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.waiting, address.String())
}
