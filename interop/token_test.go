package interop_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/plugin/btp"
)

// Whoever does not know the token is refused, with a reason, and whoever does
// goes on paying as if nobody had knocked.
func TestWrongTokenDisturbsNobody(t *testing.T) {
	const amount = 1000
	n := startNetwork(t, networkOptions{Accounts: []connector.Account{child("alice"), child("bob")}})
	alice, bob := n.dial("alice"), n.dial("bob")
	awaitEvent(t, "connect", alice)
	receive(t, bob)
	pay(t, alice, bob, amount, amount)
	total := uint64(amount)

	for name, credentials := range map[string]struct{ id, token string }{
		"wrong token":              {"alice", "wrong"},
		"token of another account": {"alice", tokenOf("bob")},
		"unknown account":          {"mallory", tokenOf("alice")},
	} {
		mallory := startPeer(t, "mallory", pluginOptions{Server: n.url(credentials.id, credentials.token)})
		refused := make(chan error, 1)
		go func() { refused <- mallory.connect(t.Context()) }()
		for pending := true; pending; {
			pay(t, alice, bob, amount, amount)
			total += amount
			select {
			case err := <-refused:
				checkRefused(t, name, mallory, err)
				pending = false
			default:
			}
		}
		mallory.stop()
		pay(t, alice, bob, amount, amount)
		total += amount
	}
	checkReceived(t, bob, total)
	if _, err := alice.configure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if news := alice.news(); len(news) > 0 {
		t.Errorf("the connection of the payer was disturbed: %v", news)
	}
}

// checkRefused checks that a client was told why it must not come in. The
// plugin fails with the same error for every connection that ends too soon.
func checkRefused(t *testing.T, name string, p *peer, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "connection aborted") {
		t.Fatalf("%s: connecting gave %v, want a connection that is aborted", name, err)
	}
	e, err := p.await(t.Context(), "refused")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(e.Reason, `"code":"F00","name":"NotAcceptedError"`) {
		t.Errorf("%s: refused with %s, want an F00 NotAcceptedError", name, e.Reason)
	}
}

// ilp-plugin-btp sends no user name where its URL has none, and a server that
// knows the token knows who that is.
func TestClientWithoutUserName(t *testing.T) {
	n := startNetwork(t, networkOptions{Accounts: []connector.Account{child("alice"), child("bob")}})
	p := startPeer(t, "nameless", pluginOptions{Server: n.url("", tokenOf("bob"))})
	if err := p.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := p.configure(t.Context())
	if want := "test.connie.bob"; err != nil || got.Address != want {
		t.Errorf("ILDCP gave %+v, %v; want the address %s", got, err, want)
	}
}

// A listener that refuses our token says why, and we take that for what it
// is: a refusal, and not a connection that broke.
func TestListenerRefusesOurToken(t *testing.T) {
	_, port := startListener(t, "bob", 0)
	options := dialOptions(port, "wrong")
	faults := make(faultLog, 100)
	options.Logger = slog.New(faults)
	bob := child("bob")
	bob.Plugin = btp.NewClient(options)
	startNetwork(t, networkOptions{Accounts: []connector.Account{bob}})

	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	select {
	case fault := <-faults:
		if !strings.Contains(fault, "refused") || !strings.Contains(fault, "invalid auth_token") {
			t.Errorf("the client reports %q, want a refusal with the reason of the listener", fault)
		}
	case <-ctx.Done():
		t.Error("the client does not report that it was refused")
	}
}

// faultLog is a slog.Handler that takes the attribute "error" of what is
// logged, up to its capacity.
type faultLog chan string

func (faultLog) Enabled(context.Context, slog.Level) bool { return true }

func (l faultLog) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			select {
			case l <- a.Value.String():
			default:
			}
		}
		return true
	})
	return nil
}

func (l faultLog) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l faultLog) WithGroup(string) slog.Handler { return l }
