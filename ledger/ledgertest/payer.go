package ledgertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

// payer is the link of an account: it answers what it is asked to pay.
type payer struct {
	mu      sync.Mutex
	answer  error
	calls   []plugin.Money
	present int // calls that have not ended
	overlap bool
}

// pay is given to a book as Terms.Pay.
func (p *payer) pay(_ context.Context, m plugin.Money) error {
	p.mu.Lock()
	p.calls = append(p.calls, m)
	p.present++
	p.overlap = p.overlap || p.present > 1
	p.mu.Unlock()
	<-time.After(time.Millisecond) // so that calls at the same time overlap
	p.mu.Lock()
	defer p.mu.Unlock()
	p.present--
	return p.answer
}

// answers changes the answer.
func (p *payer) answers(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = err
}

// forget forgets what was asked.
func (p *payer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = nil
}

// asked gives what was asked, oldest first.
func (p *payer) asked() []plugin.Money {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// want waits until as many settlements have been asked for, and checks their
// amounts.
func (p *payer) want(amounts ...uint64) ([]plugin.Money, error) {
	err := eventually(func() bool { return len(p.asked()) >= len(amounts) })
	calls := p.asked()
	var got []uint64
	for _, m := range calls {
		got = append(got, m.Amount)
	}
	if err != nil || !slices.Equal(got, amounts) {
		return nil, fmt.Errorf("calls of Pay have the amounts %v, want %v", got, amounts)
	}
	return calls, nil
}

// wantNothing checks that nothing has been asked for, if the ledger had time
// to.
func (p *payer) wantNothing(s *suite) error {
	s.idle()
	_, err := p.want()
	return err
}

// settled checks that the book has this balance and that nothing is being
// settled.
func (b *book) settled(balance int64) error {
	return b.wantState(fmt.Sprintf("a balance of %d and no settlements", balance), func(s ledger.State) bool {
		return s.Balance == balance && len(s.Settlements) == 0
	})
}
