package connector_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

func TestNewRefuses(t *testing.T) {
	good := func() connector.Config {
		return connector.Config{Address: "test.connie", Store: memstore.New(), Backend: parity(t), Middleware: middleware.Standard()}
	}
	for _, c := range []struct {
		name  string
		spoil func(*connector.Config)
		want  string
	}{
		{"an address and somebody to inherit it from", func(c *connector.Config) { c.InheritFrom = "x" }, `Config.InheritFrom: is "x" although Address is set`},
		{"bad address", func(c *connector.Config) { c.Address = "connie" }, `Config.Address: "connie" is not an ILP address`},
		{"peer address", func(c *connector.Config) { c.Address = "peer.connie" }, "its scheme must be another than peer"},
		{"no store", func(c *connector.Config) { c.Store = nil }, "Config.Store: is nil: open one, or use memstore.New()"},
		{"no backend", func(c *connector.Config) { c.Backend = nil }, "Config.Backend: is nil: give a rate source"},
		{"no middleware", func(c *connector.Config) { c.Middleware = nil }, "Config.Middleware: is nil: use middleware.Standard()"},
		{"nil middleware", func(c *connector.Config) { c.Middleware = []middleware.Middleware{nil} }, "entry 0 is nil"},
		{"two of a name", func(c *connector.Config) { c.Middleware = append(c.Middleware, middleware.Expire()) }, `two entries are named "expire"`},
		{"route to nobody", func(c *connector.Config) { c.Routes = []connector.Route{{Prefix: "test.x"}} }, `route "test.x": NextHop is empty`},
		{"route without a prefix", func(c *connector.Config) { c.Routes = []connector.Route{{NextHop: "x"}} }, `route "": Prefix is neither an address nor a scheme`},
		{"both default routes", func(c *connector.Config) { c.DefaultRoute, c.NoDefaultRoute = "x", true }, `Config.DefaultRoute: is "x" although NoDefaultRoute is set`},
		{"routes that expire between updates", func(c *connector.Config) { c.Exchange.Expiry = time.Second }, "Config.Exchange: the Expiry is 1s, and the Interval 30s"},
		{"negative spacing", func(c *connector.Config) { c.Exchange.Spacing = -1 }, "Config.Exchange: Spacing is -1ns: it must be 0 (meaning 150ms) or more"},
		{"negative window", func(c *connector.Config) { c.MinMessageWindow = -1 }, "Config.MinMessageWindow: is -1ns: it must be 0 (meaning 1s) or more"},
		{"hold shorter than window", func(c *connector.Config) { c.MaxHoldTime = time.Millisecond }, "less than MinMessageWindow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := good()
			c.spoil(&config)
			_, err := connector.New(config)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
		})
	}
	// All faults at once.
	_, err := connector.New(connector.Config{})
	for _, field := range []string{"Store", "Backend", "Middleware"} {
		if err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("the error for an empty config does not name %s: %v", field, err)
		}
	}
}

func TestAddAccountRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*connector.Account)
		want  string
		is    error
	}{
		{"duplicate id", func(a *connector.Account) { a.ID = "bob" }, `account "bob": ID: duplicate account`, connector.ErrDuplicateAccount},
		{"unknown relation", func(a *connector.Account) { a.Relation = 7 }, `account "carl": Relation: is 7: it must be Parent, Peer or Child`, nil},
		{"no plugin", func(a *connector.Account) { a.Plugin = nil }, `account "carl": Plugin: is nil: give the account its link`, nil},
		{"taken segment", func(a *connector.Account) { a.AddressSegment = "bob" }, `account "carl": AddressSegment: duplicate account: account "bob" has the segment "bob"`, connector.ErrDuplicateAccount},
		{"refused by a middleware", func(a *connector.Account) { a.Asset.Code = "XXX" }, `account "carl": middleware picky: no XXX here`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t, connector.Config{Middleware: append(middleware.Standard(), picky{})})
			n.add(connector.Account{ID: "bob", Relation: connector.Child})
			a := connector.Account{ID: "carl", Relation: connector.Child, Asset: usd9, Plugin: newFakeLink()}
			c.spoil(&a)
			err := n.c.AddAccount(context.Background(), a)
			if err == nil || !strings.Contains(err.Error(), c.want) || (c.is != nil && !errors.Is(err, c.is)) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
			if len(n.c.Accounts()) != 1 {
				t.Errorf("the refused account left something behind: %+v", n.c.Accounts())
			}
		})
	}
}

