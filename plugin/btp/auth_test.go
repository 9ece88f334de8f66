package btp_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// Which account credentials lead to.
func TestCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		peers := map[string]*btp.Peer{
			"alice":     n.account(t, "alice", "a-token", newRecorder(fulfiller)),
			"bob":       n.account(t, "bob", "b-token", newRecorder(fulfiller)),
			"shared 1":  n.account(t, "carol", "shared", newRecorder(fulfiller)),
			"shared 2":  n.account(t, "dave", "shared", newRecorder(fulfiller)),
			"tokenonly": n.account(t, "", "only", newRecorder(fulfiller)),
			"strange":   n.account(t, "ü/@:?# %41", "t/@:?# %42é", newRecorder(fulfiller)),
		}
		for _, test := range []struct{ username, token, want string }{
			{"alice", "a-token", "alice"},
			{"bob", "b-token", "bob"},
			{"", "a-token", "alice"},
			{"carol", "shared", "shared 1"},
			{"dave", "shared", "shared 2"},
			{"", "shared", ""}, // whose is it?
			{"", "only", "tokenonly"},
			{"whoever", "only", "tokenonly"},
			{"alice", "only", ""}, // she is known, and this is not her token
			{"alice", "b-token", ""},
			{"alice", "", ""},
			{"alice", "a-token ", ""},
			{"Alice", "a-token", ""},
			{"whoever", "a-token", ""},
			{"", "", ""},
			{"ü/@:?# %41", "t/@:?# %42é", "strange"},
		} {
			r := n.raw(t)
			r.Send(btptest.Auth(7, test.username, test.token))
			p := r.Read()
			for name, peer := range peers {
				if peer.Connected() != (name == test.want) {
					t.Errorf("%q %q: account %s connected: %v", test.username, test.token, name, peer.Connected())
				}
			}
			if test.want == "" {
				if p.Type != btp.TypeError || p.RequestID != 7 || p.Error.Code != btp.F00NotAcceptedError || p.Error.Name != "NotAcceptedError" {
					t.Errorf("%q %q: answer %+v", test.username, test.token, p)
				}
			} else if p.Type != btp.TypeResponse || p.RequestID != 7 || len(p.Entries) != 0 {
				t.Errorf("%q %q: answer %+v", test.username, test.token, p)
			}
			r.Close()
			synctest.Wait()
		}
	})
}

// The client of this package presents any user name and token, through a URL
// (BTP-41) or its options.
func TestClientPresentsCredentials(t *testing.T) {
	for _, c := range []btp.Credentials{
		{Username: "alice", Token: "token"},
		{Token: "only"},
		{Username: "ü/@:?# %41&=+", Token: "t/@:?# %42é&=+"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newPipeNetwork(t, btp.ServerOptions{})
			p := n.account(t, c.Username, c.Token, newRecorder(fulfiller))
			for _, set := range []func(*btp.ClientOptions){
				nil,
				func(o *btp.ClientOptions) {
					o.URL, o.Username, o.Token = "btp+ws://server", c.Username, c.Token
				},
			} {
				client := n.client(t, c.Username, c.Token, newRecorder(fulfiller), set)
				synctest.Wait()
				if !client.Connected() || !p.Connected() {
					t.Errorf("%+v: client %v, server %v", c, client.State(), p.Connected())
				}
				client.Close()
			}
		})
	}
}

// BTP-20, BTP-21: a first packet that is no authentication is answered with
// an Error, and the socket closed.
func TestFirstPacketIsNoAuthentication(t *testing.T) {
	entry := func(name string, ty btp.ContentType, data string) btp.Entry {
		return btp.Entry{Name: name, ContentType: ty, Data: []byte(data)}
	}
	auth, token := entry("auth", 0, ""), entry("auth_token", btp.TextPlain, "token")
	for name, p := range map[string]btp.Packet{
		"response":        {Type: btp.TypeResponse, Entries: []btp.Entry{auth, token}},
		"transfer":        {Type: btp.TypeTransfer, Entries: []btp.Entry{auth, token}},
		"error":           {Type: btp.TypeError, Error: *btp.Errorf("F00", "no"), Entries: []btp.Entry{auth, token}},
		"no entries":      {Type: btp.TypeMessage},
		"no token":        {Type: btp.TypeMessage, Entries: []btp.Entry{auth}},
		"auth not first":  {Type: btp.TypeMessage, Entries: []btp.Entry{token, auth}},
		"no auth":         {Type: btp.TypeMessage, Entries: []btp.Entry{token}},
		"auth with data":  {Type: btp.TypeMessage, Entries: []btp.Entry{entry("auth", 0, "x"), token}},
		"auth as text":    {Type: btp.TypeMessage, Entries: []btp.Entry{entry("auth", btp.TextPlain, ""), token}},
		"an ILP packet":   {Type: btp.TypeMessage, Entries: []btp.Entry{entry("ilp", 0, "x")}},
		"token elsewhere": {Type: btp.TypeMessage, Entries: []btp.Entry{auth, entry("auth_username", btp.TextPlain, "token")}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newPipeNetwork(t, btp.ServerOptions{})
				peer := n.account(t, "alice", "token", newRecorder(fulfiller))
				r := n.raw(t)
				p.RequestID = 99
				r.Send(p)
				packets, err := r.ReadUntilEnd()
				if len(packets) != 1 || packets[0].Type != btp.TypeError || packets[0].RequestID != 99 ||
					packets[0].Error.Code != btp.F00NotAcceptedError {
					t.Errorf("answers %+v", packets)
				}
				var closed *wsconn.CloseError
				if !errors.As(err, &closed) || closed.Code != wsconn.CodePolicy {
					t.Errorf("the end: %v", err)
				}
				if peer.Connected() {
					t.Error("connected")
				}
			})
		})
	}
}

