package miniaccounts_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// world is a connector with two accounts: mini, and the wallet of the test.
type world struct {
	*network
	c      *connector.Connector
	wallet *inproc.End
}

// newWorld runs a connector whose ledger, over books, is that of the users,
// too.
func newWorld(t testing.TB, books store.Store, o miniaccounts.Options) *world {
	t.Helper()
	l, err := ledger.NewLocal(ledger.LocalOptions{Store: books})
	if err != nil {
		t.Fatal(err)
	}
	return newWorldWith(t, books, l, o)
}

func newWorldWith(t testing.TB, books store.Store, l ledger.Ledger, o miniaccounts.Options) *world {
	t.Helper()
	o.Ledger = l
	srv := newServer(t, o)
	rates, err := onetoone.New(onetoone.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connector.New(connector.Config{
		Address: "test.connie", Store: books, Ledger: l, Backend: rates, Middleware: middleware.Standard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	wallet, theirs := inproc.Pipe()
	for id, p := range map[string]plugin.Plugin{"mini": srv, "wallet": theirs} {
		if err := c.AddAccount(t.Context(), connector.Account{ID: id, Relation: connector.Child, Asset: asset, Plugin: p, MaxInFlight: 10_000}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	return &world{serve(t, srv), c, wallet}
}

// balances gives those of the accounts mini and wallet.
func (w *world) balances() (mini, wallet int64) {
	accounts := w.c.Accounts()
	return accounts[0].Book.Balance, accounts[1].Book.Balance
}

func fulfiller(context.Context, *ilp.Prepare) ilp.Reply { return fulfill }

// Users pay each other and the rest of the world through the connector, and
// the books of all agree.
func TestUsersOfAConnector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, memstore.New(), named(memstore.New()))
		must(t, w.wallet.Handle(fulfiller))
		alice := w.client(t, "alice", "a", plugin.HandlerFunc(fulfiller))
		w.client(t, "bob", "b", plugin.HandlerFunc(fulfiller))
		synctest.Wait()
		pay := func(from plugin.Plugin, to string, amount uint64) {
			t.Helper()
			p := prepareTo(to)
			p.Amount = amount
			if _, err := plugin.Call(t.Context(), from, p); err != nil {
				t.Fatal(err)
			}
		}
		pay(alice, "test.connie.mini.bob", 5)
		pay(alice, "test.connie.wallet", 70)
		if _, err := w.wallet.Send(t.Context(), prepareTo("test.connie.mini.alice.x")); err != nil {
			t.Fatal(err)
		}
		w.wantBook(t, "alice", 5+70-100, 0, 0)
		w.wantBook(t, "bob", -5, 0, 0)
		if mini, wallet := w.balances(); mini != -30 || wallet != 30 {
			t.Errorf("the accounts are at %d and %d", mini, wallet)
		}
		p := prepareTo("test.connie.mini.carol")
		if _, err := plugin.Call(t.Context(), alice, p); err == nil || err.(*ilp.Reject).Code != ilp.F02Unreachable {
			t.Errorf("to nobody: %v", err)
		}
	})
}

// After any number of packets that are answered, rejected, left alone or cut
// off, from users that come and go, the users' books add up to the account's.
func TestBooksAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, memstore.New(), named(memstore.New()))
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, 0))
		choose := func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			return random.IntN(n)
		}
		moody := slowHandler{choose}
		must(t, w.wallet.Handle(func(context.Context, *ilp.Prepare) ilp.Reply {
			if choose(2) == 0 {
				return ilp.Rejectf("F99", "not now")
			}
			return fulfill
		}))
		const users = 5
		var running sync.WaitGroup
		for i := range users {
			running.Go(func() {
				name := fmt.Sprint("user", i)
				for range 10 {
					c := w.client(t, name, name, moody)
					var calls sync.WaitGroup
					for range 20 {
						to := "test.connie.wallet"
						if k := choose(users + 1); k < users {
							to = fmt.Sprint("test.connie.mini.user", k)
						}
						p := prepareTo(to)
						p.Amount, p.ExpiresAt = uint64(choose(1000)), time.Now().Add(time.Duration(2000+choose(3000))*time.Millisecond)
						calls.Go(func() { plugin.Call(context.Background(), c, p) })
						calls.Go(func() {
							back := *p
							back.Destination = ilp.MustParseAddress("test.connie.mini." + name)
							w.wallet.Send(context.Background(), &back)
						})
						time.Sleep(time.Duration(choose(300)) * time.Millisecond)
					}
					c.Close()
					calls.Wait()
				}
			})
		}
		running.Wait()
		time.Sleep(time.Minute)
		var sum int64
		for i := range users {
			name := fmt.Sprint("user", i)
			w.user(t, name, name)
			book := w.bookOf(t, name)
			sum += book.Balance
			w.wantBook(t, name, book.Balance, 0, 0)
		}
		mini, wallet := w.balances()
		if sum != mini || mini != -wallet || mini == 0 {
			t.Errorf("the users are at %d, their account at %d, the wallet at %d", sum, mini, wallet)
		}
	})
}

