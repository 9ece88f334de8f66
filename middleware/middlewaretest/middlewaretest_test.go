package middlewaretest_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

func TestSuiteSeesEveryFault(t *testing.T) {
	seen := make(map[string]bool)
	for _, name := range faultNames() {
		t.Run(name, func(t *testing.T) {
			// In a bubble, so that nobody waits for hooks that block and packets
			// that are held for ever.
			synctest.Test(t, func(t *testing.T) {
				released := make(chan struct{})
				defer close(released)
				fault := faults(released)[name]
				verdicts := middlewaretest.Verdicts(t, middlewaretest.Options{New: fault.new})
				maps.DeleteFunc(verdicts, func(_ string, err error) bool { return err == nil })
				failed, want := slices.Sorted(maps.Keys(verdicts)), slices.Sorted(slices.Values(fault.fails))
				if !slices.Equal(failed, want) {
					t.Errorf("failed cases %v, want %v\n%v", failed, want, verdicts)
				}
				for _, c := range failed {
					seen[c] = true
				}
			})
		})
	}
	for _, c := range middlewaretest.CaseNames() {
		if !seen[c] {
			t.Errorf("no broken middleware makes the case %s fail", c)
		}
	}
}

// faults are all broken middlewares. Those that block do so until released is
// closed.
func faults(released <-chan struct{}) map[string]fault {
	all := namingFaults()
	maps.Copy(all, prepareFaults(released))
	maps.Copy(all, replyFaults())
	maps.Copy(all, lifeFaults())
	maps.Copy(all, moneyFaults(released))
	maps.Copy(all, backgroundFaults(released))
	return all
}

func faultNames() []string { return slices.Sorted(maps.Keys(faults(nil))) }

// A middleware that uses all that the contract allows.
func TestSuiteAcceptsAllThatIsAllowed(t *testing.T) {
	for name, m := range map[string]func() middleware.Middleware{
		"nothing":        func() middleware.Middleware { return custom{} },
		"holds":          func() middleware.Middleware { return newQueue() },
		"passes on":      both(middleware.PrepareFunc(pass)),
		"wraps money":    moves(func(next middleware.MoneyFunc) middleware.MoneyFunc { return next }),
		"refuses nought": prepares(refuseNought),
		"runs":           runs(nil),
	} {
		t.Run(name, func(t *testing.T) {
			middlewaretest.Run(t, middlewaretest.Options{New: m, MaxAllocs: -1})
		})
	}
}

func refuseNought(_ context.Context, p *middleware.Packet) ilp.Reply {
	if p.Prepare.Amount == 0 {
		return &ilp.Reject{Code: ilp.F03InvalidAmount, Message: "nothing is too little."}
	}
	return nil
}

// queue holds every packet and every reply until a goroutine of its own lets
// it go, as a stage that waits for a disk does.
type queue struct {
	held chan func()
	mu   sync.Mutex
	uses int
	gone sync.WaitGroup
}

func newQueue() *queue { return &queue{} }

func (q *queue) Name() string { return "queue" }

func (q *queue) Attach(middleware.Host, *account.Account) (middleware.Stages, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.uses++
	if q.uses == 1 {
		q.held = make(chan func(), 16)
		held := q.held
		q.gone.Go(func() {
			for release := range held {
				release()
			}
		})
	}
	return middleware.Stages{Incoming: q, Outgoing: q, Close: q.leave}, nil
}

func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.uses--
	if q.uses == 0 {
		close(q.held)
		q.gone.Wait()
	}
}

func (q *queue) Prepare(_ context.Context, p *middleware.Packet) ilp.Reply {
	hold := p.Hold()
	q.held <- func() { hold.Pass(context.Background()) }
	return middleware.Held
}

func (q *queue) Reply(_ context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
	hold := p.Hold()
	go func() { q.held <- func() { hold.Answer(context.Background(), reply) } }()
	return middleware.Held
}

// What Options say is said for the cases that ask.
func TestOptions(t *testing.T) {
	limited := &account.Account{ID: "limited", MaxPacketAmount: 7}
	var mu sync.Mutex
	attached := make(map[*account.Account]bool)
	sent := make(map[middlewaretest.Direction]int)
	verdicts := middlewaretest.Verdicts(t, middlewaretest.Options{
		New: func() middleware.Middleware {
			return custom{attach: func(h middleware.Host, a *account.Account) (middleware.Stages, error) {
				attached[a] = true
				s, err := middleware.MaxPacketAmount().Attach(h, a)
				s.Outgoing = middleware.PrepareFunc(func(_ context.Context, p *middleware.Packet) ilp.Reply {
					p.Set("packet", new(int))
					return nil
				})
				return s, err
			}}
		},
		Accounts: []*account.Account{limited},
		Prepare: func(d middlewaretest.Direction, n int) ilp.Prepare {
			mu.Lock()
			defer mu.Unlock()
			sent[d]++
			return ilp.Prepare{Amount: 7, Destination: ilp.MustParseAddress("test.bob")}
		},
		MaxAllocs: 2,
	})
	for name, err := range verdicts {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok := verdicts["Money"]; ok {
		t.Error("the case Money has been run on a middleware that has nothing to do with money")
	}
	if !attached[limited] || len(attached) != 1 {
		t.Errorf("attached to %v, want the account of Options.Accounts alone", attached)
	}
	if sent[middlewaretest.Incoming] == 0 || sent[middlewaretest.Outgoing] == 0 {
		t.Errorf("Options.Prepare has made %v packets, want some each way", sent)
	}
}
