package ilphttp

import (
	"net/http"

	"github.com/interledger-go/connector/ilp"
)

// refusal is what the sender of a packet is told when the counterparty has
// answered with a status that brings no reply (HTTP-12). Nothing of the body
// goes into it: that may be a page of any proxy on the way.
//
// A status of 5xx is T00 by the standard. A packet is never sent another way
// because of it: the counterparty may have sent it on.
func refusal(status int) *ilp.Reject {
	code := ilp.F02Unreachable // by no fault of the packet, nor for a while: we are not let in, or it is the wrong place
	switch {
	case status >= 500:
		code = ilp.T00InternalError
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge:
		code = ilp.F00BadRequest
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		code = ilp.T01PeerUnreachable
	case status == http.StatusTooManyRequests:
		code = ilp.T05RateLimited
	}
	return ilp.Rejectf(code, "the next hop refused the request. status=%d", status)
}
