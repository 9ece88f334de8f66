package telemetry_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/memstore"
	"github.com/interledger-go/connector/telemetry"
)

var usd4 = connector.Asset{Code: "USD", Scale: 4}

// The fulfillment of the reference's tests.
var (
	fulfillment1 = ilp.Fulfillment(must(base64.RawStdEncoding.DecodeString("HS8e5Ew02XKAglyus2dh2Ohabuqmy3HDM8EXMLz22ok")))
	condition1   = fulfillment1.Condition()
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// link is a plugin whose counterparty is the test.
type link struct {
	handler plugin.Handler
	opened  chan struct{}
	answer  func(p *ilp.Prepare) ilp.Reply
	paid    error
}

var _ plugin.MoneySender = (*link)(nil)

func (l *link) Open(_ context.Context, h plugin.Handler) error {
	l.handler = h
	close(l.opened)
	return nil
}
func (l *link) Connected() bool { return true }
func (l *link) Close() error    { return nil }

func (l *link) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	if p.Destination.Scheme() == "peer" || l.answer == nil {
		r.Fail(ctx, plugin.ErrNotSent)
		return
	}
	r.Reply(ctx, l.answer(p))
}

func (l *link) SendMoney(context.Context, plugin.Money) error { return l.paid }

// feeds is a backend that says where its rates come from.
type feeds struct {
	backend.Backend
	all []backend.FeedStatus
}

func (f feeds) Feeds() []backend.FeedStatus { return f.all }
func (feeds) Confirm(string) error          { return errors.New("no") }

// world is a connector test.connie with accounts whose counterparties are the
// test.
type world struct {
	t     testing.TB
	c     *connector.Connector
	list  []middleware.Middleware
	links map[string]*link
}

func newWorld(t testing.TB, chain []middleware.Middleware, feed ...backend.FeedStatus) *world {
	t.Helper()
	rates, err := onetoone.New(onetoone.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connector.New(connector.Config{
		Address: "test.connie", Store: memstore.New(), Middleware: chain,
		Backend: feeds{Backend: rates, all: feed},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, c: c, list: chain, links: make(map[string]*link)}
}

func (w *world) add(a connector.Account) *link {
	w.t.Helper()
	l := &link{opened: make(chan struct{}), answer: func(*ilp.Prepare) ilp.Reply { return &ilp.Fulfill{Fulfillment: fulfillment1} }}
	a.Plugin = l
	if a.Asset.Code == "" {
		a.Asset = usd4
	}
	if err := w.c.AddAccount(context.Background(), a); err != nil {
		w.t.Fatal(err)
	}
	w.links[a.ID] = l
	return l
}

// run runs the connector until the test ends.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.c.Run(ctx) }()
	w.t.Cleanup(sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}))
	for _, l := range w.links {
		<-l.opened
	}
}

var packetNumber uint64

// send sends a packet from an account, and gives the answer.
func (w *world) send(ctx context.Context, from string, amount uint64, to string) ilp.Reply {
	w.t.Helper()
	packetNumber++
	answers := make(chan ilp.Reply, 1)
	w.links[from].handler.HandlePrepare(ctx, &ilp.Prepare{
		Amount: amount, ExpiresAt: time.Now().Add(time.Minute).UTC(), Condition: condition1,
		Destination: ilp.MustParseAddress(to), Data: fmt.Append(nil, packetNumber),
	}, plugin.NewResponder(plugin.ReplyFunc(func(_ context.Context, reply ilp.Reply, err error) {
		if err != nil {
			w.t.Errorf("the packet was not answered: %v", err)
		}
		answers <- reply
	}), 0))
	return <-answers
}

// registry gives a registry with a collector of w.
func (w *world) registry(o telemetry.Options) *prometheus.Registry {
	w.t.Helper()
	o.Connector = w.c
	collector, err := telemetry.NewCollector(o)
	if err != nil {
		w.t.Fatal(err)
	}
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(collector); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// value gives the value of a series, or of a histogram its count.
func value(t testing.TB, r *prometheus.Registry, name string, labels ...string) (float64, bool) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	series:
		for _, m := range family.GetMetric() {
			for i := 0; i < len(labels); i += 2 {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
				}
				if !found {
					continue series
				}
			}
			switch {
			case m.Counter != nil:
				return m.Counter.GetValue(), true
			case m.Gauge != nil:
				return m.Gauge.GetValue(), true
			case m.Histogram != nil:
				return float64(m.Histogram.GetSampleCount()), true
			}
		}
	}
	return 0, false
}

func wantValue(t testing.TB, r *prometheus.Registry, want float64, name string, labels ...string) {
	t.Helper()
	if got, ok := value(t, r, name, labels...); !ok || got != want {
		t.Errorf("%s%v is %v (there: %v), want %v", name, labels, got, ok, want)
	}
}

func wantNone(t testing.TB, r *prometheus.Registry, name string, labels ...string) {
	t.Helper()
	if got, ok := value(t, r, name, labels...); ok {
		t.Errorf("%s%v is %v, want none", name, labels, got)
	}
}
