package miniaccounts_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store/memstore"
)

// instruct gives an instruction and what came of it, as JSON.
func instruct(t *testing.T, srv *miniaccounts.Server, message string) (string, error) {
	t.Helper()
	answer, err := srv.SendAdminInfo(t.Context(), []byte(message))
	if err != nil {
		if !errors.Is(err, plugin.ErrInstruction) {
			t.Errorf("%s: %v is not ErrInstruction", message, err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error has the token: %v", message, err)
		}
		return "", err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

// An operator lists users, changes a token without a gap, ends sockets, and
// removes a user.
func TestInstructions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := named(memstore.New())
		o.Ledger = newLedger(t, memstore.New())
		n := start(t, o)
		for _, step := range []struct{ message, want string }{
			{`{"do": "addToken", "user": "alice", "token": "secret1"}`, `{"users":[{"name":"alice","address":"test.connie.mini.alice","tokens":1,"sockets":0,"incoming":0,"outgoing":0,"balance":null}]}`},
			{`{"do": "addToken", "user": "bob", "token": "secret"}`, `{"users":[{"name":"bob","address":"test.connie.mini.bob","tokens":1,"sockets":0,"incoming":0,"outgoing":0,"balance":null}]}`},
			{`{"do": "users", "limit": 1}`, `{"users":[{"name":"alice","address":"test.connie.mini.alice","tokens":1,"sockets":0,"incoming":0,"outgoing":0,"balance":null}],"next":"alice"}`},
			{`{"do": "users", "after": "bob"}`, `{"users":[]}`},
		} {
			if got, err := instruct(t, n.Server, step.message); err != nil || got != step.want {
				t.Fatalf("%s: %s, %v; want %s", step.message, got, err, step.want)
			}
		}
		old := n.user(t, "alice", "secret1")
		if got, err := instruct(t, n.Server, `{"do": "addToken", "user": "alice", "token": "secret2"}`); err != nil || !strings.Contains(got, `"tokens":2,"sockets":1,"incoming":0,"outgoing":0,"balance":"0"`) {
			t.Errorf("with a second token: %s, %v", got, err)
		}
		fresh := n.user(t, "alice", "secret2")
		if info, err := n.AdminInfo(t.Context()); err != nil || info != (miniaccounts.Info{Users: 2, Connected: 1, Sockets: 2}) {
			t.Errorf("at a glance: %+v, %v", info, err)
		}
		if _, err := instruct(t, n.Server, `{"do": "revokeToken", "user": "alice", "token": "secret1"}`); err != nil {
			t.Error(err)
		}
		if _, err := old.TryRead(); err == nil || !alive(fresh) {
			t.Errorf("after the revocation: %v on the old socket", err)
		}
		if _, err := instruct(t, n.Server, `{"do": "disconnect", "user": "alice"}`); err != nil {
			t.Error(err)
		}
		if _, err := fresh.TryRead(); err == nil {
			t.Error("the socket goes on")
		}
		if got, err := instruct(t, n.Server, `{"do": "removeUser", "user": "alice"}`); err != nil || !strings.Contains(got, `"tokens":0`) {
			t.Errorf("without tokens: %s, %v", got, err)
		}
		if _, answer := n.login(t, "alice", "secret2"); answer.RequestID != 1 || len(answer.Error.Code) == 0 {
			t.Errorf("the user is let in: %+v", answer)
		}
	})
}

