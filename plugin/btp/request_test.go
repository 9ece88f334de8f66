package btp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// linked makes a client and its account, connected.
func linked(t *testing.T, h, hc plugin.Handler, o btp.ServerOptions) (*btp.Peer, *btp.Client) {
	t.Helper()
	n := newPipeNetwork(t, o)
	p := n.account(t, "alice", "token", h)
	c := n.client(t, "alice", "token", hc, func(co *btp.ClientOptions) { co.Limits = o.Limits })
	synctest.Wait()
	if !p.Connected() || !c.Connected() || c.State() != btp.StateConnected {
		t.Fatal("not connected: ", c.State())
	}
	return p, c
}

// BTP-10: a Fulfill and a Reject come back as they were given, in either
// direction.
func TestPrepareAndReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reject := &ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: ilp.MustParseAddress("test.far"),
			Message: "nö", Data: bytes.Repeat([]byte{9}, ilp.MaxDataLength)}
		sent := newPrepare(ilp.MaxDataLength)
		answer := func(_ context.Context, p *ilp.Prepare) ilp.Reply {
			if p.Destination != sent.Destination || p.Condition != sent.Condition || !bytes.Equal(p.Data, sent.Data) ||
				!p.ExpiresAt.Equal(sent.ExpiresAt.Truncate(time.Millisecond)) {
				t.Errorf("got another prepare: %+v", p)
			}
			if p.Amount == 1 {
				return reject
			}
			return fulfill
		}
		p, c := linked(t, newRecorder(answer), newRecorder(answer), btp.ServerOptions{})
		for _, side := range []plugin.Plugin{p, c} {
			sent.Amount = 1<<64 - 1
			if o := get(t, ask(side, sent)); o.fulfill == nil || o.fulfill.Fulfillment != fulfillment || string(o.fulfill.Data) != "done" {
				t.Errorf("%T: %+v", side, o)
			}
			sent.Amount = 1
			if o := get(t, ask(side, sent)); o.reject == nil || o.reject.Code != reject.Code || o.reject.TriggeredBy != reject.TriggeredBy ||
				o.reject.Message != reject.Message || !bytes.Equal(o.reject.Data, reject.Data) {
				t.Errorf("%T: %+v", side, o)
			}
		}
	})
}

// BTP-35, BTP-40: an Error says that the packet had no effect. The sender is
// told T01 where it may try again, else F02, and of the text what can be
// printed, up to a bound.
func TestErrorBecomesReject(t *testing.T) {
	for _, test := range []struct {
		e    btp.Error
		code ilp.Code
		want string
	}{
		{btp.Error{Code: "T00", Name: "UnreachableError", Data: []byte("down")}, ilp.T01PeerUnreachable, "T00 UnreachableError: down"},
		{btp.Error{Code: "F00", Name: "NotAcceptedError"}, ilp.F02Unreachable, "F00 NotAcceptedError"},
		{btp.Error{Code: "F08", Name: "InsufficientBalanceError"}, ilp.F02Unreachable, "F08"},
		{btp.Error{Code: "L13", Name: "errorName", Data: []byte("boo")}, ilp.F02Unreachable, "L13 errorName: boo"},
		{btp.Error{Code: "F00", Name: "N", Data: []byte("a\x00b\nc\xffd\u202ee")}, ilp.F02Unreachable, ": a?b?c?d?e"},
		{btp.Error{Code: "F00", Name: strings.Repeat("n", 5000), Data: bytes.Repeat([]byte("é"), 4000)}, ilp.F02Unreachable, "nnn"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newPipeNetwork(t, btp.ServerOptions{})
			p := n.account(t, "alice", "token", newRecorder(fulfiller))
			r := n.authenticated(t, "alice", "token")
			result := ask(p, newPrepare(10))
			test.e.TriggeredAt = time.Now()
			r.Send(btp.Packet{Type: btp.TypeError, RequestID: r.Read().RequestID, Error: test.e})
			o := get(t, result)
			reject, ok := errors.AsType[*ilp.Reject](o.err)
			if !ok || reject.Code != test.code || !reject.TriggeredBy.IsZero() ||
				!strings.Contains(reject.Message, test.want) || len(reject.Message) > 600 {
				t.Errorf("%+v: %+v", test.e, o)
			}
		})
	}
}

