package telemetry

import (
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// otherCode is the label of codes that no RFC names.
const otherCode = "other"

func codeLabel(code ilp.Code) string {
	if code == "" {
		return otherCode
	}
	return string(code)
}

// collectStats shows what the stats middleware has counted. The reference has
// a third result, failed, for replies that are no packets: here those are T01.
func (s *scrape) collectStats() {
	m := s.metrics
	for _, a := range s.c.Stats() {
		s.collectDirection(a, a.Incoming, m.incomingPackets, m.incomingValue, m.incomingMoney, m.incomingMoneyPayments)
		s.collectDirection(a, a.Outgoing, m.outgoingPackets, m.outgoingValue, m.outgoingMoney, m.outgoingMoneyPayments)
		s.total(m.latePackets, m.lateValue, a.Outgoing.Late, s.unit(a.Account, a.Asset))
		s.add(m.rateLimitedMoney, 0, s.unit(a.Account, a.Asset)...)
	}
}

func (s *scrape) collectDirection(a middleware.AccountStats, d middleware.DirectionStats, packets, value, money, settlements *metric) {
	s.total(packets, value, d.Fulfilled, s.unit(a.Account, a.Asset, "fulfilled", ""))
	for code, total := range d.Rejected {
		s.total(packets, value, total, s.unit(a.Account, a.Asset, "rejected", codeLabel(code)))
	}
	s.total(settlements, money, d.Money, s.unit(a.Account, a.Asset, "succeeded"))
	s.total(settlements, money, d.MoneyFailed, s.unit(a.Account, a.Asset, "failed"))
}

func (s *scrape) total(count, amount *metric, t middleware.Total, labels []string) {
	s.add(count, float64(t.Count), labels...)
	s.add(amount, float(t.Amount), labels...)
}

// collectMeters shows what the meter middleware has measured.
func (s *scrape) collectMeters() {
	m := s.metrics
	for _, a := range s.c.Meters() {
		label := s.label(a.Account)
		for outcome, latencies := range a.Incoming {
			s.addHistogram(m.duration, latencies, label, incoming, outcome.String())
		}
		for outcome, latencies := range a.Outgoing {
			s.addHistogram(m.duration, latencies, label, outgoing, outcome.String())
		}
		// There from the beginning: Prometheus sees no increase in a series
		// that begins at 1, and one fault is worth an alert.
		s.add(m.refused, 0, s.unit(a.Account, a.Asset, codeLabel(ilp.T00InternalError))...)
		for code, n := range a.Refused {
			s.add(m.refused, float64(n), s.unit(a.Account, a.Asset, codeLabel(code))...)
		}
		s.add(m.rateLimitedPackets, float64(a.Refused[ilp.T05RateLimited]), s.unit(a.Account, a.Asset)...)
	}
}

// collectCounters shows what belongs to no single account.
func (s *scrape) collectCounters() {
	counters := s.c.Counters()
	s.add(s.metrics.lateFulfills, float64(counters.LateFulfills))
	s.add(s.metrics.unexpectedReplies, float64(counters.UnexpectedReplies))
}
