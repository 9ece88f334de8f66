package ilphttp_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// parent is a handler that tells its child an address, as a connector does.
func parent(address string) plugin.HandlerFunc {
	return func(_ context.Context, p *ilp.Prepare) ilp.Reply {
		if p.Destination.String() != ildcp.Destination {
			return fulfill
		}
		return ildcp.Response{Address: ilp.MustParseAddress(address), Asset: ilp.Asset{Code: "USD", Scale: 9}}.Fulfill()
	}
}

// One link sends to many endpoints: that of the next segment.
func TestDelimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &script{answer: func(_ int, w http.ResponseWriter, _ *http.Request) {
			b, _ := fulfill.AppendBinary(nil)
			_, _ = w.Write(b)
		}}
		l, stop := servePipes(far)
		defer stop()
		c := ilphttp.NewClient(ilphttp.ClientOptions{URL: "http://users/%/ilp", Delimiter: "%", Token: token, PeerName: "connie", NetDial: l.Dial})
		if err := c.Open(t.Context(), parent("test.connie.web")); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, destination := range []string{"test.connie.web.alice", "test.connie.web.bob.x.y", "test.connie.web.Carol_~-1"} {
			prepare := newPrepare()
			prepare.Destination = ilp.MustParseAddress(destination)
			if a := <-send(c, prepare); !a.fulfilled() {
				t.Errorf("%s: %v, %v", destination, a.reply, a.err)
			}
		}
		for _, destination := range []string{"test.connie.web", "test.connie.webber.alice", "test.other.alice", "peer.config"} {
			prepare := newPrepare()
			prepare.Destination = ilp.MustParseAddress(destination)
			if a := <-send(c, prepare); !errors.Is(a.err, plugin.ErrNotSent) {
				t.Errorf("%s: %v, %v; want ErrNotSent", destination, a.reply, a.err)
			}
		}
		var paths []string
		for _, r := range far.all() {
			paths = append(paths, r.path)
			if r.header.Get("ILP-Peer-Name") != "connie" {
				t.Errorf("the peer name is %q", r.header.Get("ILP-Peer-Name"))
			}
		}
		if want := []string{"/alice/ilp", "/bob/ilp", "/Carol_~-1/ilp"}; !slices.Equal(paths, want) {
			t.Errorf("the requests went to %q, want %q", paths, want)
		}
	})
}

// A connector that has no address yet, or does not answer, keeps packets from
// being sent.
func TestDelimiterWithoutAddress(t *testing.T) {
	for name, h := range map[string]plugin.Handler{
		"rejects": plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply { return ilp.Rejectf(ilp.F02Unreachable, "") }),
		"silent":  newSilent(),
	} {
		t.Run(name, func(t *testing.T) {
			c := ilphttp.NewClient(ilphttp.ClientOptions{
				URL: "http://127.0.0.1:1/%", Delimiter: "%", Limits: ilphttp.Limits{LateWindow: time.Millisecond},
			})
			if err := c.Open(t.Context(), h); err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			prepare := newPrepare()
			prepare.ExpiresAt = time.Now()
			if a := <-send(c, prepare); !errors.Is(a.err, plugin.ErrNotSent) {
				t.Errorf("the answer is %v, want ErrNotSent", a.err)
			}
		})
	}
}

// A user is told the address that its credentials stand for, whatever name it
// gives itself.
func TestUsers(t *testing.T) {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	p := account(t, srv, tokens("the account"), parent("test.connie.web"))
	for _, user := range []string{"alice", "bob"} {
		if err := p.SetUser(user, ilphttp.Credentials{Tokens: []string{"token of " + user}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.SetUser("a.b", ilphttp.Credentials{Tokens: []string{"x"}}); err == nil {
		t.Error("a name with a dot was taken")
	}
	ask := func(token, name string) *http.Response {
		question := ildcp.Request(time.Now().Add(time.Minute))
		r := request(t, &question)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("ILP-Peer-Name", name)
		return serve(srv, r)
	}
	for token, want := range map[string]string{
		"the account": "test.connie.web", "token of alice": "test.connie.web.alice", "token of bob": "test.connie.web.bob",
	} {
		f, ok := replyOf(t, ask(token, "mallory")).(*ilp.Fulfill)
		if !ok {
			t.Fatalf("%s got no address", token)
		}
		if response, err := ildcp.ParseFulfill(f); err != nil || response.Address.String() != want {
			t.Errorf("%s got the address %s, %v; want %s", token, response.Address, err, want)
		}
	}
	if got := status(t, srv, authorization("token of bob")); got != 200 {
		t.Errorf("a packet of a user got status %d, want 200", got)
	}
	p.RemoveUser("bob")
	if got := ask("token of bob", "bob").StatusCode; got != 401 {
		t.Errorf("a user that was removed got status %d, want 401", got)
	}
	p.Close()
	if got := ask("token of alice", "alice").StatusCode; got != 401 {
		t.Errorf("a user of a closed account got status %d, want 401", got)
	}
}
