package miniaccounts_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// filmed is a durable store that takes a while to write, and keeps what it
// held after each write: what a process would find that was killed then.
type filmed struct {
	store.Store

	mu     sync.Mutex
	gate   chan struct{} // if there is one, writes wait until it is closed
	images []map[string][]byte
}

func (s *filmed) Write(ctx context.Context, b *store.Batch) error {
	time.Sleep(time.Millisecond)
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if err := s.Store.Write(ctx, b); err != nil {
		return err
	}
	image := make(map[string][]byte)
	err := s.Store.Scan(ctx, "", func(key string, value []byte) error {
		image[key] = value
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images = append(s.images, image)
	return err
}

// begin forgets what was written before.
func (s *filmed) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images = nil
}

// halt has writes wait until resume is called.
func (s *filmed) halt() (resume func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = make(chan struct{})
	return func() { close(s.gate) }
}

// balances gives the balances that a process finds in each image, one after
// the other, of the accounts.
func (s *filmed) balances(t *testing.T, accounts ...string) (found [][]int64) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, image := range s.images {
		m := memstore.New()
		var b store.Batch
		for key, value := range image {
			b.Put(key, value)
		}
		must(t, m.Write(t.Context(), &b))
		l, err := ledger.NewLocal(ledger.LocalOptions{Store: m})
		must(t, err)
		var row []int64
		for _, id := range accounts {
			book, err := l.Open(t.Context(), ledger.Terms{Account: id})
			must(t, err)
			row = append(row, book.State().Balance)
		}
		found = append(found, row)
	}
	return found
}

// The postings of a packet of a user, with the next hop, the user and the
// account, are made before any of them is waited for: what is fulfilled while
// another packet is being written is durable with the write after that.
func TestPostingsOfAUserAreOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		film := &filmed{Store: memstore.New()}
		w := newWorld(t, film, named(memstore.New()))
		must(t, w.wallet.Handle(fulfiller))
		alice := w.client(t, "alice", "a", plugin.HandlerFunc(fulfiller))
		bob := w.client(t, "bob", "b", plugin.HandlerFunc(fulfiller))
		time.Sleep(time.Second) // what is written when books are opened
		film.begin()
		resume := film.halt()
		var paying sync.WaitGroup
		for _, user := range []plugin.Plugin{bob, alice} { // bob's postings are being written
			paying.Go(func() {
				if _, err := plugin.Call(t.Context(), user, prepareTo("test.connie.wallet")); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(10 * time.Millisecond) // less than the books may stand still before packets are refused
		}
		resume()
		paying.Wait()
		rows := film.balances(t, "wallet", miniaccounts.DefaultName+"/alice", miniaccounts.DefaultName+"/bob", "mini")
		if want := []int64{-200, 100, 100, 200}; len(rows) != 2 || !slices.Equal(rows[1], want) {
			t.Errorf("what is found after each write is %v, want two rows, the second of them %v", rows, want)
		}
	})
}

// Whenever the process is killed while users pay and are paid, the users' books
// are not behind the account's: what the connector has booked with all of them
// is booked with each. They are ahead of it by no more than the packets that
// were in flight.
func TestUsersBooksAreNotBehind(t *testing.T) {
	const users, packets = 5, 40
	for name, c := range map[string]struct {
		pay  func(w *world, user plugin.Plugin, name string) error
		sign int64 // of the balances
	}{
		"from users": {func(_ *world, user plugin.Plugin, _ string) error {
			_, err := plugin.Call(context.Background(), user, prepareTo("test.connie.wallet"))
			return err
		}, 1},
		"to users": {func(w *world, _ plugin.Plugin, name string) error {
			_, err := w.wallet.Send(context.Background(), prepareTo("test.connie.mini."+name))
			return err
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				film := &filmed{Store: memstore.New()}
				w := newWorld(t, film, named(memstore.New()))
				must(t, w.wallet.Handle(fulfiller))
				ids := []string{"mini"}
				var paying sync.WaitGroup
				for i := range users {
					user := fmt.Sprint("user", i)
					ids = append(ids, miniaccounts.DefaultName+"/"+user)
					link := w.client(t, user, user, plugin.HandlerFunc(fulfiller))
					synctest.Wait()
					for n := range packets {
						paying.Go(func() {
							time.Sleep(time.Duration(n*7+i) * 100 * time.Microsecond)
							if err := c.pay(w, link, user); err != nil {
								t.Error(err)
							}
						})
					}
				}
				paying.Wait()
				rows := film.balances(t, ids...)
				for i, row := range rows {
					account, all := c.sign*row[0], int64(0)
					for _, balance := range row[1:] {
						all += c.sign * balance
					}
					if all < account || all > users*packets*100 {
						t.Errorf("image %d of %d: the account is at %d, its users at %v", i, len(rows), row[0], row[1:])
					}
				}
				if last := rows[len(rows)-1]; c.sign*last[0] != users*packets*100 {
					t.Errorf("in the end the account is at %d", last[0])
				}
			})
		})
	}
}

