package interop_test

import (
	"testing"

	"github.com/interledger-go/connector"
)

func TestStreamPaymentAtParity(t *testing.T) {
	n := startNetwork(t, networkOptions{Accounts: []connector.Account{child("alice"), child("bob")}})
	alice, bob := n.dial("alice"), n.dial("bob")
	for p, want := range map[*peer]configuration{
		alice: {Address: "test.connie.alice", AssetCode: "USD", AssetScale: 9},
		bob:   {Address: "test.connie.bob", AssetCode: "USD", AssetScale: 9},
	} {
		got, err := p.configure(t.Context())
		if err != nil || got != want {
			t.Fatalf("ILDCP gave %s %+v, %v; want %+v", p.name, got, err, want)
		}
	}
	receive(t, bob)
	pay(t, alice, bob, 1_000_000, 1_000_000)
	checkReceived(t, bob, 1_000_000)
}

// With a spread of 1 %, and packets that do not divide by 100, every packet
// loses its own fraction of a unit. The total is what remains of each, and
// not of the whole.
func TestStreamPaymentWithSpread(t *testing.T) {
	const amount, largestPacket = 1_000_000, 70_007
	payer := child("alice")
	payer.MaxPacketAmount = largestPacket
	n := startNetwork(t, networkOptions{Spread: "0.01", Accounts: []connector.Account{payer, child("bob")}})
	alice, bob := n.dial("alice"), n.dial("bob")

	receive(t, bob)
	paid := transfer(t, alice, bob, amount)
	var sent, delivered uint64
	var packets int
	for _, x := range n.recorder.from("alice") {
		if want := x.SourceAmount * 99 / 100; x.DestinationAmount != want {
			t.Errorf("a packet of %d was sent on with %d, want %d", x.SourceAmount, x.DestinationAmount, want)
		}
		if x.SourceAmount > largestPacket {
			t.Errorf("a packet of %d was sent on, the limit is %d", x.SourceAmount, largestPacket)
		}
		if x.Fulfilled && x.SourceAmount > 0 {
			packets++
			sent += x.SourceAmount
			delivered += x.DestinationAmount
		}
	}
	// No packet was smaller than it had to be: the payer has read the limit
	// from the data of the reject that a larger one got (ILP4-52).
	if want := (amount + largestPacket - 1) / largestPacket; packets != want {
		t.Errorf("%d packets were fulfilled, want %d", packets, want)
	}
	if sent != amount {
		t.Errorf("fulfilled packets took %d from the payer, want %d", sent, amount)
	}
	if want := (payment{Sent: amount, Delivered: delivered}); paid != want {
		t.Errorf("the payer counts %+v, want %+v", paid, want)
	}
	checkReceived(t, bob, delivered)
}

// Amounts are converted between the scales of the accounts: exactly where
// the destination has the finer one, rounded down where it has not.
func TestStreamPaymentBetweenAssetScales(t *testing.T) {
	for name, test := range map[string]struct {
		from, to     uint8
		amount, want uint64
	}{
		"6 to 9":  {6, 9, 1_234_567, 1_234_567_000},
		"9 to 6":  {9, 6, 1_234_567_890, 1_234_567},
		"0 to 18": {0, 18, 7, 7_000_000_000_000_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			n := startNetwork(t, networkOptions{Accounts: []connector.Account{
				childWithScale("alice", test.from), childWithScale("bob", test.to),
			}})
			alice, bob := n.dial("alice"), n.dial("bob")
			receive(t, bob)
			pay(t, alice, bob, test.amount, test.want)
			checkReceived(t, bob, test.want)
		})
	}
}

// receive has peers receive by STREAM.
func receive(t *testing.T, peers ...*peer) {
	t.Helper()
	for _, p := range peers {
		if err := p.receive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// transfer pays amount, in units of from.
func transfer(t *testing.T, from, to *peer, amount uint64) payment {
	t.Helper()
	invitation, err := to.invite(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	paid, err := from.pay(t.Context(), invitation, amount)
	if err != nil {
		t.Fatal(err)
	}
	return paid
}

// pay pays amount, in units of from, and checks that want is what arrived, in
// units of to.
func pay(t *testing.T, from, to *peer, amount, want uint64) {
	t.Helper()
	if got, want := transfer(t, from, to, amount), (payment{Sent: amount, Delivered: want}); got != want {
		t.Fatalf("%s paid %s %+v, want %+v", from.name, to.name, got, want)
	}
}

// checkReceived checks what the STREAM server of p has taken.
func checkReceived(t *testing.T, p *peer, want uint64) {
	t.Helper()
	got, err := p.received(t.Context())
	if err != nil || got != want {
		t.Fatalf("%s received %d, %v; want %d", p.name, got, err, want)
	}
}
