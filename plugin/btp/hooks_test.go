package btp_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// Without a function for them, Messages of other protocols are acknowledged,
// and Transfers refused: BTP-36, no amount has been applied.
func TestOtherRequestsWithoutHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := linked(t, newRecorder(fulfiller), newRecorder(fulfiller), btp.ServerOptions{})
		for _, side := range []requester{p, c} {
			a, err := side.Request(t.Context(), &btp.Packet{Type: btp.TypeMessage, Entries: []btp.Entry{{Name: "chat", Data: []byte("hi")}}})
			if err != nil || a.Type != btp.TypeResponse || len(a.Entries) != 0 {
				t.Errorf("%T: message: %+v, %v", side, a, err)
			}
			_, err = side.Request(t.Context(), &btp.Packet{Type: btp.TypeTransfer, Amount: 5})
			var refused *btp.Error
			if !errors.As(err, &refused) || refused.Code != btp.F00NotAcceptedError {
				t.Errorf("%T: transfer: %v", side, err)
			}
		}
	})
}

// With one, both reach it, and it answers now or later, from anywhere.
func TestOtherRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{})
		p, err := n.Account(btp.Credentials{Username: "alice", Token: "token"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		p.HandleRequests(func(ctx context.Context, q *btp.Packet, r btp.Request) {
			e, _ := q.Entry("claim")
			switch kept := q.Clone(); {
			case q.Type == btp.TypeTransfer && q.Amount == 1<<63:
				go func() {
					time.Sleep(time.Minute)
					if err := r.Respond(context.Background(), kept.Entries...); err != nil {
						t.Error(err)
					}
					if err := r.Respond(context.Background()); err != nil { // has no effect
						t.Error(err)
					}
				}()
			case string(e.Data) == "bad":
				if err := r.Refuse(ctx, btp.Errorf(btp.F01InvalidFieldsError, "bad claim")); err != nil {
					t.Error(err)
				}
			case string(e.Data) == "clumsy":
				if err := r.Respond(ctx, btp.Entry{Name: "é"}); !errors.Is(err, btp.ErrInvalidPacket) {
					t.Error(err)
				}
			default:
				if err := r.Respond(ctx, btp.Entry{Name: "ilp", Data: []byte("no ILP packet")}); err != nil {
					t.Error(err)
				}
			}
		})
		if err := p.Open(t.Context(), newRecorder(fulfiller)); err != nil {
			t.Fatal(err)
		}
		c := n.client(t, "alice", "token", newRecorder(fulfiller), nil)
		synctest.Wait()
		claim := func(data string) []btp.Entry {
			return []btp.Entry{{Name: "claim", ContentType: btp.JSON, Data: []byte(data)}}
		}
		start := time.Now()
		a, err := c.Request(t.Context(), &btp.Packet{Type: btp.TypeTransfer, Amount: 1 << 63, Entries: claim("good")})
		if err != nil || len(a.Entries) != 1 || string(a.Entries[0].Data) != "good" || a.Entries[0].ContentType != btp.JSON || time.Since(start) != time.Minute {
			t.Errorf("%+v, %v after %v", a, err, time.Since(start))
		}
		for data, code := range map[string]btp.Code{"bad": btp.F01InvalidFieldsError, "clumsy": btp.F00NotAcceptedError} {
			var refused *btp.Error
			if _, err := c.Request(t.Context(), &btp.Packet{Type: btp.TypeMessage, Entries: claim(data)}); !errors.As(err, &refused) || refused.Code != code {
				t.Errorf("%s: %v", data, err)
			}
		}
		a, err = c.Request(t.Context(), &btp.Packet{Type: btp.TypeMessage})
		if err != nil || len(a.Entries) != 1 || string(a.Entries[0].Data) != "no ILP packet" {
			t.Errorf("%+v, %v", a, err)
		}
		// ILP packets still go to the handler.
		if _, err := plugin.Call(t.Context(), c, newPrepare(1)); err != nil {
			t.Error(err)
		}
		if s := p.Stats(); s.RepeatedReplies != 1 || s.Unanswered != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Request waits for as long as its context, and fails with the socket.
func TestRequestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newPipeNetwork(t, btp.ServerOptions{Limits: btp.Limits{PingInterval: -1, WriteTimeout: time.Hour}})
		p := n.account(t, "alice", "token", newRecorder(fulfiller))
		r := n.authenticated(t, "alice", "token")
		message := &btp.Packet{Type: btp.TypeMessage, RequestID: 12345}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		start := time.Now()
		_, err := p.Request(ctx, message)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, plugin.ErrUnknownOutcome) || time.Since(start) != 5*time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		id := r.Read().RequestID
		r.Send(btp.Packet{Type: btp.TypeResponse, RequestID: id})
		synctest.Wait()
		if s := p.Stats(); s.LateReplies != 1 || s.Outstanding != 0 {
			t.Errorf("%+v", s)
		}
		for _, wrong := range []btp.Type{btp.TypeResponse, btp.TypeError, 0} {
			if _, err := p.Request(t.Context(), &btp.Packet{Type: wrong}); err == nil {
				t.Errorf("a %v was sent as a request", wrong)
			}
		}
		if _, err := p.Request(t.Context(), &btp.Packet{Type: btp.TypeMessage, Entries: []btp.Entry{{Name: "é"}}}); !errors.Is(err, plugin.ErrNotSent) || !errors.Is(err, btp.ErrInvalidPacket) {
			t.Errorf("an invalid packet: %v", err)
		}
		go func() {
			r.Read()
			r.Close()
		}()
		if _, err := p.Request(t.Context(), message); !errors.Is(err, plugin.ErrUnknownOutcome) {
			t.Errorf("on a socket that ends: %v", err)
		}
		synctest.Wait()
		if _, err := p.Request(t.Context(), message); !errors.Is(err, plugin.ErrNotConnected) {
			t.Errorf("without a socket: %v", err)
		}
		if message.RequestID != 12345 {
			t.Error("the caller's packet was changed")
		}
	})
}
