package miniaccounts_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store/memstore"
)

const usernameInvalid = "auth_username must be one segment of an address: 1 to 128 of the characters A-Z a-z 0-9 _ ~ -"

func nameOf(token string) string {
	h := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// Who is which user, in each mode, and who is nobody. An empty text: let in.
func TestCredentials(t *testing.T) {
	long := strings.Repeat("a", miniaccounts.MaxUsernameLength)
	for _, mode := range []miniaccounts.Identity{miniaccounts.ByToken, miniaccounts.ByUsername, miniaccounts.ByUsernameOrToken} {
		for _, c := range []struct {
			username, token string
			want            [3]string // by mode
		}{
			{"", "token", [3]string{"", "auth_username subprotocol is required", ""}},
			{"alice", "token", [3]string{"auth_username subprotocol is not available", "", ""}},
			{"Alice", "other", [3]string{"auth_username subprotocol is not available", "", ""}}, // another user than alice
			{nameOf("token"), "token", [3]string{"", "", ""}},
			{nameOf("other"), "token", [3]string{ // somebody else's
				"auth_username subprotocol is not available",
				"incorrect token for account. account=" + nameOf("other"),
				"incorrect token for account. account=" + nameOf("other"),
			}},
			{"alice", "", [3]string{"auth_token must not be empty", "auth_token must not be empty", "auth_token must not be empty"}},
			{"", "", [3]string{"auth_token must not be empty", "auth_token must not be empty", "auth_token must not be empty"}},
			{long, "token", [3]string{"auth_username subprotocol is not available", "", ""}},
			{long + "a", "token", [3]string{"auth_username subprotocol is not available", usernameInvalid, usernameInvalid}},
			{"a.b", "token", [3]string{"auth_username subprotocol is not available", usernameInvalid, usernameInvalid}},
			{"a/b", "token", [3]string{"auth_username subprotocol is not available", usernameInvalid, usernameInvalid}},
			{"a:hashed-token", "token", [3]string{"auth_username subprotocol is not available", usernameInvalid, usernameInvalid}},
			{"ü", "token", [3]string{"auth_username subprotocol is not available", usernameInvalid, usernameInvalid}},
			{"a\x00", "token", [3]string{"auth_username subprotocol is not available", usernameInvalid, usernameInvalid}},
			{strings.Repeat("a", 1024), "token", [3]string{"auth_username subprotocol is not available", usernameInvalid, usernameInvalid}},
		} {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, miniaccounts.Options{Identity: mode, Store: memstore.New()})
				if want := c.want[mode]; want != "" {
					n.refused(t, c.username, c.token, btp.F00NotAcceptedError, want)
					return
				}
				u := n.user(t, c.username, c.token)
				name := c.username
				if name == "" {
					name = nameOf(c.token)
				}
				ask(n, prepareTo("test.connie.mini."+name))
				u.ReadPrepare() // it is the one
			})
		}
	}
}

// A name by a token cannot be taken by a user name, before its owner has come
// or after.
func TestNamesByTokenAreTheirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{Identity: miniaccounts.ByUsernameOrToken, Store: memstore.New()})
		name := nameOf("token")
		for range 2 {
			n.refused(t, name, "thief", btp.F00NotAcceptedError, "incorrect token for account. account="+name)
			n.user(t, "", "token")
		}
	})
}

// The first packet of a client can be anything. Whoever sends nonsense is told
// so, and nobody else notices.
func TestFirstPackets(t *testing.T) {
	entries := func(entries ...btp.Entry) btp.Packet {
		return btp.Packet{Type: btp.TypeMessage, RequestID: 1, Entries: entries}
	}
	token := btp.Entry{Name: "auth_token", ContentType: btp.TextPlain, Data: []byte("token")}
	for name, c := range map[string]struct {
		packet btp.Packet
		want   string
	}{
		"transfer":        {btp.Packet{Type: btp.TypeTransfer, RequestID: 1, Amount: 7}, "the first packet must be a message"},
		"response":        {btp.Packet{Type: btp.TypeResponse, RequestID: 1}, "the first packet must be a message"},
		"nothing":         {entries(), "the first entry must be auth, without data"},
		"token first":     {entries(token, btp.Entry{Name: "auth"}), "the first entry must be auth, without data"},
		"ILP first":       {entries(btp.Entry{Name: "ilp", Data: []byte{12, 0}}), "the first entry must be auth, without data"},
		"auth with data":  {entries(btp.Entry{Name: "auth", Data: []byte{1}}, token), "the first entry must be auth, without data"},
		"no token":        {entries(btp.Entry{Name: "auth"}), "an entry auth_token is needed"},
		"no user name":    {entries(btp.Entry{Name: "auth"}, token), ""},
		"unknown entries": {entries(btp.Entry{Name: "auth"}, btp.Entry{Name: "x"}, token), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, miniaccounts.Options{})
				r := n.raw(t)
				r.Send(c.packet)
				p := r.Read()
				if c.want == "" && p.Type != btp.TypeResponse || c.want != "" && (p.Type != btp.TypeError || string(p.Error.Data) != c.want) {
					t.Errorf("the answer is %v %q, want %q", p.Type, p.Error.Data, c.want)
				}
				if len(n.parent.packets) > 0 {
					t.Error("the connector got a packet")
				}
			})
		})
	}
}

// directory is a Directory of functions.
type directory struct {
	authenticate func(ctx context.Context, username, token string) (string, error)
	users        []string // nil: it does not say
}

