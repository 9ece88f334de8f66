package connector_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// A paused account moves nothing new, either way; what is in flight runs to its
// end, and peer protocols go on.
func TestPauseAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		two := n.add(connector.Account{ID: "two", Relation: connector.Child})
		n.run()
		flying := n.send("one", prepare("test.connie.two"))
		if err := errors.Join(n.c.PauseAccount("two"), n.c.PauseAccount("two")); err != nil {
			t.Fatal(err)
		}
		if s, ok := n.c.AccountStatus("two"); !ok || !s.Paused || s.Outstanding != 1 {
			t.Errorf("the status is %+v, want paused with one packet outstanding", s)
		}
		n.send("one", prepare("test.connie.two")).wantReject(t, ilp.T01PeerUnreachable, "the account is paused. account=two")
		n.send("two", prepare("test.connie.one")).wantReject(t, ilp.T03ConnectorBusy, "the account is paused.")
		if n.links["one"].count() != 0 || two.untaken() != 1 {
			t.Error("a packet has passed")
		}
		two.take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		flying.wantFulfill(t, fulfillment1)
		config := ilp.Prepare{Destination: ilp.MustParseAddress("peer.config"), Condition: ilp.PeerCondition, ExpiresAt: time.Now().Add(time.Minute).UTC()}
		if o := n.send("two", config); o.pending() || o.fulfill == nil {
			t.Errorf("the child is not told its address: %v", o.reject)
		}
		if err := n.c.ResumeAccount("two"); err != nil {
			t.Fatal(err)
		}
		again := n.send("one", prepare("test.connie.two"))
		two.take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		again.wantFulfill(t, fulfillment1)
		for _, s := range n.c.Accounts() {
			if s.Paused || s.InFlight != 0 || s.Outstanding != 0 {
				t.Errorf("%+v is not at rest", s)
			}
		}
		if err := errors.Join(n.c.PauseAccount("three")); !errors.Is(err, connector.ErrUnknownAccount) {
			t.Errorf("pausing nobody gives %v", err)
		}
	})
}

func TestAdjustBalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "one", Relation: connector.Child, Balance: &connector.BalanceLimits{Minimum: -50, Maximum: 100}})
		n.add(connector.Account{ID: "free", Relation: connector.Child})
		n.run()
		adjust := func(id string, diff int64, is error, want int64) {
			t.Helper()
			if err := n.c.AdjustBalance(t.Context(), id, diff); !errors.Is(err, is) {
				t.Errorf("adjusting %s by %d gives %v, want %v", id, diff, err, is)
			}
			if s, _ := n.c.AccountStatus(id); s.Book.Balance != want || s.Book.ReservedIn|s.Book.ReservedOut != 0 {
				t.Errorf("after %d the book is %+v, want %d", diff, s.Book, want)
			}
		}
		adjust("one", 101, ledger.ErrLimit, 0)
		adjust("one", 100, nil, 100)
		adjust("one", 1, ledger.ErrLimit, 100)
		adjust("one", 0, nil, 100)
		adjust("one", -151, ledger.ErrLimit, 100)
		adjust("one", -150, nil, -50)
		adjust("one", math.MinInt64, ledger.ErrLimit, -50)
		adjust("free", math.MaxInt64, nil, math.MaxInt64)
		adjust("free", 1, ledger.ErrLimit, math.MaxInt64)
		adjust("free", -math.MaxInt64, nil, 0)
		adjust("free", math.MinInt64, nil, math.MinInt64)
		adjust("free", -1, ledger.ErrLimit, math.MinInt64)
		if err := n.c.AdjustBalance(t.Context(), "nobody", 1); !errors.Is(err, connector.ErrUnknownAccount) {
			t.Errorf("adjusting nobody gives %v", err)
		}
	})
}

