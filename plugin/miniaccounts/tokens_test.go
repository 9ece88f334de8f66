package miniaccounts_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// alive reports whether a socket still takes packets.
func alive(r *btptest.Conn) bool {
	r.Send(btp.Packet{Type: btp.TypeMessage, RequestID: 77})
	p, err := r.TryRead()
	return err == nil && p.RequestID == 77
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const wrongToken = "incorrect token for account. account=alice"

// A token is changed without a gap: both are valid for a while, and with the
// old one go its sockets, and no others.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		n := start(t, named(s))
		old, other := n.user(t, "alice", "old"), n.user(t, "bob", "old")
		must(t, n.AddToken(t.Context(), "alice", "new"))
		must(t, n.AddToken(t.Context(), "alice", "new"))
		fresh := n.user(t, "alice", "new")
		wantStored(t, s, map[string]string{
			"alice:hashed-token": nameOf("old") + " " + nameOf("new"), "bob:hashed-token": nameOf("old"),
		})
		second := n.user(t, "alice", "old")
		result := ask(n, prepareTo("test.connie.mini.alice")) // to the newest: it dies with it
		second.ReadPrepare()
		must(t, n.RevokeToken(t.Context(), "alice", "old"))
		for _, r := range []*btptest.Conn{old, second} {
			if _, err := r.TryRead(); err == nil {
				t.Error("a socket with a token that is no longer valid goes on")
			}
		}
		if o := get(t, result); o.err == nil {
			t.Errorf("%+v", o)
		}
		if !alive(fresh) || !alive(other) {
			t.Error("a socket with a valid token has ended")
		}
		n.refused(t, "alice", "old", btp.F00NotAcceptedError, wrongToken)
		wantStored(t, s, map[string]string{"alice:hashed-token": nameOf("new"), "bob:hashed-token": nameOf("old")})
	})
}

// A socket that has been ended is sent no packets, however long its client
// takes to see that: they go to another socket, or to nobody.
func TestPacketsAfterRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, named(memstore.New()))
		must(t, n.AddToken(t.Context(), "alice", "old"))
		must(t, n.AddToken(t.Context(), "alice", "new"))
		fresh := n.user(t, "alice", "new")
		n.user(t, "alice", "old") // the newest; it reads nothing
		must(t, n.RevokeToken(t.Context(), "alice", "old"))
		result := ask(n, prepareTo("test.connie.mini.alice"))
		synctest.Wait()
		if len(result) > 0 {
			t.Fatalf("the packet was given to a socket that has ended: %+v", <-result)
		}
		fresh.ReadPrepare()
		must(t, n.RemoveUser(t.Context(), "alice"))
		get(t, ask(n, prepareTo("test.connie.mini.alice"))).wantReject(t, ilp.F02Unreachable, "No clients connected for account alice")
	})
}

// A user who has been removed is nobody, and nobody gets its name.
func TestRemoveUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		n := start(t, named(s))
		u := n.user(t, "alice", "a")
		must(t, n.RemoveUser(t.Context(), "alice"))
		if _, err := u.TryRead(); err == nil {
			t.Error("the socket goes on")
		}
		for _, token := range []string{"a", "thief"} {
			n.refused(t, "alice", token, btp.F00NotAcceptedError, wrongToken)
		}
		get(t, ask(n, prepareTo("test.connie.mini.alice"))).wantReject(t, ilp.F02Unreachable, "No clients connected for account alice")
		wantStored(t, s, map[string]string{"alice:hashed-token": "-"})
		again := start(t, named(s)) // and after a restart
		again.refused(t, "alice", "a", btp.F00NotAcceptedError, wrongToken)
		must(t, again.AddToken(t.Context(), "alice", "a"))
		again.user(t, "alice", "a")
	})
}

