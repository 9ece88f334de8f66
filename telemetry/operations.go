package telemetry

import "github.com/interledger-go/connector/middleware"

// collectAlerts shows how many alerts there are. A host may raise kinds of its
// own, as many as it likes.
func (s *scrape) collectAlerts() {
	alerts := s.c.Alerts()
	if alerts == nil {
		return
	}
	known := []middleware.AlertKind{
		middleware.AlertBalanceExceeded, middleware.AlertLateFulfill, middleware.AlertSettlementFailing, middleware.AlertSettlementRefused,
		middleware.AlertStoreFailing, middleware.AlertStoreRecovered, middleware.AlertAssetMismatch,
	}
	counts := make(map[middleware.AlertKind]int)
	for _, a := range alerts {
		counts[a.Kind]++
	}
	rest := len(alerts)
	for _, kind := range known {
		s.add(s.metrics.alerts, float64(counts[kind]), string(kind))
		rest -= counts[kind]
	}
	s.add(s.metrics.alerts, float64(rest), Other)
}

// collectLedger shows how the books are made durable.
func (s *scrape) collectLedger() {
	m := s.metrics
	commits, ok := s.c.Commits()
	if !ok {
		return
	}
	s.addHistogram(m.commitDuration, commits.Durations)
	s.addHistogram(m.commitRecords, commits.Records)
	s.addHistogram(m.commitWaiters, commits.Waiters)
	s.add(m.commitFailures, float64(commits.Failures))
	s.add(m.storeFailing, one(commits.Failing))
}

// collectRates shows the sources of rates, for a backend that has some.
func (s *scrape) collectRates() {
	m := s.metrics
	for _, f := range s.c.Feeds() {
		if !f.Published.IsZero() {
			s.largest(m.rateAge, f.Age.Seconds(), f.Name)
		}
		if !f.LastSuccess.IsZero() {
			s.largest(m.rateSuccess, float64(f.LastSuccess.UnixMilli())/1000, f.Name)
		}
		s.add(m.rateFetches, float64(f.Successes), f.Name, "succeeded")
		s.add(m.rateFetches, float64(f.Failures), f.Name, "failed")
		s.add(m.rateCurrencies, float64(f.Currencies), f.Name, "good")
		s.add(m.rateCurrencies, float64(len(f.Stale)), f.Name, "stale")
		s.add(m.rateCurrencies, float64(len(f.Doubtful)), f.Name, "doubtful")
		s.add(m.rateJumps, float64(f.RejectedJumps), f.Name)
	}
}
