package middleware

import (
	"cmp"
	"context"
	"maps"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Stats counts packets and settlements, and adds up their values, for each
// account, direction, result and error code. It costs a few atomic additions
// for each packet; nothing is formatted or locked until Snapshot is called.
//
// Its name is "stats". It stands innermost, as in the reference, so that it
// counts what passed the limits outside of it.
type Stats struct {
	mu       sync.Mutex
	accounts map[accountUnit]*accountStats
}

// accountUnit is an account and the unit of its amounts. Amounts of different
// units are never added up.
type accountUnit struct {
	id    string
	asset ilp.Asset
}

func compareUnits(a, b accountUnit) int {
	return cmp.Or(
		cmp.Compare(a.id, b.id),
		cmp.Compare(a.asset.Code, b.asset.Code),
		cmp.Compare(a.asset.Scale, b.asset.Scale),
	)
}

// NewStats makes a Stats for one connector.
func NewStats() *Stats {
	return &Stats{accounts: make(map[accountUnit]*accountStats)}
}

// Name gives "stats".
func (s *Stats) Name() string { return "stats" }

// Attach starts to count for a. An account that is removed and added again
// goes on where it was, unless it has another asset now: that is counted for
// itself.
func (s *Stats) Attach(_ Host, a *account.Account) (Stages, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	unit := accountUnit{a.ID, a.Asset}
	counts := s.accounts[unit]
	if counts == nil {
		counts = &accountStats{}
		s.accounts[unit] = counts
	}
	return Stages{
		Incoming:      &counts.incoming,
		Outgoing:      &counts.outgoing,
		IncomingMoney: counts.incoming.money,
		OutgoingMoney: counts.outgoing.money,
	}, nil
}

// AccountStats is what was counted for one account since the connector was
// made. Amounts are in the unit of the account.
type AccountStats struct {
	Account string
	Asset   ilp.Asset
	// Incoming is what came from the counterparty, Outgoing what went to it.
	Incoming, Outgoing DirectionStats
}

// DirectionStats is one direction of an account.
type DirectionStats struct {
	// Fulfilled counts the packets that were fulfilled, with the sum of their
	// amounts.
	Fulfilled Total
	// Rejected counts those that were not, by code. Codes that were not seen
	// are left out; those that no RFC names are counted together under "".
	Rejected map[ilp.Code]Total
	// Late counts fulfillments that came after the packet had expired and the
	// sender had been told R00. The next hop thinks it was paid for them.
	// Outgoing only.
	Late Total
	// Money counts the settlements that went through, MoneyFailed the
	// attempts that did not. One that the counterparty tells of again, under
	// its key, is booked once and counted again.
	Money, MoneyFailed Total
}

// Total is a number of things and the exact sum of their amounts.
type Total struct {
	Count  uint64
	Amount *big.Int
}

// Snapshot gives the figures of now for all accounts, by account id and then
// by asset. Figures that change while it runs may be a packet apart from one
// another.
func (s *Stats) Snapshot() []AccountStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]AccountStats, 0, len(s.accounts))
	for _, unit := range slices.SortedFunc(maps.Keys(s.accounts), compareUnits) {
		counts := s.accounts[unit]
		all = append(all, AccountStats{
			Account:  unit.id,
			Asset:    unit.asset,
			Incoming: counts.incoming.snapshot(),
			Outgoing: counts.outgoing.snapshot(),
		})
	}
	return all
}

type accountStats struct{ incoming, outgoing directionStats }

// directionStats is a Stage that counts.
type directionStats struct {
	replyOnly
	fulfilled, late, moneyDone, moneyFailed total
	rejected                                [otherCode + 1]total
}

var _ LateObserver = (*directionStats)(nil)

func (s *directionStats) Reply(_ context.Context, p *Packet, reply ilp.Reply) ilp.Reply {
	if reject, ok := reply.(*ilp.Reject); ok {
		s.rejected[codeIndex(reject.Code)].add(p.Prepare.Amount)
	} else {
		s.fulfilled.add(p.Prepare.Amount)
	}
	return reply
}

func (s *directionStats) Late(p *Packet, reply ilp.Reply) {
	if _, ok := reply.(*ilp.Fulfill); ok {
		s.late.add(p.Prepare.Amount)
	}
}

func (s *directionStats) money(next MoneyFunc) MoneyFunc {
	return func(ctx context.Context, m plugin.Money) error {
		err := next(ctx, m)
		if err != nil {
			s.moneyFailed.add(m.Amount)
		} else {
			s.moneyDone.add(m.Amount)
		}
		return err
	}
}

func (s *directionStats) snapshot() DirectionStats {
	d := DirectionStats{
		Fulfilled:   s.fulfilled.load(),
		Rejected:    make(map[ilp.Code]Total),
		Late:        s.late.load(),
		Money:       s.moneyDone.load(),
		MoneyFailed: s.moneyFailed.load(),
	}
	for _, code := range append(ilp.Codes(), "") {
		if t := s.rejected[codeIndex(code)].load(); t.Count > 0 {
			d.Rejected[code] = t
		}
	}
	return d
}

// total is a count and an exact sum that goes far beyond 64 bits: amounts of
// an asset with scale 18 pass them after a few packets. The sum is kept in
// four parts, of the 16 bits of each amount at the same place, so that no
// addition carries into another: a part overflows after 2^48 packets.
type total struct {
	count atomic.Uint64
	parts [4]atomic.Uint64
}

func (t *total) add(amount uint64) {
	t.count.Add(1)
	for i := 0; amount != 0; i++ {
		if part := amount & 0xffff; part != 0 {
			t.parts[i].Add(part)
		}
		amount >>= 16
	}
}

func (t *total) load() Total {
	sum := new(big.Int)
	for i := len(t.parts) - 1; i >= 0; i-- {
		sum.Lsh(sum, 16)
		sum.Add(sum, new(big.Int).SetUint64(t.parts[i].Load()))
	}
	return Total{Count: t.count.Load(), Amount: sum}
}

// Where the codes stand in an array: the class, ten places each, by the last
// digit (9 for the application codes x99), then one for all others.
const (
	classF, classT, classR = 0, 10, 20
	otherCode              = 30
)

func codeIndex(c ilp.Code) int {
	if len(c) != 3 {
		return otherCode
	}
	var class int
	var last byte // digit of the last named code below x99
	switch c[0] {
	case 'F':
		class, last = classF, '8'
	case 'T':
		class, last = classT, '5'
	case 'R':
		class, last = classR, '2'
	default:
		return otherCode
	}
	switch {
	case c[1] == '0' && c[2] >= '0' && c[2] <= last:
		return class + int(c[2]-'0')
	case c[1:] == "99":
		return class + 9
	}
	return otherCode
}
