package connectortest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
)

// appID is the account of the app, and the last segment of its address.
const appID = "app"

// app is a program with an account at a node. It fulfills what it is sent, and
// keeps a book of its own.
type app struct {
	mu    sync.Mutex
	end   *inproc.End // nil after a crash
	count int         // payments made

	paying uint64 // in flight
	paid   uint64 // what was fulfilled for it
	earned uint64 // what it has fulfilled
}

// appEnd is the pipe to an app: its own end, and the connector's.
type appEnd struct{ app, plugin *inproc.End }

func (a *app) open() appEnd {
	mine, theirs := inproc.Pipe()
	a.mu.Lock()
	a.end = mine
	a.mu.Unlock()
	if err := mine.Handle(a.receive); err != nil {
		panic(err) // cannot be: the end is new
	}
	return appEnd{mine, theirs}
}

// close ends the pipe, and gives what the app was paying by it.
func (a *app) close(e appEnd) (paying uint64) {
	a.mu.Lock()
	if a.end == e.app {
		a.end = nil
	}
	paying = a.paying
	a.mu.Unlock()
	_ = e.app.Close() // never fails
	return paying
}

// receive fulfills a packet.
func (a *app) receive(_ context.Context, p *ilp.Prepare) ilp.Reply {
	fulfillment := fulfillmentOf(p.Data)
	if fulfillment.Condition() != p.Condition {
		return ilp.Rejectf(ilp.F05WrongCondition, "the data is not what the condition was made of.")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.earned += p.Amount
	return &ilp.Fulfill{Fulfillment: fulfillment}
}

// fulfillmentOf is the secret of a payment, which only apps know, by agreement.
func fulfillmentOf(data []byte) ilp.Fulfillment { return sha256.Sum256(data) }

// books is what the node owes the app, as the app sees it.
func (a *app) books() (earned, paid, paying uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.earned, a.paid, a.paying
}

// paymentLifetime is as long as a connector holds a packet.
const paymentLifetime = 30 * time.Second

// Pay sends one packet from the app of n to that of another node, and waits for
// its outcome. An error that is an *ilp.Reject says who did not let it pass;
// after any other the outcome may be unknown.
func (n *Node) Pay(to *Node, amount uint64) error {
	address := to.Address()
	if address.IsZero() {
		return fmt.Errorf("connectortest: node %s has no address", to)
	}
	destination, err := address.Child(appID)
	if err != nil {
		return fmt.Errorf("connectortest: the app of node %s: %w", to, err)
	}
	return n.pay(destination, amount)
}

func (n *Node) pay(destination ilp.Address, amount uint64) error {
	a := &n.app
	a.mu.Lock()
	end := a.end
	a.count++
	data := fmt.Appendf(nil, "payment %d of %s", a.count, n.name)
	a.paying += amount
	a.mu.Unlock()
	err := fmt.Errorf("connectortest: node %s does not run: %w", n, plugin.ErrNotSent)
	if end != nil {
		_, err = end.Send(context.Background(), &ilp.Prepare{
			Amount: amount, Destination: destination, Condition: fulfillmentOf(data).Condition(), Data: data,
			ExpiresAt: time.Now().Add(paymentLifetime).UTC().Truncate(time.Millisecond),
		})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paying -= amount
	if err == nil {
		a.paid += amount
	}
	return err
}
