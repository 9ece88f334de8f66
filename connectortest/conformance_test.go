package connectortest

import (
	"testing"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/plugintest"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/storetest"
)

// A link without faults keeps the contract of a plugin.
func TestLinkConformance(t *testing.T) {
	plugintest.Run(t, plugintest.Options{
		New: func(testing.TB) (first, second plugin.Plugin, stop func()) {
			l := newLink(1, Faults{})
			return l.join(0), l.join(1), nil
		},
		Symmetric: true,
		Bubble:    true,
	})
}

// What is durable stays when the power is lost, and nothing else comes to be.
func TestDiskConformance(t *testing.T) {
	storetest.Run(t, storetest.Options{
		New:    func(testing.TB) store.Store { return newDisk(1).mount() },
		Reopen: func(_ testing.TB, closed store.Store) store.Store { return closed.(*mount).disk.mount() },
		Crash: func(_ testing.TB, round int, load func(store.Store)) store.Store {
			if round == 20 {
				return nil
			}
			m := newDisk(uint64(round)).mount()
			done := make(chan struct{})
			go func() {
				defer close(done)
				load(m)
			}()
			for range round {
				m.Get(background, "x")
			}
			m.crash()
			<-done
			return m.disk.mount()
		},
	})
}
