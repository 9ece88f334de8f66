package settlement_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/plugintest"
	"github.com/interledger-go/connector/settlement"
)

// passOn is an engine that has paid when the other one's connector has booked
// it.
func passOn(other *settlement.Engine) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/accounts" {
			w.WriteHeader(http.StatusCreated)
			return
		}
		ctx := context.WithoutCancel(r.Context())
		booked := r.Clone(ctx)
		booked.Header.Set("Authorization", "Bearer secret")
		if !finishes(func() { other.ServeHTTP(w, booked) }) {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
}

// An account that is joined to an engine is a link as any other.
var conformance = plugintest.Options{
	New: func(t testing.TB) (first, second plugin.Plugin, stop func()) {
		var engines [2]*settlement.Engine
		hosts := transport{}
		for i, host := range []string{"first", "second"} {
			e, err := settlement.NewEngine(settlement.Options{
				URL: "http://" + host, Client: &http.Client{Transport: hosts}, AcceptTokens: []string{"secret"}})
			if err != nil {
				t.Fatal(err)
			}
			engines[i] = e
		}
		hosts["first"], hosts["second"] = passOn(engines[1]), passOn(engines[0])
		a, b := inproc.Pipe()
		var joined [2]plugin.Plugin
		for i, end := range []*inproc.End{a, b} {
			var err error
			if joined[i], err = engines[i].Account(end, settlement.AccountOptions{ID: "peer", Asset: usd}); err != nil {
				t.Fatal(err)
			}
		}
		return joined[0], joined[1], nil
	},
	Symmetric: true,
	Money:     true,
}

func TestConformance(t *testing.T) { plugintest.Run(t, conformance) }

func TestConformanceInBubble(t *testing.T) {
	inBubble := conformance
	inBubble.Bubble = true
	plugintest.Run(t, inBubble)
}

func BenchmarkAccount(b *testing.B) { plugintest.Bench(b, conformance) }
