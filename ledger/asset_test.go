package ledger_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

func in(code string, scale uint8) ilp.Asset { return ilp.Asset{Code: code, Scale: scale} }

// A book counts in one asset for as long as it holds anything: in memory, and
// in the next process. A scale that was mistyped would change what is owed by
// a factor.
func TestAssetOfABookStays(t *testing.T) {
	for _, test := range []struct {
		name string
		move func(t *testing.T, b ledger.Book)
		want error
	}{
		{"a balance", func(t *testing.T, b ledger.Book) { post(t, b, ledger.Incoming, 7) }, ledger.ErrAsset},
		{"a fraction", func(t *testing.T, b ledger.Book) {
			if err := b.Receive(t.Context(), plugin.Money{Fraction: 1, Key: "k"}); err != nil {
				t.Fatal(err)
			}
		}, ledger.ErrAsset},
		{"a settlement that is not paid", func(t *testing.T, b ledger.Book) {
			post(t, b, ledger.Outgoing, 5)
			if _, err := b.Send(t.Context(), 5); err != nil {
				t.Fatal(err)
			}
		}, ledger.ErrAsset},
		{"nothing", func(*testing.T, ledger.Book) {}, nil},
		{"nothing any more", func(t *testing.T, b ledger.Book) {
			post(t, b, ledger.Incoming, 7)
			post(t, b, ledger.Outgoing, 7)
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(nil)
				pay := paidBy(func(_ context.Context, _ plugin.Money) error { return errors.New("not now") })
				first := start(t, d)
				b := first.book("a", counts(in("USD", 9)), pay)
				test.move(t, b)
				b.Close()
				wantOpens(t, first, in("USD", 6), test.want) // from memory
				if err := first.stop(); err != nil {
					t.Fatal(err)
				}
				second := start(t, newDisk(d.image()))
				wantOpens(t, second, in("EUR", 9), test.want)
				if test.want != nil {
					wantOpens(t, second, in("USD", 9), nil)
				}
				wantOpens(t, second, ilp.Asset{}, nil)
			})
		})
	}
}

// Books of former versions say nothing of their asset: it is that which they
// are opened with first.
func TestAssetOfABookThatHasNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(nil)
		first := start(t, d)
		post(t, first.book("a"), ledger.Incoming, 7)
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}
		second := start(t, newDisk(d.image()))
		wantOpens(t, second, in("USD", 9), nil)
		wantOpens(t, second, in("USD", 2), ledger.ErrAsset)
	})
}

func counts(asset ilp.Asset) func(*ledger.Terms) {
	return func(t *ledger.Terms) { t.Asset = asset }
}

// wantOpens fails the test unless the book of a opens in asset, or does not
// for the reason that is wanted. It is closed again.
func wantOpens(t *testing.T, h *host, asset ilp.Asset, want error) {
	t.Helper()
	b, err := h.Open(t.Context(), ledger.Terms{Account: "a", Asset: asset})
	switch {
	case !errors.Is(err, want):
		t.Errorf("opened in %v: %v, want %v", asset, err, want)
	case err == nil:
		b.Close()
		synctest.Wait()
	case !strings.Contains(err.Error(), `account "a"`) || !strings.Contains(err.Error(), "USD/9"):
		t.Errorf("the error does not name the account and what it counts: %v", err)
	}
}
