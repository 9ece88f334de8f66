// Package middlewaretest proves that a middleware keeps the contract of
// package middleware, and runs chains without a connector around them.
//
// Whoever writes a middleware calls [Run] from a test of its own:
//
//	func TestConformance(t *testing.T) {
//		middlewaretest.Run(t, middlewaretest.Options{
//			New: func() middleware.Middleware { return mymiddleware.New() },
//		})
//	}
//
// Each case is a subtest that fails with a sentence that says what the
// contract asks. The suite knows nothing of what the middleware is for: that
// is tested with a [Chain], which sends one packet at a time through the
// stages of an account, with a [Host] whose address, clock and log the test
// sets, and gives what came out at both ends.
package middlewaretest

import (
	"errors"
	"testing"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// Options describe the middleware under test.
type Options struct {
	// New returns a fresh middleware. It is called at least once for each
	// case. Required.
	New func() middleware.Middleware

	// Accounts are those that the middleware is attached to. Limits that it
	// reads from them must leave room for 500 packets at once in each
	// direction. Empty means a child, a peer and a parent without any limit.
	Accounts []*account.Account

	// Prepare makes the n-th packet in a direction, one that the middleware
	// must let pass. It is called from several goroutines at once. The suite
	// puts a condition of its own in the packet, and in some cases an amount;
	// with that amount the packet may be refused. nil stands for packets of
	// 100 to test.middlewaretest.receiver, their data different for each n.
	Prepare func(d Direction, n int) ilp.Prepare

	// MaxAllocs is how often the two hooks may allocate together for a packet
	// that is fulfilled. They are called for each packet, so it should be 0,
	// the default. A negative number only has the figure logged.
	MaxAllocs float64
}

// Run tests a middleware. It counts allocations, so it must not be called
// from a test that is marked parallel.
func Run(t *testing.T, opts Options) {
	t.Helper()
	if opts.New == nil {
		t.Fatal("middlewaretest: Options.New is nil: want a function that returns the middleware under test")
	}
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			err := c.run(t, opts)
			if reason, ok := errors.AsType[notApplicable](err); ok {
				t.Skip(reason)
			}
			if err != nil {
				t.Errorf("%v\nThe contract: %s", err, c.contract)
			}
		})
	}
}
