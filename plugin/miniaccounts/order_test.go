package miniaccounts_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/memstore"
)

// packetsOfUsers are the ways that a packet of 100 units can go, with what is
// posted on it, in order.
var packetsOfUsers = map[string]struct {
	payer    func(t *testing.T, w *world) (pay func() error)
	postings []posted
}{
	"from a user": {
		func(t *testing.T, w *world) func() error {
			must(t, w.wallet.Handle(fulfiller))
			return calls(t, w.client(t, "alice", "a", plugin.HandlerFunc(fulfiller)), "test.connie.wallet")
		},
		[]posted{{"wallet", ledger.Outgoing}, {"miniaccounts/alice", ledger.Incoming}, {"mini", ledger.Incoming}},
	},
	"to a user": {
		func(t *testing.T, w *world) func() error {
			w.client(t, "alice", "a", plugin.HandlerFunc(fulfiller))
			return func() error {
				_, err := w.wallet.Send(context.WithoutCancel(t.Context()), prepareTo("test.connie.mini.alice"))
				return err
			}
		},
		[]posted{{"miniaccounts/alice", ledger.Outgoing}, {"mini", ledger.Outgoing}, {"wallet", ledger.Incoming}},
	},
	"between users": {
		func(t *testing.T, w *world) func() error {
			w.client(t, "bob", "b", plugin.HandlerFunc(fulfiller))
			return calls(t, w.client(t, "alice", "a", plugin.HandlerFunc(fulfiller)), "test.connie.mini.bob")
		},
		[]posted{{"miniaccounts/bob", ledger.Outgoing}, {"mini", ledger.Outgoing}, {"miniaccounts/alice", ledger.Incoming}, {"mini", ledger.Incoming}},
	},
	"for an address": {
		func(t *testing.T, w *world) func() error {
			alice := w.client(t, "alice", "a", plugin.HandlerFunc(fulfiller))
			return func() error {
				_, err := plugin.Call(t.Context(), alice, paidRequest())
				return err
			}
		},
		[]posted{{"miniaccounts/alice", ledger.Incoming}, {"mini", ledger.Incoming}},
	},
}

// paidRequest asks for an address, and pays 100 units for it.
func paidRequest() *ilp.Prepare {
	p := ildcp.Request(time.Now().Add(30 * time.Second))
	p.Amount = 100
	return &p
}

func calls(t *testing.T, from plugin.Plugin, to string) func() error {
	return func() error {
		_, err := plugin.Call(t.Context(), from, prepareTo(to))
		return err
	}
}

// posted is a posting of a packet's amount.
type posted struct {
	account string
	side    ledger.Side
}

// oneByOne is a ledger of which each posting is durable before the next can be
// made. It tells of each when it is, before whoever waits for it is told.
type oneByOne struct {
	*ledger.Local
	tell func(posted)
}

func (l oneByOne) Open(ctx context.Context, terms ledger.Terms) (ledger.Book, error) {
	b, err := l.Local.Open(ctx, terms)
	if err != nil {
		return nil, err
	}
	return oneByOneBook{b.(ledger.Immediate), terms.Account, l.tell}, nil
}

type oneByOneBook struct {
	ledger.Immediate
	account string
	tell    func(posted)
}

func (b oneByOneBook) Post(ctx context.Context, side ledger.Side, amount uint64, w ledger.Waiter) error {
	wait := &oneByOneWait{func() { b.tell(posted{b.account, side}) }, w, make(chan struct{})}
	err := b.Immediate.Post(ctx, side, amount, wait)
	if errors.Is(err, ledger.ErrPending) {
		<-wait.told
	}
	return err
}

type oneByOneWait struct {
	tell func()
	to   ledger.Waiter // or nil
	told chan struct{}
}

func (w *oneByOneWait) Done(ctx context.Context, err error) {
	w.tell()
	if w.to != nil {
		w.to.Done(ctx, err)
	}
	close(w.told)
}

// A process that is killed between the postings of a packet leaves the first
// of them: the user's book, and the next hop's, before that of the account,
// and all of them before anybody is told.
func TestPostingsOfAUsersPacketInOrder(t *testing.T) {
	for name, c := range packetsOfUsers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				film := &filmed{Store: memstore.New()}
				local, err := ledger.NewLocal(ledger.LocalOptions{Store: film})
				must(t, err)
				var made []posted
				var answered atomic.Bool
				w := newWorldWith(t, film, oneByOne{local, func(p posted) {
					made = append(made, p)
					synctest.Wait()
					if answered.Load() {
						t.Errorf("the source was told before %v was durable", p)
					}
				}}, named(memstore.New()))
				pay := c.payer(t, w)
				time.Sleep(time.Second) // what is written when books are opened
				film.begin()
				paid := make(chan error, 1)
				go func() {
					err := pay()
					answered.Store(true)
					paid <- err
				}()
				must(t, <-paid)
				if !slices.Equal(made, c.postings) {
					t.Fatalf("posted %v, want %v", made, c.postings)
				}
				film.wantPrefixes(t, c.postings)
			})
		})
	}
}

// wantPrefixes checks that each image has one posting of 100 units more.
func (s *filmed) wantPrefixes(t *testing.T, postings []posted) {
	t.Helper()
	var accounts []string
	for _, p := range postings {
		if !slices.Contains(accounts, p.account) {
			accounts = append(accounts, p.account)
		}
	}
	want := make(map[string]int64)
	rows := s.balances(t, accounts...)
	if len(rows) != len(postings) {
		t.Fatalf("%d writes for %d postings", len(rows), len(postings))
	}
	for i, p := range postings {
		want[p.account] += map[ledger.Side]int64{ledger.Incoming: 100, ledger.Outgoing: -100}[p.side]
		for k, account := range accounts {
			if rows[i][k] != want[account] {
				t.Errorf("write %d: %s is at %d, want %d", i, account, rows[i][k], want[account])
			}
		}
	}
}
