package middleware_test

import (
	"math"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

const throttled = "exceeded money bandwidth, throttling."

// Reference tests 49 and 50, in both directions: each has a bucket of its own.
func TestThroughput(t *testing.T) {
	for _, d := range []middlewaretest.Direction{incoming, outgoing} {
		t.Run(d.String(), func(t *testing.T) {
			host, a := newHost(), child()
			a.Throughput = &account.Throughput{IncomingAmount: 50, OutgoingAmount: 50}
			c := attach(t, host, a, middleware.Throughput())
			wantFulfill(t, send(t, c, d, 49, fulfill1()))
			wantReject(t, send(t, c, d, 2, fulfill1()), ilp.T04InsufficientLiquidity, throttled)
			wantFulfill(t, send(t, c, d, 1, fulfill1()))
			wantFulfill(t, send(t, c, d, 0, fulfill1())) // an empty bucket lets nothing through, and nothing is fine

			host.Advance(500 * time.Millisecond) // half a period
			wantReject(t, send(t, c, d, 26, fulfill1()), ilp.T04InsufficientLiquidity, throttled)
			wantFulfill(t, send(t, c, d, 25, fulfill1()))
			host.Advance(time.Hour) // no more than a bucket full
			wantReject(t, send(t, c, d, 51, fulfill1()), ilp.T04InsufficientLiquidity, throttled)
			wantFulfill(t, send(t, c, d, 50, fulfill1()))
		})
	}
}

// A packet that fails has used its tokens.
func TestThroughputCountsPacketsThatFail(t *testing.T) {
	a := child()
	a.Throughput = &account.Throughput{IncomingAmount: 50}
	c := attach(t, newHost(), a, middleware.Throughput())
	failed := &ilp.Reject{Code: ilp.F99ApplicationError, Message: "no"}
	wantReject(t, send(t, c, incoming, 50, failed), ilp.F99ApplicationError, "no")
	wantReject(t, send(t, c, incoming, 1, failed), ilp.T04InsufficientLiquidity, throttled)
	wantFulfill(t, send(t, c, outgoing, math.MaxUint64, fulfill1())) // no limit in this direction
}

// The reference adds in floating point, and loses units above 2^53.
func TestThroughputIsExact(t *testing.T) {
	a := child()
	a.Throughput = &account.Throughput{OutgoingAmount: math.MaxUint64}
	c := attach(t, newHost(), a, middleware.Throughput())
	wantFulfill(t, send(t, c, outgoing, math.MaxUint64-1, fulfill1()))
	wantFulfill(t, send(t, c, outgoing, 1, fulfill1()))
	wantReject(t, send(t, c, outgoing, 1, fulfill1()), ilp.T04InsufficientLiquidity, throttled)
}
