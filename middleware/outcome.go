package middleware

import (
	"fmt"

	"github.com/interledger-go/connector/ilp"
)

// Outcome is what became of a packet, in one word.
type Outcome uint8

const (
	// OutcomeFulfilled: the next hop fulfilled it.
	OutcomeFulfilled Outcome = iota + 1
	// OutcomeRejected: the next hop, or somebody behind it, rejected it.
	OutcomeRejected
	// OutcomeExpired: no answer came in time.
	OutcomeExpired
	// OutcomeRefused: this connector rejected it, or its link to the next hop
	// did.
	OutcomeRefused
	// OutcomeAnswered: it was for this connector, which fulfilled it: a peer
	// protocol, a ping.
	OutcomeAnswered

	outcomeEnd
)

var outcomeNames = [outcomeEnd]string{
	OutcomeFulfilled: "fulfilled", OutcomeRejected: "rejected", OutcomeExpired: "expired",
	OutcomeRefused: "refused", OutcomeAnswered: "answered",
}

// Outcomes gives all outcomes.
func Outcomes() []Outcome {
	return []Outcome{OutcomeFulfilled, OutcomeRejected, OutcomeExpired, OutcomeRefused, OutcomeAnswered}
}

// String names the outcome in one word, such as "fulfilled".
func (o Outcome) String() string {
	if o == 0 || o >= outcomeEnd {
		return fmt.Sprintf("Outcome(%d)", uint8(o))
	}
	return outcomeNames[o]
}

// MarshalText gives the name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText takes a name.
func (o *Outcome) UnmarshalText(text []byte) error {
	for _, known := range Outcomes() {
		if known.String() == string(text) {
			*o = known
			return nil
		}
	}
	return fmt.Errorf("middleware: %.32q is no outcome: it must be one of %v", text, Outcomes())
}

// OutcomeOf gives the outcome of an incoming packet by the reply that its
// source gets. It is for incoming stages that stand outside of all others:
// a stage further in may yet see its reply replaced.
func OutcomeOf(p *Packet, reply ilp.Reply) Outcome {
	// Pointers are compared, and not what is around them: it is done for every
	// packet.
	reject, rejected := reply.(*ilp.Reject)
	if !rejected {
		if next, ok := p.NextHopReply.(*ilp.Fulfill); ok && reply.(*ilp.Fulfill) == next {
			return OutcomeFulfilled
		}
		return OutcomeAnswered
	}
	next, relayed := p.NextHopReply.(*ilp.Reject)
	switch {
	case relayed && reject == next:
		return OutcomeRejected
	case reject.Code == ilp.R00TransferTimedOut:
		return OutcomeExpired
	}
	return OutcomeRefused
}

// outgoingOutcome gives the outcome of an outgoing packet by the reply that
// the innermost stage gets: the next hop's, or that of its link.
func outgoingOutcome(p *Packet, reply ilp.Reply) Outcome {
	reject, rejected := reply.(*ilp.Reject)
	switch {
	case !rejected:
		return OutcomeFulfilled
	case reject.Cause != nil:
		return OutcomeRefused
	case reject.Code == ilp.R00TransferTimedOut && reject.TriggeredBy.IsZero():
		return OutcomeExpired
	}
	return OutcomeRejected
}
