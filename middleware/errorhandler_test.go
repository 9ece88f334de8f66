package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// refuse has the connector itself answer an incoming packet.
func refuse(t *testing.T, host middleware.Host, reject *ilp.Reject) *ilp.Reject {
	t.Helper()
	out, err := attach(t, host, child(), middleware.ErrorHandler()).Refuse(t.Context(), incoming, prepare(49), reject)
	if err != nil {
		t.Fatal(err)
	}
	return wantReject(t, out, reject.Code, reject.Message)
}

// ILP4-53: triggeredBy is the node that made the reject.
func TestErrorHandlerNamesUs(t *testing.T) {
	given := &ilp.Reject{Code: ilp.F02Unreachable, Message: "no route found.", Data: []byte("data")}
	got := refuse(t, newHost(), given)
	if got.TriggeredBy.String() != "test.connie" || string(got.Data) != "data" {
		t.Errorf("the reject is %+v, want it triggered by test.connie, and its data kept", got)
	}
	if !given.TriggeredBy.IsZero() {
		t.Error("the given reject was written to: it may be shared")
	}
}

// The reject of a stage further in is ours as well.
func TestErrorHandlerNamesUsForStages(t *testing.T) {
	refusing := custom{name: "refusing", stages: middleware.Stages{
		Incoming: middleware.PrepareFunc(func(context.Context, *middleware.Packet) ilp.Reply {
			return &ilp.Reject{Code: ilp.T05RateLimited}
		}),
	}}
	out := send(t, attach(t, newHost(), child(), middleware.ErrorHandler(), refusing), incoming, 49, fulfill1())
	if r := wantReject(t, out, ilp.T05RateLimited, ""); r.TriggeredBy.String() != "test.connie" {
		t.Errorf("the reject was triggered by %q, want test.connie", r.TriggeredBy)
	}
}

func TestErrorHandlerKeepsNameThatIsThere(t *testing.T) {
	other := ilp.MustParseAddress("test.other")
	if got := refuse(t, newHost(), &ilp.Reject{Code: ilp.F00BadRequest, TriggeredBy: other}); got.TriggeredBy != other {
		t.Errorf("the reject was triggered by %q, want test.other", got.TriggeredBy)
	}
}

// Reference tests 29 and 47: what the next hop answered is relayed as it came,
// also if it names nobody.
func TestErrorHandlerRelaysNextHop(t *testing.T) {
	for name, reply := range map[string]ilp.Reply{
		"reject":              &ilp.Reject{Code: "123", TriggeredBy: ilp.MustParseAddress("test.foo"), Message: "Error 1"},
		"reject that is ours": &ilp.Reject{Code: ilp.T04InsufficientLiquidity, Message: "exceeded maximum balance."},
		"fulfill":             fulfill1(),
	} {
		t.Run(name, func(t *testing.T) {
			if out := send(t, attach(t, newHost(), child(), middleware.ErrorHandler()), incoming, 49, reply); !out.Relayed {
				t.Errorf("the answer is %v, want the next hop's", out.Reply)
			}
		})
	}
}

// A connector that waits for its parent to name it has no name to give.
func TestErrorHandlerWithoutAddress(t *testing.T) {
	host := newHost()
	host.SetAddress(ilp.Address{})
	if got := refuse(t, host, &ilp.Reject{Code: ilp.F02Unreachable}); !got.TriggeredBy.IsZero() {
		t.Errorf("the reject was triggered by %q", got.TriggeredBy)
	}
}

// The address is the one of the moment: a child may be given another.
func TestErrorHandlerFollowsAddress(t *testing.T) {
	host := newHost()
	c := attach(t, host, child(), middleware.ErrorHandler())
	host.SetAddress(ilp.MustParseAddress("test.later"))
	out, err := c.Refuse(t.Context(), incoming, prepare(49), &ilp.Reject{Code: ilp.F02Unreachable})
	if err != nil {
		t.Fatal(err)
	}
	if r := out.Reply.(*ilp.Reject); r.TriggeredBy.String() != "test.later" {
		t.Errorf("the reject was triggered by %q, want test.later", r.TriggeredBy)
	}
}

