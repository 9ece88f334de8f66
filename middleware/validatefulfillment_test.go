package middleware_test

import (
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// Reference test 51 and ILP4-22: a good fulfill is relayed as it came.
func TestValidateFulfillmentRelaysPreimage(t *testing.T) {
	c := attach(t, newHost(), child(), middleware.ValidateFulfillment())
	out := send(t, c, outgoing, 49, &ilp.Fulfill{Fulfillment: fulfillment1, Data: []byte("thanks")})
	wantFulfill(t, out)
	if !out.Relayed || string(out.Reply.(*ilp.Fulfill).Data) != "thanks" {
		t.Errorf("the answer is %+v, want the next hop's", out.Reply)
	}
}

// Reference test 52, ILP4-29 and ILP4-30.
func TestValidateFulfillmentRefusesAnyOther(t *testing.T) {
	almost := fulfillment1
	almost[31] ^= 1
	for name, f := range map[string]ilp.Fulfillment{
		"another":          ilp.Fulfillment([]byte("ILPHaxsILPHaxsILPHaxsILPHILPHaxs")),
		"zero":             {},
		"one bit wrong":    almost,
		"condition itself": ilp.Fulfillment(condition1),
	} {
		t.Run(name, func(t *testing.T) {
			c := attach(t, newHost(), child(), middleware.ErrorHandler(), middleware.ValidateFulfillment())
			out := send(t, c, outgoing, 49, &ilp.Fulfill{Fulfillment: f, Data: []byte("stolen")})
			r := wantReject(t, out, ilp.F05WrongCondition, "fulfillment did not match expected value.")
			if len(r.Data) != 0 || out.Relayed {
				t.Errorf("the reject is %+v, want one of our own without data", r)
			}
		})
	}
}

func TestValidateFulfillmentRelaysRejects(t *testing.T) {
	c := attach(t, newHost(), child(), middleware.ValidateFulfillment())
	if out := send(t, c, outgoing, 49, &ilp.Reject{Code: ilp.T04InsufficientLiquidity}); !out.Relayed {
		t.Errorf("the answer is %v, want the next hop's", out.Reply)
	}
}

// What comes back to the source was checked where it came in.
func TestValidateFulfillmentLeavesIncomingPacketsAlone(t *testing.T) {
	c := attach(t, newHost(), child(), middleware.ValidateFulfillment())
	if out := send(t, c, incoming, 49, &ilp.Fulfill{}); !out.Relayed {
		t.Errorf("the answer is %v, want the one given", out.Reply)
	}
}
