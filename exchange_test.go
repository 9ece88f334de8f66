package connector_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ccp"
)

// The reference asks for our routes as soon as the link is up, and again half
// a minute after a refusal. Who asks before we have an address is told as soon
// as there is one.
func TestNeighborAsksBeforeThereIsAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetworkWithout(t, connector.Config{})
		parent := n.add(connector.Account{ID: "parent", Relation: connector.Parent})
		var address atomic.Value
		parentAnswers(parent, &address, usd9)
		near := n.addSpeaker(peer("test.near"))
		n.run()
		synctest.Wait()

		near.listen()
		time.Sleep(time.Minute)
		near.wantTold()
		if asked := near.asked(); asked != 0 {
			t.Errorf("asked for routes %d times without an address", asked)
		}
		address.Store("test.parent.us")
		parent.handler.HandleState(false, nil)
		parent.handler.HandleState(true, nil)
		time.Sleep(time.Second)
		near.wantTold("test.parent.us")
		if near.asked() == 0 {
			t.Error("not asked for routes with an address")
		}
		near.teach("test.near")
		time.Sleep(time.Second)
		n.wantNextHop("test.near.bob", "test.near")
	})
}

// An address in another network is an exchange anew with those who listen.
func TestNeighborListensWhileTheNetworkChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetworkWithout(t, connector.Config{})
		parent := n.add(connector.Account{ID: "parent", Relation: connector.Parent})
		var address atomic.Value
		address.Store("test.parent.us")
		parentAnswers(parent, &address, usd9)
		near := n.addSpeaker(peer("test.near"))
		n.run()
		synctest.Wait()
		near.listen()
		near.teach("test.far")
		time.Sleep(time.Second)
		n.wantNextHop("test.far.bob", "test.near")

		near.mu.Lock()
		clear(near.known)
		near.mu.Unlock()
		address.Store("g.parent.us")
		parent.handler.HandleState(false, nil)
		parent.handler.HandleState(true, nil)
		time.Sleep(time.Second)
		near.wantTold("g.parent.us")
		n.wantNextHop("test.far.bob", "none")
	})
}

// A neighbor that asks as one who knows nothing has forgotten that it was
// asked, though its link did not go down: it is asked again, and what it told
// stays until it has told all anew.
func TestNeighborStartsOverWithoutNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		near := n.addSpeaker(peer("test.near"))
		n.run()
		synctest.Wait()
		near.listen()
		near.teach("test.far")
		time.Sleep(10 * time.Second)

		before := near.asked()
		near.table, near.epoch = ccp.TableID{15: 2}, 0
		near.listen()
		time.Sleep(2 * time.Second)
		if near.asked() == before {
			t.Error("a neighbor that has started over is not asked for its routes")
		}
		n.wantNextHop("test.far.bob", "test.near")
		near.teach("test.elsewhere")
		time.Sleep(time.Second)
		n.wantNextHop("test.far.bob", "none")
		n.wantNextHop("test.elsewhere.bob", "test.near")
	})
}
