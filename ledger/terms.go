package ledger

import (
	"context"
	"fmt"
	"math"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// terms are Terms that were checked, as a book keeps them: what the caller's
// pointers point to is copied.
type terms struct {
	asset               ilp.Asset // zero: whatever the book counts
	maximum, minimum    int64
	settles             bool // there is a threshold, and a way to pay
	threshold, settleTo int64
	pay                 func(ctx context.Context, m plugin.Money) error
}

// check says what is wrong with t, or gives it as a book keeps it.
func (t Terms) check() (terms, error) {
	checked := terms{asset: t.Asset, maximum: math.MaxInt64, minimum: math.MinInt64, pay: t.Pay}
	if len(t.Account) < 1 || len(t.Account) > account.MaxIDLength {
		return terms{}, fmt.Errorf("ledger: account id %q has %d bytes: it must have 1 to %d", t.Account, len(t.Account), account.MaxIDLength)
	}
	if len(t.Asset.Code) > account.MaxAssetCodeLength {
		return terms{}, fmt.Errorf("ledger: account %q: Asset.Code has %d bytes: it must have %d or less", t.Account, len(t.Asset.Code), account.MaxAssetCodeLength)
	}
	l := t.Limits
	if l == nil {
		return checked, nil
	}
	checked.maximum, checked.minimum = l.Maximum, l.Minimum
	if l.Minimum > l.Maximum {
		return terms{}, fmt.Errorf("ledger: account %q: Limits.Minimum is %d, above Limits.Maximum, %d: it must not be", t.Account, l.Minimum, l.Maximum)
	}
	if l.SettleThreshold == nil {
		return checked, nil
	}
	if *l.SettleThreshold > l.SettleTo || l.SettleTo > l.Maximum {
		return terms{}, fmt.Errorf("ledger: account %q: Limits.SettleTo is %d: it must lie between Limits.SettleThreshold, %d, and Limits.Maximum, %d",
			t.Account, l.SettleTo, *l.SettleThreshold, l.Maximum)
	}
	checked.settles = t.Pay != nil
	checked.threshold, checked.settleTo = *l.SettleThreshold, l.SettleTo
	return checked, nil
}