// An adjustment counts with what is in flight, and one that takes the balance
// below the threshold settles, as in the reference.
func TestAdjustBalanceIsAPacketToTheBooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		two := n.add(connector.Account{ID: "two", Relation: connector.Child,
			Balance: &connector.BalanceLimits{Minimum: -150, Maximum: 100, SettleThreshold: connector.Int(-120), SettleTo: 0}})
		var paid []uint64
		two.paid = func(m connector.Money) error { paid = append(paid, m.Amount); return nil }
		n.run()
		n.send("one", prepare("test.connie.two")) // 100 in flight
		if err := n.c.AdjustBalance(t.Context(), "two", -51); !errors.Is(err, ledger.ErrLimit) {
			t.Errorf("51 beside 100 in flight gives %v, want a limit of 150", err)
		}
		two.take(t).reply(&ilp.Reject{Code: ilp.F99ApplicationError})
		if err := n.c.AdjustBalance(t.Context(), "two", -130); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(paid) != 1 || paid[0] != 130 {
			t.Errorf("paid %v, want 130", paid)
		}
	})
}

// Nil means durable: what was adjusted is there after a restart. An adjustment
// that cannot become durable says so when its context ends, and is booked once.
func TestAdjustBalanceIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &durable{Store: memstore.New()}
		n := newNetwork(t, connector.Config{Store: st})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		stop := n.run()
		if err := n.c.AdjustBalance(t.Context(), "one", 70); err != nil {
			t.Fatal(err)
		}
		if st.writes == 0 {
			t.Error("nil came before anything was written")
		}
		stop()
		n = newNetwork(t, connector.Config{Store: st})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := n.c.AdjustBalance(ctx, "one", 5) // nobody runs the ledger
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an adjustment that is not durable gives %v", err)
		}
		if s, _ := n.c.AccountStatus("one"); s.Book.Balance != 75 {
			t.Errorf("the book is %+v, want 75", s.Book)
		}
		n.run()()
	})
}

// durable is a store that is not volatile, in memory.
type durable struct {
	store.Store
	writes int
}

func (d *durable) Write(ctx context.Context, b *store.Batch) error {
	d.writes++
	return d.Store.Write(ctx, b)
}

// What is reserved after the caller has gone is given back.
func TestAdjustBalanceGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowLedger{Ledger: must(ledger.NewLocal(ledger.LocalOptions{Store: memstore.New()}))}
		n := newNetwork(t, connector.Config{Ledger: slow})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		n.run()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := n.c.AdjustBalance(ctx, "one", 5); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("AdjustBalance = %v", err)
		}
		slow.answer()
		if s, _ := n.c.AccountStatus("one"); s.Book.Balance != 0 || s.Book.ReservedIn != 0 {
			t.Errorf("the book is %+v, want nothing", s.Book)
		}
		done := make(chan error, 1)
		go func() { done <- n.c.AdjustBalance(t.Context(), "one", 5) }()
		synctest.Wait()
		slow.answer()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if s, _ := n.c.AccountStatus("one"); s.Book.Balance != 5 || s.Book.ReservedIn != 0 {
			t.Errorf("the book is %+v, want 5", s.Book)
		}
	})
}

// slowLedger answers a reservation when the test says so.
type slowLedger struct {
	ledger.Ledger
	answer func()
}

func (l *slowLedger) Open(ctx context.Context, t ledger.Terms) (ledger.Book, error) {
	b, err := l.Ledger.Open(ctx, t)
	return &slowBook{b, l}, err
}

type slowBook struct {
	ledger.Book
	l *slowLedger
}

func (b *slowBook) Reserve(_ context.Context, side ledger.Side, amount uint64, w ledger.Waiter) error {
	b.l.answer = func() { w.Done(context.Background(), b.Book.Reserve(context.Background(), side, amount, nil)) }
	return ledger.ErrPending
}

