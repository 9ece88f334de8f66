package middleware_test

import (
	"context"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// Reference test 45, and ILP4-32: a packet that is not answered by its expiry
// is answered R00. The connector owns the clock; its own tests hold the time.
func TestExpireSetsDeadline(t *testing.T) {
	c := attach(t, newHost(), child(), middleware.Expire())
	out := send(t, c, outgoing, 49, nil)
	if want := start.Add(2 * time.Second); !out.Deadline.Equal(want) {
		t.Errorf("the deadline is %v, want the packet's expiry, %v", out.Deadline, want)
	}
	wantReject(t, out, ilp.R00TransferTimedOut, "packet expired.")
}

// Reference test 44: a prompt fulfill is relayed.
func TestExpireRelaysPromptFulfill(t *testing.T) {
	out := send(t, attach(t, newHost(), child(), middleware.Expire()), outgoing, 49, fulfill1())
	wantFulfill(t, out)
	if !out.Relayed {
		t.Error("the answer is not the next hop's")
	}
}

func TestWithoutExpireNobodyIsInAHurry(t *testing.T) {
	if out := send(t, attach(t, newHost(), child()), outgoing, 49, nil); !out.Deadline.IsZero() || out.Reply != nil {
		t.Errorf("the deadline is %v and the answer %v, want none", out.Deadline, out.Reply)
	}
}

func TestExpireLeavesIncomingPacketsAlone(t *testing.T) {
	if out := send(t, attach(t, newHost(), child(), middleware.Expire()), incoming, 49, nil); !out.Deadline.IsZero() {
		t.Errorf("the deadline is %v, want none", out.Deadline)
	}
}

// The earlier one of two deadlines holds, wherever in the chain they are set.
func TestExpireKeepsEarlierDeadline(t *testing.T) {
	for _, c := range []struct {
		name string
		own  time.Time
		want time.Time
	}{
		{"earlier", start.Add(time.Second), start.Add(time.Second)},
		{"later", start.Add(time.Hour), start.Add(2 * time.Second)},
	} {
		t.Run(c.name, func(t *testing.T) {
			sets := custom{name: "sets", stages: middleware.Stages{
				Outgoing: middleware.PrepareFunc(func(_ context.Context, p *middleware.Packet) ilp.Reply {
					p.Deadline = c.own
					return nil
				}),
			}}
			out := send(t, attach(t, newHost(), child(), sets, middleware.Expire()), outgoing, 49, nil)
			if !out.Deadline.Equal(c.want) {
				t.Errorf("the deadline is %v, want %v", out.Deadline, c.want)
			}
		})
	}
}
