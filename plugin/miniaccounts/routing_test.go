package miniaccounts_test

import (
	"context"
	"errors"
	"net"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store/memstore"
)

// A packet goes to the user that the segment after the account's address
// names, whatever follows, and is the same but for its expiry.
func TestPacketsToUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{Identity: miniaccounts.ByUsername, Store: memstore.New()})
		alice, bob := n.user(t, "alice", "a"), n.user(t, "bob", "b")
		for _, c := range []struct {
			to   *btptest.Conn
			name string
		}{
			{alice, "test.connie.mini.alice"}, {bob, "test.connie.mini.bob"},
			{alice, "test.connie.mini.alice.bob"}, {bob, "test.connie.mini.bob.x.y~z.w"},
		} {
			sent := prepareTo(c.name)
			result := ask(n, sent)
			got, id := c.to.ReadPrepare()
			want := *sent
			want.ExpiresAt = sent.ExpiresAt.Add(-miniaccounts.DefaultHandoverWindow)
			if !same(got, want) {
				t.Errorf("%s got %+v, want %+v", c.name, got, want)
			}
			reply := &ilp.Reject{Code: "F99", TriggeredBy: ilp.MustParseAddress("test.x"), Message: "no", Data: []byte{7}}
			c.to.SendILP(btp.TypeResponse, id, reply)
			if o := get(t, result); !reflect.DeepEqual(o.reject, reply) {
				t.Errorf("%s: %+v", c.name, o)
			}
		}
	})
}

// F02 for what is nobody's, T01 for who is not there.
func TestPacketsToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storeWith(t, map[string]string{"away:hashed-token": secretHash, "removed:hashed-token": "-"})
		for _, c := range []struct {
			identity    miniaccounts.Identity
			destination string
			code        ilp.Code
			message     string
		}{
			{miniaccounts.ByUsername, "test.connie.mini.away", ilp.T01PeerUnreachable, "No clients connected for account away"},
			{miniaccounts.ByUsername, "test.connie.mini.nobody.x", ilp.F02Unreachable, "No clients connected for account nobody"},
			{miniaccounts.ByUsername, "test.connie.mini.Away", ilp.F02Unreachable, "No clients connected for account Away"},
			{miniaccounts.ByUsername, "test.connie.mini.removed", ilp.F02Unreachable, "No clients connected for account removed"},
			{miniaccounts.ByUsername, "test.connie.mini." + secretHash, ilp.F02Unreachable, "No clients connected for account " + secretHash},
			{miniaccounts.ByUsernameOrToken, "test.connie.mini." + secretHash, ilp.T01PeerUnreachable, "No clients connected for account " + secretHash},
			{miniaccounts.ByToken, "test.connie.mini." + secretHash, ilp.T01PeerUnreachable, "No clients connected for account " + secretHash},
			{miniaccounts.ByToken, "test.connie.mini.nobody", ilp.F02Unreachable, "No clients connected for account nobody"},
			{miniaccounts.ByToken, "test.connie.mini", ilp.F02Unreachable,
				"can't route packet that is not meant for one of my clients. destination=test.connie.mini prefix=test.connie.mini."},
			{miniaccounts.ByToken, "test.connie.minimum.alice", ilp.F02Unreachable,
				"can't route packet that is not meant for one of my clients. destination=test.connie.minimum.alice prefix=test.connie.mini."},
			{miniaccounts.ByToken, "peer.config", ilp.F02Unreachable,
				"can't route packet that is not meant for one of my clients. destination=peer.config prefix=test.connie.mini."},
		} {
			n := start(t, miniaccounts.Options{Identity: c.identity, Store: s})
			get(t, ask(n, prepareTo(c.destination))).wantReject(t, c.code, c.message)
		}
	})
}

// What a user sends goes to the connector as it is, and the answer comes back
// as it is.
func TestPacketsFromUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{})
		u := n.user(t, "", "token")
		sent := prepareTo("test.somewhere")
		if reply := u.Exchange(7, sent); !reflect.DeepEqual(reply, fulfill) {
			t.Errorf("the reply is %+v", reply)
		}
		if len(n.parent.packets) != 1 || !same(n.parent.packets[0], *sent) {
			t.Errorf("the connector got %+v, want %+v", n.parent.packets, sent)
		}
		reject := &ilp.Reject{Code: "T04", TriggeredBy: ilp.MustParseAddress("test.x"), Message: "no", Data: []byte{7}}
		n.parent.reply = func(*ilp.Prepare) ilp.Reply { return reject }
		if reply := u.Exchange(8, sent); !reflect.DeepEqual(reply, reject) {
			t.Errorf("the reply is %+v", reply)
		}
	})
}

