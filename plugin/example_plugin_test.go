package plugin_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Loopback is a link whose counterparty is itself: it fulfills every packet
// that asks for its secret.
type Loopback struct {
	Secret  ilp.Fulfillment
	handler plugin.Handler
	open    atomic.Bool
}

var _ plugin.Plugin = (*Loopback)(nil)

func (l *Loopback) Open(_ context.Context, h plugin.Handler) error {
	l.handler = h
	l.open.Store(true)
	h.HandleState(true, nil)
	return nil
}

func (l *Loopback) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	switch {
	case !l.open.Load():
		r.Fail(ctx, fmt.Errorf("loopback: %w: %w", plugin.ErrNotSent, net.ErrClosed))
	case p.Condition != l.Secret.Condition():
		r.Reply(ctx, ilp.Rejectf(ilp.F05WrongCondition, "not my secret"))
	default:
		r.Reply(ctx, &ilp.Fulfill{Fulfillment: l.Secret, Data: p.Data})
	}
}

func (l *Loopback) Connected() bool { return l.open.Load() }

func (l *Loopback) Close() error {
	if l.open.CompareAndSwap(true, false) {
		l.handler.HandleState(false, nil)
	}
	return nil
}

// A plugin is four methods. This one answers at once, so it has nothing to
// keep, and no goroutines to wait for.
func ExamplePlugin() {
	ctx := context.Background()
	secret := ilp.Fulfillment{31: 7}
	link := &Loopback{Secret: secret}

	// A connector does this when the account is added to it.
	ignore := plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply {
		return ilp.Rejectf(ilp.F02Unreachable, "nobody is here")
	})
	if err := link.Open(ctx, ignore); err != nil {
		fmt.Println(err)
		return
	}

	fulfill, err := plugin.Call(ctx, link, &ilp.Prepare{
		Amount:      10,
		ExpiresAt:   time.Now().Add(time.Second),
		Condition:   secret.Condition(),
		Destination: ilp.MustParseAddress("test.loopback"),
		Data:        []byte("hello"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("fulfilled with %q\n", fulfill.Data)
	fmt.Println(link.Close(), link.Connected())
	// Output:
	// fulfilled with "hello"
	// <nil> false
}
