package telemetry

import (
	"strings"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ccp"
)

// collectRoutes shows routes, and how they are exchanged with neighbors.
// Neighbors beyond the bound of accounts are left out: what is counted of them
// begins anew with each link.
func (s *scrape) collectRoutes() {
	m := s.metrics
	for origin, n := range s.c.Router().Counts() {
		s.add(m.routes, float64(n), origin.String())
	}
	for _, x := range s.c.Router().Exchange() {
		label := s.label(x.Account)
		if label == Other {
			continue
		}
		if x.Receiver != nil {
			s.collectReceiver(label, x.Receiver)
		}
		if x.Sender != nil {
			s.collectSender(label, x.Sender)
		}
	}
}

func (s *scrape) collectReceiver(label string, r *connector.ReceiverStatus) {
	m := s.metrics
	s.add(m.ccpRoutes, float64(r.Routes), label)
	s.add(m.ccpExpiries, float64(r.Expiries), label)
	s.add(m.ccpReceived, float64(r.Updates-r.Stale-r.Gaps), label, "accepted")
	s.add(m.ccpReceived, float64(r.Stale), label, "stale")
	s.add(m.ccpReceived, float64(r.Gaps), label, "gap")
	s.add(m.ccpReceived, float64(r.Rejected), label, "rejected")
	for reason, n := range r.Refused {
		s.add(m.ccpRefused, float64(n), label, word(ccp.Refusal(reason).String()))
	}
}

func (s *scrape) collectSender(label string, sender *connector.SenderStatus) {
	m := s.metrics
	if sender.Mode == ccp.Sync {
		s.add(m.ccpLag, float64(sender.CurrentEpoch-min(sender.Epoch, sender.CurrentEpoch)), label)
	}
	for outcome, n := range sender.Outcomes {
		s.add(m.ccpSent, float64(n), label, word(ccp.Outcome(outcome).String()))
	}
}

// word makes a label of some words.
func word(words string) string { return strings.ReplaceAll(words, " ", "_") }
