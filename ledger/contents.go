package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/interledger-go/connector/store"
)

// contents are what a store holds of an account.
type contents struct {
	figures     figures
	settlements []*settlement
	received    map[string]time.Time
}

// read reads the contents of an account. Nobody writes them meanwhile: its
// book is not in memory.
func read(ctx context.Context, s store.Store, account string) (contents, error) {
	c := contents{received: make(map[string]time.Time)}
	key := accountKey(bookPrefix, account)
	value, err := s.Get(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return c, nil // a new account: each batch with its settlements has its book too
	case err != nil:
		return c, fmt.Errorf("reading its book: %w", err)
	}
	if c.figures, err = parseBook(value); err != nil {
		return c, fmt.Errorf("reading its book: the record %q %w", key, err)
	}
	err = scanSettlements(ctx, s, outKey(account, ""), func(key string, amount uint64, at time.Time) {
		c.settlements = append(c.settlements, &settlement{Settlement: Settlement{Key: key, Amount: amount, Created: at}})
	})
	if err != nil {
		return c, fmt.Errorf("reading the settlements that we are making: %w", err)
	}
	slices.SortStableFunc(c.settlements, func(x, y *settlement) int { return x.Created.Compare(y.Created) })
	err = scanSettlements(ctx, s, receivedKey(account, ""), func(key string, _ uint64, at time.Time) { c.received[key] = at })
	if err != nil {
		return c, fmt.Errorf("reading the settlements that we have received: %w", err)
	}
	return c, nil
}

// scanSettlements calls visit with the settlements whose records have keys
// that begin with prefix. key is the rest.
func scanSettlements(ctx context.Context, s store.Store, prefix string, visit func(key string, amount uint64, at time.Time)) error {
	return s.Scan(ctx, prefix, func(key string, value []byte) error {
		amount, at, err := parseSettlement(value)
		if err != nil {
			return fmt.Errorf("the record %q %w", key, err)
		}
		visit(strings.TrimPrefix(key, prefix), amount, at)
		return nil
	})
}