// BTP-33: bytes that are no packet are not answered, and end the socket.
func TestFirstPacketIsUnreadable(t *testing.T) {
	auth := btptest.Auth(1, "alice", "token")
	valid, err := auth.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty":     {},
		"truncated": valid[:20],
		"text":      []byte("hello"),
		"2 GiB":     {6, 0, 0, 0, 1, 0x84, 0x80, 0, 0, 0, 1},
		"too long":  make([]byte, 5000),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newPipeNetwork(t, btp.ServerOptions{})
				n.account(t, "alice", "token", newRecorder(fulfiller))
				r := n.raw(t)
				r.Write(b)
				packets, err := r.ReadUntilEnd()
				var closed *wsconn.CloseError
				if len(packets) != 0 || !errors.As(err, &closed) {
					t.Errorf("answers %+v, the end: %v", packets, err)
				}
			})
		})
	}
}

// Entries that the server does not know, before and behind those it does, and
// pings (BTP-26) are no obstacle.
func TestAuthenticationWithMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		peer := n.account(t, "alice", "token", newRecorder(fulfiller))
		o := wsconn.Options{NetDial: n.dial, PingInterval: time.Second, PongTimeout: time.Second}
		c, err := wsconn.Dial(t.Context(), "ws://server", o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		r := btptest.New(t, c)
		answer := make(chan btp.Packet, 1)
		go func() {
			answer <- r.Read()
			r.ReadUntilEnd()
		}()
		time.Sleep(5 * time.Second)
		p := btptest.Auth(1, "alice", "token")
		p.Entries = append(p.Entries[:1], append([]btp.Entry{{Name: "flags", ContentType: btp.JSON, Data: []byte("{}")}}, p.Entries[1:]...)...)
		p.Entries = append(p.Entries, btp.Entry{Name: "more"})
		r.Send(p)
		if p := <-answer; p.Type != btp.TypeResponse {
			t.Fatalf("answer %+v", p)
		}
		time.Sleep(time.Minute) // the deadline is gone
		if !peer.Connected() {
			t.Fatal("not connected any more")
		}
	})
}

// A client shows what its host wants besides the credentials.
func TestClientShowsMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := []btp.Entry{{Name: "flags", ContentType: btp.JSON, Data: []byte(`{"a":1}`)}, {Name: "plan", ContentType: btp.TextPlain, Data: []byte("gold")}}
		s := newRawServer(t)
		s.client(t, newRecorder(nil), func(o *btp.ClientOptions) { o.AuthEntries = more })
		p := get(t, s.conns).Read()
		want := btptest.Auth(p.RequestID, "alice", "token")
		want.Entries = append(want.Entries, more...)
		if !slices.EqualFunc(p.Entries, want.Entries, func(a, b btp.Entry) bool {
			return a.Name == b.Name && a.ContentType == b.ContentType && bytes.Equal(a.Data, b.Data)
		}) {
			t.Errorf("the client shows %+v, want %+v", p, want)
		}
	})
	for name, entries := range map[string][]btp.Entry{
		"another token":   {{Name: "auth_token"}},
		"one twice":       {{Name: "a"}, {Name: "a"}},
		"a name of bytes": {{Name: "\xff"}},
		"too much":        {{Name: "a", Data: make([]byte, 4096)}},
	} {
		o := btp.ClientOptions{URL: "btp+ws://:token@server.example", AuthEntries: entries}
		if err := o.Validate(); err == nil || btp.NewClient(o).Open(t.Context(), newRecorder(nil)) == nil {
			t.Errorf("%s is taken: %v", name, err)
		}
	}
}

