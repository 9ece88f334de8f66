package middlewaretest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
	"github.com/interledger-go/connector/plugin"
)

var alice = &account.Account{ID: "alice", Relation: account.Peer}

func prepare() ilp.Prepare {
	return ilp.Prepare{Amount: 5, Destination: ilp.MustParseAddress("test.bob"), ExpiresAt: time.Unix(2e9, 0)}
}

// spy is a stage that notes what it is shown.
type spy struct {
	prepared middleware.Packet // the exported fields as Prepare found them
	replied  ilp.Reply
	mark     ilp.Reply // NextHopReply, in Reply
	hop      *account.Account
	late     ilp.Reply
	deadline time.Time // put on the packet
}

func (s *spy) Name() string { return "spy" }

func (s *spy) Attach(middleware.Host, *account.Account) (middleware.Stages, error) {
	return middleware.Stages{Incoming: s, Outgoing: s}, nil
}

func (s *spy) Prepare(_ context.Context, p *middleware.Packet) ilp.Reply {
	s.prepared.Prepare, s.prepared.Received = p.Prepare, p.Received
	s.prepared.Source, s.prepared.Destination = p.Source, p.Destination
	p.Deadline = s.deadline
	return nil
}

func (s *spy) Reply(_ context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
	s.replied, s.mark, s.hop = reply, p.NextHopReply, p.Destination
	return reply
}

func (s *spy) Late(_ *middleware.Packet, reply ilp.Reply) { s.late = reply }