// Where nobody says that the account is booked, or the users' books are in
// another ledger, the fulfillment waits for the user's book all the same; and a
// packet whose account could not be booked for certain is not booked again.
func TestPostingsOfUsersAlone(t *testing.T) {
	for name, c := range map[string]struct {
		posts   bool // the parent posts first
		reply   ilp.Reply
		balance int64
	}{
		"fulfilled, not posted":   {false, fulfill, 100},
		"posted and fulfilled":    {true, fulfill, 100},
		"posted, and then failed": {true, ilp.Internal(ledger.ErrClosed), 100},
		"rejected":                {false, ilp.Rejectf("F99", "no"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := newSlowStore(memstore.New())
				o := named(memstore.New())
				o.Ledger = newLedger(t, slow)
				n := start(t, o)
				n.parent.hold()
				u := n.user(t, "alice", "a")
				u.SendILP(btp.TypeMessage, 1, prepareTo("test.x"))
				h := get(t, n.parent.held)
				if c.posts {
					h.responder.Post(t.Context())
					h.responder.Post(t.Context()) // once more says nothing new
				}
				h.responder.Reply(t.Context(), c.reply)
				h.responder.Post(t.Context()) // too late
				synctest.Wait()
				answered := make(chan ilp.Reply, 1)
				go func() { answered <- u.ReadReply(1) }()
				synctest.Wait()
				_, fulfilled := c.reply.(*ilp.Fulfill)
				select {
				case reply := <-answered:
					if fulfilled {
						t.Errorf("answered %v before the book is written", reply)
					}
					answered <- reply
				default:
					if !fulfilled {
						t.Error("a reject waits")
					}
				}
				close(slow.release)
				if _, ok := get(t, answered).(*ilp.Fulfill); ok != fulfilled {
					t.Errorf("answered fulfilled: %t, want %t", ok, fulfilled)
				}
				synctest.Wait()
				n.wantBook(t, "alice", c.balance, 0, 0)
			})
		})
	}
}

// A question for an address that is paid for is booked with the user as it is
// with the account, whatever the user is told.
func TestPaidQuestionForAnAddress(t *testing.T) {
	for name, c := range map[string]struct {
		config   func() ilp.Reply
		fulfills bool
	}{
		"answered":              {gives("test.connie.mini"), true},
		"answered with rubbish": {func() ilp.Reply { return &ilp.Fulfill{Data: []byte("rubbish")} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := named(memstore.New())
				o.Ledger = newLedger(t, memstore.New())
				n := start(t, o)
				u := n.user(t, "alice", "a")
				n.parent.mu.Lock()
				n.parent.config, n.parent.posts = c.config, true
				n.parent.mu.Unlock()
				request := ildcp.Request(time.Now().Add(time.Minute))
				request.Amount = 100
				reply := u.Exchange(1, &request)
				if _, ok := reply.(*ilp.Fulfill); ok != c.fulfills {
					t.Errorf("the user is told %v", reply)
				}
				synctest.Wait()
				n.wantBook(t, "alice", 100, 0, 0)
			})
		})
	}
}