// An account that is removed with packets in flight can be added again at once:
// it waits for the last of them, for they share a book.
func TestAddAccountWaitsForItsFormerPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		two := n.add(connector.Account{ID: "two", Relation: connector.Child})
		n.run()
		p := prepare("test.connie.two")
		p.ExpiresAt = time.Now().Add(time.Minute).UTC()
		flying := n.send("one", p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := n.c.RemoveAccount(ctx, "one"); err != nil {
			t.Fatal(err)
		}
		again := connector.Account{ID: "one", Relation: connector.Child, Asset: usd9, Plugin: newFakeLink()}
		if err := n.c.AddAccount(ctx, again); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("adding it under a context that has ended gives %v", err)
		}
		added := make(chan error, 1)
		go func() { added <- n.c.AddAccount(t.Context(), again) }()
		synctest.Wait()
		if len(added) != 0 || !flying.pending() {
			t.Fatalf("it was added with a packet in flight: %v", <-added)
		}
		two.take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		if err := <-added; err != nil {
			t.Fatal(err)
		}
		flying.wantFulfill(t, fulfillment1)
		if s, _ := n.c.AccountStatus("one"); s.Book.Balance != 100 || s.Book.ReservedIn != 0 {
			t.Errorf("the book is %+v, want 100", s.Book)
		}
		if err := n.c.RemoveAccount(t.Context(), "one"); err != nil { // its id is free once more
			t.Fatal(err)
		}
	})
}

func TestDescribesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{Routes: []connector.Route{{Prefix: "test.x", NextHop: "one"}}})
		n.add(connector.Account{ID: "one", Relation: connector.Child, MaxPacketAmount: 7})
		n.add(connector.Account{ID: "two", Relation: connector.Peer})
		if n.c.Running() {
			t.Error("it runs before Run")
		}
		stop := n.run()
		if !n.c.Running() {
			t.Error("it does not run")
		}
		if a, ok := n.c.Account("one"); !ok || a.MaxPacketAmount != 7 || a.Plugin == nil {
			t.Errorf("account %+v", a)
		}
		if _, ok := n.c.Account("three"); ok {
			t.Error("there is an account three")
		}
		if rate, err := n.c.Rate("one", "two"); err != nil || rate.String() != "1" {
			t.Errorf("Rate = %v, %v", rate, err)
		}
		if _, err := n.c.Rate("one", "three"); !errors.Is(err, connector.ErrUnknownAccount) {
			t.Errorf("a rate to nobody: %v", err)
		}
		if best, ok := n.c.Router().Best("test.x"); !ok || best.NextHop != "one" || best.Origin != connector.RouteConfigured {
			t.Errorf("Best = %+v, %v", best, ok)
		}
		if _, ok := n.c.Router().Best("test.x.y"); ok {
			t.Error("Best gives a route for a prefix that has none of its own")
		}
		err := n.c.Router().EditRoutes(func(routes []connector.Route) []connector.Route {
			return append(routes, connector.Route{Prefix: "test.y", NextHop: "two"})
		})
		if got := n.c.Router().ConfiguredRoutes(); err != nil || len(got) != 2 || got[1].Prefix != "test.y" {
			t.Errorf("the routes are %v, %v", got, err)
		}
		if err := n.c.Router().EditRoutes(func([]connector.Route) []connector.Route { return []connector.Route{{}} }); err == nil {
			t.Error("a route of nothing is taken")
		}
		forwarding, ok := n.c.Router().Forwarding()
		if !ok || forwarding.Epoch != uint32(len(forwarding.Log)) || len(forwarding.Log) == 0 ||
			forwarding.Log[0].Prefix != "test.connie" || forwarding.Log[0].Path[0] != n.c.Address() {
			t.Errorf("Forwarding = %+v, %v", forwarding, ok)
		}
		if err := n.c.Router().SetRoutes(nil); err != nil {
			t.Fatal(err)
		}
		forwarding, _ = n.c.Router().Forwarding()
		withdrawn := 0
		for _, change := range forwarding.Log {
			if change.Withdrawn {
				withdrawn++
			}
		}
		if withdrawn != 2 {
			t.Errorf("the log is %+v, want two routes withdrawn", forwarding.Log)
		}
		stop()
		if n.c.Running() {
			t.Error("it runs after it has stopped")
		}
	})
	n := newNetwork(t, connector.Config{Exchange: connector.ExchangeOptions{Off: true}})
	if _, ok := n.c.Router().Forwarding(); ok {
		t.Error("something is told although the exchange is off")
	}
}
