package ledgertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

var (
	fine   = ilp.Asset{Code: "USD", Scale: 9}
	coarse = ilp.Asset{Code: "USD", Scale: 6}
	other  = ilp.Asset{Code: "EUR", Scale: 9}
	unsaid ilp.Asset
)

// A holding is something that a book can hold, and whether it keeps the book
// from being opened in another asset.
type holding struct {
	what string
	fill func(*book) error
	want error
}

func holdings() []holding {
	return []holding{
		{"a balance", func(b *book) error { return b.pass(in, 7) }, ledger.ErrAsset},
		{"a fraction", func(b *book) error { return b.receiveMoney(plugin.Money{Fraction: 1, Key: "k"}) }, ledger.ErrAsset},
		{"a settlement", func(b *book) error {
			if err := b.pass(out, 5); err != nil {
				return err
			}
			_, err := b.send(5)
			return err
		}, ledger.ErrAsset},
		{"nothing", func(*book) error { return nil }, nil},
		{"nothing any more", func(b *book) error { return errors.Join(b.pass(in, 7), b.pass(out, 7)) }, nil},
	}
}

// checkAsset fills books with what a book can hold, and opens them in other
// assets: at once, and after the ledger was opened again.
func checkAsset(s *suite) error {
	u := s.begin()
	for _, h := range holdings() {
		b, err := u.openIn(h.what, fine)
		if err != nil {
			return fmt.Errorf("opening an empty book in %v: %w", fine, err)
		}
		if err := h.fill(b); err != nil {
			return err
		}
		b.Close()
	}
	if err := u.countAll(); err != nil || s.opts.Reopen == nil {
		return err
	}
	u, err := u.reopen()
	if err != nil {
		return err
	}
	if err := u.countAll(); err != nil {
		return fmt.Errorf("after the ledger was opened again: %w", err)
	}
	return nil
}

// countAll opens each book in all assets.
func (u *subject) countAll() error {
	for _, h := range holdings() {
		err := errors.Join(
			u.count(h, unsaid, nil),
			u.count(h, coarse, h.want),
			u.count(h, other, h.want),
			u.count(h, fine, nil))
		if err != nil {
			return err
		}
	}
	return nil
}

// count opens a book in an asset, and closes it again.
func (u *subject) count(h holding, asset ilp.Asset, want error) error {
	b, err := u.openIn(h.what, asset)
	if !errors.Is(err, want) {
		return fmt.Errorf("opening a book in %v that holds %s gives %v, want %v", asset, h.what, err, want)
	}
	if err == nil {
		b.Close()
	}
	return nil
}

// openIn opens a book in an asset, of an account that nobody can pay yet.
func (u *subject) openIn(id string, asset ilp.Asset) (*book, error) {
	b, err := u.Open(context.Background(), ledger.Terms{Account: id, Asset: asset,
		Limits: &account.BalanceLimits{Minimum: account.NoMinimum, Maximum: account.NoMaximum},
		Pay:    func(context.Context, plugin.Money) error { return plugin.ErrNotConnected }})
	if err != nil {
		return nil, err
	}
	_, immediate := b.(ledger.Immediate)
	return &book{Book: b, s: u.s, id: id, immediate: immediate}, nil
}
