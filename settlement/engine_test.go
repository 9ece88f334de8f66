package settlement_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/settlement"
)

func TestOptionsAreChecked(t *testing.T) {
	for _, test := range []struct {
		name, want string
		change     func(*settlement.Options)
	}{
		{"nobody is asked who he is", "AcceptTokens", func(o *settlement.Options) { o.AcceptTokens = nil }},
		{"an empty token", "empty", func(o *settlement.Options) { o.AcceptTokens = []string{"a", ""} }},
		{"no URL", "URL", func(o *settlement.Options) { o.URL = "" }},
		{"no scheme", "URL", func(o *settlement.Options) { o.URL = "engine:3000" }},
		{"another scheme", "URL", func(o *settlement.Options) { o.URL = "ftp://engine" }},
		{"a query", "URL", func(o *settlement.Options) { o.URL = "http://engine/?a=b" }},
		{"a password", "BearerToken", func(o *settlement.Options) { o.URL = "http://me:hunter2@engine" }},
		{"a URL that does not parse", "URL", func(o *settlement.Options) { o.URL = "http://me:hunter2@engine:x y" }},
		{"a negative timeout", "Timeout", func(o *settlement.Options) { o.Timeout = -time.Second }},
		{"negative requests", "MaxRequests", func(o *settlement.Options) { o.MaxRequests = -1 }},
		{"a negative rate of messages", "MaxMessageRate", func(o *settlement.Options) { o.MaxMessageRate = -1 }},
		{"negative messages", "MaxMessages", func(o *settlement.Options) { o.MaxMessages = -1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := settlement.Options{URL: "http://engine", AcceptTokens: []string{"secret"}}
			test.change(&o)
			e, err := settlement.NewEngine(o)
			if err == nil || e != nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, %v, want an error that speaks of %s", e, err, test.want)
			}
		})
	}
	for _, enough := range []settlement.Options{{LoopbackOnly: true}, {AcceptTokens: []string{"a"}}, {VerifyClient: trustAll}} {
		enough.URL = "http://engine/"
		if _, err := settlement.NewEngine(enough); err != nil {
			t.Error(err)
		}
	}
}

// SE-06.
func TestAccountIDs(t *testing.T) {
	e := newEngine(t, answers(http.StatusCreated))
	for id, valid := range map[string]bool{
		"bob": true, "B0b-._~": true, "...": true, strings.Repeat("a", 255): true,
		"": false, ".": false, "..": false, "a/b": false, "a%2Fb": false, "a b": false, "jürgen": false, "a:b": false, "a+b": false, strings.Repeat("a", 256): false,
	} {
		a, end := inproc.Pipe()
		joined, err := e.Join(account.Account{ID: id, Asset: usd, Plugin: end})
		if (err == nil) != valid {
			t.Errorf("id %q: %v, want it to be valid: %t", id, err, valid)
		}
		if valid && (joined.ID != id || joined.Asset != usd || joined.Plugin == nil || joined.Plugin == plugin.Plugin(end)) {
			t.Errorf("id %q: %+v", id, joined)
		}
		_ = a.Close()
	}
	if _, err := e.Account(nil, settlement.AccountOptions{ID: "x"}); err == nil {
		t.Error("an account without a plugin is taken")
	}
}

func TestAccountIDsAreUnique(t *testing.T) {
	e := newEngine(t, answers(http.StatusCreated))
	_, end := inproc.Pipe()
	o := settlement.AccountOptions{ID: "bob", Asset: usd}
	first, err := e.Account(end, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Account(end, o); err == nil {
		t.Error("two accounts have one id")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	_, end = inproc.Pipe()
	if _, err := e.Account(end, o); err != nil {
		t.Errorf("the id of a closed account is taken: %v", err)
	}
}

// SE-21. An account that is only closed stays known: its engine must not hear
// that it never was.
func TestDeleteAccount(t *testing.T) {
	engine := answers(http.StatusNoContent)
	e := newEngine(t, engine)
	f := join(t, e)
	if err := e.DeleteAccount(t.Context(), "bob"); err == nil {
		t.Error("an account in use is deleted")
	}
	if err := f.account.Close(); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := f.does(settled("k", `{"amount":"1","scale":9}`)); status != aborted {
		t.Errorf("a settlement for a closed account: %d, want no answer", status)
	}
	if err := e.DeleteAccount(t.Context(), "a/b"); err == nil {
		t.Error("an account that cannot be is deleted")
	}
	engine.answers(func(_ asked, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	if err := e.DeleteAccount(t.Context(), "bob"); err == nil {
		t.Error("the engine failed, and there is no error")
	}
	for _, status := range []int{http.StatusNoContent, http.StatusNotFound} {
		engine.answers(func(_ asked, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if err := e.DeleteAccount(t.Context(), "bob"); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
	if got := engine.at("/accounts/bob"); len(got) != 3 || got[0].method != http.MethodDelete {
		t.Errorf("the engine was asked %+v", got)
	}
	if status, _, _ := f.does(settled("k", `{"amount":"1","scale":9}`)); status != http.StatusNotFound {
		t.Errorf("a settlement for a deleted account: %d, want 404", status)
	}
}

func TestUnwrap(t *testing.T) {
	_, end := inproc.Pipe()
	a, err := newEngine(t, answers(http.StatusCreated)).Account(end, settlement.AccountOptions{ID: "bob", Asset: usd})
	if err != nil {
		t.Fatal(err)
	}
	if sender, ok := plugin.As[plugin.MoneySender](a); !ok || sender != plugin.MoneySender(a) {
		t.Error("the sender of money is not the account")
	}
	if inner, ok := plugin.As[*inproc.End](a); !ok || inner != end {
		t.Error("the link inside is not found")
	}
	if err := a.SendMoney(t.Context(), plugin.Money{Amount: 1, Key: "k"}); !errors.Is(err, plugin.ErrNotConnected) {
		t.Errorf("sending before Open: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	// No definite no: a call before may have been paid.
	if err := a.SendMoney(t.Context(), plugin.Money{Amount: 1, Key: "k"}); !errors.Is(err, net.ErrClosed) || !errors.Is(err, plugin.ErrNotConnected) {
		t.Errorf("sending after Close: %v", err)
	}
	if err := a.Open(t.Context(), nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("opening after Close: %v", err)
	}
}
