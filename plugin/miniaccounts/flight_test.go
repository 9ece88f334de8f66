package miniaccounts_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store/memstore"
)

// withBooks is a server with books, over a store that forgets.
func withBooks(t testing.TB) (*network, ledger.Ledger) {
	o := named(memstore.New())
	o.Ledger = newLedger(t, memstore.New())
	return start(t, o), o.Ledger
}

// A packet to a user has one outcome, whatever happens in which order, and
// its amount is posted if that is a fulfillment, and else free again.
func TestOutcomesOfPacketsToUsers(t *testing.T) {
	const window = miniaccounts.DefaultHandoverWindow
	type world struct {
		n    *network
		u    *btptest.Conn
		id   uint32
		sent *ilp.Prepare
	}
	fulfil := func(w *world) { w.u.SendILP(btp.TypeResponse, w.id, fulfill) }
	reject := func(w *world) { w.u.SendILP(btp.TypeResponse, w.id, &ilp.Reject{Code: "F99"}) }
	expire := func(w *world) { time.Sleep(time.Until(w.sent.ExpiresAt) - window) }
	hangUp := func(w *world) { w.u.Close() }
	for name, c := range map[string]struct {
		steps   []func(w *world)
		balance int64
		code    ilp.Code // of the reject; empty for a fulfillment or an error
		is      error
		stats   func(s miniaccounts.Stats) bool
	}{
		"fulfilled":           {steps: []func(*world){fulfil}, balance: -100},
		"rejected":            {steps: []func(*world){reject}, code: "F99"},
		"expired":             {steps: []func(*world){expire}, code: ilp.R00TransferTimedOut},
		"hung up":             {steps: []func(*world){hangUp}, is: plugin.ErrUnknownOutcome},
		"closed":              {steps: []func(*world){func(w *world) { w.n.Close() }}, is: plugin.ErrUnknownOutcome},
		"fulfilled twice":     {steps: []func(*world){fulfil, fulfil}, balance: -100},
		"rejected, fulfilled": {steps: []func(*world){reject, fulfil}, code: "F99"},
		"fulfilled, rejected": {steps: []func(*world){fulfil, reject}, balance: -100},
		"fulfilled, hung up":  {steps: []func(*world){fulfil, hangUp}, balance: -100},
		"fulfilled, expired":  {steps: []func(*world){fulfil, expire}, balance: -100},
		"expired, hung up":    {steps: []func(*world){expire, hangUp}, code: ilp.R00TransferTimedOut},
		"expired, closed":     {steps: []func(*world){expire, func(w *world) { w.n.Close() }}, code: ilp.R00TransferTimedOut},
		"fulfilled at last":   {steps: []func(*world){func(w *world) { time.Sleep(time.Until(w.sent.ExpiresAt) - window - time.Millisecond) }, fulfil}, balance: -100},
		"expired, fulfilled": {steps: []func(*world){expire, fulfil}, code: ilp.R00TransferTimedOut,
			stats: func(s miniaccounts.Stats) bool { return s.LateFulfills == 1 }},
		"expired, fulfilled twice": {steps: []func(*world){expire, fulfil, fulfil}, code: ilp.R00TransferTimedOut,
			stats: func(s miniaccounts.Stats) bool { return s.LateFulfills == 1 }},
		"expired, rejected": {steps: []func(*world){expire, reject}, code: ilp.R00TransferTimedOut,
			stats: func(s miniaccounts.Stats) bool { return s.LateFulfills == 0 }},
		"wrong fulfillment": {steps: []func(*world){func(w *world) { w.u.SendILP(btp.TypeResponse, w.id, &ilp.Fulfill{}) }, fulfil},
			code: ilp.F05WrongCondition},
		"BTP error": {steps: []func(*world){func(w *world) {
			w.u.Send(btp.Packet{Type: btp.TypeError, RequestID: w.id, Error: *btp.Errorf(btp.F00NotAcceptedError, "no")})
		}}, is: errReject},
		"no packet": {steps: []func(*world){func(w *world) { w.u.Send(btp.Packet{Type: btp.TypeResponse, RequestID: w.id}) }}, is: plugin.ErrUnknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, books := withBooks(t)
				w := &world{n: n, u: n.user(t, "alice", "a"), sent: prepareTo("test.connie.mini.alice")}
				result := ask(n, w.sent)
				_, w.id = w.u.ReadPrepare()
				n.wantBook(t, "alice", 0, 0, 100)
				go func() {
					for {
						if _, err := w.u.TryRead(); err != nil {
							return
						}
					}
				}()
				for _, step := range c.steps {
					step(w)
					synctest.Wait()
				}
				o := get(t, result)
				_, isReject := errors.AsType[*ilp.Reject](o.err)
				switch {
				case c.is == errReject:
					if !isReject {
						t.Errorf("%+v, want an error that is a reject", o)
					}
				case c.is != nil:
					if !errors.Is(o.err, c.is) || errors.Is(o.err, plugin.ErrNotSent) {
						t.Errorf("%+v, want %v", o, c.is)
					}
				case c.code != "":
					if o.reject == nil || o.reject.Code != c.code {
						t.Errorf("%+v, want %s", o, c.code)
					}
				case o.fulfill == nil:
					t.Errorf("%+v, want a fulfillment", o)
				}
				time.Sleep(time.Hour) // whatever may come
				select {
				case again := <-result:
					t.Errorf("a second outcome: %+v", again)
				default:
				}
				if s := n.Stats(); c.stats != nil && !c.stats(s) {
					t.Errorf("stats %+v", s)
				}
				n.Close()
				synctest.Wait()
				book, err := books.Open(t.Context(), ledger.Terms{Account: "miniaccounts/alice"})
				if err != nil {
					t.Fatal(err)
				}
				if b := book.State(); b.Balance != c.balance || b.ReservedOut != 0 || b.ReservedIn != 0 {
					t.Errorf("the book is %+v, want %d and nothing reserved", b, c.balance)
				}
			})
		})
	}
}

