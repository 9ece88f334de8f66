package middlewaretest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/interledger-go/connector/plugin"
)

func checkMoney(s *subject) error {
	chains, err := s.attachAll()
	if err != nil {
		return err
	}
	if !s.findings.money {
		return notApplicable("the middleware has nothing to do with money")
	}
	for _, c := range chains {
		for _, d := range []Direction{Incoming, Outgoing} {
			if err := checkMoneyWay(c, d); err != nil {
				return fmt.Errorf("account %q, %s: %w", c.account.ID, d, err)
			}
		}
	}
	return nil
}

// contextKey is that of the value which every settlement carries.
type contextKey struct{}

func checkMoneyWay(c *Chain, d Direction) error {
	end := &moneyEnd{seen: make(map[string]int)}
	move := c.Money(d, end.take)
	if move == nil {
		return errors.New("the wrapper gave a nil function")
	}
	return atOnce(func(sender int) error {
		for i := range perEach {
			m := plugin.Money{Amount: uint64(i) * (math.MaxUint64 / perEach), Fraction: uint64(i), Key: fmt.Sprintf("%d/%d", sender, i)}
			want := moneyError(m)
			var got error
			ctx := context.WithValue(context.Background(), contextKey{}, m)
			if err := guard("A money wrapper", func() error { got = move(ctx, m); return nil }); err != nil {
				return err
			}
			if err := end.check(m); err != nil {
				return err
			}
			if !errors.Is(got, want) || (got == nil) != (want == nil) {
				return fmt.Errorf("the next function gave the error %v, and the wrapper gave %v: want the same, or one that wraps it", want, got)
			}
		}
		return nil
	})
}

// moneyError is how a settlement ends: some go through, some were not
// sent, of some it is not known.
func moneyError(m plugin.Money) error {
	switch m.Amount % 3 {
	case 1:
		return plugin.ErrNotSent
	case 2:
		return errMoney
	}
	return nil
}

var errMoney = errors.New("the outcome is unknown")

// moneyEnd stands behind the wrappers.
type moneyEnd struct {
	mu    sync.Mutex
	seen  map[string]int // by key
	fault error
}

func (e *moneyEnd) take(ctx context.Context, m plugin.Money) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen[m.Key]++
	switch given, ok := ctx.Value(contextKey{}).(plugin.Money); {
	case !ok:
		e.fault = errors.New("the values of the context are gone")
	case given != m:
		e.fault = fmt.Errorf("the settlement was %+v and is now %+v", given, m)
	}
	return moneyError(m)
}

// check says what is wrong with the way of m, which has been moved.
func (e *moneyEnd) check(m plugin.Money) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fault == nil && e.seen[m.Key] != 1 {
		return fmt.Errorf("the next function was called %d times for the settlement %+v", e.seen[m.Key], m)
	}
	return e.fault
}
