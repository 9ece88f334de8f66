package telemetry

import "github.com/interledger-go/connector"

// The directions of packets and money, as labels.
const (
	incoming = "incoming"
	outgoing = "outgoing"
)

// collectAccounts shows links, balances, packets in flight and settlements
// under way.
func (s *scrape) collectAccounts() {
	m := s.metrics
	for _, relation := range []connector.Relation{connector.Child, connector.Peer, connector.Parent} {
		s.add(m.accounts, 0, relation.String())
	}
	for _, a := range s.c.Accounts() {
		s.units[a.ID] = a.Asset
		label, relation := s.label(a.ID), a.Relation.String()
		s.add(m.accounts, 1, relation)
		s.add(m.up, one(a.Connected), label, relation)
		s.add(m.inFlight, float64(a.InFlight), label, incoming)
		s.add(m.inFlight, float64(a.Outstanding), label, outgoing)
		if label != Other { // it would go back when the account is removed
			s.add(m.malformed, float64(a.Malformed), label)
		}
		s.collectBook(a)
	}
}

func (s *scrape) collectBook(a connector.AccountStatus) {
	m, b := s.metrics, a.Book
	s.add(m.balance, float64(b.Balance), s.unit(a.ID, a.Asset)...)
	s.add(m.reserved, float64(b.ReservedIn), s.unit(a.ID, a.Asset, incoming)...)
	s.add(m.reserved, float64(b.ReservedOut), s.unit(a.ID, a.Asset, outgoing)...)
	s.add(m.inDoubt, float64(b.InDoubtIn), s.unit(a.ID, a.Asset, incoming)...)
	s.add(m.inDoubt, float64(b.InDoubtOut), s.unit(a.ID, a.Asset, outgoing)...)
	s.add(m.settlements, float64(len(b.Settlements)), s.unit(a.ID, a.Asset)...)
	var pending, age float64
	for _, settlement := range b.Settlements {
		pending += float64(settlement.Amount)
		age = max(age, s.c.Now().Sub(settlement.Created).Seconds())
	}
	s.add(m.settlementsValue, pending, s.unit(a.ID, a.Asset)...)
	s.largest(m.settlementsAge, age, s.unit(a.ID, a.Asset)...)
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