// A Response without a valid ILP reply leaves the outcome unknown: it must not
// be sent another way, nor refunded.
func TestResponseWithoutReply(t *testing.T) {
	prepare, err := newPrepare(1).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, entries := range map[string][]btp.Entry{
		"empty":           nil,
		"other protocol":  {{Name: "other", Data: []byte("x")}},
		"no bytes":        {{Name: "ilp"}},
		"garbage":         {{Name: "ilp", Data: []byte("garbage")}},
		"cut":             {{Name: "ilp", Data: []byte{13, 40, 1, 2}}},
		"a prepare":       {{Name: "ilp", Data: prepare}},
		"garbage as text": {{Name: "ilp", ContentType: btp.TextPlain, Data: []byte("garbage")}},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newPipeNetwork(t, btp.ServerOptions{})
			p := n.account(t, "alice", "token", newRecorder(fulfiller))
			r := n.authenticated(t, "alice", "token")
			result := ask(p, newPrepare(10))
			r.Send(btp.Packet{Type: btp.TypeResponse, RequestID: r.Read().RequestID, Entries: entries})
			if o := get(t, result); !errors.Is(o.err, plugin.ErrUnknownOutcome) || errors.Is(o.err, plugin.ErrNotSent) {
				t.Errorf("%s: %+v", name, o)
			}
			if !p.Connected() {
				t.Errorf("%s: the socket has ended", name)
			}
		})
	}
}

// An ILP reply is found behind other entries, and with another content type.
func TestReplyAmongOtherEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		h := newRecorder(fulfiller)
		p := n.account(t, "alice", "token", h)
		r := n.authenticated(t, "alice", "token")
		result := ask(p, newPrepare(10))
		reply, err := fulfill.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Send(btp.Packet{Type: btp.TypeResponse, RequestID: r.Read().RequestID, Entries: []btp.Entry{
			{Name: "claim", Data: []byte("x")}, {Name: "ilp", ContentType: btp.TextPlain, Data: reply}}})
		if o := get(t, result); o.fulfill == nil {
			t.Errorf("%+v", o)
		}
		prepare, err := newPrepare(1).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Send(btp.Packet{Type: btp.TypeMessage, RequestID: 5, Entries: []btp.Entry{
			{Name: "claim", Data: []byte("x")}, {Name: "ilp", Data: prepare}}})
		if a := r.Read(); a.Type != btp.TypeResponse || a.RequestID != 5 || !bytes.Equal(a.Entries[0].Data, reply) {
			t.Errorf("answer %+v", a)
		}
	})
}

// What cannot be sent at all is known not to be sent.
func TestNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := linked(t, newRecorder(fulfiller), newRecorder(fulfiller), btp.ServerOptions{})
		for name, prepare := range map[string]*ilp.Prepare{
			"no destination": {Amount: 1, ExpiresAt: time.Now()},
			"too much data":  newPrepare(ilp.MaxDataLength + 1),
			"no expiry":      {Destination: ilp.MustParseAddress("test.a")},
		} {
			for _, side := range []plugin.Plugin{p, c} {
				if o := get(t, ask(side, prepare)); !errors.Is(o.err, plugin.ErrNotSent) || !errors.Is(o.err, ilp.ErrInvalidPacket) {
					t.Errorf("%s: %+v", name, o)
				}
			}
		}
		if s := c.Stats(); s.Outstanding != 0 {
			t.Errorf("%+v", s)
		}
		if o := get(t, ask(c, newPrepare(1))); o.fulfill == nil {
			t.Errorf("a valid packet behind them: %+v", o)
		}
	})
}

// Bytes that are no Prepare go to HandleMalformed, which answers them.
func TestMalformedPrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		n.account(t, "alice", "token", newRecorder(fulfiller))
		r := n.authenticated(t, "alice", "token")
		for i, data := range [][]byte{nil, []byte("garbage"), {12, 5, 1, 2}, {13, 33}} {
			r.Send(btp.Packet{Type: btp.TypeMessage, RequestID: uint32(i), Entries: []btp.Entry{{Name: "ilp", Data: data}}})
			a := r.Read()
			var reject ilp.Reject
			if a.Type != btp.TypeResponse || a.RequestID != uint32(i) {
				t.Fatalf("answer %+v", a)
			}
			if err := reject.Decode(a.Entries[0].Data); err != nil || reject.Code != ilp.F01InvalidPacket {
				t.Fatalf("%x: %v, error %v", data, reject, err)
			}
		}
	})
}