// Users by token can be locked out if there is a store.
func TestRevokeUserByToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, name := memstore.New(), nameOf("token")
		n := start(t, miniaccounts.Options{Store: s})
		u := n.user(t, "", "token")
		wantStored(t, s, nil)
		must(t, n.RevokeToken(t.Context(), name, "token"))
		if _, err := u.TryRead(); err == nil {
			t.Error("the socket goes on")
		}
		n.refused(t, "", "token", btp.F00NotAcceptedError, "incorrect token for account. account="+name)
		if err := n.AddToken(t.Context(), name, "another"); err == nil {
			t.Error("a name by a token was given to another token")
		}
		must(t, n.AddToken(t.Context(), name, "token"))
		n.user(t, "", "token")
	})
}

// A socket whose token was looked at before it was revoked does not join
// after that.
func TestRevokedBetweenLookAndJoin(t *testing.T) {
	for name, revoke := range map[string]func(n *network) error{
		"revoked":      func(n *network) error { return n.RevokeToken(context.Background(), "alice", "a") },
		"removed":      func(n *network) error { return n.RemoveUser(context.Background(), "alice") },
		"disconnected": func(n *network) error { n.Disconnect("alice"); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := named(storeWith(t, map[string]string{"alice:hashed-token": nameOf("a")}))
				looked, revoked := make(chan struct{}), make(chan struct{})
				o.LimitsOf = func(string) miniaccounts.UserLimits { // called between the two
					close(looked)
					<-revoked
					return miniaccounts.UserLimits{}
				}
				n := start(t, o)
				r := n.raw(t)
				r.Send(btptest.Auth(1, "alice", "a"))
				<-looked
				must(t, revoke(n))
				close(revoked)
				if p := r.Read(); p.Type != btp.TypeError || p.Error.Code != btp.T00UnreachableError {
					t.Errorf("the answer is %+v", p)
				}
			})
		})
	}
}

// Disconnect ends sockets, those included that the directory has just let in
// and that belong to nobody in memory.
func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answer := make(chan struct{}), make(chan struct{})
		n := start(t, miniaccounts.Options{Directory: &directory{authenticate: func(_ context.Context, username, _ string) (string, error) {
			if username == "slow" {
				close(asked)
				<-answer
				return "alice", nil
			}
			return username, nil
		}}})
		r := n.raw(t)
		r.Send(btptest.Auth(1, "slow", "a"))
		<-asked
		n.Disconnect("alice")
		u, other := n.user(t, "alice", "a"), n.user(t, "bob", "b")
		close(answer)
		if p := r.Read(); p.Type != btp.TypeError || p.Error.Code != btp.T00UnreachableError {
			t.Errorf("the answer is %+v", p)
		}
		if !alive(u) {
			t.Error("who came after Disconnect has ended")
		}
		n.Disconnect("alice")
		if _, err := u.TryRead(); err == nil || !alive(other) {
			t.Error("the sockets of the user go on, or those of another do not")
		}
		n.user(t, "alice", "a")
	})
}

func TestTokensThatCannotBeChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{})
		if err := n.AddToken(t.Context(), "alice", "a"); !errors.Is(err, miniaccounts.ErrNoStore) {
			t.Errorf("without a store: %v", err)
		}
		if err := n.RemoveUser(t.Context(), "alice"); !errors.Is(err, miniaccounts.ErrNoStore) {
			t.Errorf("without a store: %v", err)
		}
		n = start(t, named(memstore.New()))
		for _, name := range []string{"", "a.b", "a/b", "ü", string(make([]byte, 1024))} {
			if n.AddToken(t.Context(), name, "a") == nil || n.RevokeToken(t.Context(), name, "a") == nil {
				t.Errorf("the name %q was taken", name)
			}
		}
		if n.AddToken(t.Context(), "alice", "") == nil {
			t.Error("an empty token was taken")
		}
		if err := n.RevokeToken(t.Context(), "nobody", "a"); !errors.Is(err, miniaccounts.ErrUnknownUser) {
			t.Errorf("of nobody: %v", err)
		}
		for i := range miniaccounts.MaxTokens {
			must(t, n.AddToken(t.Context(), "alice", fmt.Sprint(i)))
		}
		if n.AddToken(t.Context(), "alice", "one more") == nil {
			t.Error("one token too many")
		}
	})
}

