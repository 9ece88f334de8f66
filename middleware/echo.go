package middleware

import (
	"bytes"
	"context"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/oer"
)

// Echo answers the bidirectional ping (PING-02): a packet to the connector's
// own address whose data asks for it is sent on to the address in its data,
// under the same condition, and whoever is there fulfils it. The packet that
// goes out is an ordinary one, with rates and limits as any other.
//
// Its name is "echo".
func Echo() Middleware { return echo{} }

type echo struct{}

// The data of an echo packet: the prefix, its type and, in a request, the
// address to send the response to.
const (
	echoPrefix   = "ECHOECHOECHOECHO"
	echoRequest  = 0
	echoResponse = 1
)

// echoResponseData is the data of every response. It is never changed.
var echoResponseData = []byte(echoPrefix + string(rune(echoResponse)))

func (echo) Name() string { return "echo" }

func (echo) Attach(host Host, _ *account.Account) (Stages, error) {
	return Stages{Incoming: PrepareFunc(func(_ context.Context, p *Packet) ilp.Reply {
		if p.Prepare.Destination != host.Address() {
			return nil
		}
		source, reject := parseEcho(p.Prepare.Data)
		if reject != nil {
			return reject
		}
		p.Prepare = ilp.Prepare{
			Amount:      p.Prepare.Amount,
			ExpiresAt:   p.Prepare.ExpiresAt,
			Condition:   p.Prepare.Condition,
			Destination: source,
			Data:        echoResponseData,
		}
		return nil
	})}, nil
}

// parseEcho gives the address that an echo request wants its response at.
func parseEcho(data []byte) (ilp.Address, *ilp.Reject) {
	if len(data) < len(echoPrefix)+1 {
		return ilp.Address{}, ilp.Rejectf(ilp.F01InvalidPacket, "packet data too short for echo request. length=%d", len(data))
	}
	if !bytes.HasPrefix(data, []byte(echoPrefix)) {
		return ilp.Address{}, ilp.Rejectf(ilp.F01InvalidPacket, "packet data does not start with ECHO prefix.")
	}
	if data[len(echoPrefix)] != echoRequest {
		return ilp.Address{}, ilp.Rejectf(ilp.F01InvalidPacket, "unexpected ping response.")
	}
	r := oer.NewReader(data[len(echoPrefix)+1:])
	text := r.Octets()
	if r.Err() != nil {
		return ilp.Address{}, ilp.Rejectf(ilp.F01InvalidPacket, "echo request has no source address.")
	}
	source, err := ilp.ParseAddress(string(text))
	// A packet to peer.* is for the next hop itself (ADDR-08): nobody may
	// have us send one in our own name.
	if err != nil || source.Scheme() == "peer" {
		return ilp.Address{}, ilp.Rejectf(ilp.F01InvalidPacket, "echo request has no usable source address.")
	}
	return source, nil
}
