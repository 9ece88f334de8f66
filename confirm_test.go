package connector_test

import (
	"errors"
	"testing"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/store/memstore"
)

// doubting is a backend in which the price of XRP waits.
type doubting struct{ backend.Backend }

var errNoneWaits = errors.New("none waits")

func (doubting) Feeds() []backend.FeedStatus { return nil }

func (doubting) Confirm(currency string) error {
	if currency != "XRP" {
		return errNoneWaits
	}
	return nil
}

func TestConfirmRate(t *testing.T) {
	parity, err := onetoone.New(onetoone.Options{})
	if err != nil {
		t.Fatal(err)
	}
	confirm := func(b backend.Backend, currency string) error {
		c, err := connector.New(connector.Config{Address: "test.connie", Store: memstore.New(), Backend: b, Middleware: middleware.Standard()})
		if err != nil {
			t.Fatal(err)
		}
		return c.ConfirmRate(currency)
	}
	if err := confirm(doubting{parity}, "XRP"); err != nil {
		t.Error(err)
	}
	if err := confirm(doubting{parity}, "USD"); !errors.Is(err, errNoneWaits) {
		t.Errorf("%v; want the backend's error", err)
	}
	if err := confirm(parity, "XRP"); err == nil {
		t.Error("a backend that fetches nothing has confirmed a price")
	}
}