// A handler that gives no reply is one that the user gets a BTP error for.
func TestNoReplyToUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{})
		n.parent.hold()
		u := n.user(t, "", "token")
		for i, c := range []struct {
			err  error
			code btp.Code
		}{{plugin.ErrNotSent, btp.T00UnreachableError}, {plugin.ErrUnknownOutcome, btp.F00NotAcceptedError}} {
			u.SendILP(btp.TypeMessage, uint32(i), prepareTo("test.x"))
			get(t, n.parent.held).responder.Fail(context.Background(), c.err)
			if p := u.Read(); p.Type != btp.TypeError || p.Error.Code != c.code || p.RequestID != uint32(i) {
				t.Errorf("%v: the answer is %+v", c.err, p)
			}
		}
		u.SendILP(btp.TypeMessage, 9, prepareTo("test.x"))
		get(t, n.parent.held).responder.Fail(context.Background(), &ilp.Reject{Code: ilp.F02Unreachable, Message: "no way"})
		if r, ok := u.ReadReply(9).(*ilp.Reject); !ok || r.Message != "no way" {
			t.Errorf("the reply is %+v", r)
		}
	})
}

// DCP-02: a user is told its own address and the asset of the account, and
// every time what they are now.
func TestUsersAskForTheirAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{Identity: miniaccounts.ByUsername, Store: memstore.New()})
		c := n.client(t, "alice", "token", plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply { return fulfill }))
		synctest.Wait()
		fetch := func(want string) {
			t.Helper()
			got, err := ildcp.Fetch(t.Context(), c)
			if err != nil || got.Address.String() != want || got.Asset != asset {
				t.Errorf("%+v, %v, want %s", got, err, want)
			}
		}
		fetch("test.connie.mini.alice")
		// The connector moves, and is busy, and is there again.
		n.parent.answer(gives("test.other.m"))
		fetch("test.other.m.alice")
		n.parent.answer(func() ilp.Reply { return &ilp.Reject{Code: ilp.T05RateLimited} })
		fetch("test.other.m.alice")
		if o := get(t, ask(n, prepareTo("test.other.m.alice.x"))); o.fulfill == nil {
			t.Errorf("at the new address: %+v", o)
		}
		if o := get(t, ask(n, prepareTo("test.connie.mini.alice"))); o.reject == nil || o.reject.Code != ilp.F02Unreachable {
			t.Errorf("at the old address: %+v", o)
		}
		n.parent.answer(func() ilp.Reply { return &ilp.Reject{Code: ilp.F00BadRequest, Message: "you are no child"} })
		if _, err := ildcp.Fetch(t.Context(), c); err == nil {
			t.Error("a final no of the connector is not handed on")
		}
	})
}

// No user speaks for the account: peer protocols end here.
func TestPeerProtocolsOfUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{})
		u := n.user(t, "", "token")
		asked := n.parent.asked
		for i, c := range []struct {
			destination string
			change      func(p *ilp.Prepare)
			code        ilp.Code
			message     string
		}{
			{"peer.route.control", nil, ilp.F00BadRequest, "cannot process route control messages from non-peers."},
			{"peer.route.update", nil, ilp.F00BadRequest, "cannot process route control messages from non-peers."},
			{"peer.settle", nil, ilp.F01InvalidPacket, "unknown peer protocol."},
			{"peer.config.x", nil, ilp.F01InvalidPacket, "unknown peer protocol."},
			{"peer.config", func(p *ilp.Prepare) { p.Condition[0]++ }, ilp.F01InvalidPacket, "condition must be peer protocol condition."},
			{"peer.config", func(p *ilp.Prepare) { p.ExpiresAt = time.Now().Add(-time.Second) }, ilp.F00BadRequest, "IL-DCP request packet is expired."},
		} {
			p := prepareTo(c.destination)
			p.Condition, p.Amount = ilp.PeerCondition, 0
			if c.change != nil {
				c.change(p)
			}
			wantReject(t, u.Exchange(uint32(i), p), c.code, c.message)
		}
		if len(n.parent.packets) > 0 || n.parent.asked != asked {
			t.Errorf("the connector got %+v", n.parent.packets)
		}
	})
}

