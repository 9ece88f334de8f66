// Package ping holds the two protocols by which a node finds out whether an
// address can be reached (drafts that were never merged, and are deployed).
//
// The ping in one direction is a packet under a condition that everybody can
// fulfil; whoever has the address does (PING-01). The echo is a packet under a
// condition of the asker's own, whose data asks for another packet to an
// address of the asker, under the same condition, which the asker fulfils; so
// it measures both ways (PING-02).
package ping

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/oer"
)

// Fulfillment fulfils every ping in one direction, and Condition is the one
// that such pings are under.
var (
	Fulfillment = ilp.Fulfillment([]byte("pingpingpingpingpingpingpingping"))
	Condition   = Fulfillment.Condition()
)

// The data of an echo packet: the prefix, its type and, in a request, the
// address to send the response to.
const (
	echoPrefix   = "ECHOECHOECHOECHO"
	echoRequest  = 0
	echoResponse = 1
)

// EchoRequest is the data of a packet that asks for a response to the address
// from.
func EchoRequest(from ilp.Address) []byte {
	return oer.AppendString(append([]byte(echoPrefix), echoRequest), from.String())
}

// echoResponseData is the data of every response. It is never changed.
var echoResponseData = []byte(echoPrefix + string(rune(echoResponse)))

// EchoResponse is the data of every response. It must not be changed.
func EchoResponse() []byte { return echoResponseData }

// IsEchoResponse reports whether data is that of a response. What follows it
// is ignored.
func IsEchoResponse(data []byte) bool { return bytes.HasPrefix(data, echoResponseData) }

// requestError is what the asker is told, in the words of the reference where
// it has some.
type requestError string

func (e requestError) Error() string { return string(e) }

const (
	errNoPrefix  requestError = "packet data does not start with ECHO prefix."
	errResponse  requestError = "unexpected ping response."
	errNoSource  requestError = "echo request has no source address."
	errBadSource requestError = "echo request has no usable source address."
)

// ParseEchoRequest gives the address that an echo request wants its response
// at, or says what is wrong with the data (PING-05).
func ParseEchoRequest(data []byte) (ilp.Address, error) {
	switch {
	case len(data) < len(echoPrefix)+1:
		return ilp.Address{}, fmt.Errorf("packet data too short for echo request. length=%d", len(data))
	case !bytes.HasPrefix(data, []byte(echoPrefix)):
		return ilp.Address{}, errNoPrefix
	case data[len(echoPrefix)] != echoRequest:
		return ilp.Address{}, errResponse
	}
	r := oer.NewReader(data[len(echoPrefix)+1:])
	text := r.Octets()
	if r.Err() != nil {
		return ilp.Address{}, errNoSource
	}
	from, err := ilp.ParseAddress(string(text))
	// A packet to peer.* is for the next hop itself (ADDR-08): nobody may
	// have us send one in our own name.
	if err != nil || from.Scheme() == "peer" {
		return ilp.Address{}, errBadSource
	}
	return from, nil
}

// The data with which this connector fulfils a ping says how much arrived. The
// draft leaves it open; others send nothing, and read nothing.
const deliveredPrefix = "PONG"

// Delivered is the data of a fulfillment that says how much arrived, in the
// unit of the account that it came by.
func Delivered(amount uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(deliveredPrefix), amount)
}

// ParseDelivered reads it, and reports false if it is none.
func ParseDelivered(data []byte) (amount uint64, ok bool) {
	if len(data) != len(deliveredPrefix)+8 || !bytes.HasPrefix(data, []byte(deliveredPrefix)) {
		return 0, false
	}
	return binary.BigEndian.Uint64(data[len(deliveredPrefix):]), true
}
