package interop_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/miniaccounts"
)

// payEachOther has each of the peers pay each other one by STREAM.
func payEachOther(t *testing.T, peers ...*peer) {
	t.Helper()
	receive(t, peers...)
	received := make(map[*peer]uint64)
	for i, from := range peers {
		for k, to := range peers {
			if from == to {
				continue
			}
			amount := uint64(100_000*(i+1) + k)
			pay(t, from, to, amount, amount)
			received[to] += amount
		}
	}
	for p, amount := range received {
		checkReceived(t, p, amount)
	}
}

// STREAM payments come by each kind of link and leave by each other one: BTP
// that is dialled and that dials, a user of miniaccounts, HTTP, and a second
// connector in the same process with a BTP client behind it.
func TestStreamPaymentsBetweenKindsOfLinks(t *testing.T) {
	listener, port := startListener(t, "listener", 0)
	overHTTP, httpAccount := httpPeer(t, startHTTPServer(t), "http", true)
	mini, err := miniaccounts.NewServer(miniaccounts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	users := child("mini")
	users.Plugin = mini
	web := httptest.NewServer(mini)
	t.Cleanup(web.Close)
	inside, outside := inproc.Pipe()
	below := child("below")
	below.Plugin = inside
	n := startNetwork(t, networkOptions{Accounts: []connector.Account{child("dialler"), childAt("listener", port), httpAccount, users, below}})
	parent := child("parent")
	parent.Relation, parent.Plugin = connector.Parent, outside
	second := startNetwork(t, networkOptions{InheritFrom: "parent", Accounts: []connector.Account{parent, child("behind")}})

	n.await("listener", true)
	dialler := n.dial("dialler")
	user := dialMini(t, strings.TrimPrefix(web.URL, "http://"), "", "token")
	behind := second.dial("behind")
	eventually(t, func() error {
		got, err := behind.configure(t.Context())
		if want := "test.connie.below.behind"; err == nil && got.Address != want {
			err = fmt.Errorf("its address is %s, want %s", got.Address, want)
		}
		return err
	})
	payEachOther(t, dialler, listener, overHTTP, user, behind)
}

// The same through the program, by its configuration.
func TestStreamPaymentsBetweenKindsOfLinksOfTheProgram(t *testing.T) {
	command := []string{buildProgram(t)}
	httpPort, miniPort := freePort(t), freePort(t)
	listener, listenerPort := startListener(t, "listener", 0)
	overHTTP := startPeer(t, "http", pluginOptions{HTTP: &httpOptions{
		Incoming: httpIncoming{StaticToken: outgoingSecret("http")},
		Outgoing: httpOutgoing{URL: "http://" + loopback(httpPort) + "/", StaticToken: incomingSecret("http")},
	}})
	theirPort, err := overHTTP.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, nodeOptions{Name: "program", Command: command, Address: "test.program"}, []end{
		{account: "dialler", relation: connector.Child},
		{account: "listener", relation: connector.Child, dials: &endpoint{addr: loopback(listenerPort), token: url.PathEscape(secret)}},
		{account: "http", relation: connector.Child, record: map[string]any{"plugin": "http", "options": map[string]any{
			"incoming": map[string]any{"host": "127.0.0.1", "port": httpPort, "staticToken": incomingSecret("http")},
			"outgoing": map[string]any{"url": fmt.Sprintf("http://127.0.0.1:%d/", theirPort), "staticToken": outgoingSecret("http")},
		}}},
		{account: "mini", relation: connector.Child, record: map[string]any{"plugin": "mini-accounts", "options": map[string]any{
			"host": "127.0.0.1", "port": miniPort,
		}}},
	})
	dialler := startPeer(t, "dialler", pluginOptions{Server: p.endpoint("dialler").url()})
	if err := dialler.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	user := dialMini(t, loopback(miniPort), "alice", "token")
	other := dialMini(t, loopback(miniPort), "", "another token")
	eventually(t, func() error {
		s, err := p.state()
		if err == nil && !s.Connected["listener"] {
			err = fmt.Errorf("not connected to the listener")
		}
		return err
	})
	payEachOther(t, dialler, listener, overHTTP, user, other)
	p.terminate()
	p.checkEnd()
}
