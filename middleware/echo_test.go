package middleware_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

const echoPrefix = "ECHOECHOECHOECHO"

// echo sends data to the connector's own address.
func echo(t *testing.T, data []byte) middlewaretest.Outcome {
	t.Helper()
	p := prepare(10)
	p.Destination, p.Data = ilp.MustParseAddress("test.connie"), data
	return sendPrepare(t, attach(t, newHost(), child(), middleware.Echo()), incoming, p, fulfill1())
}

// wantEcho fails the test unless the packet went on to address as a response.
func wantEcho(t *testing.T, out middlewaretest.Outcome, address string) {
	t.Helper()
	if out.Sent == nil {
		t.Fatalf("the packet was answered %v, want it sent on", out.Reply)
	}
	if got := out.Sent.Destination.String(); got != address {
		t.Errorf("the response goes to %q, want %q", got, address)
	}
	if want := echoPrefix + "\x01"; string(out.Sent.Data) != want {
		t.Errorf("the response has the data %q, want %q", out.Sent.Data, want)
	}
	want := prepare(10)
	if out.Sent.Amount != want.Amount || out.Sent.Condition != want.Condition || !out.Sent.ExpiresAt.Equal(want.ExpiresAt) {
		t.Errorf("the response is %+v, want amount, condition and expiry of the request", out.Sent)
	}
	if _, err := out.Sent.AppendBinary(nil); err != nil {
		t.Errorf("the response cannot be encoded: %v", err)
	}
	wantFulfill(t, out)
}

// The vectors of the ping draft (PING-02, PING-05).
func TestEchoVectors(t *testing.T) {
	file, err := os.ReadFile("testdata/ping.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		EchoData []struct {
			ID, Kind, Hex string
			Address       vectorAddress
		} `json:"echo_data"`
		EchoMalformed []struct{ ID, Name, Hex, Expect string } `json:"echo_malformed"`
	}
	if err := json.Unmarshal(file, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.EchoData) == 0 || len(vectors.EchoMalformed) == 0 {
		t.Fatal("the file has no vectors")
	}
	for _, v := range vectors.EchoData {
		t.Run(v.ID, func(t *testing.T) {
			out := echo(t, fromHex(t, v.Hex))
			if v.Kind == "response" { // answers no question of ours
				wantReject(t, out, ilp.F01InvalidPacket, "unexpected ping response.")
				return
			}
			wantEcho(t, out, string(v.Address))
		})
	}
	for _, v := range vectors.EchoMalformed {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			out := echo(t, fromHex(t, v.Hex))
			switch v.Expect {
			case "accept":
				wantEcho(t, out, "example.initiator")
			case "F01", "not an echo packet": // to our own address nothing else may come
				if r, ok := out.Reply.(*ilp.Reject); !ok || r.Code != ilp.F01InvalidPacket || out.Sent != nil {
					t.Errorf("the answer is %v, want F01", out.Reply)
				}
			default:
				t.Errorf("the vector expects %q, which this test does not know", v.Expect)
			}
		})
	}
}

// vectorAddress is an address, or what a long one is made of.
type vectorAddress string

func (a *vectorAddress) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, (*string)(a))
	}
	var long struct {
		Fill, Prefix string
		Len          int
	}
	if err := json.Unmarshal(b, &long); err != nil {
		return err
	}
	*a = vectorAddress(long.Prefix + strings.Repeat(long.Fill, long.Len-len(long.Prefix)))
	return nil
}

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Reference test 32.
func TestEchoSendsResponseToSource(t *testing.T) {
	wantEcho(t, echo(t, []byte(echoPrefix+"\x00\x0atest.test1")), "test.test1")
}