// errReject stands for an error that is a *ilp.Reject.
var errReject = errors.New("a reject")

// A packet that comes too late to be sent is not.
func TestPacketWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _ := withBooks(t)
		u := n.user(t, "alice", "a")
		p := prepareTo("test.connie.mini.alice")
		p.ExpiresAt = time.Now().Add(miniaccounts.DefaultHandoverWindow)
		get(t, ask(n, p)).wantReject(t, ilp.R02InsufficientTimeout, "packet expires too soon to reach the client.")
		n.wantBook(t, "alice", 0, 0, 0)
		p.ExpiresAt = p.ExpiresAt.Add(time.Millisecond)
		result := ask(n, p)
		_, id := u.ReadPrepare()
		u.SendILP(btp.TypeResponse, id, fulfill)
		if o := get(t, result); o.fulfill == nil {
			t.Errorf("%+v", o)
		}
	})
}

// A packet of a user has one outcome, too.
func TestOutcomesOfPacketsFromUsers(t *testing.T) {
	for name, c := range map[string]struct {
		answer  func(ctx context.Context, r plugin.Responder)
		hangUp  bool // before the answer
		balance int64
	}{
		"fulfilled":             {answer: func(ctx context.Context, r plugin.Responder) { r.Reply(ctx, fulfill) }, balance: 100},
		"rejected":              {answer: func(ctx context.Context, r plugin.Responder) { r.Reply(ctx, &ilp.Reject{Code: "F99"}) }},
		"failed":                {answer: func(ctx context.Context, r plugin.Responder) { r.Fail(ctx, plugin.ErrNotSent) }},
		"hung up and fulfilled": {answer: func(ctx context.Context, r plugin.Responder) { r.Reply(ctx, fulfill) }, hangUp: true, balance: 100},
		"hung up and rejected":  {answer: func(ctx context.Context, r plugin.Responder) { r.Reply(ctx, &ilp.Reject{Code: "F99"}) }, hangUp: true},
		"answered twice": {answer: func(ctx context.Context, r plugin.Responder) {
			r.Reply(ctx, fulfill)
			r.Reply(ctx, fulfill)
			r.Reply(ctx, &ilp.Reject{Code: "F99"})
		}, balance: 100},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, _ := withBooks(t)
				n.parent.hold()
				u := n.user(t, "alice", "a")
				u.SendILP(btp.TypeMessage, 1, prepareTo("test.x"))
				h := get(t, n.parent.held)
				n.wantBook(t, "alice", 0, 100, 0)
				if c.hangUp {
					u.Close()
					synctest.Wait()
				}
				c.answer(context.Background(), h.responder)
				if !c.hangUp {
					u.Read()
				}
				synctest.Wait()
				n.user(t, "alice", "a")
				n.wantBook(t, "alice", c.balance, 0, 0)
			})
		})
	}
}

