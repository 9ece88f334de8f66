package connector_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

const (
	duplicateInFlight  = "duplicate of a packet in flight."
	duplicateFulfilled = "duplicate of a fulfilled packet."
)

// trio is a connector with the children one, two and three, in a bubble.
func trio(t *testing.T, test func(t *testing.T, n *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, connector.Config{})
		for _, id := range []string{"one", "two", "three"} {
			n.add(connector.Account{ID: id, Relation: connector.Child})
		}
		n.run()
		test(t, n)
	})
}

// wantBooks fails the test unless these are the balances, and nothing is
// reserved. What is not named is to be 0. The sum of all balances is: no unit
// was made or lost.
func (n *network) wantBooks(t *testing.T, want map[string]int64) {
	t.Helper()
	sum := int64(0)
	for _, a := range n.c.Accounts() {
		b := a.Book
		if b.Balance != want[a.ID] || b.ReservedIn != 0 || b.ReservedOut != 0 {
			t.Errorf("the book of %s is %+v, want a balance of %d and nothing reserved", a.ID, b, want[a.ID])
		}
		sum += b.Balance
	}
	if sum != 0 {
		t.Errorf("the balances add up to %d, want 0", sum)
	}
}

func good() ilp.Reply { return &ilp.Fulfill{Fulfillment: fulfillment1} }

// paidOnce are the books after one packet of 100 from one to two.
var paidOnce = map[string]int64{"one": 100, "two": -100}

// Whatever becomes of the first packet, a duplicate costs nobody anything:
// the next hop sees one packet and is owed for one, and the source is told
// once that it was fulfilled, and owes for one.
func TestDuplicatesInFlight(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(t *testing.T, n *network, first sentPrepare)
		check func(t *testing.T, first *outcome)
		books map[string]int64
	}{
		"fulfilled": {
			func(_ *testing.T, _ *network, first sentPrepare) { first.reply(good()) },
			func(t *testing.T, first *outcome) { first.wantFulfill(t, fulfillment1) },
			paidOnce,
		},
		"rejected": {
			func(_ *testing.T, _ *network, first sentPrepare) {
				first.reply(&ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: ilp.MustParseAddress("test.connie"), Message: "no."})
			},
			func(t *testing.T, first *outcome) { first.wantReject(t, ilp.F99ApplicationError, "no.") },
			nil,
		},
		"wrong fulfillment": {
			func(_ *testing.T, _ *network, first sentPrepare) { first.reply(&ilp.Fulfill{}) },
			func(t *testing.T, first *outcome) {
				first.wantReject(t, ilp.F05WrongCondition, "fulfillment did not match expected value.")
			},
			nil,
		},
		"expired": {
			func(*testing.T, *network, sentPrepare) {
				time.Sleep(time.Second)
				synctest.Wait()
			},
			func(t *testing.T, first *outcome) { first.wantReject(t, ilp.R00TransferTimedOut, "packet expired.") },
			nil,
		},
		"link lost": {
			func(_ *testing.T, _ *network, first sentPrepare) {
				first.responder.Fail(context.Background(), plugin.ErrUnknownOutcome)
			},
			func(t *testing.T, first *outcome) {
				first.wantReject(t, ilp.T01PeerUnreachable, "connection to the next hop was lost.")
			},
			nil,
		},
		"next hop removed": {
			func(t *testing.T, n *network, _ sentPrepare) {
				n.links["two"].answered-- // as if it had not been taken: the closing link answers it
				if err := n.c.RemoveAccount(t.Context(), "two"); err != nil {
					t.Error(err)
				}
				synctest.Wait() // it waits for the next hop's answer, not until the source has it
			},
			func(t *testing.T, first *outcome) { first.wantReject(t, ilp.R00TransferTimedOut, "packet expired.") },
			nil,
		},
		"next hop removed at once": {
			func(t *testing.T, n *network, _ sentPrepare) {
				n.links["two"].answered--
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if err := n.c.RemoveAccount(ctx, "two"); err != nil {
					t.Error(err)
				}
			},
			func(t *testing.T, first *outcome) {
				first.wantReject(t, ilp.T01PeerUnreachable, "connection to the next hop was lost.")
			},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			trio(t, func(t *testing.T, n *network) {
				p := prepare("test.connie.two")
				first := n.send("one", p)
				duplicates := []*outcome{n.send("one", p), n.send("three", p), n.send("one", p)}
				check := func() {
					t.Helper()
					for _, d := range duplicates {
						d.wantReject(t, ilp.T03ConnectorBusy, duplicateInFlight)
					}
				}
				check()
				if got := n.links["two"].count(); got != 1 {
					t.Fatalf("the next hop was sent %d packets, want 1", got)
				}
				c.end(t, n, n.links["two"].take(t))
				synctest.Wait() // an account is removed when its own stages have the answer
				c.check(t, first)
				check()
				n.wantBooks(t, c.books)
			})
		})
	}
}

// Of packets that come at the same time one is sent, whichever it is.
func TestSimultaneousDuplicates(t *testing.T) {
	trio(t, func(t *testing.T, n *network) {
		p := prepare("test.connie.two")
		outcomes := make([]*outcome, 64)
		var all sync.WaitGroup
		for i := range outcomes {
			all.Go(func() { outcomes[i] = n.send([]string{"one", "three"}[i%2], p) })
		}
		all.Wait()
		n.links["two"].take(t).reply(good())
		fulfilled, source := 0, ""
		for i, o := range outcomes {
			if o.fulfill != nil {
				o.wantFulfill(t, fulfillment1)
				fulfilled, source = fulfilled+1, []string{"one", "three"}[i%2]
				continue
			}
			o.wantReject(t, ilp.T03ConnectorBusy, duplicateInFlight)
		}
		if got := n.links["two"].count(); got != 1 || fulfilled != 1 {
			t.Errorf("%d packets were sent and %d fulfilled, want 1", got, fulfilled)
		}
		n.wantBooks(t, map[string]int64{source: 100, "two": -100})
	})
}

