package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// PingRequest is what POST /ping takes.
type PingRequest struct {
	Address string `json:"address"`
	// Amount is spent, in the unit of the account that the packet leaves by.
	// Empty means 0.
	Amount string `json:"amount,omitempty"`
}

// PingResult is what POST /ping answers.
type PingResult struct {
	Address string `json:"address"`
	// Reached says that the address has answered.
	Reached bool `json:"reached"`
	// RoundTrip is in microseconds.
	RoundTrip int64 `json:"roundTripMicroseconds"`
	// Sent is the amount that left.
	Sent string `json:"sent"`
	// Delivered is what arrived, where the address says so.
	Delivered string `json:"delivered,omitempty"`
	// Echo says that the address has sent a packet back; Returned is what came.
	Echo     bool   `json:"echo"`
	Returned string `json:"returned,omitempty"`
	// Reject is who has refused the packet, and why, where it was not reached.
	Reject *Reject `json:"reject,omitempty"`
}

// Reject is the answer of a connector that a packet could not pass.
type Reject struct {
	Code        string `json:"code"`
	TriggeredBy string `json:"triggeredBy"`
	Message     string `json:"message"`
}

func rejectOf(r *ilp.Reject) *Reject {
	return &Reject{Code: string(r.Code), TriggeredBy: r.TriggeredBy.String(), Message: r.Message}
}

const (
	pingTimeout  = 15 * time.Second
	traceTimeout = time.Minute
)

func (h *Handler) ping(r *http.Request) (any, error) {
	var body PingRequest
	if err := readJSON(r, &body, "there is no body: it must be an address, and perhaps an amount"); err != nil {
		return nil, err
	}
	address, err := parseAddress(body.Address)
	if err != nil {
		return nil, err
	}
	var amount uint64
	if body.Amount != "" {
		if amount, err = parseAmount("amount", body.Amount); err != nil {
			return nil, err
		}
	}
	ctx, cancel := timeout(r, pingTimeout)
	defer cancel()
	began := h.c.Now()
	pong, err := h.c.Ping(ctx, address, amount)
	result := PingResult{Address: address.String(), Sent: decimal(amount), RoundTrip: h.c.Now().Sub(began).Microseconds()}
	if reject, ok := errors.AsType[*ilp.Reject](err); ok {
		result.Reject = rejectOf(reject)
		return result, nil
	}
	if err != nil {
		return nil, err
	}
	result.Reached, result.RoundTrip, result.Echo = true, pong.RoundTrip.Microseconds(), pong.Echo
	if pong.HasDelivered {
		result.Delivered = decimal(pong.Delivered)
	}
	if pong.Echo {
		result.Returned = decimal(pong.Returned)
	}
	return result, nil
}

// TraceRequest is what POST /trace takes.
type TraceRequest struct {
	Address string `json:"address"`
}

// TraceResult is what POST /trace answers.
type TraceResult struct {
	Address string `json:"address"`
	// Hops are the nodes on the way, the nearest first.
	Hops []Hop `json:"hops"`
	// Error says why there are no more, where the way has no end.
	Error string `json:"error,omitempty"`
}

// Hop is a node on the way to an address.
type Hop struct {
	Address string `json:"address"`
	// RoundTrip is in microseconds.
	RoundTrip int64 `json:"roundTripMicroseconds"`
	// Reject is what it has answered; missing for the node that has the address.
	Reject *Reject `json:"reject,omitempty"`
}

func (h *Handler) trace(r *http.Request) (any, error) {
	var body TraceRequest
	if err := readJSON(r, &body, "there is no body: it must be an address"); err != nil {
		return nil, err
	}
	address, err := parseAddress(body.Address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := timeout(r, traceTimeout)
	defer cancel()
	hops, err := h.c.Trace(ctx, address)
	if err != nil && len(hops) == 0 && !errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	result := TraceResult{Address: address.String(), Hops: []Hop{}}
	if err != nil {
		result.Error = err.Error()
	}
	for _, hop := range hops {
		shown := Hop{Address: hop.Address.String(), RoundTrip: hop.RoundTrip.Microseconds()}
		if hop.Reject != nil {
			shown.Reject = rejectOf(hop.Reject)
		}
		result.Hops = append(result.Hops, shown)
	}
	return result, nil
}
