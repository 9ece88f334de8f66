package ildcp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
)

// child is the child's end of a link to a parent that answers so.
func child(t *testing.T, parent plugin.Handler) *inproc.End {
	t.Helper()
	end, other := inproc.Pipe()
	if err := other.Open(t.Context(), parent); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(end.Close(), other.Close()); err != nil {
			t.Error(err)
		}
	})
	return end
}

// fetchFrom has a child ask a parent that answers so.
func fetchFrom(t *testing.T, parent func(p *ilp.Prepare) ilp.Reply) (ildcp.Response, error) {
	t.Helper()
	end := child(t, plugin.HandlerFunc(func(_ context.Context, p *ilp.Prepare) ilp.Reply { return parent(p) }))
	return ildcp.Fetch(t.Context(), end)
}

// mute is a parent that does not answer.
type mute struct{ plugin.HandlerFunc }

func (mute) HandlePrepare(context.Context, *ilp.Prepare, plugin.Responder) {}

func TestFetchAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := ildcp.Response{Address: ilp.MustParseAddress("test.parent.child"), Asset: ilp.Asset{Code: "USD", Scale: 9}}
		asked := 0
		got, err := fetchFrom(t, func(p *ilp.Prepare) ilp.Reply {
			asked++
			if err := ildcp.CheckRequest(p, time.Now()); err != nil {
				t.Errorf("the request is refused: %v", err)
			}
			if left := time.Until(p.ExpiresAt); left != ildcp.RequestLifetime {
				t.Errorf("the request has %v left, want %v", left, ildcp.RequestLifetime)
			}
			return want.Fulfill()
		})
		if err != nil || got != want || asked != 1 {
			t.Errorf("Fetch = %+v, %v after %d requests, want %+v after one", got, err, asked, want)
		}
	})
}

func TestFetchRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reject := &ilp.Reject{Code: ilp.F00BadRequest, TriggeredBy: ilp.MustParseAddress("test.parent"), Message: "not a child."}
		got, err := fetchFrom(t, func(*ilp.Prepare) ilp.Reply { return reject })
		r, ok := errors.AsType[*ilp.Reject](err)
		if !ok || r.Code != ilp.F00BadRequest || r.Message != "not a child." || got != (ildcp.Response{}) {
			t.Errorf("Fetch = %+v, %v, want the parent's reject", got, err)
		}
		if !strings.HasPrefix(fmt.Sprint(err), "ildcp: asking for an address: ") {
			t.Errorf("the error is %q, want it to say what was done", err)
		}
	})
}

// A parent that is silent keeps nobody waiting beyond the packet's expiry.
func TestFetchExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := ildcp.Fetch(t.Context(), child(t, mute{}))
		if r, ok := errors.AsType[*ilp.Reject](err); !ok || r.Code != ilp.R00TransferTimedOut {
			t.Errorf("Fetch = %v, want R00", err)
		}
		if waited := time.Since(start); waited != ildcp.RequestLifetime {
			t.Errorf("waited for %v, want %v", waited, ildcp.RequestLifetime)
		}
	})
}

func TestFetchCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := ildcp.Fetch(ctx, child(t, mute{})); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Fetch = %v, want the error of the context", err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited for %v, want 1s", waited)
		}
	})
}

func TestFetchNotConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end, _ := inproc.Pipe()
		defer end.Close()
		if _, err := ildcp.Fetch(t.Context(), end); !errors.Is(err, plugin.ErrNotSent) {
			t.Errorf("Fetch = %v, want ErrNotSent", err)
		}
	})
}

// DCP-06: an answer that proves nothing, or says nothing, is refused.
func TestFetchRefusesBadAnswers(t *testing.T) {
	for name, f := range map[string]*ilp.Fulfill{
		"fulfillment": {Fulfillment: ilp.Fulfillment{1}, Data: response("test.a", 9, "USD")},
		"no data":     {},
		"address":     {Data: response("nowhere", 9, "USD")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got, err := fetchFrom(t, func(*ilp.Prepare) ilp.Reply { return f }); err == nil {
					t.Errorf("Fetch = %+v", got)
				}
			})
		})
	}
}