// picky refuses accounts in XXX, and remembers which accounts it closed.
type picky struct{ closed chan string }

func (picky) Name() string { return "picky" }

func (p picky) Attach(_ middleware.Host, a *account.Account) (middleware.Stages, error) {
	if a.Asset.Code == "XXX" {
		return middleware.Stages{}, errors.New("no XXX here")
	}
	return middleware.Stages{Close: func() {
		if p.closed != nil {
			p.closed <- a.ID
		}
	}}, nil
}

// Reference tests 53, 55, 57 and 58: accounts come and go while it runs.
func TestAccountsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan string, 2)
		n := pair(t, connector.Config{Middleware: append(middleware.Standard(), picky{closed})})
		n.send("one", prepare("test.connie.jpy.bob")).wantReject(t, ilp.F02Unreachable, "no route found. source=one destination=test.connie.jpy.bob")

		for range 2 { // the same id again is as new
			l := n.add(connector.Account{ID: "jpy", Relation: connector.Child})
			<-l.opened
			l.answer = fulfills(fulfillment1)
			n.send("one", prepare("test.connie.jpy.bob")).wantFulfill(t, fulfillment1)

			if err := n.c.RemoveAccount(t.Context(), "jpy"); err != nil {
				t.Fatal(err)
			}
			if l.closed != 1 {
				t.Errorf("the plugin was closed %d times, want once", l.closed)
			}
			if id := <-closed; id != "jpy" {
				t.Errorf("the stages of %q were closed", id)
			}
			n.send("one", prepare("test.connie.jpy.bob")).wantReject(t, ilp.F02Unreachable, "no route found. source=one destination=test.connie.jpy.bob")
		}
		if err := n.c.RemoveAccount(t.Context(), "jpy"); !errors.Is(err, connector.ErrUnknownAccount) {
			t.Errorf("removing it once more: %v", err)
		}
	})
}

// Removing an account lets what is in flight come to its end, both ways, and
// takes nothing new.
func TestRemoveAccountDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{DrainTimeout: time.Minute})
		toTwo := n.send("one", prepare("test.two.bob"))
		toOne := n.send("two", prepare("test.one.bob"))
		removed := make(chan error, 1)
		go func() { removed <- n.c.RemoveAccount(t.Context(), "two") }()
		synctest.Wait()

		n.send("two", prepare("test.one.bob")).wantReject(t, ilp.T03ConnectorBusy, "no new packets are taken.")
		n.send("one", prepare("test.two.bob")).wantReject(t, ilp.F02Unreachable, "no route found. source=one destination=test.two.bob")

		n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		toTwo.wantFulfill(t, fulfillment1)
		synctest.Wait()
		if n.links["two"].closed != 0 {
			t.Fatal("closed with a packet of the account in flight")
		}
		n.links["one"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		toOne.wantFulfill(t, fulfillment1)
		if err := <-removed; err != nil {
			t.Fatal(err)
		}
	})
}

// An account whose packets do not come back is closed after the drain
// timeout; every packet still gets its one answer.
func TestRemoveAccountDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan string, 1)
		n := pair(t, connector.Config{
			DrainTimeout: 500 * time.Millisecond,
			Middleware:   append(middleware.Standard(), picky{closed}),
		})
		toTwo := n.send("one", prepare("test.two.bob"))
		toOne := n.send("two", prepare("test.one.bob"))
		start := time.Now()
		if err := n.c.RemoveAccount(t.Context(), "two"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		toTwo.wantReject(t, ilp.T01PeerUnreachable, "connection to the next hop was lost.")
		if !toOne.pending() || len(closed) != 0 {
			t.Error("the packet of the removed account is with account one, and its stages are still needed")
		}
		time.Sleep(time.Second)
		toOne.wantReject(t, ilp.R00TransferTimedOut, "packet expired.")
		synctest.Wait()
		if len(closed) != 1 {
			t.Error("the stages were not closed after the last packet")
		}
		<-closed
		go func() { <-closed }() // of account one, when the test ends
	})
}

func TestRunStopsTakingDrainsAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		o := n.send("one", prepare("test.two.bob"))
		stopped := make(chan struct{})
		stop := n.stop
		go func() { stop(); close(stopped) }()
		synctest.Wait()
		n.send("one", prepare("test.two.bob")).wantReject(t, ilp.T03ConnectorBusy, "no new packets are taken.")
		n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		o.wantFulfill(t, fulfillment1)
		<-stopped
		for id, l := range n.links {
			if l.closed != 1 {
				t.Errorf("the plugin of %s was closed %d times, want once", id, l.closed)
			}
		}
		if err := n.c.AddAccount(t.Context(), connector.Account{ID: "x", Relation: connector.Child, Asset: usd9, Plugin: newFakeLink()}); !errors.Is(err, connector.ErrStopped) {
			t.Errorf("AddAccount after Run: %v", err)
		}
		if err := n.c.RemoveAccount(t.Context(), "one"); !errors.Is(err, connector.ErrStopped) {
			t.Errorf("RemoveAccount after Run: %v", err)
		}
		if err := n.c.Run(t.Context()); err == nil {
			t.Error("a connector ran twice")
		}
	})
}

// A next hop that never answers does not keep the connector from stopping.
func TestRunStopsAfterDrainTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{DrainTimeout: 300 * time.Millisecond})
		o := n.send("one", prepare("test.two.bob"))
		start := time.Now()
		n.stop()
		if took := time.Since(start); took != 300*time.Millisecond {
			t.Errorf("stopping took %v", took)
		}
		o.wantReject(t, ilp.T01PeerUnreachable, "connection to the next hop was lost.")
	})
}

// A plugin that cannot be opened is a mistake of the host: Run says which,
// and leaves nothing open.
func TestRunFailsWhenAPluginCannotBeOpened(t *testing.T) {
	n := newNetwork(t, connector.Config{})
	good := n.add(connector.Account{ID: "good", Relation: connector.Child})
	bad := n.add(connector.Account{ID: "bad", Relation: connector.Child})
	bad.openErr = errors.New("no such port")
	err := n.c.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), `account "bad": opening its plugin: no such port`) {
		t.Errorf("got error %v", err)
	}
	if good.closed != 1 || bad.closed != 1 {
		t.Errorf("plugins were closed %d and %d times, want once each", good.closed, bad.closed)
	}
}

func TestAddAccountWhosePluginCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		l := newFakeLink()
		l.openErr = errors.New("no such port")
		err := n.c.AddAccount(t.Context(), connector.Account{ID: "bad", Relation: connector.Child, Asset: usd9, Plugin: l})
		if err == nil || !strings.Contains(err.Error(), "no such port") {
			t.Errorf("got error %v", err)
		}
		if len(n.c.Accounts()) != 2 || l.closed != 1 {
			t.Errorf("accounts %+v, closed %d times", n.c.Accounts(), l.closed)
		}
	})
}

// The backend's background work runs as long as the connector does.
func TestRunRunsTheBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &runningBackend{rates: &rates{ratio: backend.MustParseRatio("1")}, state: make(chan string, 2)}
		n := newNetwork(t, connector.Config{Backend: b})
		stop := n.run()
		if got := <-b.state; got != "started" {
			t.Fatal(got)
		}
		stop()
		if got := <-b.state; got != "ended" {
			t.Fatal(got)
		}
	})
}

type runningBackend struct {
	*rates
	state chan string
}

func (b *runningBackend) Run(ctx context.Context) error {
	b.state <- "started"
	<-ctx.Done()
	b.state <- "ended"
	return ctx.Err()
}

// Faults of our own are logged with their cause, and the counterparty is not
// told; a fault that hits every packet does not fill the disk.
func TestFaultsAreLoggedNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		n := pair(t, connector.Config{
			Backend: &rates{err: errors.New("rates of EUR are stale")},
			Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		})
		synctest.Wait() // the connector has said that it runs
		for range 100 {
			n.send("one", prepare("test.two.bob")).wantReject(t, ilp.T00InternalError, "internal error")
		}
		if got := strings.Count(log.String(), "rates of EUR are stale"); got != 7 {
			t.Errorf("100 faults made %d lines, want 7 (each time their number doubled)", got)
		}
		if !strings.Contains(log.String(), "account=one") {
			t.Errorf("the log does not name the account: %s", log.String())
		}
	})
}