// A fulfillment goes back to the user when its posting is durable, and not
// before.
func TestUserIsToldWhenTheBookIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Memstore says that it is volatile; a wrapper does not.
		s := newSlowStore(memstore.New())
		o := named(memstore.New())
		o.Ledger = newLedger(t, s)
		n := start(t, o)
		u := n.user(t, "alice", "a")
		answers := make(chan btp.Packet, 1)
		u.SendILP(btp.TypeMessage, 1, prepareTo("test.x"))
		go func() { answers <- u.Read() }()
		synctest.Wait()
		select {
		case p := <-answers:
			t.Fatalf("answered %+v before the book is written", p)
		default:
		}
		close(s.release)
		if p := get(t, answers); p.Type != btp.TypeResponse {
			t.Errorf("answered %+v", p)
		}
	})
}

// A ledger that has to be asked, by a call that takes time, changes nothing.
func TestReservationsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := named(memstore.New())
		o.Ledger = &remoteLedger{newLedger(t, memstore.New())}
		n := start(t, o)
		u := n.user(t, "alice", "a")
		if _, ok := u.Exchange(1, prepareTo("test.x")).(*ilp.Fulfill); !ok {
			t.Error("refused")
		}
		result := ask(n, prepareTo("test.connie.mini.alice"))
		_, id := u.ReadPrepare()
		u.SendILP(btp.TypeResponse, id, fulfill)
		if o := get(t, result); o.fulfill == nil {
			t.Errorf("%+v", o)
		}
		// While the reservation is made, the socket goes, and the packet's time.
		result = ask(n, prepareTo("test.connie.mini.alice"))
		u.Close()
		if o := get(t, result); o.fulfill != nil {
			t.Errorf("%+v", o)
		}
		synctest.Wait()
		if n.InMemory() != 0 {
			t.Error("the user is still in memory")
		}
		p := prepareTo("test.connie.mini.alice")
		p.ExpiresAt = time.Now().Add(remoteDelay)
		n.user(t, "alice", "a")
		get(t, ask(n, p)).wantReject(t, ilp.R02InsufficientTimeout, "packet expires too soon to reach the client.")
		n.wantBook(t, "alice", 0, 0, 0)
	})
}

// remoteLedger is a ledger far away: reservations take a while.
type remoteLedger struct{ ledger.Ledger }

const remoteDelay = 100 * time.Millisecond

func (l *remoteLedger) Open(ctx context.Context, t ledger.Terms) (ledger.Book, error) {
	b, err := l.Ledger.Open(ctx, t)
	return remoteBook{b}, err
}

type remoteBook struct{ ledger.Book }

func (b remoteBook) Reserve(ctx context.Context, side ledger.Side, amount uint64, w ledger.Waiter) error {
	time.AfterFunc(remoteDelay, func() { w.Done(context.Background(), b.Book.Reserve(ctx, side, amount, nil)) })
	return ledger.ErrPending
}

// impatient is a connector that has given a packet up, which a timer of ours
// has not noticed yet.
type impatient struct{ outcomes chan outcome }

func (i impatient) Claim(uint64) bool { return false }

func (i impatient) Reply(_ context.Context, _ uint64, reply ilp.Reply, err error) {
	i.outcomes <- newOutcome(reply, err)
}

// A fulfillment that comes when the connector has given the packet up is not
// booked with the user, since it is not with the account.
func TestFulfillmentThatTheConnectorHasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := named(memstore.New())
		o.Ledger = newLedger(t, memstore.New())
		n := start(t, o)
		u := n.user(t, "alice", "a")
		i := impatient{make(chan outcome, 10)}
		n.SendPrepare(t.Context(), prepareTo("test.connie.mini.alice"), plugin.NewResponder(i, 0))
		_, id := u.ReadPrepare()
		u.SendILP(btp.TypeResponse, id, fulfill)
		get(t, i.outcomes).wantReject(t, ilp.R00TransferTimedOut, "Packet expired")
		synctest.Wait()
		n.wantBook(t, "alice", 0, 0, 0)
		if got := n.Stats().LateFulfills; got != 1 || len(i.outcomes) != 0 {
			t.Errorf("%d late fulfillments are counted, and %d answers came besides; want 1 and none", got, len(i.outcomes))
		}
	})
}