// Who never authenticates is disconnected in time, whatever else he sends.
func TestNeverAuthenticates(t *testing.T) {
	for _, chatty := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newPipeNetwork(t, btp.ServerOptions{Limits: btp.Limits{AuthTimeout: 10 * time.Second}})
			start := time.Now()
			o := wsconn.Options{NetDial: n.dial, PingInterval: -1}
			if chatty {
				o.PingInterval = 100 * time.Millisecond
			}
			c, err := wsconn.Dial(t.Context(), "ws://server", o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			packets, err := (btptest.New(t, c)).ReadUntilEnd()
			if len(packets) != 0 || err == nil || time.Since(start) != 10*time.Second {
				t.Errorf("chatty %v: packets %v, %v after %v", chatty, packets, err, time.Since(start))
			}
		})
	}
}

// A wrong token, or a socket that says nothing, does not disturb the account
// that it names: neither its state nor its packets.
func TestWrongTokenDoesNotDisturbTheLiveSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		h := newRecorder(fulfiller)
		peer := n.account(t, "alice", "token", h)
		client := n.client(t, "alice", "token", newRecorder(fulfiller), nil)
		synctest.Wait()
		pending := ask(peer, newPrepare(10))
		for range 50 {
			r := n.raw(t)
			r.Send(btptest.Auth(1, "alice", "wrong"))
			if p := r.Read(); p.Type != btp.TypeError {
				t.Fatalf("answer %+v", p)
			}
			n.raw(t).Close()
		}
		synctest.Wait()
		if o := get(t, pending); o.fulfill == nil {
			t.Errorf("a packet of before: %+v", o)
		}
		if _, err := plugin.Call(t.Context(), client, newPrepare(10)); err != nil {
			t.Errorf("a packet of the client: %v", err)
		}
		if len(h.states) != 1 {
			t.Errorf("states %v", h.states)
		}
		if n.Refused() != 50 {
			t.Errorf("%d were refused", n.Refused())
		}
	})
}

// An account takes nobody in before Open or after Close. Its credentials may
// be used again then, and not before.
func TestAccountLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		credentials := btp.Credentials{Username: "alice", Token: "token"}
		p, err := n.Account(credentials)
		if err != nil {
			t.Fatal(err)
		}
		r := n.raw(t)
		r.Send(btptest.Auth(1, "alice", "token"))
		if a := r.Read(); a.Type != btp.TypeError || a.Error.Code != btp.T00UnreachableError {
			t.Errorf("before Open: %+v", a)
		}
		for _, taken := range []btp.Credentials{credentials, {Username: "alice", Token: "S3CRET"}, {Username: "zoe"}, {}} {
			if _, err := n.Account(taken); err == nil || strings.Contains(err.Error(), "S3CRET") {
				t.Errorf("account %q was added: %v", taken.Username, err)
			}
		}
		if err := p.Open(t.Context(), newRecorder(fulfiller)); err != nil {
			t.Fatal(err)
		}
		if err := p.Open(t.Context(), newRecorder(fulfiller)); err == nil {
			t.Error("it was opened twice")
		}
		n.authenticated(t, "alice", "token")
		p.Close()
		r = n.raw(t)
		r.Send(btptest.Auth(1, "alice", "token"))
		if a := r.Read(); a.Type != btp.TypeError || a.Error.Code != btp.F00NotAcceptedError {
			t.Errorf("after Close: %+v", a)
		}
		if err := p.Open(t.Context(), newRecorder(fulfiller)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Open after Close: %v", err)
		}
		again := n.account(t, "alice", "token", newRecorder(fulfiller))
		p.Close() // has nothing to do with the new one
		n.authenticated(t, "alice", "token")
		if !again.Connected() {
			t.Error("the new one is not connected")
		}

		only := n.account(t, "", "only", newRecorder(fulfiller))
		if _, err := n.Account(btp.Credentials{Token: "only"}); err == nil {
			t.Error("two accounts are told apart by nothing")
		}
		only.Close()
		n.account(t, "", "only", newRecorder(fulfiller))
	})
}

// Nothing that is written to the log, or returned, holds a token.
func TestTokensAreNotTold(t *testing.T) {
	const secret = "S3CRET"
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{Logger: logger})
		n.account(t, "alice", secret, newRecorder(fulfiller))
		withLog := func(o *btp.ClientOptions) { o.Logger = logger }
		good := n.client(t, "alice", secret, newRecorder(fulfiller), withLog)
		bad := n.client(t, "alice", secret+"-wrong", newRecorder(fulfiller), withLog)
		r := n.raw(t)
		r.Send(btptest.Auth(1, secret, secret))
		text := fmt.Sprintf("%+v", r.Read())
		time.Sleep(time.Hour)
		good.Close()
		bad.Close()
		n.stop()
		if strings.Contains(text, secret) || strings.Contains(log.String(), secret) {
			t.Errorf("%s\n%s", text, log.String())
		}
		if !strings.Contains(log.String(), "authentication refused") {
			t.Errorf("the log says nothing of it: %s", log.String())
		}
		if lines := strings.Count(log.String(), "msg=\"btp: not connected\""); lines > 2 {
			t.Errorf("the client says the same %d times", lines)
		}
	})
}