// Settlements go through the books: what is paid raises the balance, what is
// refused for good puts it back, what we receive lowers it, once for its key.
func TestMoney(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		var paid []plugin.Money
		n.links["two"].paid = func(m plugin.Money) error {
			if m.Amount == 13 {
				return plugin.ErrNotSent
			}
			paid = append(paid, m)
			return nil
		}
		key, err := n.c.Settle(t.Context(), "two", 7)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(paid) != 1 || paid[0] != (plugin.Money{Amount: 7, Key: key}) {
			t.Errorf("paid %+v, want 7 under %q", paid, key)
		}
		if _, err := n.c.Settle(t.Context(), "two", 13); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for range 2 {
			if err := n.links["one"].handler.HandleMoney(t.Context(), plugin.Money{Amount: 21, Key: "k"}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := n.c.Settle(t.Context(), "nobody", 1); !errors.Is(err, connector.ErrUnknownAccount) {
			t.Errorf("got error %v", err)
		}
		accounts := n.c.Accounts()
		if one, two := accounts[0].Book.Balance, accounts[1].Book.Balance; one != -21 || two != 7 {
			t.Errorf("balances %d and %d, want -21 and 7", one, two)
		}
		stats := n.c.Stats()
		if out := stats[1].Outgoing; out.Money.Amount.Uint64() != 7 || out.MoneyFailed.Amount.Uint64() != 13 {
			t.Errorf("outgoing money %+v, failed %+v", out.Money, out.MoneyFailed)
		}
	})
}

// A plugin without the ability gets a clear error, and nothing is booked.
func TestMoneyOverALinkThatCannotSettle(t *testing.T) {
	n := newNetwork(t, connector.Config{})
	l := struct{ plugin.Plugin }{newFakeLink()} // hides SendMoney
	if err := n.c.AddAccount(t.Context(), connector.Account{ID: "a", Relation: connector.Peer, Asset: usd9, Plugin: l}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.c.Settle(t.Context(), "a", 1); err == nil || !strings.Contains(err.Error(), "cannot send money") {
		t.Errorf("got error %v", err)
	}
	err := n.c.AddAccount(t.Context(), connector.Account{
		ID: "b", Relation: connector.Peer, Asset: usd9, Plugin: l,
		Balance: &connector.BalanceLimits{Maximum: 10, Minimum: -100, SettleThreshold: connector.Int(-50)},
	})
	if err == nil || !strings.Contains(err.Error(), `account "b": Balance.SettleThreshold: is -50, but its plugin cannot send money`) {
		t.Errorf("got error %v", err)
	}
}

// An account without packets in flight can be added again as soon as it has
// been removed: its book is closed by then.
func TestRemovedAccountCanBeAddedAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pair(t, connector.Config{})
		for range 100 {
			if err := n.c.RemoveAccount(t.Context(), "two"); err != nil {
				t.Fatal(err)
			}
			n.add(connector.Account{ID: "two", Relation: connector.Peer})
		}
	})
}

// The stages of a removed account are closed when its last packet has passed
// them on its way back, and not when its link has answered.
func TestStagesAreClosedAfterTheirLastReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan string, 3)
		h := &holder{replies: true, held: make(chan middleware.Hold, 1)}
		n := pair(t, connector.Config{Middleware: append(middleware.Standard(), picky{closed}, h)})
		o := n.send("one", prepare("test.two.bob"))
		n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		hold := <-h.held
		if err := n.c.RemoveAccount(t.Context(), "two"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(closed) != 0 {
			t.Fatal("the stages were closed while a reply was in them")
		}
		hold.Answer(context.Background(), h.reply)
		o.wantFulfill(t, fulfillment1)
		synctest.Wait()
		if len(closed) != 1 {
			t.Error("the stages were not closed after the last reply")
		}
	})
}