func (d *directory) Authenticate(ctx context.Context, username, token string) (string, error) {
	return d.authenticate(ctx, username, token)
}

type knowingDirectory struct{ directory }

func (d *knowingDirectory) Known(user string) bool {
	return strings.Contains(strings.Join(d.users, " "), user)
}

// The host's directory says who is who; its errors let nobody in, and its
// reasons are its own.
func TestDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		n := start(t, miniaccounts.Options{
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Directory: &directory{authenticate: func(ctx context.Context, username, token string) (string, error) {
				switch {
				case username == "broken":
					return "", errors.New("no database")
				case username == "odd":
					return "a.b", nil
				case username == "slow":
					<-ctx.Done()
					return "", ctx.Err()
				case token != "right":
					return "", fmt.Errorf("%w: that is wrong", miniaccounts.ErrCredentials)
				}
				return "user-" + username, nil
			}},
		})
		u := n.user(t, "7", "right")
		ask(n, prepareTo("test.connie.mini.user-7.x"))
		u.ReadPrepare()
		n.refused(t, "7", "wrong", btp.F00NotAcceptedError, "invalid credentials")
		n.refused(t, "7", "", btp.F00NotAcceptedError, "auth_token must not be empty")
		for _, name := range []string{"broken", "odd", "slow"} {
			n.refused(t, name, "right", btp.T00UnreachableError, "the account is not ready")
		}
		if !strings.Contains(log.String(), "no database") {
			t.Errorf("the log does not say what was wrong: %s", log.String())
		}
		get(t, ask(n, prepareTo("test.connie.mini.nobody"))).wantReject(t, ilp.T01PeerUnreachable, "No clients connected for account nobody")
	})
}

func TestDirectoryThatKnowsItsUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{Directory: &knowingDirectory{directory{users: []string{"alice"}}}})
		get(t, ask(n, prepareTo("test.connie.mini.alice"))).wantReject(t, ilp.T01PeerUnreachable, "No clients connected for account alice")
		get(t, ask(n, prepareTo("test.connie.mini.nobody"))).wantReject(t, ilp.F02Unreachable, "No clients connected for account nobody")
	})
}

// No token is ever in a log or in an answer, whether it is right or wrong.
func TestTokensAreSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const right, wrong = "the-right-token", "the-wrong-token"
		var log lockedBuffer
		s := &failingStore{Store: memstore.New()}
		n := start(t, miniaccounts.Options{
			Identity: miniaccounts.ByUsername, Store: s,
			Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		check := func(text string) {
			t.Helper()
			if strings.Contains(text, right) || strings.Contains(text, wrong) {
				t.Errorf("a token is in %q", text)
			}
		}
		n.user(t, "alice", right)
		for _, c := range []struct{ name, token string }{{"alice", wrong}, {"a.b", right}, {"", right}} {
			_, p := n.login(t, c.name, c.token)
			check(string(p.Error.Data))
		}
		s.fails.Store(true)
		_, p := n.login(t, "bob", right)
		check(string(p.Error.Data))
		for _, err := range []error{
			n.AddToken(t.Context(), "alice", wrong), n.AddToken(t.Context(), "a.b", right),
			n.RevokeToken(t.Context(), "alice", right), n.RevokeToken(t.Context(), "nobody", right),
		} {
			if err == nil {
				t.Error("no error")
				continue
			}
			check(err.Error())
		}
		if log.String() == "" {
			t.Error("nothing was logged")
		}
		check(log.String())
	})
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Whoever does not authenticate in time is gone.
func TestAuthenticationDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{Socket: miniaccounts.SocketLimits{AuthTimeout: 3 * time.Second}})
		r := n.raw(t)
		begin := time.Now()
		if _, err := r.TryRead(); err == nil || time.Since(begin) > 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

// Whatever credentials say: who is let in is the user whose name the rules
// give, and all others are refused without a trace.
func FuzzCredentials(f *testing.F) {
	f.Add(uint8(0), "", "token")
	f.Add(uint8(0), "alice", "token")
	f.Add(uint8(1), "alice", "token")
	f.Add(uint8(2), "", "token")
	f.Add(uint8(2), nameOf("token"), "token")
	f.Add(uint8(2), nameOf("token"), "thief")
	f.Add(uint8(1), "a.b", "")
	f.Add(uint8(1), "..", "\xff")
	f.Fuzz(func(t *testing.T, mode uint8, username, token string) {
		s := memstore.New()
		srv := newServer(t, miniaccounts.Options{Identity: miniaccounts.Identity(mode % 3), Store: s})
		defer srv.Close()
		if err := srv.Open(t.Context(), newParent()); err != nil {
			t.Fatal(err)
		}
		name, err := srv.Identify(t.Context(), username, token)
		switch {
		case err != nil && name != "":
			t.Errorf("an error and the user %q", name)
		case err != nil:
			wantStored(t, s, nil)
		case !ilp.ValidSegment(name) || len(name) > miniaccounts.MaxUsernameLength || token == "":
			t.Errorf("the user %q was let in by %q", name, token)
		case username != "" && name != username, username == "" && name != nameOf(token):
			t.Errorf("%q and %q are the user %q", username, token, name)
		}
		if err != nil {
			return
		}
		// The name is this token's now, and no other's.
		if again, err := srv.Identify(t.Context(), username, token); again != name || err != nil {
			t.Errorf("the second time the user is %q, %v", again, err)
		}
		if other, err := srv.Identify(t.Context(), name, token+"x"); err == nil {
			t.Errorf("with another token the user is %q", other)
		}
	})
}