// Reference test 43, with another answer: it relays the first fulfillment
// again and books it again on both sides (its bug 3). Here a packet that was
// fulfilled is not sent again, and not paid for again, until 30 seconds after
// it would have expired.
func TestDuplicateAfterFulfill(t *testing.T) {
	trio(t, func(t *testing.T, n *network) {
		p := prepare("test.connie.two")
		expiry := p.ExpiresAt.Add(-time.Second) // of the packet that was sent on
		first := n.send("one", p)
		n.links["two"].take(t).reply(good())
		first.wantFulfill(t, fulfillment1)

		again := func(from string) *outcome {
			p.ExpiresAt = time.Now().Add(3 * time.Second) // a copy that was made now
			return n.send(from, p)
		}
		again("one").wantReject(t, ilp.F00BadRequest, duplicateFulfilled)
		again("three").wantReject(t, ilp.F00BadRequest, duplicateFulfilled)
		time.Sleep(time.Until(expiry.Add(30 * time.Second)))
		again("one").wantReject(t, ilp.F00BadRequest, duplicateFulfilled)
		if got := n.links["two"].count(); got != 1 {
			t.Errorf("the next hop was sent %d packets, want 1", got)
		}
		n.wantBooks(t, paidOnce)

		time.Sleep(time.Millisecond)
		late := again("one")
		n.links["two"].take(t).reply(good())
		late.wantFulfill(t, fulfillment1)
		n.wantBooks(t, map[string]int64{"one": 200, "two": -200})
	})
}

// What was rejected has moved no money: it may be sent again, and is decided
// anew, whoever rejected it and for whatever reason (the reference gives the
// old reject again: 11.1, item 14).
func TestRetryAfterReject(t *testing.T) {
	for _, code := range ilp.Codes() {
		t.Run(string(code), func(t *testing.T) {
			trio(t, func(t *testing.T, n *network) {
				p := prepare("test.connie.two")
				first := n.send("one", p)
				n.links["two"].take(t).reply(&ilp.Reject{Code: code, TriggeredBy: ilp.MustParseAddress("test.connie"), Message: "no."})
				first.wantReject(t, code, "no.")
				n.wantBooks(t, nil)
				again := n.send("one", p)
				n.links["two"].take(t).reply(good())
				again.wantFulfill(t, fulfillment1)
				n.wantBooks(t, paidOnce)
			})
		})
	}
}

// A packet that expired may be sent again. If the next hop fulfills both, the
// first one too late, the source has paid for one, and the other is counted
// and raised as an alert.
func TestRetryAfterExpiry(t *testing.T) {
	trio(t, func(t *testing.T, n *network) {
		p := prepare("test.connie.two")
		first := n.send("one", p)
		time.Sleep(time.Second)
		synctest.Wait()
		first.wantReject(t, ilp.R00TransferTimedOut, "packet expired.")
		p.ExpiresAt = time.Now().Add(3 * time.Second)
		again := n.send("one", p)
		sent := []sentPrepare{n.links["two"].take(t), n.links["two"].take(t)}
		sent[0].reply(good())
		n.send("one", p).wantReject(t, ilp.T03ConnectorBusy, duplicateInFlight) // of the second
		sent[1].reply(good())
		again.wantFulfill(t, fulfillment1)
		n.wantBooks(t, paidOnce)
		if got := n.c.Counters().LateFulfills; got != 1 {
			t.Errorf("%d late fulfillments were counted, want 1", got)
		}
		if alerts := n.c.Alerts(); len(alerts) != 1 || alerts[0].Kind != "lateFulfill" || alerts[0].Account != "two" {
			t.Errorf("the alerts are %+v, want one of a late fulfillment of two", alerts)
		}
	})
}

// A packet that comes back to us on its way ends there, and does not wait for
// itself until it expires.
func TestDuplicateEndsALoopOfRoutes(t *testing.T) {
	trio(t, func(t *testing.T, n *network) {
		first := n.send("one", prepare("test.connie.two"))
		sent := n.links["two"].take(t)
		back := sent.prepare
		back.ExpiresAt = time.Now().Add(2 * time.Second) // time enough, so that nothing else ends it
		loop := n.send("two", back)
		loop.wantReject(t, ilp.T03ConnectorBusy, duplicateInFlight)
		sent.reply(loop.reject)
		first.wantReject(t, ilp.T03ConnectorBusy, duplicateInFlight)
		n.wantBooks(t, nil)
	})
}

// The source goes while its packet and a duplicate of it are on their way.
func TestSourceRemovedWithDuplicates(t *testing.T) {
	trio(t, func(t *testing.T, n *network) {
		p := prepare("test.connie.two")
		first, duplicate := n.send("one", p), n.send("one", p)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := n.c.RemoveAccount(ctx, "one"); err != nil {
			t.Fatal(err)
		}
		n.send("three", p).wantReject(t, ilp.T03ConnectorBusy, duplicateInFlight)
		n.links["two"].take(t).reply(good())
		first.wantFulfill(t, fulfillment1)
		duplicate.wantReject(t, ilp.T03ConnectorBusy, duplicateInFlight)
		synctest.Wait()
		n.add(connector.Account{ID: "one", Relation: connector.Child})
		n.wantBooks(t, paidOnce)
	})
}
