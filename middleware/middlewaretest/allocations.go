package middlewaretest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

func checkAllocations(s *subject) error {
	c, err := s.attachTo(s.accounts[0], s.m)
	if err != nil {
		return err
	}
	for _, d := range []Direction{Incoming, Outgoing} {
		allocs, err := s.allocations(c, d)
		if err != nil {
			return fmt.Errorf("%s: %w", d, err)
		}
		s.t.Logf("%s: %v allocations for each packet", d, allocs)
		if most := s.opts.MaxAllocs; most >= 0 && allocs > most {
			return fmt.Errorf("%s: %v allocations for each packet, want at most %v", d, allocs, most)
		}
	}
	return nil
}

// allocations measures one packet, from its first hook to its last.
func (s *subject) allocations(c *Chain, d Direction) (float64, error) {
	stages := c.pipelines.Incoming
	if d == Outgoing {
		stages = c.pipelines.Outgoing
	}
	const runs = 100 // and one to warm up
	packets := make([]ilp.Prepare, runs+1)
	for n := range packets {
		packets[n] = s.packet(d, n)
	}
	m := &measured{done: make(chan struct{}, 1)}
	slow, late, n := time.After(limit), false, 0
	allocs := testing.AllocsPerRun(runs, func() {
		if late {
			return
		}
		m.packet.Reset()
		m.packet.Source, m.packet.Destination = c.account, c.neighbour
		m.packet.Prepare, m.packet.Received = packets[n], c.host.Now()
		m.fulfill.Fulfillment = preimage(n)
		n++
		m.packet.Run(context.Background(), stages, m)
		select {
		case <-m.done:
		case <-slow:
			late = true
		}
	})
	if late {
		return 0, errLimit
	}
	return allocs, nil
}

// measured is a packet that is used again and again, and fulfilled.
type measured struct {
	packet  middleware.Packet
	fulfill ilp.Fulfill
	done    chan struct{}
}

func (m *measured) Pass(ctx context.Context, p *middleware.Packet) { p.Answer(ctx, &m.fulfill) }

func (m *measured) Done(context.Context, *middleware.Packet, ilp.Reply) {
	select {
	case m.done <- struct{}{}:
	default: // answered twice
	}
}
