package config

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// packetLogs is the packet log of a connector that runs: another can take its
// place, or none. It stands outermost, under the name of what it holds.
type packetLogs struct {
	mu      sync.Mutex // not held while a packet moves
	current *middleware.PacketLog
	stages  map[*packetLogStage]struct{}
}

func newPacketLogs(log *middleware.PacketLog) *packetLogs {
	return &packetLogs{current: log, stages: make(map[*packetLogStage]struct{})}
}

// Name is that of the middleware itself.
func (*packetLogs) Name() string { return packetLogName }

// PacketLog gives the present one; nil if there is none.
func (p *packetLogs) PacketLog() *middleware.PacketLog {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// Attach gives the account a stage of the present log.
func (p *packetLogs) Attach(h middleware.Host, a *account.Account) (middleware.Stages, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &packetLogStage{host: h, account: a}
	use, err := s.attach(p.current)
	if err != nil {
		return middleware.Stages{}, err
	}
	s.use.Store(use)
	p.stages[s] = struct{}{}
	return middleware.Stages{Incoming: s, Close: func() { p.detach(s) }}, nil
}

func (p *packetLogs) detach(s *packetLogStage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.stages, s)
	if use := s.use.Load(); use != nil {
		use.Close()
	}
}

// set puts log, which may be nil, in the place of the present one: for all
// accounts, or for none if it is refused.
func (p *packetLogs) set(log *middleware.PacketLog) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	uses := make(map[*packetLogStage]*middleware.Stages, len(p.stages))
	for s := range p.stages {
		use, err := s.attach(log)
		if err != nil {
			return err
		}
		uses[s] = use
	}
	p.current = log
	for s, use := range uses {
		if former := s.use.Swap(use); former != nil {
			former.Close() // a packet that is with it now is still written, and nobody reads it
		}
	}
	return nil
}

// packetLogStage is the stage of an account, of whichever log there is.
type packetLogStage struct {
	host    middleware.Host
	account *account.Account
	use     atomic.Pointer[middleware.Stages] // nil without a log
}

func (s *packetLogStage) attach(log *middleware.PacketLog) (*middleware.Stages, error) {
	if log == nil {
		return nil, nil
	}
	stages, err := log.Attach(s.host, s.account)
	if err != nil {
		return nil, err
	}
	return &stages, nil
}

// Prepare lets every packet pass, as a log does.
func (*packetLogStage) Prepare(context.Context, *middleware.Packet) ilp.Reply { return nil }

// Reply has the packet written.
func (s *packetLogStage) Reply(ctx context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
	if use := s.use.Load(); use != nil {
		return use.Incoming.Reply(ctx, p, reply)
	}
	return reply
}