// What is no ILP packet is answered as by the reference, or by F01.
func TestOtherRequestsOfUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{})
		u := n.user(t, "", "token")
		for _, c := range []struct {
			packet btp.Packet
			want   string
		}{
			{btp.Packet{Type: btp.TypeMessage, RequestID: 2}, "invalid packet, no ilp protocol data."},
			{btp.Packet{Type: btp.TypeMessage, RequestID: 3, Entries: []btp.Entry{{Name: "x"}}}, "invalid packet, no ilp protocol data."},
			{btp.Packet{Type: btp.TypeTransfer, RequestID: 4, Amount: 5}, "this link moves no money"},
		} {
			u.Send(c.packet)
			if p := u.Read(); p.Type != btp.TypeError || p.RequestID != c.packet.RequestID || p.Error.Code != btp.F00NotAcceptedError || string(p.Error.Data) != c.want {
				t.Errorf("the answer is %+v, want %q", p, c.want)
			}
		}
		u.Send(btp.Packet{Type: btp.TypeMessage, RequestID: 5, Entries: []btp.Entry{{Name: "ilp", Data: []byte{12, 3, 1}}}})
		if r, ok := u.ReadReply(5).(*ilp.Reject); !ok || r.Code != ilp.F01InvalidPacket || r.TriggeredBy.String() != "test.connie.mini" {
			t.Errorf("the answer to a malformed packet is %+v", r)
		}
		if n.Stats().Malformed != 1 {
			t.Errorf("stats %+v", n.Stats())
		}
	})
}

// Open fails where asking again is no use. Otherwise users are let in when
// the connector has an address.
func TestConnectorWithoutAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := serve(t, newServer(t, miniaccounts.Options{}))
		n.parent.answer(func() ilp.Reply {
			return &ilp.Reject{Code: ilp.F00BadRequest, Message: "Can't generate child address for account that is isn't a child"}
		})
		if err := n.Open(t.Context(), n.parent); err == nil {
			t.Error("opened, without an address")
		} else if _, ok := errors.AsType[*ilp.Reject](err); !ok {
			t.Errorf("the error is %v", err)
		}

		n = serve(t, newServer(t, miniaccounts.Options{}))
		n.parent.answer(func() ilp.Reply { return &ilp.Reject{Code: ilp.T00InternalError} })
		n.open(t)
		if n.Connected() || len(n.parent.states) > 0 {
			t.Error("connected without an address")
		}
		if o := get(t, ask(n, prepareTo("test.connie.mini.x"))); !errors.Is(o.err, plugin.ErrNotConnected) {
			t.Errorf("a packet: %+v", o)
		}
		n.refused(t, "", "token", btp.T00UnreachableError, "the account is not ready")
		n.parent.answer(gives("test.connie.mini"))
		n.user(t, "", "token")
		n.Close()
		if want := []bool{true, false}; !reflect.DeepEqual(n.parent.states, want) {
			t.Errorf("states %v, want %v", n.parent.states, want)
		}
	})
}

// A handler that never answers does not keep Open for ever.
func TestConnectorThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, miniaccounts.Options{})
		if err := srv.Open(t.Context(), silent{newParent()}); err != nil || srv.Connected() {
			t.Errorf("%v, connected %v", err, srv.Connected())
		}
		srv.Close()
	})
}

type silent struct{ *parent }

func (silent) HandlePrepare(context.Context, *ilp.Prepare, plugin.Responder) {}

// A client that is early waits for the server to be opened.
func TestEarlyClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := serve(t, newServer(t, miniaccounts.Options{}))
		u := n.raw(t)
		u.Send(btptest.Auth(1, "", "token"))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		n.open(t)
		if p := u.Read(); p.Type != btp.TypeResponse {
			t.Errorf("the answer is %+v", p)
		}
	})
}

// Close answers what is outstanding, both ways, takes nothing any more, and
// leaves no goroutine behind (the bubble would say so).
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{})
		n.parent.hold()
		u, idle := n.user(t, "", "token"), n.raw(t)
		down := ask(n, prepareTo("test.connie.mini."+nameOf("token")))
		u.ReadPrepare()
		u.SendILP(btp.TypeMessage, 1, prepareTo("test.x"))
		up := get(t, n.parent.held)
		for _, r := range []*btptest.Conn{u, idle} {
			go func() {
				for {
					if _, err := r.TryRead(); err != nil {
						return
					}
				}
			}()
		}
		n.Close()
		n.Close()
		if o := get(t, down); !errors.Is(o.err, net.ErrClosed) || errors.Is(o.err, plugin.ErrNotSent) {
			t.Errorf("outstanding: %+v", o)
		}
		if o := get(t, ask(n, prepareTo("test.connie.mini.x"))); !errors.Is(o.err, net.ErrClosed) || !errors.Is(o.err, plugin.ErrNotSent) {
			t.Errorf("after Close: %+v", o)
		}
		if n.Connected() || !reflect.DeepEqual(n.parent.states, []bool{true, false}) {
			t.Errorf("states %v", n.parent.states)
		}
		if n.InMemory() != 1 {
			t.Errorf("%d users, want the one whose packet is with the connector", n.InMemory())
		}
		up.responder.Reply(context.Background(), fulfill) // late, to nobody
		if n.InMemory() != 0 {
			t.Errorf("%d users are left", n.InMemory())
		}
		if err := n.Open(t.Context(), n.parent); !errors.Is(err, net.ErrClosed) {
			t.Errorf("opened again: %v", err)
		}
	})
}
