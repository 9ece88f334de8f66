package interop_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store/memstore"
)

// startMini runs a connector with one account, behind which users connect to
// the server of package miniaccounts.
func startMini(t *testing.T, o miniaccounts.Options) (srv *miniaccounts.Server, addr string) {
	t.Helper()
	srv, err := miniaccounts.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	account := child("mini")
	account.Plugin = srv
	startNetwork(t, networkOptions{Accounts: []connector.Account{account}})
	server := httptest.NewServer(srv)
	t.Cleanup(server.Close)
	return srv, strings.TrimPrefix(server.URL, "http://")
}

// dialMini starts a client of ilp-plugin-btp, and returns when it is let in.
func dialMini(t *testing.T, addr, username, token string) *peer {
	t.Helper()
	p := startPeer(t, "user "+username, pluginOptions{Server: "btp+ws://" + username + ":" + token + "@" + addr})
	if err := p.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func nameByToken(token string) string {
	h := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// Clients of ilp-plugin-btp are users of ours, by their names or their tokens
// alone, and pay each other by STREAM.
func TestStreamPaymentsBetweenMiniAccounts(t *testing.T) {
	srv, addr := startMini(t, miniaccounts.Options{Identity: miniaccounts.ByUsernameOrToken, Store: memstore.New()})
	alice, bob := dialMini(t, addr, "alice", "a"), dialMini(t, addr, "", "b")
	for p, want := range map[*peer]string{alice: "test.connie.mini.alice", bob: "test.connie.mini." + nameByToken("b")} {
		got, err := p.configure(t.Context())
		if want := (configuration{Address: want, AssetCode: "USD", AssetScale: 9}); err != nil || got != want {
			t.Fatalf("ILDCP gave %s %+v, %v; want %+v", p.name, got, err, want)
		}
	}
	receive(t, alice, bob)
	pay(t, alice, bob, 1_000_000, 1_000_000)
	pay(t, bob, alice, 300_000, 300_000)
	checkReceived(t, bob, 1_000_000)
	checkReceived(t, alice, 300_000)
	if s := srv.Stats(); s.Sockets != 2 || s.LateFulfills != 0 || s.UnexpectedReplies != 0 {
		t.Errorf("stats %+v", s)
	}
}

// STREAM finds the largest packet that a user's limits let through.
func TestStreamPaymentWithinLimitsOfUser(t *testing.T) {
	_, addr := startMini(t, miniaccounts.Options{Limits: miniaccounts.UserLimits{MaxPacketAmount: 10_000}})
	alice, bob := dialMini(t, addr, "", "a"), dialMini(t, addr, "", "b")
	receive(t, bob)
	pay(t, alice, bob, 100_000, 100_000)
}

// A client with a wrong token is told so, in the words of the reference but
// for the token.
func TestMiniAccountsRefuse(t *testing.T) {
	_, addr := startMini(t, miniaccounts.Options{Identity: miniaccounts.ByUsername, Store: memstore.New()})
	dialMini(t, addr, "alice", "a")
	thief := startPeer(t, "thief", pluginOptions{Server: "btp+ws://alice:guess@" + addr})
	if err := thief.connect(t.Context()); err == nil {
		t.Error("let in")
	}
	e, err := thief.await(t.Context(), "refused")
	if err != nil || !strings.Contains(e.Reason, "incorrect token for account. account=alice") {
		t.Errorf("the reason is %q, %v", e.Reason, err)
	}
}

// startHost starts an ilp-plugin-mini-accounts, with the address test.host,
// and gives its port.
func startHost(t *testing.T) (host *peer, port int) {
	t.Helper()
	host = startPeer(t, "host", pluginOptions{MiniAccounts: &miniAccounts{
		HostConfig: hostConfig{ClientAddress: "test.host", AssetCode: "USD", AssetScale: 9},
	}})
	port, err := host.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// userOptions dial a host as a user by a token.
func userOptions(port int, token string) btp.ClientOptions {
	o := dialOptions(port, token)
	o.Username = ""
	return o
}

// A connector is a user of ilp-plugin-mini-accounts, its parent. STREAM
// payments go both ways between the host and a child of the connector.
func TestStreamPaymentsWithMiniAccountsHost(t *testing.T) {
	host, port := startHost(t)
	parent := child("host")
	parent.Relation, parent.Plugin = connector.Parent, btp.NewClient(userOptions(port, "token"))
	own := "test.host." + nameByToken("token")
	n := startNetwork(t, networkOptions{Address: own, Accounts: []connector.Account{parent, child("alice")}})
	n.await("host", true)
	alice := n.dial("alice")
	receive(t, host, alice)
	pay(t, alice, host, 500_000, 500_000)
	pay(t, host, alice, 200_000, 200_000)
	checkReceived(t, host, 500_000)
	checkReceived(t, alice, 200_000)
}

// Bare packets between ilp-plugin-mini-accounts and our client.
func TestClientOfMiniAccountsHost(t *testing.T) {
	host, port := startHost(t)
	fulfill := &ilp.Fulfill{Fulfillment: fulfillment, Data: []byte("thanks")}
	c, up := btp.NewClient(userOptions(port, "token")), make(chan bool, 100)
	h := plugin.HandlerFunc(func(_ context.Context, p *ilp.Prepare) ilp.Reply {
		if p.Amount == oddAmount {
			return &ilp.Reject{Code: "F42", TriggeredBy: ilp.MustParseAddress("test.x"), Message: "odd amount"}
		}
		return fulfill
	})
	if err := c.Open(t.Context(), &watchedHandler{h, up}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	select {
	case <-up:
	case <-time.After(callTimeout):
		t.Fatal("not connected")
	}
	config, err := ildcp.Fetch(t.Context(), c)
	if err != nil || config.Address.String() != "test.host."+nameByToken("token") || config.Asset != (ilp.Asset{Code: "USD", Scale: 9}) {
		t.Errorf("ILDCP gave %+v, %v", config, err)
	}
	prepare := ilp.Prepare{
		Amount: 7, ExpiresAt: time.Now().Add(20 * time.Second).UTC(), Condition: condition,
		Destination: ilp.MustParseAddress(config.Address.String() + ".x"),
	}
	got, err := host.send(t.Context(), &prepare)
	if err != nil {
		t.Fatal(err)
	}
	checkReply(t, got, fulfill)
	prepare.Amount = oddAmount
	if got, err = host.send(t.Context(), &prepare); err != nil {
		t.Fatal(err)
	}
	checkReply(t, got, &ilp.Reject{Code: "F42", TriggeredBy: ilp.MustParseAddress("test.x"), Message: "odd amount"})

	if err := host.answer(t.Context(), fulfill); err != nil {
		t.Fatal(err)
	}
	prepare.Destination = ilp.MustParseAddress("test.host.somewhere")
	if got, err := plugin.Call(t.Context(), c, &prepare); err != nil || got.Fulfillment != fulfillment {
		t.Errorf("the host answered %+v, %v", got, err)
	}
	if err := host.fail(t.Context(), "out of order"); err != nil {
		t.Fatal(err)
	}
	_, err = plugin.Call(t.Context(), c, &prepare)
	if reject, ok := errors.AsType[*ilp.Reject](err); !ok || reject.Code != ilp.F02Unreachable {
		t.Errorf("to a BTP error the sender is told %v, want F02", err)
	}
}
