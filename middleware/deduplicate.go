package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ping"
)

// Deduplicate lets the next hop see a packet once. One that is on its way to
// an account already, or has been fulfilled by it a short while ago, is a
// duplicate: it is not sent again, and it is rejected.
//
// Packets are the same if they go to the same account under the same
// condition, to the same address, with the same data, and with an amount that
// is not larger than the first one's. Their expiry does not count: a copy that
// is sent later expires later. A larger amount makes another packet of it, as
// in the reference. Two kinds of packets repeat themselves by nature and pass:
// those to peer.*, and pings under the one condition that everybody can
// fulfill.
//
// # Why a duplicate is not fulfilled
//
// Both neighbours of a packet keep books of their own, by one rule: the amount
// is owed if the packet was fulfilled, and not if it was not. The next hop has
// been sent one packet, so its books say that we owe it once. Whoever sent us
// two packets and is told twice that they were fulfilled owes us twice, and
// has charged its own customer twice, for what was delivered once. To tell it
// so and book it once would set our books against its; to book it on both
// sides, as the reference does, sets our books against the next hop's. A
// reject is the one answer after which all books agree, and after which
// nobody has paid twice: the duplicate's reservations are released on both
// sides, and the first packet is posted once on both.
//
// So a duplicate does not wait for the outcome of the first packet either. It
// is answered at once, T03 while the first is on its way (it may be sent again
// should that one fail), F00 after it was fulfilled. A packet that comes back
// to us in a loop of routes ends the loop by this, instead of waiting for
// itself until it expires.
//
// A packet that was rejected, by whom and for whatever reason, or that
// expired, is forgotten at once: no money has moved, so it may be sent again.
//
// A link that repeats a request because it has lost the answer does not send
// another packet: it asks for the first one's answer, and only the link can
// know. That is for the link to keep, by its request ids.
//
// # What it keeps
//
// Each account has a table of its own, with about 90 bytes for each packet
// that is on its way or was fulfilled, up to DeduplicateOptions.MaxPackets. If
// it is full the packet that was fulfilled first gives way; if all of them are
// on their way, the next packet passes without being remembered. What is too
// old goes when other packets come: there is no timer. The memory of the
// busiest time stays with the table, until the account is removed. What is
// remembered ends with the process.
//
// Its name is "deduplicate". It stands inside of balance.
func Deduplicate(o DeduplicateOptions) Middleware { return deduplicate{o} }

// DeduplicateOptions say how much is remembered. The zero value is fit for
// use.
type DeduplicateOptions struct {
	// PacketLifetime is how long a packet that was fulfilled is remembered
	// after it would have expired. 0 means 30 seconds.
	PacketLifetime time.Duration
	// MaxPackets is how many packets to one account are remembered at most. 0
	// means 16,384, which is 1.5 MB: all packets of a minute at 270 a second,
	// those of the last seconds where there are more. The most is 16,777,216.
	MaxPackets int
}

// What the zeros of DeduplicateOptions mean.
const (
	DefaultPacketLifetime = 30 * time.Second
	DefaultMaxPackets     = 1 << 14
)

const mostPackets = 1 << 24

type deduplicate struct{ options DeduplicateOptions }

func (deduplicate) Name() string { return "deduplicate" }

func (m deduplicate) Attach(Host, *account.Account) (Stages, error) {
	o := m.options
	if o.PacketLifetime < 0 {
		return Stages{}, fmt.Errorf("PacketLifetime is %v: it must be positive, or 0 for %v", o.PacketLifetime, DefaultPacketLifetime)
	}
	if o.MaxPackets < 0 || o.MaxPackets > mostPackets {
		return Stages{}, fmt.Errorf("MaxPackets is %d: it must be 1 to %d, or 0 for %d", o.MaxPackets, mostPackets, DefaultMaxPackets)
	}
	if o.PacketLifetime == 0 {
		o.PacketLifetime = DefaultPacketLifetime
	}
	if o.MaxPackets == 0 {
		o.MaxPackets = DefaultMaxPackets
	}
	return Stages{Outgoing: &deduplicateStage{newRecentPackets(o.MaxPackets, o.PacketLifetime)}}, nil
}

type deduplicateStage struct{ recent *recentPackets }

// Prepare refuses a duplicate, and remembers any other packet.
func (s *deduplicateStage) Prepare(_ context.Context, p *Packet) ilp.Reply {
	if p.Prepare.Destination.Scheme() == "peer" || p.Prepare.Condition == ping.Condition {
		return nil
	}
	first, found := s.recent.enter(&p.Prepare, p.Received)
	switch found {
	case packetOnItsWay:
		return &ilp.Reject{Code: ilp.T03ConnectorBusy, Message: "duplicate of a packet in flight.", Cause: errDuplicate}
	case packetFulfilled:
		return &ilp.Reject{Code: ilp.F00BadRequest, Message: "duplicate of a fulfilled packet.", Cause: errDuplicate}
	}
	if first != nil {
		p.Set(s, first)
	}
	return nil
}

// Reply remembers the packet for a while if it was fulfilled, and forgets it
// if not.
func (s *deduplicateStage) Reply(_ context.Context, p *Packet, reply ilp.Reply) ilp.Reply {
	if own, ok := p.Value(s).(*recentPacket); ok {
		_, fulfilled := reply.(*ilp.Fulfill)
		s.recent.leave(own, fulfilled)
	}
	return reply
}

var errDuplicate = errors.New("the packet was sent to the same account before, or has come back in a loop of routes")
