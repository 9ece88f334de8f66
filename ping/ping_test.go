package ping_test

import (
	"bytes"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ping"
)

// PING-01: the condition that every node knows.
func TestCondition(t *testing.T) {
	const want = "8c00bc0c614f64f7e1e00b59a57baf5c57b6a119a90d54af489836a13f9bc77e"
	if got := ping.Condition.String(); got != want {
		t.Errorf("the condition is %s, want %s", got, want)
	}
	if string(ping.Fulfillment[:]) != "pingpingpingpingpingpingpingping" {
		t.Errorf("the fulfillment is %q", ping.Fulfillment)
	}
}

// PING-02: what is asked for is understood. The vectors of the draft are
// tested with the middleware that answers.
func TestEcho(t *testing.T) {
	for _, address := range []string{"test.alice.~ping.1", "g.a"} {
		request := ping.EchoRequest(ilp.MustParseAddress(address))
		from, err := ping.ParseEchoRequest(request)
		if err != nil || from.String() != address {
			t.Errorf("ParseEchoRequest = %s, %v, want %s", from, err, address)
		}
		if ping.IsEchoResponse(request) {
			t.Error("a request is taken for a response")
		}
		for n := range request {
			if from, err := ping.ParseEchoRequest(request[:n]); err == nil {
				t.Errorf("the first %d bytes of a request ask for an echo to %s", n, from)
			}
		}
	}
	response := ping.EchoResponse()
	if !ping.IsEchoResponse(response) || !ping.IsEchoResponse(append(bytes.Clone(response), 1)) || ping.IsEchoResponse(response[:16]) {
		t.Error("a response is not told from what is none")
	}
	if _, err := ping.ParseEchoRequest(response); err == nil {
		t.Error("a response is taken for a request")
	}
}

func TestDelivered(t *testing.T) {
	for _, amount := range []uint64{0, 1, 1<<64 - 1} {
		if got, ok := ping.ParseDelivered(ping.Delivered(amount)); !ok || got != amount {
			t.Errorf("ParseDelivered = %d, %t, want %d", got, ok, amount)
		}
	}
	for _, data := range []string{"", "PONG", "PONG1234567", "PONG123456789", "pong12345678"} {
		if amount, ok := ping.ParseDelivered([]byte(data)); ok {
			t.Errorf("%q says that %d was delivered", data, amount)
		}
	}
}

func FuzzParseEchoRequest(f *testing.F) {
	f.Add(ping.EchoRequest(ilp.MustParseAddress("test.alice")))
	f.Add(ping.EchoResponse())
	f.Add([]byte("ECHOECHOECHOECHO\x00\x81\x01a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		from, err := ping.ParseEchoRequest(data)
		if err != nil {
			return
		}
		if again, err := ping.ParseEchoRequest(ping.EchoRequest(from)); err != nil || again != from {
			t.Errorf("%s is read as %s, %v", from, again, err)
		}
	})
}