// A list of many users comes in parts, in the order of their names, whether
// they are connected, have a record, or both.
func TestListOfUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := named(memstore.New())
		o.Identity = miniaccounts.ByUsernameOrToken
		n := start(t, o)
		var want []string
		for i := range 25 {
			name := fmt.Sprint("user", i*7%25)
			must(t, n.AddToken(t.Context(), name, "token"))
			want = append(want, name)
		}
		n.user(t, "user3", "token")
		n.user(t, "", "without a record")
		want = append(want, nameOf("without a record"))
		slices.Sort(want)
		for _, limit := range []int{1, 7, len(want) - 1, len(want), 1000} {
			var got []string
			for after, parts := "", 0; parts == 0 || after != ""; parts++ {
				answer, err := n.SendAdminInfo(t.Context(), fmt.Appendf(nil, `{"do": "users", "after": %q, "limit": %d}`, after, limit))
				must(t, err)
				list := answer.(miniaccounts.UserList)
				for _, u := range list.Users {
					got = append(got, u.Name)
				}
				if after = list.Next; len(list.Users) > limit || after != "" && len(list.Users) < limit {
					t.Fatalf("a part of %d has %d users, and the next is behind %q", limit, len(list.Users), after)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("in parts of %d: %q, want %q", limit, got, want)
			}
		}
		if u, ok := n.User("user3"); !ok || u.Sockets != 1 || u.Tokens != 1 || u.Address.String() != "test.connie.mini.user3" {
			t.Errorf("the user who is connected is %+v", u)
		}
		if u, ok := n.User("nobody"); ok {
			t.Errorf("nobody is %+v", u)
		}
		if info, err := n.AdminInfo(t.Context()); err != nil || info != (miniaccounts.Info{Users: 26, Connected: 2, Sockets: 2}) {
			t.Errorf("at a glance: %+v, %v", info, err)
		}
	})
}

// A user's balance can be seen and adjusted whether it is connected or not, and
// after it was removed; nobody else has one.
func TestBalanceOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := named(memstore.New())
		o.Ledger = newLedger(t, memstore.New())
		o.Limits.Balance = &account.BalanceLimits{Minimum: -100, Maximum: 200}
		n := start(t, o)
		u := n.user(t, "alice", "secret")
		if _, ok := u.Exchange(1, prepareTo("test.x")).(*ilp.Fulfill); !ok {
			t.Fatal("not paid")
		}
		step := func(message, want string) {
			t.Helper()
			if got, err := instruct(t, n.Server, message); err != nil || !strings.Contains(got, want) {
				t.Errorf("%s: %s, %v; want %s", message, got, err, want)
			}
		}
		refused := func(message string, want error) {
			t.Helper()
			if got, err := instruct(t, n.Server, message); !errors.Is(err, want) {
				t.Errorf("%s: %s, %v; want %v", message, got, err, want)
			}
		}
		step(`{"do": "user", "user": "alice"}`, `"sockets":1,"incoming":0,"outgoing":0,"balance":"100"`)
		step(`{"do": "adjustBalance", "user": "alice", "amount": "-150"}`, `"balance":"-50"`)
		refused(`{"do": "adjustBalance", "user": "alice", "amount": "-51"}`, ledger.ErrLimit)
		refused(`{"do": "adjustBalance", "user": "alice", "amount": "251"}`, ledger.ErrLimit)
		must(t, n.RemoveUser(t.Context(), "alice"))
		if _, err := u.TryRead(); err == nil {
			t.Error("the socket goes on")
		}
		synctest.Wait()
		if n.InMemory() != 0 {
			t.Fatal("the user is in memory")
		}
		step(`{"do": "user", "user": "alice"}`, `"tokens":0,"sockets":0,"incoming":0,"outgoing":0,"balance":"-50"`)
		step(`{"do": "adjustBalance", "user": "alice", "amount": "50"}`, `"balance":"0"`)
		refused(`{"do": "user", "user": "bob"}`, miniaccounts.ErrUnknownUser)
		refused(`{"do": "adjustBalance", "user": "bob", "amount": "1"}`, miniaccounts.ErrUnknownUser)
		refused(`{"do": "adjustBalance", "user": "a.b", "amount": "1"}`, miniaccounts.ErrUnknownUser)
		refused(`{"do": "adjustBalance", "user": "alice", "amount": "1.5"}`, plugin.ErrInstruction)
		refused(`{"do": "adjustBalance", "user": "alice", "amount": "9223372036854775808"}`, plugin.ErrInstruction)
		if n.InMemory() != 0 {
			t.Error("who was looked at stays in memory")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		n := start(t, named(memstore.New()))
		n.user(t, "alice", "secret")
		if got, err := instruct(t, n.Server, `{"do": "user", "user": "alice"}`); err != nil || !strings.Contains(got, `"balance":null`) {
			t.Errorf("without books: %s, %v", got, err)
		}
		if _, err := instruct(t, n.Server, `{"do": "adjustBalance", "user": "alice", "amount": "1"}`); !errors.Is(err, miniaccounts.ErrNoBooks) {
			t.Errorf("without books: %v", err)
		}
	})
}