// A store that fails lets nobody in for the first time, and nobody out of
// its record; a revoked token is void all the same.
func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &failingStore{Store: memstore.New()}
		n := start(t, named(s))
		alice := n.user(t, "alice", "a")
		s.fails.Store(true)
		n.refused(t, "bob", "b", btp.T00UnreachableError, "the account is not ready")
		if err := n.AddToken(t.Context(), "alice", "new"); !errors.Is(err, store.ErrNotWritten) {
			t.Errorf("AddToken: %v", err)
		}
		n.refused(t, "alice", "new", btp.F00NotAcceptedError, wrongToken)
		if err := n.AddToken(t.Context(), "carol", "c"); !errors.Is(err, store.ErrNotWritten) {
			t.Errorf("AddToken: %v", err)
		}
		if !alive(alice) {
			t.Error("who was in is out")
		}
		if err := n.RevokeToken(t.Context(), "alice", "a"); !errors.Is(err, store.ErrNotWritten) {
			t.Errorf("RevokeToken: %v", err)
		}
		n.refused(t, "alice", "a", btp.F00NotAcceptedError, wrongToken)
		s.fails.Store(false)
		must(t, n.RevokeToken(t.Context(), "alice", "a"))
		n.user(t, "bob", "another") // the first that was kept
		wantStored(t, s, map[string]string{"alice:hashed-token": "-", "bob:hashed-token": nameOf("another")})
	})
}

// What is in the store and cannot be read lets nobody in, and disturbs nobody.
func TestStoreWithNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := map[string]string{
			"alice:hashed-token": "nonsense", "empty:hashed-token": "", "a.b:hashed-token": secretHash,
			"x": "y", ":hashed-token": secretHash, "long:hashed-token": nameOf("1") + " " + nameOf("2") + " ",
		}
		s := storeWith(t, values)
		n := start(t, named(s))
		for _, name := range []string{"alice", "empty", "long"} {
			n.refused(t, name, "1", btp.F00NotAcceptedError, "incorrect token for account. account="+name)
		}
		n.user(t, "bob", "b")
		values["bob:hashed-token"] = nameOf("b")
		wantStored(t, s, values)
	})
	synctest.Test(t, func(t *testing.T) { // more than one batch of migrations
		values, want := make(map[string]string), make(map[string]string)
		for i := range 2500 {
			values[fmt.Sprintf("user%d:token", i)] = secretToken
			want[fmt.Sprintf("user%d:hashed-token", i)] = secretHash
		}
		s := storeWith(t, values)
		start(t, named(s))
		wantStored(t, s, want)
	})
	s := memstore.New()
	s.Close()
	if err := newServer(t, named(s)).Open(t.Context(), newParent()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("opened over a closed store: %v", err)
	}
}

func TestUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, named(memstore.New()))
		n.parent.hold()
		n.user(t, "bob", "b")
		u := n.user(t, "bob", "b")
		must(t, n.AddToken(t.Context(), "alice", "1"))
		must(t, n.AddToken(t.Context(), "alice", "2"))
		u.SendILP(btp.TypeMessage, 1, prepareTo("test.x"))
		ask(n, prepareTo("test.connie.mini.bob"))
		u.ReadPrepare()
		get(t, n.parent.held)
		want := []miniaccounts.User{
			{Name: "alice", Address: ilp.MustParseAddress("test.connie.mini.alice"), Tokens: 2},
			{Name: "bob", Address: ilp.MustParseAddress("test.connie.mini.bob"), Tokens: 1, Sockets: 2, Incoming: 1, Outgoing: 1},
		}
		if got := n.Users(); !reflect.DeepEqual(got, want) {
			t.Errorf("users %+v, want %+v", got, want)
		}
	})
}

// Whatever is in the store is refused, or is what is written again.
func FuzzStoredTokens(f *testing.F) {
	for _, seed := range []string{"", "-", nameOf("a"), nameOf("a") + " " + nameOf("b"), nameOf("a") + " ", "sha256:" + nameOf("a")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if again, err := miniaccounts.DecodeTokens(value); err == nil && again != value {
			t.Errorf("%q is read, and written as %q", value, again)
		}
	})
}
