package middleware

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// PacketSubscription shows packets as they are answered. Packets never wait
// for it: it reads the rings of the log, and what they overwrite before it has
// read it is lost to it, and counted. It has no goroutine.
type PacketSubscription struct {
	log     *PacketLog
	matcher packetMatcher
	news    chan struct{}
	closed  chan struct{}
	close   sync.Once

	// Of whoever calls Next.
	mu   sync.Mutex
	read map[*packetRing]uint64 // up to which number
}

// ErrSubscriptionClosed is what Next returns after Close.
var ErrSubscriptionClosed = errors.New("middleware: the subscription is closed")

// Subscribe begins to watch for packets that f wants, from now on. The caller
// closes the subscription.
func (l *PacketLog) Subscribe(f PacketFilter) *PacketSubscription {
	s := &PacketSubscription{
		log: l, matcher: l.matcher(f), news: make(chan struct{}, 1), closed: make(chan struct{}), read: make(map[*packetRing]uint64),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ring := range l.rings {
		_, s.read[ring] = ring.bounds()
	}
	if l.shared != nil {
		_, s.read[l.shared] = l.shared.bounds()
	}
	l.resubscribe(func(all []*PacketSubscription) []*PacketSubscription { return append(all, s) })
	return s
}

// resubscribe replaces the list of subscriptions by what change makes of a
// copy. The caller holds mu.
func (l *PacketLog) resubscribe(change func([]*PacketSubscription) []*PacketSubscription) {
	var all []*PacketSubscription
	if former := l.subscriptions.Load(); former != nil {
		all = slices.Clone(*former)
	}
	if all = change(all); len(all) == 0 {
		l.subscriptions.Store(nil)
		return
	}
	l.subscriptions.Store(&all)
}

// tell says that there is something to read, if r is wanted. It is called
// while the packet of r is on its way.
func (s *PacketSubscription) tell(r *packetRecord) {
	if !s.matcher.matches(r) {
		return
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// Next waits for packets and gives those that came since the last call, in the
// order in which they were received: the last DefaultPacketLimit of them. lost
// counts those before, and packets, wanted or not, that were overwritten before
// they were read: call it more often, or keep more packets. The error is that
// of ctx, or ErrSubscriptionClosed.
//
// One goroutine at a time is served.
func (s *PacketSubscription) Next(ctx context.Context) (packets []LoggedPacket, lost uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		select {
		case <-s.closed:
			return nil, lost, ErrSubscriptionClosed
		case <-ctx.Done():
			return nil, lost, fmt.Errorf("middleware: waiting for packets: %w", context.Cause(ctx))
		case <-s.news:
		}
		var overwritten uint64
		packets, overwritten = s.collect()
		lost += overwritten
		if len(packets) > 0 {
			return packets, lost, nil
		}
	}
}

// collect reads what is new. The caller holds mu.
func (s *PacketSubscription) collect() (packets []LoggedPacket, lost uint64) {
	rings := s.log.all()
	read := make(map[*packetRing]uint64, len(rings)) // without those that are gone
	wanted := uint64(0)
	for _, ring := range rings {
		next, overwritten := ring.read(s.read[ring], func(r *packetRecord) {
			if !s.matcher.matches(r) {
				return
			}
			wanted++
			if packets = append(packets, r.packet()); len(packets) >= 2*DefaultPacketLimit {
				packets = last(packets, DefaultPacketLimit)
			}
		})
		read[ring] = next
		lost += overwritten
	}
	s.read = read
	packets = last(packets, DefaultPacketLimit)
	return packets, lost + wanted - uint64(len(packets))
}

// Close ends the subscription, and a Next that waits. Closing it again has no
// effect.
func (s *PacketSubscription) Close() {
	s.close.Do(func() {
		close(s.closed)
		s.log.mu.Lock()
		defer s.log.mu.Unlock()
		s.log.resubscribe(func(all []*PacketSubscription) []*PacketSubscription {
			return slices.DeleteFunc(all, func(other *PacketSubscription) bool { return other == s })
		})
	})
}
