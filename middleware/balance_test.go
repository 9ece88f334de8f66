package middleware_test

import (
	"testing"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

// Reference tests 33, 34, 40 and 41. The outgoing limit differs on purpose:
// there it is looked at when the next hop has fulfilled, and is F00.
func TestBalanceLimits(t *testing.T) {
	for _, c := range []struct {
		name      string
		direction middlewaretest.Direction
		amount    uint64
		refused   string // message; empty: it passes
		balance   int64
	}{
		{"33", incoming, 101, "exceeded maximum balance.", 0},
		{"34", incoming, 99, "", 99},
		{"40", outgoing, 54, "exceeded minimum balance.", 0},
		{"41", outgoing, 48, "", -48},
	} {
		t.Run("reference test "+c.name, func(t *testing.T) {
			host, a := newHost(), child()
			a.Balance = &account.BalanceLimits{Minimum: -50, Maximum: 100}
			out := send(t, attach(t, host, a, middleware.Balance()), c.direction, c.amount, fulfill1())
			if c.refused == "" {
				wantFulfill(t, out)
			} else {
				wantReject(t, out, ilp.T04InsufficientLiquidity, c.refused)
			}
			if s := host.Book(a).State(); s.Balance != c.balance || s.ReservedIn != 0 || s.ReservedOut != 0 {
				t.Errorf("the book is %+v, want a balance of %d", s, c.balance)
			}
		})
	}
}
