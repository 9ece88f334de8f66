package ccp_test

import (
	"testing"
	"time"

	"github.com/interledger-go/connector/ccp"
)

// CCP-13: a peer that knows no table has started over, and is asked again; what
// it told stays until it tells otherwise.
func TestReceiverPeerAsked(t *testing.T) {
	r := newReceiver(t)
	silent := func(at time.Time) {
		t.Helper()
		if _, m := r.Poll(at); m != nil {
			t.Errorf("after %v it asks %v", at.Sub(start), control(t, m))
		}
	}
	asked := func(at time.Time, c ccp.Control) {
		t.Helper()
		p, err := c.Prepare(at.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		r.PeerAsked(at, &p)
	}
	anew := ccp.Control{Mode: ccp.Sync}
	asked(start, anew) // it has told nothing yet: it has been asked just now
	silent(start.Add(10 * time.Second))

	u := news(0, 2, by("test.a"), by("test.b"))
	r.Apply(start, u)
	at := start.Add(20 * time.Second)
	asked(at, ccp.Control{Mode: ccp.Sync, TableID: ccp.TableID{9}, Epoch: 3}) // it goes on
	asked(at, ccp.Control{Mode: ccp.Idle})                                    // it wants none
	silent(at)
	asked(at, anew)
	m := asks(t, r, at, ccp.Control{Mode: ccp.Sync, TableID: u.TableID, Epoch: 2})
	equal(t, learnt(r), []string{"test.a", "test.b"})

	// However often it says so, it is not asked much more often.
	r.Answered(at, m.Sequence, ccp.Fulfilled)
	asked(at, anew)
	silent(at.Add(400 * time.Millisecond))
	if _, m := r.Poll(at.Add(time.Second)); m == nil {
		t.Error("it does not ask any more")
	}

	r.LinkDown(at)
	asked(at, anew)
	silent(at.Add(time.Minute))
}
