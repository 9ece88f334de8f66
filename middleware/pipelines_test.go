package middleware_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
)

// full is a middleware with every part, which writes a diary.
func full(name string, d *diary) custom {
	money := func(way string) func(middleware.MoneyFunc) middleware.MoneyFunc {
		return func(next middleware.MoneyFunc) middleware.MoneyFunc {
			return func(ctx context.Context, m plugin.Money) error {
				d.note(name + " " + way)
				err := next(ctx, m)
				d.note(name + " " + way + " done")
				return err
			}
		}
	}
	return custom{name: name, stages: middleware.Stages{
		Incoming:      &stage{name: name + " in", diary: d},
		Outgoing:      &stage{name: name + " out", diary: d},
		IncomingMoney: money("money in"),
		OutgoingMoney: money("money out"),
		Close:         func() { d.note(name + " close") },
	}}
}

func attachAll(t *testing.T, list ...middleware.Middleware) *middleware.Pipelines {
	t.Helper()
	p, err := middleware.Attach(list, newHost(), child())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The first entry is the outermost both ways.
func TestPipelinesOrderOfStages(t *testing.T) {
	d := new(diary)
	p := attachAll(t, full("a", d), full("b", d))
	var packet middleware.Packet
	packet.Run(t.Context(), p.Incoming, &end{diary: d, answer: fulfill1()})
	wantEvents(t, d, "a in prepare", "b in prepare", "end", "b in reply", "a in reply", "done")
	packet.Run(t.Context(), p.Outgoing, &end{diary: d, answer: fulfill1()})
	wantEvents(t, d, "a out prepare", "b out prepare", "end", "b out reply", "a out reply", "done")
}

func TestPipelinesOrderOfMoney(t *testing.T) {
	d := new(diary)
	p := attachAll(t, full("a", d), full("b", d))
	failure := errors.New("no")
	m := plugin.Money{Amount: 7, Key: "k"}
	core := func(_ context.Context, got plugin.Money) error {
		if got != m {
			t.Errorf("the settlement is %+v, want %+v", got, m)
		}
		d.note("end")
		return failure
	}
	if err := p.IncomingMoney(core)(t.Context(), m); err != failure {
		t.Errorf("the error is %v, want the one of the end", err)
	}
	wantEvents(t, d, "a money in", "b money in", "end", "b money in done", "a money in done")
	if err := p.OutgoingMoney(core)(t.Context(), m); err != failure {
		t.Errorf("the error is %v, want the one of the end", err)
	}
	wantEvents(t, d, "a money out", "b money out", "end", "b money out done", "a money out done")
}

func TestPipelinesCloseInnermostFirst(t *testing.T) {
	d := new(diary)
	p := attachAll(t, full("a", d), custom{name: "nothing"}, full("b", d))
	wantEvents(t, d)
	p.Close()
	wantEvents(t, d, "b close", "a close")
	p.Close()
	wantEvents(t, d) // once
}

// A middleware that has nothing to do costs nothing.
func TestPipelinesLeaveOutWhatIsNil(t *testing.T) {
	p := attachAll(t, custom{name: "a"}, custom{name: "b"})
	if p.Incoming.Len() != 0 || p.Outgoing.Len() != 0 {
		t.Errorf("there are %d and %d stages, want none", p.Incoming.Len(), p.Outgoing.Len())
	}
	called := false
	move := p.IncomingMoney(func(context.Context, plugin.Money) error {
		called = true
		return nil
	})
	if err := move(t.Context(), plugin.Money{}); err != nil || !called {
		t.Errorf("the end was called: %v, error %v", called, err)
	}
	p.Close()
}

// An account that is refused leaves nothing behind: what was attached before
// is closed again.
func TestAttachErrorClosesTheEarlierOnes(t *testing.T) {
	d := new(diary)
	fault := errors.New("the limit is negative: it must be 0 or more")
	refusing := custom{name: "refusing", err: fault, stages: full("refusing", d).stages}
	p, err := middleware.Attach([]middleware.Middleware{full("a", d), full("b", d), refusing, full("c", d)}, newHost(), child())
	if p != nil || !errors.Is(err, fault) {
		t.Fatalf("Attach = %v, %v, want the error of the middleware", p, err)
	}
	for _, part := range []string{`"mock.test3"`, "refusing"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not name %s", err, part)
		}
	}
	wantEvents(t, d, "b close", "a close")
}

// Attach hands on the very host and account.
func TestAttachGivesHostAndAccount(t *testing.T) {
	host, a := newHost(), child()
	m := &recordingMiddleware{}
	if _, err := middleware.Attach([]middleware.Middleware{m}, host, a); err != nil {
		t.Fatal(err)
	}
	if m.host != middleware.Host(host) || m.account != a {
		t.Error("the middleware was attached to another host or account")
	}
}

type recordingMiddleware struct {
	host    middleware.Host
	account *account.Account
}

func (*recordingMiddleware) Name() string { return "recording" }

func (m *recordingMiddleware) Attach(host middleware.Host, a *account.Account) (middleware.Stages, error) {
	m.host, m.account = host, a
	return middleware.Stages{}, nil
}