// What makes no sense changes nothing, and says what would.
func TestInstructionsThatAreWrong(t *testing.T) {
	srv := newServer(t, named(memstore.New()))
	full := func() {
		for i := range miniaccounts.MaxTokens {
			if _, err := instruct(t, srv, fmt.Sprintf(`{"do": "addToken", "user": "full", "token": "secret%d"}`, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	full()
	for message, want := range map[string]string{
		`{}`:                                                                 `do is ""`,
		`{"do": "pay"}`:                                                      "it must be",
		`{"do": "users", "user": "alice"}`:                                   "user is not needed",
		`{"do": "users", "limit": 1001}`:                                     "from 1 to 1000",
		`{"do": "users", "limit": -1}`:                                       "from 1 to 1000",
		`{"do": "users", "token": "secret"}`:                                 "token is not needed",
		`{"do": "addToken", "user": "alice"}`:                                "token is needed",
		`{"do": "addToken", "token": "secret"}`:                              "user is needed",
		`{"do": "addToken", "user": "a.b", "token": "secret"}`:               "one segment",
		`{"do": "addToken", "user": "full", "token": "secret"}`:              "revoke one before",
		`{"do": "addToken", "user": "alice", "token": "secret", "limit": 1}`: "after and limit",
		`{"do": "adjustBalance", "user": "full"}`:                            "amount is needed",
		`{"do": "user", "user": "full", "amount": "1"}`:                      "amount is not needed",
		`{"do": "removeUser", "user": "nobody"}`:                             "unknown user",
		`{"do": "disconnect", "user": "nobody"}`:                             "unknown user",
		`{"do": "users"} {}`:                                                 "behind the object",
		`{"do": "users", "more": 1}`:                                         "more",
		`{"do": 1}`:                                                          "string",
	} {
		if got, err := instruct(t, srv, message); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v; want %q", message, got, err, want)
		}
	}
	alone := newServer(t, miniaccounts.Options{})
	if _, err := instruct(t, alone, `{"do": "addToken", "user": "alice", "token": "secret"}`); !errors.Is(err, miniaccounts.ErrNoStore) {
		t.Errorf("without a store: %v", err)
	}
}

// Whatever an operator says is done, or is an error about what was said.
func FuzzInstruction(f *testing.F) {
	for _, seed := range []string{
		`{"do": "users", "after": "a", "limit": 3}`, `{"do": "addToken", "user": "alice", "token": "secret"}`,
		`{"do": "revokeToken", "user": "alice", "token": "secret"}`, `{"do": "removeUser", "user": "alice"}`,
		`{"do": "adjustBalance", "user": "alice", "amount": "-5"}`, `{"do": "user", "user": "alice"}`, `{"do": null}`, `[]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		srv := newServer(t, named(memstore.New()))
		answer, err := srv.SendAdminInfo(t.Context(), message)
		if err != nil {
			if !errors.Is(err, plugin.ErrInstruction) {
				t.Errorf("%q: %v is not ErrInstruction", message, err)
			}
			return
		}
		if _, ok := answer.(miniaccounts.UserList); !ok {
			t.Errorf("%q is answered %T", message, answer)
		}
	})
}