func chainOf(t *testing.T, host middleware.Host, list ...middleware.Middleware) *middlewaretest.Chain {
	t.Helper()
	c, err := middlewaretest.Attach(host, alice, list...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestChainShowsStagesWhatAConnectorShows(t *testing.T) {
	host := new(middlewaretest.Host)
	host.SetNow(time.Unix(1e9, 0))
	reply := &ilp.Fulfill{Data: []byte("thanks")}
	for _, d := range []middlewaretest.Direction{middlewaretest.Incoming, middlewaretest.Outgoing} {
		t.Run(d.String(), func(t *testing.T) {
			s := new(spy)
			out, err := chainOf(t, host, s).Send(t.Context(), d, prepare(), reply)
			if err != nil {
				t.Fatal(err)
			}
			if got := &s.prepared; got.Prepare.Amount != 5 || !got.Received.Equal(host.Now()) {
				t.Errorf("the packet has amount %d and was received at %v, want 5 and the host's time", got.Prepare.Amount, got.Received)
			}
			incoming := d == middlewaretest.Incoming
			if (s.prepared.Source == alice) != incoming || s.prepared.Source == nil {
				t.Errorf("the source is %v", s.prepared.Source)
			}
			if incoming && s.prepared.Destination != nil || !incoming && s.prepared.Destination != alice {
				t.Errorf("the destination is %v in Prepare", s.prepared.Destination)
			}
			if s.hop == nil || (s.hop == alice) == incoming {
				t.Errorf("the destination is %v in Reply", s.hop)
			}
			if incoming != (s.mark == s.replied) || !incoming && s.mark != nil {
				t.Errorf("NextHopReply is %v, want the reply for incoming stages alone", s.mark)
			}
			if s.replied == ilp.Reply(reply) {
				t.Error("stages were given the caller's reply, want a copy")
			}
			if !out.Relayed || string(out.Reply.(*ilp.Fulfill).Data) != "thanks" {
				t.Errorf("the outcome is %+v, want the reply relayed", out)
			}
			if out.Sent == nil || out.Sent.Amount != 5 {
				t.Errorf("sent %+v, want the packet", out.Sent)
			}
		})
	}
}

func TestChainRefuse(t *testing.T) {
	s, reject := new(spy), &ilp.Reject{Code: ilp.F02Unreachable}
	out, err := chainOf(t, new(middlewaretest.Host), s).Refuse(t.Context(), middlewaretest.Incoming, prepare(), reject)
	if err != nil {
		t.Fatal(err)
	}
	if out.Reply != ilp.Reply(reject) || out.Relayed || s.mark != nil {
		t.Errorf("the outcome is %+v, want the reject, as one that no next hop gave", out)
	}
	if out.Sent == nil {
		t.Error("Sent is nil, although all stages let the packet pass")
	}
	if s.hop != nil {
		t.Errorf("the destination is %v, although the core has chosen none", s.hop)
	}
}

func TestChainStageAnswers(t *testing.T) {
	refuse := prepares(refuseNought)()
	p := prepare()
	p.Amount = 0
	out, err := chainOf(t, new(middlewaretest.Host), refuse).Send(t.Context(), middlewaretest.Outgoing, p, &ilp.Fulfill{})
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := out.Reply.(*ilp.Reject); !ok || r.Code != ilp.F03InvalidAmount || out.Sent != nil || out.Relayed {
		t.Errorf("the outcome is %+v, want F03 and nothing sent", out)
	}
}

func TestChainSilentNextHop(t *testing.T) {
	t.Run("no deadline", func(t *testing.T) {
		out, err := chainOf(t, new(middlewaretest.Host), new(spy)).Send(t.Context(), middlewaretest.Outgoing, prepare(), nil)
		if err != nil || out.Reply != nil || out.Sent == nil {
			t.Errorf("the outcome is %+v, %v, want the packet sent and not answered", out, err)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		s := &spy{deadline: time.Unix(1.5e9, 0)}
		out, err := chainOf(t, new(middlewaretest.Host), s).Send(t.Context(), middlewaretest.Outgoing, prepare(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := out.Reply.(*ilp.Reject); !ok || r.Code != ilp.R00TransferTimedOut || out.Relayed {
			t.Errorf("the answer is %v, want an R00 of the connector", out.Reply)
		}
		if !out.Deadline.Equal(s.deadline) {
			t.Errorf("the deadline is %v, want %v", out.Deadline, s.deadline)
		}
		late := &ilp.Fulfill{}
		if out.Late(late); s.late != ilp.Reply(late) {
			t.Errorf("the stage was told of %v, want the late answer", s.late)
		}
	})
}

func TestChainWaitsForHeldPackets(t *testing.T) {
	q := newQueue()
	out, err := chainOf(t, new(middlewaretest.Host), q).Send(t.Context(), middlewaretest.Incoming, prepare(), &ilp.Fulfill{})
	if err != nil || !out.Relayed {
		t.Errorf("the outcome is %+v, %v, want the reply", out, err)
	}
	forget := prepares(func(_ context.Context, p *middleware.Packet) ilp.Reply {
		p.Hold()
		return middleware.Held
	})()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c := chainOf(t, new(middlewaretest.Host), forget)
		if _, err := c.Send(ctx, middlewaretest.Incoming, prepare(), &ilp.Fulfill{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v, want the one of the context", err)
		}
	})
}

func TestChainMoney(t *testing.T) {
	var way []string
	note := func(name string) func(middleware.MoneyFunc) middleware.MoneyFunc {
		return func(next middleware.MoneyFunc) middleware.MoneyFunc {
			return func(ctx context.Context, m plugin.Money) error {
				way = append(way, name)
				return next(ctx, m)
			}
		}
	}
	c := chainOf(t, new(middlewaretest.Host), custom{attach: func(middleware.Host, *account.Account) (middleware.Stages, error) {
		return middleware.Stages{IncomingMoney: note("in"), OutgoingMoney: note("out")}, nil
	}})
	for d, want := range map[middlewaretest.Direction]string{middlewaretest.Incoming: "in", middlewaretest.Outgoing: "out"} {
		way = nil
		err := c.Money(d, func(context.Context, plugin.Money) error {
			way = append(way, "end")
			return nil
		})(t.Context(), plugin.Money{})
		if err != nil || len(way) != 2 || way[0] != want || way[1] != "end" {
			t.Errorf("%s: the way is %v, %v, want %s and the end", d, way, err, want)
		}
	}
}

func TestAttachError(t *testing.T) {
	if c, err := middlewaretest.Attach(new(middlewaretest.Host), alice, custom{attach: func(middleware.Host, *account.Account) (middleware.Stages, error) {
		return middleware.Stages{}, errors.New("no")
	}}); err == nil || c != nil {
		t.Errorf("Attach gives %v, %v, want the middleware's error", c, err)
	}
}

func TestDirectionString(t *testing.T) {
	for d, want := range map[middlewaretest.Direction]string{middlewaretest.Incoming: "incoming", middlewaretest.Outgoing: "outgoing", 0: "Direction(0)"} {
		if got := d.String(); got != want {
			t.Errorf("String of %d = %q, want %q", int(d), got, want)
		}
	}
}