// The counterparty's requests may have any ids, the same ones again included:
// each gets its answer.
func TestRequestIDsOfTheCounterparty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		h := newHolder()
		n.account(t, "alice", "token", h)
		r := n.authenticated(t, "alice", "token")
		var open []held
		for _, id := range []uint32{0, 1<<32 - 1, 7, 7} {
			r.SendILP(btp.TypeMessage, id, newPrepare(1))
			open = append(open, get(t, h.held))
		}
		for i, o := range open {
			o.responder.Reply(context.Background(), ilp.Rejectf(ilp.F99ApplicationError, "%d", i))
			a := r.Read()
			var reject ilp.Reject
			if err := reject.Decode(a.Entries[0].Data); err != nil || reject.Message != fmt.Sprint(i) ||
				a.RequestID != []uint32{0, 1<<32 - 1, 7, 7}[i] {
				t.Errorf("answer %d: %+v %v %v", i, a, reject, err)
			}
		}
	})
}

// BTP-30: a request is answered once, however often its responder is used.
func TestSecondAnswerIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		h := newHolder()
		p := n.account(t, "alice", "token", h)
		r := n.authenticated(t, "alice", "token")
		r.SendILP(btp.TypeMessage, 1, newPrepare(1))
		first := get(t, h.held)
		first.responder.Reply(context.Background(), fulfill)
		first.responder.Reply(context.Background(), fulfill)
		first.responder.Fail(context.Background(), plugin.ErrNotSent)
		r.SendILP(btp.TypeMessage, 2, newPrepare(1)) // takes the place of the first
		second := get(t, h.held)
		first.responder.Reply(context.Background(), fulfill)
		second.responder.Reply(context.Background(), fulfill)
		for _, want := range []uint32{1, 2} {
			if a := r.Read(); a.RequestID != want || a.Type != btp.TypeResponse {
				t.Errorf("answer %+v, want one to %d", a, want)
			}
		}
		p.Close()
		if rest, _ := r.ReadUntilEnd(); len(rest) != 0 {
			t.Errorf("there are further answers: %+v", rest)
		}
		if s := p.Stats(); s.RepeatedReplies != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// What a handler fails with is answered with an Error that tells nothing of
// the inside, and whether it may be tried again.
func TestFailedRequests(t *testing.T) {
	for _, test := range []struct {
		err  error
		code btp.Code // "": a Reject comes
	}{
		{plugin.ErrNotConnected, btp.T00UnreachableError},
		{fmt.Errorf("db01 is down: %w", plugin.ErrBusy), btp.T00UnreachableError},
		{plugin.ErrUnknownOutcome, btp.F00NotAcceptedError},
		{errors.New("db01 is down"), btp.F00NotAcceptedError},
		{nil, btp.F00NotAcceptedError},
		{btp.Errorf(btp.F08InsufficientBalanceError, "poor"), btp.F08InsufficientBalanceError},
		{fmt.Errorf("wrapped: %w", ilp.Rejectf(ilp.T04InsufficientLiquidity, "poor")), ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newPipeNetwork(t, btp.ServerOptions{})
			h := newHolder()
			n.account(t, "alice", "token", h)
			r := n.authenticated(t, "alice", "token")
			r.SendILP(btp.TypeMessage, 77, newPrepare(1))
			get(t, h.held).responder.Fail(context.Background(), test.err)
			a := r.Read()
			var reject ilp.Reject
			switch {
			case a.RequestID != 77 || strings.Contains(string(a.Error.Data), "db01"):
				t.Errorf("%v: %+v", test.err, a)
			case test.code == "" && (a.Type != btp.TypeResponse || reject.Decode(a.Entries[0].Data) != nil || reject.Message != "poor"):
				t.Errorf("%v: %+v", test.err, a)
			case test.code != "" && (a.Type != btp.TypeError || a.Error.Code != test.code):
				t.Errorf("%v: %+v", test.err, a)
			}
		})
	}
}

// A reply that makes no packet is not sent, and harms nothing else.
func TestReplyThatCannotBeEncoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		h := newHolder()
		p := n.account(t, "alice", "token", h)
		r := n.authenticated(t, "alice", "token")
		for id := range uint32(2) {
			r.SendILP(btp.TypeMessage, id, newPrepare(1))
		}
		get(t, h.held).responder.Reply(context.Background(), &ilp.Fulfill{Data: make([]byte, ilp.MaxDataLength+1)})
		get(t, h.held).responder.Reply(context.Background(), fulfill)
		if a := r.Read(); a.RequestID != 0 || a.Type != btp.TypeError {
			t.Errorf("answer %+v", a)
		}
		if a := r.Read(); a.RequestID != 1 || a.Type != btp.TypeResponse {
			t.Errorf("answer %+v", a)
		}
		if s := p.Stats(); s.Unanswered != 0 {
			t.Errorf("%+v", s)
		}
	})
}