// Where the reference has a message, clients may match on it.
func TestEchoMessages(t *testing.T) {
	for data, message := range map[string]string{
		"":                                  "packet data too short for echo request. length=0",
		echoPrefix:                          "packet data too short for echo request. length=16",
		"ECHOECHOECHOECH?\x00":              "packet data does not start with ECHO prefix.",
		echoPrefix + "\x01":                 "unexpected ping response.",
		echoPrefix + "\xff\x0atest.bob":     "unexpected ping response.",
		echoPrefix + "\x00":                 "echo request has no source address.",
		echoPrefix + "\x00\x81\x08test.bob": "echo request has no source address.", // not canonical
		echoPrefix + "\x00\x84\x7f\xff\xff\xffg.bob": "echo request has no source address.",
		echoPrefix + "\x00\x04test":                  "echo request has no usable source address.",
	} {
		wantReject(t, echo(t, []byte(data)), ilp.F01InvalidPacket, message)
	}
}

// ADDR-08: nobody may have us send a packet in our own name to the next hop
// itself.
func TestEchoRefusesPeerAddress(t *testing.T) {
	for _, address := range []string{"peer.config", "peer.route.control", "peer.x"} {
		data := append([]byte(echoPrefix+"\x00"), byte(len(address)))
		wantReject(t, echo(t, append(data, address...)), ilp.F01InvalidPacket, "echo request has no usable source address.")
	}
}

// Only a packet to exactly our address is for us.
func TestEchoLetsOtherPacketsPass(t *testing.T) {
	request := []byte(echoPrefix + "\x00\x08test.bob")
	for _, destination := range []string{"test.connie.child", "test.conni", "test.Connie", "test.bob"} {
		p := prepare(10)
		p.Destination, p.Data = ilp.MustParseAddress(destination), request
		out := sendPrepare(t, attach(t, newHost(), child(), middleware.Echo()), incoming, p, fulfill1())
		if out.Sent == nil || out.Sent.Destination != p.Destination || !bytes.Equal(out.Sent.Data, request) {
			t.Errorf("%s: sent %+v, want the packet as it came", destination, out.Sent)
		}
	}
	p := prepare(10)
	p.Destination, p.Data = ilp.MustParseAddress("test.connie"), request
	out := sendPrepare(t, attach(t, newHost(), child(), middleware.Echo()), outgoing, p, fulfill1())
	if out.Sent == nil || out.Sent.Destination != p.Destination {
		t.Errorf("an outgoing packet became %+v", out.Sent)
	}
}

// The bytes of a decoded request stay as they are, and the response shares
// none of them (what a response points to may be kept).
func TestEchoOfDecodedPacket(t *testing.T) {
	p := prepare(10)
	p.Destination, p.Data = ilp.MustParseAddress("test.connie"), []byte(echoPrefix+"\x00\x08test.bob")
	wire, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	kept := bytes.Clone(wire)
	var decoded ilp.Prepare
	if err := decoded.Decode(wire); err != nil {
		t.Fatal(err)
	}
	c := attach(t, newHost(), child(), middleware.Echo())
	out := sendPrepare(t, c, incoming, decoded, fulfill1())
	wantEcho(t, out, "test.bob")
	if !bytes.Equal(wire, kept) {
		t.Error("the request was written over")
	}
	clear(wire)
	if got := out.Sent.Destination.String(); got != "test.bob" {
		t.Errorf("the response now goes to %q: it shares the request's bytes", got)
	}
	// The data is the same for all responses: an append must not reach it.
	_ = append(out.Sent.Data, 'X')
	again := sendPrepare(t, c, incoming, func() ilp.Prepare {
		p := prepare(10)
		p.Destination, p.Data = ilp.MustParseAddress("test.connie"), []byte(echoPrefix+"\x00\x08test.bob")
		return p
	}(), fulfill1())
	if cap(again.Sent.Data) != len(again.Sent.Data) {
		t.Errorf("the shared data has room for %d bytes behind it", cap(again.Sent.Data)-len(again.Sent.Data))
	}
}

// The source of a request may be ourselves: the response is an ordinary
// packet to our address then, which the core has no route for. It does not
// come back to the echo.
func TestEchoToOurselvesEndsAtTheCore(t *testing.T) {
	wantEcho(t, echo(t, []byte(echoPrefix+"\x00\x0btest.connie")), "test.connie")
}
