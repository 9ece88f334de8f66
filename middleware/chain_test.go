package middleware_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// told is a stage that writes down when it is called, and answers if it is told
// to.
type told struct {
	name    string
	diary   *[]string
	answers bool
}

func (s told) Prepare(context.Context, *middleware.Packet) ilp.Reply {
	*s.diary = append(*s.diary, s.name+" prepare")
	if s.answers {
		return &ilp.Reject{Code: ilp.F00BadRequest}
	}
	return nil
}

func (s told) Reply(_ context.Context, _ *middleware.Packet, reply ilp.Reply) ilp.Reply {
	*s.diary = append(*s.diary, s.name+" reply")
	return reply
}

// ownReply embeds a function that looks at prepares alone, and looks at replies
// all the same.
type ownReply struct {
	middleware.PrepareFunc
	told
}

func (s ownReply) Prepare(ctx context.Context, p *middleware.Packet) ilp.Reply {
	return s.told.Prepare(ctx, p)
}

func (s ownReply) Reply(ctx context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
	return s.told.Reply(ctx, p, reply)
}

// Stages are called outermost first on the way out and innermost first on the
// way back, whichever of them look at one way alone, and wherever an answer
// comes from.
func TestChainCallsStagesInTheirOrder(t *testing.T) {
	var diary []string
	stage := func(kind rune, name string) middleware.Stage {
		both := told{name, &diary, kind == '!'}
		switch kind {
		case 'p':
			return middleware.PrepareFunc(both.Prepare)
		case 'r':
			return middleware.ReplyFunc(both.Reply)
		case 'e':
			return ownReply{told: both}
		}
		return both
	}
	for kinds, want := range map[string]string{
		"":      "",
		"p":     "0p",
		"r":     "0r",
		"rrr":   "2r 1r 0r",
		"ppp":   "0p 1p 2p",
		"brpbr": "0p 2p 3p 4r 3r 1r 0r",
		"prbpr": "0p 2p 3p 4r 2r 1r",
		"rb!br": "1p 2p 1r 0r",
		"p!p":   "0p 1p",
		"r!":    "1p 0r",
		"e":     "0p 0r",
	} {
		diary = nil
		var stages []middleware.Stage
		for i, kind := range kinds {
			stages = append(stages, stage(kind, fmt.Sprint(i)))
		}
		c := middleware.NewChain(stages...)
		e := &quietEnd{reply: fulfill1()}
		e.packet.Run(t.Context(), c, e)
		got := strings.NewReplacer(" prepare", "p", " reply", "r").Replace(strings.Join(diary, " "))
		if got != want || c.Len() != len(kinds) {
			t.Errorf("%q: the calls are %q, want %q", kinds, got, want)
		}
	}
}
