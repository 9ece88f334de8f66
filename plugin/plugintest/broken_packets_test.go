package plugintest_test

import (
	"context"
	"errors"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// brokenPackets are plugins that change what they carry.
var brokenPackets = []breakage{
	{"Prepare", "amount of 63 bits", func(e *ends) {
		e.onPrepare(func(p *ilp.Prepare) { p.Amount &^= 1 << 63 })
	}, "the amount is 0, want 9223372036854775808"},
	{"Prepare", "amount of a float", func(e *ends) {
		e.onPrepare(func(p *ilp.Prepare) { p.Amount = p.Amount >> 11 << 11 })
	}, "the amount is"},
	{"Prepare", "expiry of whole seconds", func(e *ends) {
		e.onPrepare(func(p *ilp.Prepare) { p.ExpiresAt = p.ExpiresAt.Truncate(time.Second) })
	}, "an expiry with 1 milliseconds: the expiry is"},
	{"Prepare", "another condition", func(e *ends) {
		e.onPrepare(func(p *ilp.Prepare) { p.Condition[31] = 0 })
	}, "the condition is"},
	{"Prepare", "short addresses", func(e *ends) {
		e.onPrepare(func(p *ilp.Prepare) {
			if s := p.Destination.String(); len(s) > 255 {
				p.Destination = ilp.MustParseAddress(s[:255])
			}
		})
	}, "an address of 1023 characters: the destination is"},
	{"Prepare", "little data", func(e *ends) {
		e.onPrepare(func(p *ilp.Prepare) { p.Data = p.Data[:min(len(p.Data), 1024)] })
	}, "32767 bytes of data: the data has 1024 bytes, want 32767"},
	{"Prepare", "other data", func(e *ends) {
		e.onPrepare(func(p *ilp.Prepare) { p.Data = append([]byte{1}, p.Data[min(len(p.Data), 1):]...) })
	}, "byte 0 of 300 of the data is"},
	{"Prepare", "gives up before the latest expiry", func(e *ends) {
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			if p.ExpiresAt.Add(time.Second).Year() > 9999 {
				r.Fail(ctx, plugin.ErrUnknownOutcome)
				return
			}
			e.near.End.SendPrepare(ctx, p, r)
		}
	}, "the latest expiry: the far plugin: 0 of 1 prepares have arrived"},

	{"Forwarded", "encodes the fields anew", func(e *ends) {
		e.onPrepare(func(p *ilp.Prepare) { p.Data = append([]byte(nil), p.Data...) })
	}, "bytes arrived, want these"},

	{"Fulfill", "checks the fulfillment itself", func(e *ends) {
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			condition := p.Condition
			e.near.End.SendPrepare(ctx, p, answering(func(ctx context.Context, o outcome) {
				if f, ok := o.reply.(*ilp.Fulfill); ok && f.Fulfillment.Condition() != condition {
					o.reply = ilp.Rejectf(ilp.F05WrongCondition, "wrong fulfillment")
				}
				o.give(ctx, r)
			}))
		}
	}, `a fulfill with 1 bytes of data: the reject "F05 Wrong Condition: wrong fulfillment" came back, want a fulfill`},
	{"Fulfill", "no data", func(e *ends) {
		e.onAnswer(func(ctx context.Context, r plugin.Responder, o outcome) {
			r.Reply(ctx, &ilp.Fulfill{Fulfillment: o.reply.(*ilp.Fulfill).Fulfillment})
		})
	}, "the data has 0 bytes, want 1"},
	{"Fulfill", "another fulfillment", func(e *ends) {
		e.onAnswer(func(ctx context.Context, r plugin.Responder, o outcome) {
			r.Reply(ctx, &ilp.Fulfill{Data: o.reply.(*ilp.Fulfill).Data})
		})
	}, "the fulfillment is 0000"},

	{"Reject", "known codes alone", func(e *ends) {
		e.onReject(func(r *ilp.Reject) {
			if r.Code.Name() == "" {
				r.Code = ilp.F00BadRequest
			}
		})
	}, `the code of the reject is "F00", want "F42"`},
	{"Reject", "triggered by itself", func(e *ends) {
		e.onReject(func(r *ilp.Reject) { r.TriggeredBy = ilp.MustParseAddress("g.me") })
	}, `the reject was triggered by "g.me", want "g.connie"`},
	{"Reject", "short messages", func(e *ends) {
		e.onReject(func(r *ilp.Reject) { r.Message = r.Message[:min(len(r.Message), 4096)] })
	}, "the message of the reject is"},
	{"Reject", "messages made UTF-8", func(e *ends) {
		e.onReject(func(r *ilp.Reject) { r.Message = string([]rune(r.Message)) })
	}, "the message of the reject is"},
	{"Reject", "no data", func(e *ends) {
		e.onReject(func(r *ilp.Reject) { r.Data = nil })
	}, "the data has 0 bytes, want 16"},
	{"Reject", "as an error", func(e *ends) {
		e.onAnswer(func(ctx context.Context, r plugin.Responder, o outcome) {
			if reject, ok := o.reply.(*ilp.Reject); ok {
				o = outcome{err: reject}
			}
			o.give(ctx, r)
		})
	}, `came back, want the reject F00`},
	{"Reject", "with its cause", func(e *ends) {
		e.onReject(func(r *ilp.Reject) { r.Cause = errors.New("local") })
	}, `the reject has the cause "local"`},

	{"AnswerLater", "only during the call", func(e *ends) {
		e.far.receiving(func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			answers := &queue[outcome]{}
			e.far.handler.HandlePrepare(ctx, p, answering(func(_ context.Context, o outcome) { answers.put(o.keep()) }))
			if o, ok := answers.get(); ok {
				o.give(ctx, r)
			}
		})
		// The other goroutine may be quick enough to answer during the call.
	}, "the near plugin: packet 1 of 1 has no answer"},

	{"OutOfOrder", "first in, first out", func(e *ends) {
		waiting := &queue[plugin.Responder]{}
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			waiting.put(r)
			e.near.End.SendPrepare(ctx, p, answering(func(ctx context.Context, o outcome) {
				if oldest, ok := waiting.get(); ok {
					o.give(ctx, oldest)
				}
			}))
		}
	}, "the answer to packet 1:"},

	{"Concurrent", "answers of neighbours exchanged", exchangeNeighbours, "the answer to packet"},
	{"Concurrent", "data of prepares exchanged", func(e *ends) {
		var last queue[[]byte]
		e.onPrepare(func(p *ilp.Prepare) {
			other, ok := last.get()
			last.put(p.Data)
			if ok && len(other) == len(p.Data) {
				p.Data = append(p.Data[:8:8], other[8:]...)
			}
		})
	}, "of the data is"},

	{"CallerReuses", "keeps the prepare", func(e *ends) {
		var kept queue[func()]
		e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			if send, ok := kept.get(); ok {
				send()
			}
			kept.put(func() { e.near.End.SendPrepare(ctx, p, r) })
		}
	}, "999 of 1000 prepares have arrived"},
	{"CallerReuses", "keeps the reply", func(e *ends) {
		var kept queue[func()]
		e.onAnswer(func(ctx context.Context, r plugin.Responder, o outcome) {
			if reply, ok := kept.get(); ok {
				reply()
			}
			kept.put(func() { o.give(ctx, r) })
		})
	}, "packet 1000 of 1000 has no answer"},

	{"BytesStay", "prepares in one buffer", func(e *ends) {
		buffers := newRing(1)
		e.far.receiving(func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
			packet, err := p.AppendBinary(buffers.next())
			var decoded ilp.Prepare
			if err == nil {
				err = decoded.Decode(packet)
			}
			if err != nil {
				r.Fail(ctx, err)
				return
			}
			e.far.handler.HandlePrepare(ctx, &decoded, r)
		})
	}, "prepare 1 of 100: byte 7 of 300 of the data is"},
	{"BytesStay", "replies in a pool", func(e *ends) {
		buffers := newRing(150) // a wave has 100 packets
		e.onAnswer(func(ctx context.Context, r plugin.Responder, o outcome) {
			packet, err := o.reply.AppendBinary(buffers.next())
			var fulfill ilp.Fulfill
			var reject ilp.Reject
			if err == nil {
				o.reply, err = ilp.DecodeReply(packet, &fulfill, &reject)
			}
			if err != nil {
				o = outcome{err: err}
			}
			o.give(ctx, r)
		})
	}, "was overwritten after it had been received"},
}

// exchangeNeighbours gives the answers of every two packets to one another.
func exchangeNeighbours(e *ends) {
	type pending struct {
		r plugin.Responder
		o outcome
	}
	var single queue[*queue[pending]] // of the packet whose mate is still to come
	e.near.send = func(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
		couple, second := single.get()
		if !second {
			couple = &queue[pending]{}
			single.put(couple)
		}
		e.near.End.SendPrepare(ctx, p, answering(func(ctx context.Context, o outcome) {
			mine := pending{r, o.keep()}
			if mate, ok := couple.exchange(mine); ok {
				mate.o.give(ctx, mine.r)
				mine.o.give(ctx, mate.r)
			}
		}))
	}
}

// ring is a pool of buffers that are used in turn.
type ring struct {
	buffers [][]byte
	at      int
}

func newRing(n int) *ring {
	r := &ring{buffers: make([][]byte, n)}
	for i := range r.buffers {
		r.buffers[i] = make([]byte, 0, ilp.MaxPacketSize)
	}
	return r
}

func (r *ring) next() []byte {
	r.at = (r.at + 1) % len(r.buffers)
	return r.buffers[r.at]
}
