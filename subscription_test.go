package connector_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/static"
	"github.com/interledger-go/connector/ilp"
)

// watchedBackend keeps what it is told of exchanges.
type watchedBackend struct {
	backend.Backend

	mu   sync.Mutex
	seen []backend.Exchange
}

func (b *watchedBackend) Observe(e backend.Exchange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, e)
}

// Reference tests 103 and 104: at the rates of its ECB backend, between two of
// four peers that have told their routes, a packet is converted and its fulfill
// relayed as it is, and the backend learns of the exchange once.
func TestReference103And104Subscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := &watchedBackend{Backend: must(static.New(static.Options{Spread: "0.002", Rates: static.Rates{"EUR": {
			"USD": "1.0592", "CAD": "1.3583", "CNY": "6.5982",
		}}}))}
		n := newNetwork(t, connector.Config{Backend: rates})
		speakers := make(map[string]*speaker)
		for _, currency := range []string{"cad", "usd", "eur", "cny"} {
			speakers[currency] = n.addSpeaker(connector.Account{
				ID: "test." + currency + "-ledger", Relation: connector.Peer, Asset: connector.Asset{Code: strings.ToUpper(currency), Scale: 4},
			})
		}
		eur := speakers["eur"].link
		eur.answer = nil // the test answers
		n.run()
		time.Sleep(time.Second) // the connector has asked for routes
		for _, s := range speakers {
			s.teach(s.id)
		}
		time.Sleep(time.Second) // the routes are taken

		data := []byte{0x04, 0x00, 0x40}
		o := n.send("test.usd-ledger", ilp.Prepare{
			Amount: 10700, Destination: ilp.MustParseAddress("test.eur-ledger.bob"), Condition: condition1,
			ExpiresAt: time.Now().Add(11 * time.Second).UTC(), Data: data,
		})
		sent := eur.take(t)
		p := sent.prepare
		if p.Amount != 10081 || !p.ExpiresAt.Equal(time.Now().Add(10*time.Second)) || p.Condition != condition1 ||
			p.Destination.String() != "test.eur-ledger.bob" || string(p.Data) != string(data) {
			t.Errorf("the next hop is sent %+v", p)
		}
		sent.reply(&ilp.Fulfill{Fulfillment: fulfillment1, Data: []byte{0x00, 0x10, 0x01}})
		o.wantFulfill(t, fulfillment1)
		if string(o.fulfill.Data) != "\x00\x10\x01" {
			t.Errorf("the fulfill has the data %x", o.fulfill.Data)
		}
		if eur.count() != 1 {
			t.Errorf("%d packets were sent, want 1", eur.count())
		}
		want := backend.Exchange{
			Source:       backend.Party{Account: "test.usd-ledger", Asset: ilp.Asset{Code: "USD", Scale: 4}},
			Destination:  backend.Party{Account: "test.eur-ledger", Asset: ilp.Asset{Code: "EUR", Scale: 4}},
			SourceAmount: 10700, DestinationAmount: 10081, Fulfilled: true,
		}
		rates.mu.Lock()
		defer rates.mu.Unlock()
		if len(rates.seen) != 1 || rates.seen[0] != want {
			t.Errorf("the backend saw %+v, want %+v once", rates.seen, want)
		}
	})
}