// slowHandler answers by chance, some of it late, some never.
type slowHandler struct{ choose func(n int) int }

func (h slowHandler) HandlePrepare(_ context.Context, p *ilp.Prepare, r plugin.Responder) {
	wait := time.Duration(h.choose(1000)) * time.Millisecond
	switch h.choose(10) {
	case 0: // never
	case 1:
		time.AfterFunc(time.Until(p.ExpiresAt)+time.Second, func() { r.Reply(context.Background(), fulfill) })
	case 2:
		r.Reply(context.Background(), &ilp.Fulfill{})
	case 3, 4:
		time.AfterFunc(wait, func() { r.Reply(context.Background(), ilp.Rejectf("F99", "no")) })
	default:
		time.AfterFunc(wait, func() { r.Reply(context.Background(), fulfill) })
	}
}

func (slowHandler) HandleMalformed(context.Context, error, plugin.Responder) {}
func (slowHandler) HandleMoney(context.Context, plugin.Money) error          { return nil }
func (slowHandler) HandleState(connected bool, err error)                    {}

// At whatever instant the process is killed, the books in the store are such
// that he who is paid is never behind him who pays, hop by hop: nobody has lost
// what was acknowledged.
func TestEveryBatchIsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &snapshots{Store: memstore.New()}
		w := newWorld(t, s, named(memstore.New()))
		must(t, w.wallet.Handle(fulfiller))
		alice := w.client(t, "alice", "a", plugin.HandlerFunc(fulfiller))
		w.client(t, "bob", "b", plugin.HandlerFunc(fulfiller))
		synctest.Wait()
		var calls sync.WaitGroup
		for range 50 {
			calls.Go(func() {
				for range 20 {
					plugin.Call(t.Context(), alice, prepareTo("test.connie.wallet"))
					w.wallet.Send(t.Context(), prepareTo("test.connie.mini.bob"))
				}
			})
		}
		calls.Wait()
		synctest.Wait()
		if len(s.balances) < 20 {
			t.Fatalf("%d batches are too few to say anything", len(s.balances))
		}
		// Postings go from whom is paid to whom pays. So alice was charged no
		// more than her account was for her, bob was paid no less, and the
		// wallet, which is at the other end, is never ahead of the account.
		for i, at := range s.balances {
			a, b := at["miniaccounts/alice"], -at["miniaccounts/bob"]
			mini, wallet := at["mini"], at["wallet"]
			if mini < a-b {
				t.Errorf("batch %d: alice was charged %d and bob paid %d, the account is at %d", i, a, b, mini)
			}
			if wallet > -mini {
				t.Errorf("batch %d: the account is at %d, the wallet at %d", i, mini, wallet)
			}
		}
		w.wantBook(t, "alice", 100_000, 0, 0)
		w.wantBook(t, "bob", -100_000, 0, 0)
	})
}

// snapshots is a store that takes a moment to write, and notes the balances
// after each batch.
type snapshots struct {
	store.Store
	mu       sync.Mutex
	at       map[string]int64
	balances []map[string]int64
}

func (s *snapshots) Write(ctx context.Context, b *store.Batch) error {
	time.Sleep(time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]int64)
	for k, v := range s.at {
		next[k] = v
	}
	for op := range b.Ops() {
		key := string(op.Key)
		for _, id := range []string{"miniaccounts/alice", "miniaccounts/bob", "mini", "wallet"} {
			if len(key) > len(id) && key[len(key)-len(id):] == id && key[len(key)-len(id)-1] == byte(len(id)) && len(op.Value) == 25 {
				next[id] = int64(binary.BigEndian.Uint64(op.Value[1:9]))
			}
		}
	}
	s.at = next
	s.balances = append(s.balances, next)
	return s.Store.Write(ctx, b)
}
