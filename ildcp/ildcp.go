// Package ildcp is the Interledger Dynamic Configuration Protocol (RFC 31):
// a child asks its parent for its address and for the asset of their account.
//
// The question is a Prepare to peer.config under the condition that all peer
// protocols share, the answer the data of its Fulfill. The package holds both
// codecs and the check that a parent makes; it has no sockets and no clock.
// A connector answers its children by itself; [Fetch] asks over a link that a
// program has of its own.
package ildcp

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/oer"
	"github.com/interledger-go/connector/plugin"
)

// Destination is the address of every request.
const Destination = "peer.config"

// RequestLifetime is how long the reference gives a request.
const RequestLifetime = time.Minute

// Request is the packet by which a child asks (DCP-01).
func Request(expiresAt time.Time) ilp.Prepare {
	return ilp.Prepare{
		ExpiresAt:   expiresAt,
		Condition:   ilp.PeerCondition,
		Destination: ilp.MustParseAddress(Destination),
	}
}

// CheckRequest says why p is no request to be answered at now; nil when it
// is one. Neither amount nor data matter (DCP-05, DCP-06).
func CheckRequest(p *ilp.Prepare, now time.Time) error {
	switch {
	case p.Destination.String() != Destination:
		return errNoRequest
	case p.Condition != ilp.PeerCondition:
		return errCondition
	case p.ExpiresAt.Before(now):
		return errExpired
	}
	return nil
}

// requestError is what the child is told, word for word what the reference
// tells it.
type requestError string

func (e requestError) Error() string { return string(e) }

const (
	errNoRequest requestError = "packet is not an IL-DCP request."
	errCondition requestError = "packet does not contain correct condition for a peer protocol request."
	errExpired   requestError = "IL-DCP request packet is expired."
)

// Response is what a parent tells its child.
type Response struct {
	// Address is the child's own from now on.
	Address ilp.Address
	// Asset is the unit of the amounts between the two.
	Asset ilp.Asset
}

// Fulfill is the packet that carries r (DCP-02).
func (r Response) Fulfill() *ilp.Fulfill {
	address := r.Address.String()
	data := make([]byte, 0, oer.OctetsSize(len(address))+1+oer.OctetsSize(len(r.Asset.Code)))
	data = oer.AppendString(data, address)
	data = append(data, r.Asset.Scale)
	data = oer.AppendString(data, r.Asset.Code)
	return &ilp.Fulfill{Data: data}
}

// ParseFulfill reads the answer of a parent. The response shares nothing with
// f. Bytes after the last known field are ignored (OER-17).
func ParseFulfill(f *ilp.Fulfill) (Response, error) {
	if f.Fulfillment != (ilp.Fulfillment{}) {
		return Response{}, errors.New("ildcp: response: the fulfillment is not the one of peer protocols")
	}
	r := oer.NewReader(f.Data)
	address, scale, code := r.Octets(), r.Uint8(), r.Octets()
	if err := r.Err(); err != nil {
		return Response{}, fmt.Errorf("ildcp: response: %w", err)
	}
	parsed, err := ilp.ParseAddress(string(address))
	if err != nil {
		return Response{}, fmt.Errorf("ildcp: response: client address: %w", err)
	}
	if scheme := parsed.Scheme(); scheme == "peer" || scheme == "self" {
		return Response{}, fmt.Errorf("ildcp: response: client address %s cannot be anybody's own", parsed)
	}
	if !utf8.Valid(code) {
		return Response{}, errors.New("ildcp: response: the asset code is not UTF-8")
	}
	return Response{Address: parsed, Asset: ilp.Asset{Code: string(code), Scale: scale}}, nil
}

// Fetch asks the parent at the other end of p, and waits for the answer.
func Fetch(ctx context.Context, p plugin.Plugin) (Response, error) {
	request := Request(time.Now().Add(RequestLifetime))
	fulfill, err := plugin.Call(ctx, p, &request)
	if err != nil {
		return Response{}, fmt.Errorf("ildcp: asking for an address: %w", err)
	}
	return ParseFulfill(fulfill)
}
