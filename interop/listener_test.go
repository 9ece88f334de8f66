package interop_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/inproc"
)

const secret = "secret of the listener"

// startListener starts a peer that is dialled, on a port or, for 0, any, and
// returns the port.
func startListener(t *testing.T, id string, port int) (*peer, int) {
	t.Helper()
	p := startPeer(t, id, pluginOptions{Listener: &listener{Port: port, Secret: secret}})
	port, err := p.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p, port
}

// childAt is an account whose counterparty listens on a port.
func childAt(id string, port int) connector.Account {
	a := child(id)
	a.Plugin = btp.NewClient(dialOptions(port, secret))
	return a
}

func dialOptions(port int, token string) btp.ClientOptions {
	return endpoint{loopback(port), "connie", token}.client()
}

// loopback is the address of a port of the loopback interface.
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// childInside is an account of this program, which holds the other end.
func childInside(id string) (connector.Account, *inproc.End) {
	ours, theirs := inproc.Pipe()
	a := child(id)
	a.Plugin = theirs
	return a, ours
}

// A listener of ilp-plugin-btp, which our client dials, pays a client of
// ilp-plugin-btp, which dials our server, and is paid by it.
func TestStreamPaymentsWithListener(t *testing.T) {
	bob, port := startListener(t, "bob", 0)
	n := startNetwork(t, networkOptions{Accounts: []connector.Account{child("alice"), childAt("bob", port)}})
	n.await("bob", true)
	alice := n.dial("alice")

	receive(t, alice, bob)
	pay(t, alice, bob, 1_000_000, 1_000_000)
	pay(t, bob, alice, 300_000, 300_000)
	pay(t, alice, bob, 1, 1)
	checkReceived(t, bob, 1_000_001)
	checkReceived(t, alice, 300_000)
}

// oddAmount is the first that a number of JavaScript cannot hold.
const oddAmount = 1<<53 + 1

var (
	fulfillment = ilp.Fulfillment([]byte("a preimage that both sides know."))
	condition   = fulfillment.Condition()
)

// Bare packets go to a listener of ilp-plugin-btp and come back with what it
// answers, byte for byte.
func TestPacketsToListener(t *testing.T) {
	bob, port := startListener(t, "bob", 0)
	wallet, app := childInside("wallet")
	n := startNetwork(t, networkOptions{Accounts: []connector.Account{childAt("bob", port), wallet}})
	n.await("bob", true)

	sent := ilp.Prepare{
		Amount:      oddAmount,
		ExpiresAt:   time.Now().Add(20 * time.Second).UTC().Truncate(time.Millisecond),
		Condition:   condition,
		Destination: ilp.MustParseAddress("test.connie.bob.some~where"),
		Data:        bytes.Repeat([]byte{0, 0xff}, ilp.MaxDataLength/2),
	}
	var want []ilp.Prepare
	other := fulfillment
	other[0]++

	fulfill := &ilp.Fulfill{Fulfillment: fulfillment, Data: []byte{1, 2, 3}}
	reject := &ilp.Reject{
		Code: ilp.F99ApplicationError, TriggeredBy: ilp.MustParseAddress("test.connie.bob"),
		Message: "not today — perhaps tomorrow", Data: bytes.Repeat([]byte{7}, ilp.MaxDataLength),
	}
	for _, test := range []struct {
		name         string
		answer, want ilp.Reply
	}{
		{"fulfill", fulfill, fulfill},
		{"reject", reject, reject}, // ILP4-53
		{"wrong fulfillment", &ilp.Fulfill{Fulfillment: other}, ours(ilp.F05WrongCondition)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := bob.answer(t.Context(), test.answer); err != nil {
				t.Fatal(err)
			}
			sent := sent
			sent.Data = distinct(sent.Data)
			relayed := sent
			relayed.ExpiresAt = sent.ExpiresAt.Add(-connector.DefaultMinMessageWindow)
			want = append(want, relayed)
			checkReply(t, sendFrom(t, app, &sent), test.want)
		})
	}
	taken, err := bob.taken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(taken, want) {
		t.Errorf("the listener took %s, want %s", brief(taken), brief(want))
	}

	t.Run("BTP error", func(t *testing.T) {
		if err := bob.fail(t.Context(), "out of order"); err != nil {
			t.Fatal(err)
		}
		sent.Data = distinct(sent.Data)
		checkReply(t, sendFrom(t, app, &sent), ours(ilp.F02Unreachable))
	})
}

var packets atomic.Uint64

// distinct gives data with a beginning that no other packet has, so that none
// is taken for a duplicate.
func distinct(data []byte) []byte {
	data = bytes.Clone(data)
	binary.BigEndian.PutUint64(data, packets.Add(1))
	return data
}

// ours is a reject by the connector.
func ours(code ilp.Code) *ilp.Reject {
	return &ilp.Reject{Code: code, TriggeredBy: ilp.MustParseAddress("test.connie")}
}

// A listener of ilp-plugin-btp sends bare packets, and gets what we answer.
func TestPacketsFromListener(t *testing.T) {
	bob, port := startListener(t, "bob", 0)
	wallet, app := childInside("wallet")
	n := startNetwork(t, networkOptions{Accounts: []connector.Account{childAt("bob", port), wallet}})
	n.await("bob", true)

	fulfill := &ilp.Fulfill{Fulfillment: fulfillment, Data: []byte("thanks")}
	reject := &ilp.Reject{Code: "F42", TriggeredBy: ilp.MustParseAddress("test.connie.wallet"), Message: "odd amount"}
	err := app.Handle(func(_ context.Context, p *ilp.Prepare) ilp.Reply {
		if p.Amount%2 == 1 {
			return reject
		}
		return fulfill
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name        string
		amount      uint64
		destination string
		want        ilp.Reply
	}{
		{"fulfill", oddAmount - 1, "test.connie.wallet.x", fulfill},
		{"reject", oddAmount, "test.connie.wallet.x", reject},
		{"no route", 2, "test.connie.nobody", ours(ilp.F02Unreachable)},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := bob.send(t.Context(), &ilp.Prepare{
				Amount:      test.amount,
				ExpiresAt:   time.Now().Add(20 * time.Second).UTC(),
				Condition:   condition,
				Destination: ilp.MustParseAddress(test.destination),
			})
			if err != nil {
				t.Fatal(err)
			}
			checkReply(t, got, test.want)
		})
	}
}

// sendFrom sends a packet and returns the reply, whichever it is.
func sendFrom(t *testing.T, app *inproc.End, p *ilp.Prepare) ilp.Reply {
	t.Helper()
	fulfill, err := app.Send(t.Context(), p)
	if err == nil {
		return fulfill
	}
	reject, ok := errors.AsType[*ilp.Reject](err)
	if !ok {
		t.Fatal(err)
	}
	return reject
}

// checkReply compares replies. Of a reject for which no message is wanted,
// which is one of ours, the message may be any and there is no data.
func checkReply(t *testing.T, got, want ilp.Reply) {
	t.Helper()
	g, w := newReply(got), newReply(want)
	if w.Fulfillment == nil && w.Message == "" {
		g.Message = ""
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("the reply is %s, want %s", brief(g), brief(w))
	}
}

// brief is what is printed of v, without the whole of its data.
func brief(v any) string {
	const most = 500
	text := fmt.Sprintf("%+v", v)
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}
