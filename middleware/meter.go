package middleware

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/histogram"
	"github.com/interledger-go/connector/ilp"
)

// Meter measures how long packets take, for each account, direction and
// outcome, and counts by code what the connector itself refuses. It looks at
// the clock once for each packet, and adds to a few counters.
//
// It stands at both ends of the chain, so that it sees what the counterparty
// sees: a packet of an account is measured until its answer is ready to go
// back, with the wait for the books and with those that a limit refuses; a
// packet to an account until the next hop has answered it, and only if it was
// sent. So it is put around the others:
//
//	meter := middleware.NewMeter()
//	chain := meter.Around(middleware.Standard())
//
// All methods may be called concurrently. Its name is "meter"; the part of it
// that stands innermost is "meterInside".
type Meter struct {
	mu       sync.Mutex
	accounts map[accountUnit]*accountMeter
}

// NewMeter makes a Meter for one connector.
func NewMeter() *Meter { return &Meter{accounts: make(map[accountUnit]*accountMeter)} }

// Around gives list with m around it.
func (m *Meter) Around(list []Middleware) []Middleware {
	return slices.Concat([]Middleware{m}, list, []Middleware{meterInside{m}})
}

// Name gives "meter".
func (m *Meter) Name() string { return "meter" }

// Attach measures what comes from a. An account that is removed and added
// again goes on where it was, unless it has another asset now, as in Stats.
func (m *Meter) Attach(host Host, a *account.Account) (Stages, error) {
	return Stages{Incoming: &meterEdge{since: Since(host), figures: m.account(a)}}, nil
}

// meterInside is the part of a Meter that measures what goes to an account.
type meterInside struct{ meter *Meter }

func (meterInside) Name() string { return "meterInside" }

func (m meterInside) Attach(host Host, a *account.Account) (Stages, error) {
	return Stages{Outgoing: &meterLink{since: Since(host), figures: m.meter.account(a)}}, nil
}

func (m *Meter) account(a *account.Account) *accountMeter {
	m.mu.Lock()
	defer m.mu.Unlock()
	unit := accountUnit{a.ID, a.Asset}
	figures := m.accounts[unit]
	if figures == nil {
		figures = new(accountMeter)
		m.accounts[unit] = figures
	}
	return figures
}

// AccountMeter is what was measured for one account since the Meter was made.
type AccountMeter struct {
	Account string
	Asset   ilp.Asset
	// Incoming is how long packets from the counterparty took until they were
	// answered, in nanoseconds, by outcome. Outcomes that were not seen are
	// left out.
	Incoming map[Outcome]histogram.Snapshot
	// Outgoing is how long packets to the counterparty took from when the
	// connector received them until the next hop answered; it answers nothing
	// itself there.
	Outgoing map[Outcome]histogram.Snapshot
	// Refused counts the packets from the counterparty that this connector
	// rejected, those that expired among them, by code. Codes that were not
	// seen are left out; those that no RFC names are counted under "".
	Refused map[ilp.Code]uint64
}

// Snapshot gives the figures of now for all accounts, by account id and then
// by asset.
func (m *Meter) Snapshot() []AccountMeter {
	m.mu.Lock()
	accounts := maps.Clone(m.accounts)
	m.mu.Unlock()
	all := make([]AccountMeter, 0, len(accounts))
	for _, unit := range slices.SortedFunc(maps.Keys(accounts), compareUnits) {
		figures := accounts[unit]
		all = append(all, AccountMeter{
			Account:  unit.id,
			Asset:    unit.asset,
			Incoming: figures.incoming.snapshot(),
			Outgoing: figures.outgoing.snapshot(),
			Refused:  figures.refusals(),
		})
	}
	return all
}

type accountMeter struct {
	incoming, outgoing latencies
	refused            [otherCode + 1]atomic.Uint64
}

func (m *accountMeter) refusals() map[ilp.Code]uint64 {
	counts := make(map[ilp.Code]uint64)
	for _, code := range append(ilp.Codes(), "") {
		if n := m.refused[codeIndex(code)].Load(); n > 0 {
			counts[code] = n
		}
	}
	return counts
}

// latencies are histograms of nanoseconds. Of thousands of accounts many see
// few packets, so one is made when it is first needed.
type latencies [outcomeEnd]atomic.Pointer[histogram.Histogram]

func (l *latencies) observe(o Outcome, took time.Duration) {
	h := l[o].Load()
	if h == nil {
		l[o].CompareAndSwap(nil, new(histogram.Histogram))
		h = l[o].Load()
	}
	h.Observe(uint64(took))
}

func (l *latencies) snapshot() map[Outcome]histogram.Snapshot {
	snapshots := make(map[Outcome]histogram.Snapshot)
	for o := range l {
		if h := l[o].Load(); h != nil {
			snapshots[Outcome(o)] = h.Snapshot()
		}
	}
	return snapshots
}

// meterEdge is the outermost incoming Stage.
type meterEdge struct {
	replyOnly
	since   func(time.Time) time.Duration
	figures *accountMeter
}

func (s *meterEdge) Reply(_ context.Context, p *Packet, reply ilp.Reply) ilp.Reply {
	outcome := OutcomeOf(p, reply)
	s.figures.incoming.observe(outcome, p.Took(s.since))
	if reject, ok := reply.(*ilp.Reject); ok && outcome != OutcomeRejected {
		s.figures.refused[codeIndex(reject.Code)].Add(1)
	}
	return reply
}

// meterLink is the innermost outgoing Stage.
type meterLink struct {
	replyOnly
	since   func(time.Time) time.Duration
	figures *accountMeter
}

func (s *meterLink) Reply(_ context.Context, p *Packet, reply ilp.Reply) ilp.Reply {
	s.figures.outgoing.observe(outgoingOutcome(p, reply), p.Took(s.since))
	return reply
}
