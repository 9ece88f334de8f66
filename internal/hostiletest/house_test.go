package hostiletest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/config"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/miniaccounts"
)

// The listeners of the configuration, by the addresses that they are named by.
const (
	peersAddress = "127.0.0.1:0"
	usersAddress = "localhost:0"
)

// patience bounds each wait for something that must happen.
const patience = 20 * time.Second

// house is a connector as the program runs it, and what the outside has seen
// of its books: what each counterparty owes it.
type house struct {
	t      *testing.T
	a      *config.Assembly
	admin  string
	owed   map[string]int64 // by account
	byUser map[string]int64 // by user behind the account "mini"
}

func account(relation, plugin, options string) string {
	return fmt.Sprintf(`{"relation": %q, "plugin": %q, "assetCode": "USD", "assetScale": 9, "rateLimit": {"refillCount": 1000000},
		"balance": {"maximum": "Infinity"}, "options": %s}`, relation, plugin, options)
}

func listens(token string) string {
	return account("child", "btp", fmt.Sprintf(`{"listener": {"host": "127.0.0.1", "port": 0, "secret": %q}}`, token))
}

// run runs the connector until the test ends: alice and bob are its children
// over BTP, and whoever has a token is a user behind mini. more are variables
// of its environment.
func run(t *testing.T, more ...string) *house {
	t.Helper()
	plan, err := config.Builtins().Load(config.Source{Environ: append([]string{
		"CONNECTOR_ILP_ADDRESS=test.connie", "CONNECTOR_BACKEND=one-to-one", "CONNECTOR_SPREAD=0",
		"CONNECTOR_STORE_PATH=" + t.TempDir(), "CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=0", "CONNECTOR_DRAIN_TIMEOUT=100",
		fmt.Sprintf(`CONNECTOR_ACCOUNTS={"alice": %s, "bob": %s, "mini": %s}`, listens("alice"), listens("bob"),
			account("child", "mini-accounts", `{"host": "localhost", "port": 0, "users": {"balance": {"maximum": "1000000"}}}`)),
	}, more...)})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, owed: map[string]int64{"alice": 0, "bob": 0, "mini": 0}, byUser: make(map[string]int64)}
	h.a, err = plan.Build(t.Context(), config.Options{Admin: func(a *config.Assembly) (http.Handler, error) {
		return admin.New(admin.Options{Connector: a.Connector, LoopbackWithoutToken: true})
	}})
	if err != nil {
		t.Fatal(err)
	}
	h.admin = "http://" + h.a.AdminAddr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := h.a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return h
}

// moved notes that a packet was paid for by one side and to the other.
func (h *house) moved(from, to *party, amount int64) {
	for p, diff := range map[*party]int64{from: amount, to: -amount} {
		h.owed[p.account] += diff
		if p.user != "" {
			h.byUser[p.user] += diff
		}
	}
}

// audit compares the books with what the outside has seen, as soon as nothing
// is under way.
func (h *house) audit(step string) {
	h.t.Helper()
	var fault error
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(5 * time.Millisecond) {
		if fault = h.compare(); fault == nil {
			return
		}
	}
	h.t.Fatalf("%s: %v", step, fault)
}

func (h *house) compare() error {
	response, err := http.Get(h.admin + "/accounts")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var got admin.Accounts
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		return err
	}
	for id, want := range h.owed {
		a := got.Accounts[id]
		if a.Book.Balance != strconv.FormatInt(want, 10) || a.Book.ReservedIn != "0" || a.Book.ReservedOut != "0" || a.InFlight != 0 || a.Outstanding != 0 {
			return fmt.Errorf("%s has the book %+v, and %d packets in flight, %d outstanding; the outside has seen %d", id, a.Book, a.InFlight, a.Outstanding, want)
		}
	}
	users, sum := make(map[string]int64), int64(0)
	for _, u := range h.users() {
		sum += u.Book.Balance
		if u.Book.ReservedIn != 0 || u.Book.ReservedOut != 0 || u.Incoming != 0 || u.Outgoing != 0 {
			return fmt.Errorf("user %+v has packets in flight", u)
		}
		if _, known := h.byUser[u.Name]; known || u.Book.Balance != 0 {
			users[u.Name] = u.Book.Balance
		}
	}
	if sum != h.owed["mini"] || !maps.Equal(users, h.byUser) {
		return fmt.Errorf("the users have %v, in sum %d; the outside has seen %v, in sum %d", users, sum, h.byUser, h.owed["mini"])
	}
	return nil
}

// users are those behind mini.
func (h *house) users() []miniaccounts.User {
	a, _ := h.a.Connector.Account("mini")
	server, ok := plugin.As[interface{ Users() []miniaccounts.User }](a.Plugin)
	if !ok {
		h.t.Fatal("the plugin of mini has no users")
	}
	return server.Users()
}
