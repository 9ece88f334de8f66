package btp_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/plugin/btp"
)

// A client that comes before its account is open is let in when it is, at
// the first attempt: some clients give up for good when they are refused.
func TestEarlyClientWaitsForItsAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		peer, err := n.Account(btp.Credentials{Username: "alice", Token: "token"})
		if err != nil {
			t.Fatal(err)
		}
		c := n.client(t, "alice", "token", newRecorder(fulfiller), nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if c.Connected() || n.Refused() != 0 {
			t.Fatalf("connected %v, %d refused, before the account was open", c.Connected(), n.Refused())
		}
		if err := peer.Open(context.Background(), newRecorder(fulfiller)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		t.Cleanup(func() { peer.Close() })
		if !c.Connected() || n.Refused() != 0 {
			t.Errorf("connected %v, %d refused, when the account is open", c.Connected(), n.Refused())
		}
	})
}