// Nor are they closed under a packet that has not left yet: it was routed to
// the account before that was removed.
func TestStagesAreClosedAfterTheirLastPrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan string, 3)
		h := &holder{prepares: true, held: make(chan middleware.Hold, 1)}
		n := pair(t, connector.Config{Middleware: append(middleware.Standard(), picky{closed}, h)})
		o := n.send("one", prepare("test.two.bob"))
		removed := make(chan error, 1)
		go func() { removed <- n.c.RemoveAccount(t.Context(), "two") }()
		synctest.Wait()
		if len(closed) != 0 || n.links["two"].closed != 0 {
			t.Fatal("the account was closed while a packet was on its way to it")
		}
		(<-h.held).Pass(context.Background())
		n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		o.wantFulfill(t, fulfillment1)
		if err := <-removed; err != nil {
			t.Fatal(err)
		}
		if len(closed) != 1 {
			t.Error("the stages were not closed after the last packet")
		}
	})
}

// A packet that was routed to an account just before that was removed, and has
// not come to it, is not sent.
func TestPacketOnTheWayToARemovedAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := &gatedRates{Backend: parity(t), asked: make(chan struct{}, 1), gate: make(chan struct{})}
		n := newNetwork(t, connector.Config{Backend: rates})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		two := n.add(connector.Account{ID: "two", Relation: connector.Child})
		n.run()
		sent := make(chan *outcome, 1)
		go func() { sent <- n.send("one", prepare("test.connie.two")) }()
		<-rates.asked
		if err := n.c.RemoveAccount(t.Context(), "two"); err != nil {
			t.Fatal(err)
		}
		close(rates.gate)
		(<-sent).wantReject(t, ilp.T01PeerUnreachable, "no connection to account. account=two")
		if two.count() != 0 {
			t.Error("a packet was sent to an account that had been removed")
		}
	})
}

// gatedRates gives no rate before its gate is open.
type gatedRates struct {
	backend.Backend
	asked chan struct{}
	gate  chan struct{}
}

func (b *gatedRates) Rate(source, destination backend.Party) (backend.Ratio, error) {
	b.asked <- struct{}{}
	<-b.gate
	return b.Backend.Rate(source, destination)
}

// An account whose book cannot be read at the moment keeps nobody else: not
// the other accounts, nor the end of the connector. It cannot be added twice
// meanwhile.
func TestStoreThatHangsWhileAnAccountIsAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &hangingReads{Store: memstore.New(), gate: make(chan struct{})}
		n := newNetwork(t, connector.Config{Store: st})
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		stop := n.run()
		st.hang = true
		slow := connector.Account{ID: "slow", Relation: connector.Child, Asset: usd9, Plugin: newFakeLink()}
		added := make(chan error, 1)
		go func() { added <- n.c.AddAccount(t.Context(), slow) }()
		synctest.Wait()

		if got := n.c.Accounts(); len(got) != 1 || got[0].ID != "one" {
			t.Errorf("the accounts are %+v, want the one that was added", got)
		}
		if err := n.c.AddAccount(t.Context(), slow); !errors.Is(err, connector.ErrDuplicateAccount) {
			t.Errorf("adding it twice: %v, want ErrDuplicateAccount", err)
		}
		twin := slow
		twin.ID, twin.AddressSegment = "twin", "slow"
		if err := n.c.AddAccount(t.Context(), twin); !errors.Is(err, connector.ErrDuplicateAccount) {
			t.Errorf("adding another of its segment: %v, want ErrDuplicateAccount", err)
		}
		stop()
		close(st.gate)
		if err := <-added; !errors.Is(err, connector.ErrStopped) && !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("adding an account while the connector stops: %v", err)
		}
		if len(n.c.Accounts()) != 1 {
			t.Error("an account was added to a connector that has stopped")
		}
	})
}

// hangingReads is a store that does not answer while it hangs.
type hangingReads struct {
	store.Store
	hang bool
	gate chan struct{}
}

func (s *hangingReads) Get(ctx context.Context, key string) ([]byte, error) {
	if s.hang && strings.HasPrefix(key, "ledger/") {
		<-s.gate
	}
	return s.Store.Get(ctx, key)
}
