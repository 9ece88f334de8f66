package middleware_test

import (
	"math"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// Reference tests 35 and 36, the limit itself, and the ends of the range
// (ILP4-52: the maximum is inclusive, and the data has both amounts).
func TestMaxPacketAmount(t *testing.T) {
	for _, c := range []struct {
		name          string
		limit, amount uint64
		message       string // empty: passes
	}{
		{"below", 100, 99, ""},
		{"at the limit", 100, 100, ""},
		{"above", 100, 101, "packet size too large. maxAmount=100 actualAmount=101"},
		{"nothing", 1, 0, ""},
		{"all 64 bits", 1, math.MaxUint64, "packet size too large. maxAmount=1 actualAmount=18446744073709551615"},
		{"the highest limit", math.MaxUint64, math.MaxUint64, ""},
		{"above the signed range", math.MaxInt64, math.MaxInt64 + 1, "packet size too large. maxAmount=9223372036854775807 actualAmount=9223372036854775808"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := child()
			a.MaxPacketAmount = c.limit
			out := send(t, attach(t, newHost(), a, middleware.MaxPacketAmount()), incoming, c.amount, fulfill1())
			if c.message == "" {
				wantFulfill(t, out)
				return
			}
			reject := wantReject(t, out, ilp.F08AmountTooLarge, c.message)
			var data ilp.AmountTooLarge
			if err := data.Decode(reject.Data); err != nil || len(reject.Data) != 16 {
				t.Fatalf("the data is %x, %v, want 16 bytes", reject.Data, err)
			}
			if data.Received != c.amount || data.Maximum != c.limit {
				t.Errorf("the data says %+v, want %d and %d", data, c.amount, c.limit)
			}
			if out.Sent != nil {
				t.Error("the packet was refused and sent")
			}
		})
	}
}

func TestMaxPacketAmountLeavesTheRestAlone(t *testing.T) {
	a := child()
	stages, err := middleware.MaxPacketAmount().Attach(newHost(), a)
	if err != nil || stages.Incoming != nil {
		t.Errorf("an account without a limit has a stage: %v, %v", stages.Incoming, err)
	}
	a.MaxPacketAmount = 1
	wantFulfill(t, send(t, attach(t, newHost(), a, middleware.MaxPacketAmount()), outgoing, 2, fulfill1()))
}

func TestTooLarge(t *testing.T) {
	r := middleware.TooLarge(101, 100)
	if r.Code != ilp.F08AmountTooLarge || r.Message != "packet size too large. maxAmount=100 actualAmount=101" || !r.TriggeredBy.IsZero() {
		t.Errorf("TooLarge = %v", r)
	}
}