// The cause is logged here and never told to the counterparty.
func TestErrorHandlerLogsCause(t *testing.T) {
	for _, c := range []struct {
		name   string
		reject *ilp.Reject
		level  string
	}{
		{"our own fault", ilp.Internal(errors.New("disk full")), "ERROR"},
		{"another", &ilp.Reject{Code: ilp.T01PeerUnreachable, Message: "m", Cause: errors.New("disk full")}, "WARN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, log := newHost(), new(bytes.Buffer)
			host.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
			got := refuse(t, host, c.reject)
			line := log.String()
			for _, part := range []string{
				"level=" + c.level, "account=mock.test3", "code=" + string(c.reject.Code),
				"destination=test.mock.test1.bob", `error="disk full"`, "times=1",
			} {
				if !strings.Contains(line, part) {
					t.Errorf("the log %q does not say %s", line, part)
				}
			}
			wire, err := got.AppendBinary(nil)
			if err != nil || bytes.Contains(wire, []byte("disk")) {
				t.Errorf("the counterparty is told %q, %v", wire, err)
			}
			if got.TriggeredBy.String() != "test.connie" {
				t.Errorf("the reject was triggered by %q", got.TriggeredBy)
			}
		})
	}
}

func TestErrorHandlerLogsNothingWithoutCause(t *testing.T) {
	host, log := newHost(), new(bytes.Buffer)
	host.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	refuse(t, host, &ilp.Reject{Code: ilp.F02Unreachable})
	send(t, attach(t, host, child(), middleware.ErrorHandler()), incoming, 49, &ilp.Reject{Code: ilp.T00InternalError})
	send(t, attach(t, host, child(), middleware.ErrorHandler()), incoming, 49, fulfill1())
	if log.Len() > 0 {
		t.Errorf("the log is %q, want nothing", log)
	}
}

// A fault that hits every packet does not fill the disk: it is logged the
// first time, and each time that the number has doubled.
func TestErrorHandlerLogsEachDoubling(t *testing.T) {
	host, log := newHost(), new(bytes.Buffer)
	host.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	c := attach(t, host, child(), middleware.ErrorHandler())
	for range 100 {
		if _, err := c.Refuse(t.Context(), incoming, prepare(49), ilp.Internal(errors.New("disk full"))); err != nil {
			t.Fatal(err)
		}
	}
	var times []string
	for line := range strings.Lines(log.String()) {
		_, n, _ := strings.Cut(strings.TrimSpace(line), "times=")
		times = append(times, n)
	}
	if want := []string{"1", "2", "4", "8", "16", "32", "64"}; !slices.Equal(times, want) {
		t.Errorf("logged at %v, want %v", times, want)
	}
}

func TestErrorHandlerLeavesOutgoingPacketsAlone(t *testing.T) {
	out, err := attach(t, newHost(), child(), middleware.ErrorHandler()).Refuse(t.Context(), outgoing, prepare(49), &ilp.Reject{Code: ilp.T01PeerUnreachable})
	if err != nil {
		t.Fatal(err)
	}
	if r := out.Reply.(*ilp.Reject); !r.TriggeredBy.IsZero() {
		t.Errorf("the reject was triggered by %q before it was at the source", r.TriggeredBy)
	}
}

// Two accounts count their faults apart.
func TestErrorHandlerCountsByAccount(t *testing.T) {
	host, log := newHost(), new(bytes.Buffer)
	host.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	m := middleware.ErrorHandler()
	for i := range 3 {
		a := child()
		a.ID = fmt.Sprint("account", i)
		if _, err := attach(t, host, a, m).Refuse(t.Context(), incoming, prepare(1), ilp.Internal(errors.New("e"))); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "times=1"); n != 3 {
		t.Errorf("%d first faults were logged, want 3:\n%s", n, log)
	}
}
