package ccp_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

// Alice teaches Bob what she can reach. Here a message arrives at once; a host
// sends it over a link, and calls Answered when the answer is there.
func Example() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

	// At Alice's.
	table := ccp.NewTable(ccp.TableOptions{Address: ilp.MustParseAddress("test.alice")})
	table.Set([]ccp.Best{
		{Prefix: "test.alice", Route: ccp.OriginRoute([]byte("secret"), "test.alice")},
		{Prefix: "test.carol", NextHop: ccp.Neighbor{ID: "carol", Relation: account.Peer}, Route: &ccp.Route{
			Prefix: "test.carol", Path: []ilp.Address{ilp.MustParseAddress("test.carol")},
		}},
	})
	sender := ccp.NewSender(ccp.SenderOptions{Table: table, Peer: ccp.Neighbor{ID: "bob", Relation: account.Peer}})

	// At Bob's.
	receiver := ccp.NewReceiver(ccp.ReceiverOptions{Address: ilp.MustParseAddress("test.bob"), Random: rand.NewPCG(1, 2)})
	receiver.LinkUp(now)
	_, control := receiver.Poll(now)
	reply := sender.HandleControl(now, &control.Prepare)
	receiver.Answered(now, control.Sequence, ccp.OutcomeOf(reply, nil))

	now = sender.Deadline()
	update := sender.Poll(now)
	changes, reply := receiver.HandleUpdate(now, &update.Prepare)
	sender.Answered(now, update.Sequence, ccp.OutcomeOf(reply, nil))
	for _, c := range changes {
		fmt.Println(c.Prefix, "by", c.Route.Path)
	}
	// Output:
	// test.alice by [test.alice]
	// test.carol by [test.alice test.carol]
}
