package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// contents are what a store holds of an account.
type contents struct {
	figures     figures
	asset       ilp.Asset // zero in books of which nobody has said
	settlements []*settlement
	received    map[string]received
}

// read reads the contents of an account. Nobody writes them meanwhile: its
// book is not in memory.
func read(ctx context.Context, s store.Store, account string) (contents, error) {
	c := contents{received: make(map[string]received)}
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
	if c.asset, err = readAsset(ctx, s, account); err != nil {
		return c, fmt.Errorf("reading what its book counts: %w", err)
	}
	err = scanSettlements(ctx, s, outKey(account, ""), func(m plugin.Money, at time.Time) error {
		if m.Fraction != 0 { // no version has made one
			return errRecord
		}
		c.settlements = append(c.settlements, &settlement{Settlement: Settlement{Key: m.Key, Amount: m.Amount, Created: at}})
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("reading the settlements that we are making: %w", err)
	}
	slices.SortStableFunc(c.settlements, func(x, y *settlement) int { return x.Created.Compare(y.Created) })
	err = scanSettlements(ctx, s, receivedKey(account, ""), func(m plugin.Money, at time.Time) error {
		c.received[m.Key] = received{money: m, used: at}
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("reading the settlements that we have received: %w", err)
	}
	return c, nil
}

// readAsset reads what the book of an account counts.
func readAsset(ctx context.Context, s store.Store, account string) (ilp.Asset, error) {
	key := accountKey(assetPrefix, account)
	value, err := s.Get(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ilp.Asset{}, nil
	case err != nil:
		return ilp.Asset{}, err
	}
	asset, err := parseAsset(value)
	if err != nil {
		return ilp.Asset{}, fmt.Errorf("the record %q %w", key, err)
	}
	return asset, nil
}

// scanSettlements calls visit with the settlements whose records have keys
// that begin with prefix. Its own key is the rest.
func scanSettlements(ctx context.Context, s store.Store, prefix string, visit func(m plugin.Money, at time.Time) error) error {
	return s.Scan(ctx, prefix, func(key string, value []byte) error {
		m, at, err := parseSettlement(strings.TrimPrefix(key, prefix), value)
		if err == nil {
			err = visit(m, at)
		}
		if err != nil {
			return fmt.Errorf("the record %q %w", key, err)
		}
		return nil
	})
}
