package interop_test

import (
	"testing"

	"github.com/interledger-go/connector"
)

// A connector that stops and comes back finds its peers again, without any
// help, and they pay one another as before.
func TestConnectorRestarts(t *testing.T) {
	options := networkOptions{Accounts: []connector.Account{child("alice"), child("bob")}}
	n := startNetwork(t, options)
	alice, bob := n.dial("alice"), n.dial("bob")
	receive(t, bob)
	pay(t, alice, bob, 1_000_000, 1_000_000)
	awaitEvent(t, "connect", alice, bob)

	n.stop()
	awaitEvent(t, "disconnect", alice, bob)
	options.Listen = n.addr
	n = startNetwork(t, options)
	awaitEvent(t, "connect", alice, bob)

	pay(t, alice, bob, 1_000_000, 1_000_000)
	checkReceived(t, bob, 2_000_000)
	if len(n.recorder.from("alice")) == 0 {
		t.Error("the second payment did not go through the connector that was started last")
	}
}

// A listener that crashes and comes back is dialled again.
func TestListenerRestarts(t *testing.T) {
	bob, port := startListener(t, "bob", 0)
	n := startNetwork(t, networkOptions{Accounts: []connector.Account{child("alice"), childAt("bob", port)}})
	n.await("bob", true)
	alice := n.dial("alice")
	receive(t, bob)
	pay(t, alice, bob, 1_000_000, 1_000_000)

	bob.stop()
	n.await("bob", false)
	bob, _ = startListener(t, "bob", port)
	n.await("bob", true)

	receive(t, bob)
	pay(t, alice, bob, 500_000, 500_000)
	checkReceived(t, bob, 500_000)
}

func awaitEvent(t *testing.T, name string, peers ...*peer) {
	t.Helper()
	for _, p := range peers {
		if _, err := p.await(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}
