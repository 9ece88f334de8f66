package middleware_test

import (
	"context"
	"errors"
	"testing"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
)

// tally is a book that counts calls, and answers postings when it is told to.
type tally struct {
	ledger.Book
	posted, released int
	now              bool // whether Post answers at once, and with what
	err              error
	waiters          []ledger.Waiter
}

func (b *tally) Immediate() {}

func (b *tally) Reserve(context.Context, ledger.Side, uint64, ledger.Waiter) error { return nil }

func (b *tally) Release(ledger.Side, uint64) { b.released++ }

func (b *tally) Post(_ context.Context, _ ledger.Side, _ uint64, w ledger.Waiter) error {
	b.posted++
	if b.now {
		return b.err
	}
	b.waiters = append(b.waiters, w)
	return ledger.ErrPending
}

// tell answers all that wait.
func (b *tally) tell(err error) {
	for _, w := range b.waiters {
		w.Done(context.Background(), err)
	}
	b.waiters = nil
}

// tallied is a host whose books are one tally.
type tallied struct {
	middleware.Host
	book *tally
}

func (h tallied) Book(*account.Account) ledger.Book { return h.book }

// terminal is told what became of a packet.
type terminal struct{ replies []ilp.Reply }

func (*terminal) Pass(context.Context, *middleware.Packet) {}

func (e *terminal) Done(_ context.Context, _ *middleware.Packet, reply ilp.Reply) {
	e.replies = append(e.replies, reply)
}

// A posting that is made before the reply is made once, and a fulfillment goes
// on when it is durable, whichever comes first; what fails after it gives
// nothing back.
func TestPostingBeforeTheReply(t *testing.T) {
	broken := errors.New("the disk is gone")
	reject := ilp.Rejectf(ilp.F99ApplicationError, "no")
	type step func(p *middleware.Packet, b *tally)
	post := func(p *middleware.Packet, _ *tally) { p.Post(context.Background()) }
	reply := func(r ilp.Reply) step {
		return func(p *middleware.Packet, _ *tally) { p.Answer(context.Background(), r) }
	}
	tell := func(err error) step { return func(_ *middleware.Packet, b *tally) { b.tell(err) } }
	for name, c := range map[string]struct {
		now       bool
		err       error // with now
		steps     []step
		posted    int
		released  int
		fulfilled bool
		before    int // the step that the answer comes with, from 1
	}{
		"not before":                     {steps: []step{reply(fulfill1()), tell(nil)}, posted: 1, fulfilled: true, before: 2},
		"durable, then the reply":        {steps: []step{post, tell(nil), reply(fulfill1())}, posted: 1, fulfilled: true, before: 3},
		"the reply, then durable":        {steps: []step{post, reply(fulfill1()), tell(nil)}, posted: 1, fulfilled: true, before: 3},
		"durable at once":                {now: true, steps: []step{post, reply(fulfill1())}, posted: 1, fulfilled: true, before: 2},
		"twice":                          {steps: []step{post, post, tell(nil), reply(fulfill1())}, posted: 1, fulfilled: true, before: 4},
		"not for ever, then the reply":   {steps: []step{post, tell(broken), reply(fulfill1())}, posted: 1, before: 3},
		"the reply, then not for ever":   {steps: []step{post, reply(fulfill1()), tell(broken)}, posted: 1, before: 3},
		"refused at once":                {now: true, err: broken, steps: []step{post, reply(fulfill1())}, posted: 1, before: 2},
		"a reject after it":              {steps: []step{post, reply(reject), tell(nil)}, posted: 1, before: 2},
		"a reject after it, and durable": {steps: []step{post, tell(nil), reply(reject)}, posted: 1, before: 3},
		"a reject without it":            {steps: []step{reply(reject)}, released: 1, before: 1},
	} {
		t.Run(name, func(t *testing.T) {
			book := &tally{now: c.now, err: c.err}
			stages, err := middleware.Balance().Attach(tallied{newHost(), book}, child())
			if err != nil {
				t.Fatal(err)
			}
			p, end := new(middleware.Packet), new(terminal)
			for range 3 { // the second time with memory that was used before
				*book = tally{now: c.now, err: c.err}
				end.replies = nil
				p.Prepare.Amount = 5
				p.Run(t.Context(), middleware.NewChain(stages.Incoming), end)
				for i, do := range c.steps {
					do(p, book)
					if want := i+1 >= c.before; want != (len(end.replies) == 1) {
						t.Errorf("after step %d there are %d answers", i+1, len(end.replies))
					}
				}
				if _, fulfilled := end.replies[0].(*ilp.Fulfill); fulfilled != c.fulfilled {
					t.Errorf("the answer is %v", end.replies[0])
				}
				if book.posted != c.posted || book.released != c.released {
					t.Errorf("posted %d times and released %d, want %d and %d", book.posted, book.released, c.posted, c.released)
				}
				p.Reset()
			}
		})
	}
}

// A packet that moves nothing is not posted.
func TestPostingOfNothing(t *testing.T) {
	book := new(tally)
	stages, err := middleware.Balance().Attach(tallied{newHost(), book}, child())
	if err != nil {
		t.Fatal(err)
	}
	p, end := new(middleware.Packet), new(terminal)
	p.Run(t.Context(), middleware.NewChain(stages.Incoming), end)
	p.Post(t.Context())
	p.Answer(t.Context(), fulfill1())
	if book.posted != 0 || len(end.replies) != 1 {
		t.Errorf("posted %d times, %d answers", book.posted, len(end.replies))
	}
}

// poster is a link that keeps books, and notes what it is told, and when.
type poster struct {
	book  *tally
	heard []string
}

func (l *poster) Post(_ context.Context, token uint64) {
	l.heard = append(l.heard, "post")
	if token != 7 || l.book.posted != 0 {
		l.heard = append(l.heard, "too late")
	}
}

func (l *poster) Reply(context.Context, uint64, ilp.Reply, error) { l.heard = append(l.heard, "reply") }

// Balance tells the link that has brought a packet before it posts it, and only
// of what it posts.
func TestBalanceTellsThePoster(t *testing.T) {
	for name, c := range map[string]struct {
		amount uint64
		reply  ilp.Reply
		heard  int
	}{
		"fulfilled":       {5, fulfill1(), 1},
		"rejected":        {5, ilp.Rejectf(ilp.F99ApplicationError, "no"), 0},
		"nothing to post": {0, fulfill1(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			book := new(tally)
			stages, err := middleware.Balance().Attach(tallied{newHost(), book}, child())
			if err != nil {
				t.Fatal(err)
			}
			link := &poster{book: book}
			p := &middleware.Packet{Responder: plugin.NewResponder(link, 7)}
			p.Prepare.Amount = c.amount
			p.Run(t.Context(), middleware.NewChain(stages.Incoming), new(terminal))
			p.Answer(t.Context(), c.reply)
			if len(link.heard) != c.heard {
				t.Errorf("the link heard %v", link.heard)
			}
		})
	}
}
